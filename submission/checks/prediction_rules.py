"""Rules 60 to 77: what predict gives back, and how it gets there."""

import ast
import re
from collections.abc import Iterator

from submission.checks import batch
from submission.checks.facts import Facts
from submission.checks.predict import Predict, keras_network, own
from submission.rule import ERROR, NOTE, WARNING, Rule

TENSORS = re.compile(r"^(tensorflow|keras)\.(\w+\.)*(argmax|cast|round|squeeze|reshape|stack|"
                     r"concat|convert_to_tensor|constant|identity|transpose|gather|top_k|map_fn)$")
CALLED = ("predict", "predict_on_batch", "__call__")
PICKING = ("argmax", "argsort", "argpartition", "top_k", "round", "rint", "bincount", "mode",
           "Counter", "most_common", "unique", "digitize", "searchsorted", "where", "greater",
           "predict_classes", "decode_predictions", "max")
PICKING_LAYERS = {"Argmax", "Lambda"}
INSIDE = ("efficientnet", "efficientnet_v2", "convnext", "mobilenet_v3", "regnet")
OUTSIDE = ("vgg", "block1_conv1", "conv1_conv", "conv5_block", "xception", "block14_sepconv",
           "block_16_expand")
RANDOM = re.compile(r"^(numpy\.random\.|tensorflow\.random\.|keras\.random\.|random\.)\w+|"
                    r"random_(flip|crop|brightness|contrast|hue|saturation|jpeg)|"
                    r"\.Random[A-Z]\w+$|\.default_rng$")
SEEDING = ("numpy.random.seed", "tensorflow.random.set_seed", "random.seed",
           "set_random_seed", "keras.utils.set_random_seed")
OTHERS = {"map", "filter", "zip", "tuple", "dict", "set", "str", "float", "int", "bool", "print"}
LOOPS = ast.For | ast.While | ast.ListComp | ast.GeneratorExp


def predict(f: Facts) -> Iterator[Predict]:
    found = f.method("predict")
    if found and isinstance(found[1], ast.FunctionDef):
        yield Predict(f, found[0], found[1])


def calls(f: Facts) -> list[tuple[str, ast.Call, str]]:
    """(dotted name, call, where) of everything that is called, in all files."""
    return [(name, call, f"Line {call.lineno} of {s.file}")
            for s in f.sources for name, call in s.calls]


def name_of(p: Predict, node: ast.AST) -> str:
    return p.source.name(node.func) if isinstance(node, ast.Call) else ""


def nothing(f: Facts) -> Iterator[str]:
    for p in predict(f):
        if any(r.value is not None for r in p.returns) or stub(p.method):
            yield from (f"{where} returns what {q.method.name} gives, which is nothing."
                        for q, where in p.handed if not q.returns
                        and not ends_otherwise(q.method) and not replaced(f, q.method.name))
        elif not ends_otherwise(p.method):
            yield "Model.predict returns nothing."


def replaced(f: Facts, name: str) -> bool:
    """Whether a method may be another one than its def says."""
    bound = re.compile(rf"(^\s*|\.){name}\b\s*(:[^=\n]+)?=(?!=)|setattr\(", re.MULTILINE)
    return any(bound.search(s.text) for s in f.sources)


def ends_otherwise(method: ast.FunctionDef) -> bool:
    return bool(method.decorator_list) or any(
        isinstance(n, ast.Raise | ast.Yield | ast.YieldFrom) for n in own(method))


def stub(method: ast.FunctionDef) -> bool:
    return len(method.body) == 1 and isinstance(method.body[0], ast.Raise)


def only_in_branch(f: Facts) -> Iterator[str]:
    for p in predict(f):
        if any(r.value is not None for r in p.returns) and falls_through(p.method.body):
            yield "Model.predict returns something on one way and nothing on another."


def falls_through(body: list[ast.stmt]) -> bool:
    """Whether the end of these statements can be reached."""
    last = body[-1]
    if isinstance(last, ast.Return | ast.Raise):
        return False
    if isinstance(last, ast.If):
        return falls_through(last.body) or not last.orelse or falls_through(last.orelse)
    if isinstance(last, ast.With):
        return falls_through(last.body)
    if isinstance(last, ast.Try | ast.TryStar):
        if last.finalbody and not falls_through(last.finalbody):
            return False
        return falls_through(last.orelse or last.body) or any(
            falls_through(h.body) for h in last.handlers)
    if isinstance(last, ast.Match):
        whole = any(isinstance(c.pattern, ast.MatchAs) and not (c.pattern.pattern or c.guard)
                    for c in last.cases)
        return not whole or any(falls_through(c.body) for c in last.cases)
    return not (isinstance(last, ast.While) and isinstance(last.test, ast.Constant))


def tensor(f: Facts) -> Iterator[str]:
    for predicting in predict(f):
        for p, value, where in predicting.results:
            if TENSORS.match(name_of(p, value)):
                yield f"{where} returns a tensor: {name_of(p, value)}."


def probabilities(f: Facts) -> Iterator[str]:
    if any(n.kinds & PICKING_LAYERS for n in f.networks):
        return
    for predicting in predict(f):
        picks = any(n.split(".")[-1] in PICKING for n, _, _ in calls(f))
        for p, value, where in predicting.results:
            called = unwrapped(p, value)
            if isinstance(called, ast.Attribute) and called.attr in CALLED:
                called = called.value
            if not picks and called and keras_network(f, p.source, called):
                yield (f"{where} returns what the network gives, one number a "
                       "class; nothing picks the largest.")


def unwrapped(p: Predict, value: ast.AST) -> ast.AST | None:
    """What is called, below .numpy() and np.array(...); None where nothing is."""
    while isinstance(value, ast.Call):
        if isinstance(value.func, ast.Attribute) and value.func.attr == "numpy":
            value = value.func.value
        elif name_of(p, value) in ("numpy.array", "numpy.asarray") and value.args:
            value = value.args[0]
        else:
            return value.func
    return None


def wrong_shape(f: Facts) -> Iterator[str]:
    for predicting in predict(f):
        for p, value, where in predicting.results:
            name = name_of(p, value)
            call = value if isinstance(value, ast.Call) else None
            if name.endswith("to_categorical") or (
                    isinstance(value, ast.Subscript) and name_of(p, value.value) == "numpy.eye"):
                yield f"{where} returns one-hot rows."
            elif call and name.endswith("argmax") and keyword(call, "keepdims") is True:
                yield f"{where} returns a column, (n, 1)."
            elif call and not call.keywords and len(call.args) == (name == "numpy.argmax") and (
                    name.split(".")[-1] == "argmax" and not p.source.home_made(call)):
                yield f"{where} returns one number for all pictures: no axis."
            elif name.endswith("expand_dims") or re.search(
                    r"reshape\(\(?-1, 1\)?\)$|\[:, (None|np.newaxis)\]$", ast.unparse(value)):
                yield f"{where} returns a column, (n, 1)."


def wrong_type(f: Facts) -> Iterator[str]:
    for predicting in predict(f):
        if not predicting.method.decorator_list and any(
                isinstance(n, ast.Yield | ast.YieldFrom) for n in own(predicting.method)):
            yield "Model.predict yields, so what it returns is a generator, not a numpy array."
            continue
        for p, value, where in predicting.results:
            if isinstance(value, ast.Call) and not value.keywords and len(value.args) == 1 \
                    and name_of(p, value) in ("numpy.zeros", "numpy.ones", "numpy.empty"):
                yield f"{where} returns an array of floats, which {name_of(p, value)} makes."
            elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and name_of(
                    p, value) in OTHERS and not p.source.home_made(value):
                yield f"{where} returns what {name_of(p, value)} gives, not a numpy array."
            elif isinstance(value, ast.List | ast.ListComp | ast.Tuple | ast.Dict) or (
                    isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
                    and value.func.attr == "tolist") or name_of(p, value) == "list":
                yield f"{where} returns a Python list, not a numpy array."
            elif isinstance(value, ast.Call):
                given = [k.value for k in value.keywords if k.arg == "dtype"]
                if isinstance(value.func, ast.Attribute) and value.func.attr == "astype":
                    given += value.args[:1]
                elif name_of(p, value) not in ("numpy.array", "numpy.asarray"):
                    given = []
                for kind in map(ast.unparse, given):
                    if re.search(r"float|str|bool|object", kind):
                        yield f"{where} returns {kind}, not integers."


def keyword(call: ast.Call, name: str) -> object:
    return next((k.value.value for k in call.keywords
                 if k.arg == name and isinstance(k.value, ast.Constant)), None)


def batch_scaling(f: Facts) -> Iterator[str]:
    for p in predict(f):
        yield from batch.statistics(f, p)


def scales(f: Facts) -> list[str]:
    """Where something is divided by 255 or so."""
    return [f"Line {n.lineno} of {s.file}" for s in f.sources
            for n in [*s.walk(ast.BinOp), *s.walk(ast.AugAssign)]
            if isinstance(n, ast.BinOp | ast.AugAssign)
            and isinstance(n.op, ast.Div | ast.Mult)
            and re.search(r"(/=? ?(255|127\.5|256)\b)|(\*=? ?\(?1\.?0? ?/ ?255)",
                          ast.unparse(n).replace("255.0", "255"))]


def preprocessors(f: Facts) -> list[str]:
    return [n for s in f.sources for n, _ in s.calls if n.endswith("preprocess_input")]


def twice_scaled(f: Facts) -> Iterator[str]:
    lines = scales(f)
    for network in f.networks:
        names = network.layer_names.replace("_", "")
        inside = any(o.kind == "Rescaling" for o in network.layers) and not any(
            n in names for n in ("vgg", "xception"))
        if lines and inside:
            yield (f"{lines[0]} scales the pictures, and so does a Rescaling "
                   f"layer in {network.name}.")
    if lines and any(f".{name}.preprocess_input" in n for n in preprocessors(f)
                     for name in ("vgg16", "vgg19", "resnet", "resnet50", "xception",
                                  "mobilenet_v2")):
        yield f"{lines[0]} scales the pictures, and preprocess_input does, too."


def idle_preprocessing(f: Facts) -> Iterator[str]:
    for name in sorted(set(preprocessors(f))):
        if any(f".{inside}." in name for inside in INSIDE):
            yield f"{name} does nothing: these networks scale inside."


def not_scaled(f: Facts) -> Iterator[str]:
    if f.source is None or scales(f) or preprocessors(f):
        return
    for network in f.networks:
        kinds = network.kinds
        if any(o in network.layer_names for o in OUTSIDE) and not kinds & {
                "Rescaling", "Normalization", "Lambda", "TrueDivide", "Divide", "Subtract",
                "GetItem", "Multiply", "BatchNormalization"}:
            yield f"{network.name} expects scaled pictures, and nothing scales them."


def double_softmax(f: Facts) -> Iterator[str]:
    if f.source is None:
        return
    ends = [n.name for n in f.networks if n.last and "softmax" in (
        str(n.last.config.get("activation")), n.last.kind.lower())]
    for name, _, where in calls(f):
        if name.split(".")[-1] in ("softmax", "Softmax") and ends:
            yield f"{where} applies a soft-max; {ends[0]} ends in one already."


def networks_called(p: Predict) -> list[ast.Call]:
    """Calls that look like a network's prediction, in all code that runs."""
    return [c for n, c in p.source.calls if n.endswith((".predict", ".predict_on_batch")) or
            re.search(r"^self\.(\w*model\w*|net\w*|\w*network|backbone)$", n)]


def leading_to(p: Predict, calls: list[ast.Call]) -> list[ast.Call]:
    """``calls``, and the calls of the file's own functions that come past one of them."""
    found, new = list(calls), list(calls)
    while new:
        owners = {own_function(p, c) for c in new}
        names = {n.name for n in owners if isinstance(n, ast.FunctionDef)} - {"predict"}
        new = [c for n, c in p.source.calls if n.split(".")[-1] in names and c not in found]
        found += new
    return found


def single_pictures(f: Facts) -> Iterator[str]:
    for p in predict(f):
        for call in leading_to(p, networks_called(p)):
            for loop in p.source.around(call):
                if isinstance(loop, LOOPS) and one_by_one(p, loop):
                    yield f"Line {call.lineno} of {p.source.file} predicts one picture at a time."
                    break


def one_by_one(p: Predict, loop: ast.AST) -> bool:
    """Whether a loop runs over single pictures: for x in X, or X[i] for i in range(len(X))."""
    heads = [(loop.target, loop.iter)] if isinstance(loop, ast.For) else [
        (g.target, g.iter) for g in getattr(loop, "generators", [])]
    inside = ast.unparse(loop)
    expanded = any(w in inside for w in ("expand_dims", "newaxis", "None"))
    for target, over in heads:
        text = ast.unparse(over)
        if text in (p.given, f"enumerate({p.given})", f"tqdm({p.given})"):
            return True
        counted = re.fullmatch(rf"range\((len\({p.given}\)|{p.given}\.shape\[0\])\)", text)
        if counted and (expanded or f"{p.given}[{ast.unparse(target)}]" in inside):
            return True
    return False


def same_again(f: Facts) -> Iterator[str]:
    """A loop that predicts the very same thing in each of its rounds."""
    for p in predict(f):
        for call in networks_called(p):
            loop = next((n for n in p.source.around(call) if isinstance(n, ast.For)), None)
            if loop is None or call in ast.walk(loop.iter) or not call.args or own_function(
                    p, call) is not own_function(p, loop):
                continue
            changed = {n.id for n in ast.walk(loop) if isinstance(n, ast.Name)
                       and isinstance(n.ctx, ast.Store)}
            used = {n.id for n in ast.walk(call) if isinstance(n, ast.Name)}
            if not used & changed and not any(isinstance(n, ast.Call) for a in call.args
                                              for n in ast.walk(a)):
                yield (f"Line {call.lineno} of {p.source.file} predicts the same in every round of "
                       "a loop.")


def own_function(p: Predict, node: ast.AST) -> ast.AST | None:
    return next((n for n in p.source.around(node)
                 if isinstance(n, ast.FunctionDef | ast.Lambda)), None)


def at_random(f: Facts) -> Iterator[str]:
    if any(n.endswith(SEEDING) for n, _, _ in calls(f)):
        return
    for name, call, where in calls(f):
        if RANDOM.search(name) and not any(k.arg == "seed" for k in call.keywords) \
                and "stateless" not in name and not call_seeded(name, call):
            yield f"{where} draws at random: {name}."


def call_seeded(name: str, call: ast.Call) -> bool:
    return name.endswith(("default_rng", "RandomState", "Random", "Generator")) and bool(call.args)


def training_mode(f: Facts) -> Iterator[str]:
    for name, call, where in calls(f):
        if keyword(call, "training") is True or (
                name.endswith("set_learning_phase") and ast.unparse(call).endswith("(1)")):
            yield f"{where} runs the network in training mode."


def all_at_once(f: Facts) -> Iterator[str]:
    for p in predict(f):
        for name, call in p.source.calls:
            first = ast.unparse(call.args[0]) if call.args else ""
            plain = first == p.given and own_function(p, call) is p.method and bool(p.given)
            looped = any(isinstance(n, LOOPS) for n in p.source.around(call))
            if plain and not looped and name.endswith(("image.resize", "resize_with_pad")):
                yield f"Line {call.lineno} of {p.source.file} resizes all pictures at once."
            elif plain and not looped and re.search(
                    r"^self\.(\w*model\w*|net\w*|network)$", name):
                yield (f"Line {call.lineno} of {p.source.file} calls the network on all pictures "
                       "at once.")


def views_kept(f: Facts) -> Iterator[str]:
    for p in predict(f):
        for name, call in p.source.calls:
            if name in ("numpy.concatenate", "numpy.stack", "numpy.vstack", "tensorflow.concat",
                        "numpy.repeat", "numpy.tile") and own_function(p, call) is p.method \
                    and call.args and re.search(rf"\b{re.escape(p.given or '?')}\b",
                                                ast.unparse(call.args[0])):
                yield f"Line {call.lineno} of {p.source.file} holds several copies of all pictures."


def in_place(f: Facts) -> Iterator[str]:
    """X /= 255, which numpy refuses for bytes."""
    for p in predict(f):
        stores = [n for n in own(p.method) if isinstance(n, ast.Name) and n.id == p.given
                  and not isinstance(n.ctx, ast.Load)]
        first = min(stores, key=lambda n: n.lineno, default=None)
        change = p.source.parents[first] if first else None
        if isinstance(change, ast.AugAssign) and isinstance(change.op, ast.Div):
            yield (f"Line {change.lineno} of {p.source.file} divides the given pictures in place, "
                   "which fails if they are bytes.")


RULES = (
    Rule(60, ERROR, "predict returns something", "End it with: return labels.", nothing, (19,)),
    Rule(61, WARNING, "predict returns on every way", "Move the return out of the branch.",
         only_in_branch, (19,)),
    Rule(62, ERROR, "predict returns a numpy array, not a tensor", "Use np.argmax, or .numpy().",
         tensor, (21,)),
    Rule(63, ERROR, "predict returns classes, not probabilities",
         "return np.argmax(probabilities, axis=1)", probabilities, (22,)),
    Rule(64, ERROR, "predict returns one label a picture",
         "return np.argmax(probabilities, axis=1)", wrong_shape, (22,)),
    Rule(65, ERROR, "predict returns integers in a numpy array",
         "return np.asarray(labels, dtype=int)", wrong_type, (22,)),
    Rule(66, WARNING, "Scaling doesn't depend on the batch", "Divide by a constant.", batch_scaling,
         (25,)),
    Rule(67, WARNING, "Pictures are scaled once", "Take one of the two out.", twice_scaled, (23,)),
    Rule(68, NOTE, "Every preprocessing does something",
         "Take it out, and be sure that the network sees 0..255.", idle_preprocessing, (23, 24)),
    Rule(69, NOTE, "Pictures are scaled where the network expects it",
         "Do in predict what was done in training.", not_scaled, (24,)),
    Rule(70, WARNING, "The soft-max is applied once", "Take the second one out.", double_softmax,
         (26,)),
    Rule(71, WARNING, "Pictures are predicted in batches", "Give the network many at once.",
         single_pictures, (29,)),
    Rule(72, WARNING, "Every round of a loop is new", "Draw the view inside the loop.", same_again,
         (27,)),
    Rule(73, WARNING, "Nothing is drawn at random", "Use fixed views, or set a seed in predict.",
         at_random, (28,)),
    Rule(74, WARNING, "Networks run in inference mode", "Call with training=False.", training_mode,
         (32,)),
    Rule(75, WARNING, "Memory is bounded",
         "Work in batches: for i in range(0, len(X), 64), or network.predict(X, batch_size=64).",
         all_at_once, (30,)),
    Rule(76, NOTE, "Only one copy of the pictures is held",
         "Predict each view by itself and add the probabilities.", views_kept, (30,)),
    Rule(77, WARNING, "The given pictures stay as they are",
         "Make new ones: X = X / 255, or X.astype('float32') first.", in_place, (31,)),
)
