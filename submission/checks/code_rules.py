"""Rules 20 to 36: whether model.py can be imported, built and called."""

import ast
import difflib
import re
import sys
from collections import Counter
from collections.abc import Iterator

from submission.checks import path_rules
from submission.checks.facts import Facts, folder_of
from submission.checks.predict import own
from submission.checks.source import FUNCTION, MODULE, UNREADABLE, Source, locals_of, read
from submission.rule import ERROR, WARNING, Rule

# What comes with TensorFlow and Keras; a model.py can count on these.
PRESENT = {"numpy", "tensorflow", "keras", "h5py", "absl", "google", "ml_dtypes", "optree", "rich",
           "namex", "packaging", "requests", "six", "wrapt", "typing_extensions", "tensorboard",
           "termcolor", "astunparse", "gast", "opt_einsum", "flatbuffers", "grpc", "urllib3",
           "setuptools", "pkg_resources", "markdown", "werkzeug", "certifi", "idna", "pip", "wheel",
           "pygments", "markdown_it", "charset_normalizer", "pasta", "clang"}
# Well known packages that the platform may lack: nobody has shown that it has them.
UNPROVEN = {"scipy", "sklearn", "skimage", "cv2", "PIL", "pandas", "matplotlib", "seaborn", "torch",
            "torchvision", "timm", "keras_cv", "keras_hub", "keras_nlp", "keras_core", "tf_keras",
            "tensorflow_addons", "tensorflow_hub", "tensorflow_probability", "tensorflow_models",
            "tensorflow_text", "tensorflow_datasets", "albumentations", "imgaug", "tqdm", "joblib",
            "jax", "flax", "onnxruntime", "onnx", "lightgbm", "xgboost", "catboost", "imageio",
            "transformers", "huggingface_hub", "safetensors", "dill", "cloudpickle", "yaml",
            "psutil", "numba", "einops", "kornia", "tflite_runtime", "visualkeras", "imblearn",
            "efficientnet", "vit_keras", "classification_models", "mlxtend", "statsmodels",
            "optuna", "wandb", "mlflow", "plotly", "openvino", "requests_toolbelt", "gdown",
            "tensorflow_decision_forests", "tensorflow_model_optimization", "tensorflow_io",
            "keras_cv_attention_models", "keras_tuner", "ai_edge_litert", "mediapipe", "lightning",
            "pytorch_lightning", "torchmetrics", "torchaudio", "fastai", "accelerate", "evaluate",
            "datasets", "peft", "open_clip", "clip", "segmentation_models", "efficientnet_pytorch",
            "pretrainedmodels", "torchstain", "staintools", "pywt", "mahotas", "SimpleITK", "cupy",
            "numexpr", "dask", "polars", "pyarrow", "networkx", "sympy", "patsy", "tables", "zarr",
            "attr", "attrs", "pydantic", "dateutil", "pytz", "click", "psycopg2", "dotenv",
            "colorama", "tabulate", "regex", "ujson", "simplejson", "msgpack", "lz4", "zstandard",
            "threadpoolctl", "hydra", "omegaconf", "ml_collections", "pydot", "graphviz"}
NOTEBOOK = {"google.colab", "IPython", "ipywidgets", "kaggle_secrets", "ipykernel"}
FETCHING = ("get_file", "urlretrieve", "urlopen", "wget.download", "gdown.download", "requests.get",
            "hf_hub_download", "snapshot_download", "kaggle")
# Code that may give a module names, or modules, which no reader sees.
DYNAMIC = re.compile(r"sys\.modules|__path__|meta_path|def __getattr__|globals\(|exec\(|setattr\(")
BUILDERS = re.compile(r"applications(\.\w+)?\.[A-Z]\w+$")


def main(f: Facts) -> Iterator[Source]:
    """model.py, where it can be read."""
    if f.source:
        yield f.source


def no_python(f: Facts) -> Iterator[str]:
    if f.archive.model is not None and f.source is None:
        yield from why_unread("model.py", f.archive.model)
    elif f.sources:
        for file, text in f.unread.items():
            yield from why_unread(file, text or "")


def why_unread(file: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(!|%%?)[A-Za-z]", line):
            yield f"Line {number} of {file} is a notebook's command: {line.strip()[:60]}"
            return
    if text.lstrip().startswith('{"') or '"cell_type"' in text:
        yield f"{file} is a notebook, not a Python file."
        return
    try:
        read(text, file)
    except SyntaxError as e:
        yield f"{file} is no Python: {e.msg}" + (f", line {e.lineno}." if e.lineno else ".")
    except UNREADABLE as e:
        yield f"{file} is no Python: {str(e) or 'it is nested too deeply'}."


def newer_python(f: Facts) -> Iterator[str]:
    for s in f.sources:
        try:
            ast.parse(s.text, feature_version=(3, 10))
        except SyntaxError as e:
            yield f"Line {e.lineno} of {s.file} needs a newer Python than 3.10: {e.msg}."


def no_class(f: Facts) -> Iterator[str]:
    for s in main(f):
        starred = "*" in s.imports and any("Model" in other.bound for other in f.sources)
        if starred or "Model" in s.bound and (f.lineage[0] or not s.imports.get(
                "Model", "").startswith(("tensorflow.", "keras."))):
            continue
        names = [n for n in s.classes if n != "Model"]
        near = difflib.get_close_matches("Model", names, n=1, cutoff=0.4) or names[:1]
        yield ("model.py defines no class Model" + (f", but {near[0]}." if near else "."))


def constructor(f: Facts) -> Iterator[str]:
    _, method = f.method("__init__") or (None, None)
    if method is None or method.decorator_list:
        return
    needed = required(method, skip=1)
    if needed is None:
        yield "Model.__init__ takes no self."
    elif needed:
        yield f"Model.__init__ wants {', '.join(needed)}; the platform calls Model()."
    if isinstance(method, ast.AsyncFunctionDef):
        yield "Model.__init__ is async."


def signature(f: Facts) -> Iterator[str]:
    known = [pair for pair in f.lineage if pair]
    found = f.method("predict")
    if found:
        decorators = {found[0].name(d) for d in found[1].decorator_list}
        if decorators <= {"staticmethod", "classmethod"}:
            yield from parameters(found[1], 0 if "staticmethod" in decorators else 1)
    elif known and len(known) == len(f.lineage) and not any(given(*pair) for pair in known):
        names = [n.name for _, owner in known for n in owner.body
                 if isinstance(n, ast.FunctionDef)]
        near = difflib.get_close_matches("predict", names, n=1, cutoff=0.5)
        yield "Model has no method predict" + (f", but {near[0]}." if near else ".")


def parameters(method: ast.FunctionDef | ast.AsyncFunctionDef, skip: int) -> Iterator[str]:
    if isinstance(method, ast.AsyncFunctionDef):
        yield "Model.predict is async; the platform calls it and waits for nothing."
    arguments = method.args
    places = [*arguments.posonlyargs, *arguments.args]
    needed = required(method, skip)
    if needed is None or (len(places) <= skip and not arguments.vararg):
        yield "Model.predict takes no pictures; the platform calls predict(X)."
    elif len(needed) > 1 or any(k.arg in needed for k in arguments.kwonlyargs):
        yield (f"Model.predict wants {', '.join(needed)}; the platform gives it the pictures "
               "alone.")


def required(method: ast.FunctionDef | ast.AsyncFunctionDef, skip: int) -> list[str] | None:
    """Names of parameters without a default, after the first ``skip``; None if those lack."""
    arguments = method.args
    places = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
    if len(places) < skip:
        return [] if arguments.vararg else None
    free = places[skip:len(places) - len(arguments.defaults)]
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return free + [a.arg for a, default in pairs if default is None]


def given(s: Source, owner: ast.ClassDef) -> bool:
    """Whether the class may get a predict otherwise than by a def."""
    return bool(owner.decorator_list) or bool(re.search(
        r"^\s*(\w+\.)?predict\s*(:[^=\n]+)?=(?!=)|setattr\(|def __getattr", s.text, re.M))


def undefined(f: Facts) -> Iterator[str]:
    for s in f.sources:
        for name, line in s.undefined:
            yield f"The name {name} is used in line {line} of {s.file} and never defined."
        for node in s.walk(ast.ImportFrom):
            if isinstance(node, ast.ImportFrom) and not s.optional(node):
                for name, file in not_in_module(f, s, node):
                    yield (f"Line {node.lineno} of {s.file} imports {name} from {file}, which "
                           "doesn't define it.")
    yield from no_attribute(f)


def no_attribute(f: Facts) -> Iterator[str]:
    """self.NAME in Model and its bases, where nothing in the archive ever gives such a name."""
    lineage = [pair for pair in f.lineage if pair]
    unseen = [f.archive.text(n) or "" for n in f.names
              if n.endswith(".py") and n not in [s.file for s in f.sources]]
    if len(lineage) < len(f.lineage) or any(o.keywords or o.decorator_list for _, o in lineage) \
            or any(DYNAMIC.search(text) or re.search("__dict__|vars\\(|setattr", text)
                   for text in [*(s.text for s in f.sources), *unseen]):
        return
    known = set(dir(object)) | MODULE | set(re.findall(r"\w+", "\n".join(unseen)))
    words = Counter(re.findall(r"\w+", "\n".join(s.text for s in f.sources)))
    for s in f.sources:
        known |= {n.attr for n in ast.walk(s.tree) if isinstance(n, ast.Attribute)
                  and not isinstance(n.ctx, ast.Load) and not idle(s, n, words)}
        # What code asks for by its name, it knows that it may lack.
        known |= {str(a.value) for n in ast.walk(s.tree) if isinstance(n, ast.Call)
                  and s.name(n.func) in ("hasattr", "getattr")
                  for a in n.args[1:2] if isinstance(a, ast.Constant)}
    for _, owner in lineage:
        known |= {str(getattr(n, key, "")).split(".")[0] for n in own(owner)
                  if not isinstance(getattr(n, "ctx", None), ast.Load)
                  for key in ("name", "asname", "id")}
    for s, owner in lineage:
        missing = {n.attr: n.lineno for n in ast.walk(owner) if isinstance(n, ast.Attribute)
                   and ast.unparse(n.value) == "self" and n.attr not in known and s.runs(n)
                   and self_of(s, n) is owner and not s.tried(n, "AttributeError")}
        for name, line in missing.items():
            yield f"Line {line} of {s.file} uses self.{name}, which nothing defines."


def idle(s: Source, node: ast.AST, words: Counter[str]) -> bool:
    """Whether a node stands in a method that nothing calls, not even by its name in a text."""
    asking = ("getattr", "dir", "getmembers", "__getattribute__", "methodcaller")
    method = s.function_of(node)
    return method is not None and isinstance(s.parents[method], ast.ClassDef) \
        and method not in s.reachable and words[method.name] == 1 and not method.decorator_list \
        and not any(words[word] for word in asking)


def self_of(s: Source, node: ast.AST) -> ast.AST | None:
    """Whose self is meant: a class, or what else the function with that parameter stands in."""
    return next((s.parents[o] for o in s.around(node) if isinstance(o, FUNCTION | ast.Lambda)
                 and "self" in [a.arg for a in [*o.args.posonlyargs, *o.args.args]]), None)


def not_in_module(f: Facts, s: Source, node: ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """(name, file) of what is imported from a file of the archive that has no such name."""
    if not node.level and well_known((node.module or "").split(".")[0]):
        return      # the file may come second to the package of that name
    files = f.module(folder_of(s, node) + (node.module or "").replace(".", "/"))
    other = next((o for o in f.sources if [o.file] == files), None)
    if other is None or "*" in other.imports or DYNAMIC.search(other.text):
        return
    folder = other.file.removesuffix("__init__.py")
    for name in (a.name for a in node.names):
        inside = folder.endswith("/") and any(
            n.startswith((f"{folder}{name}.", f"{folder}{name}/")) for n in f.names)
        if name != "*" and name not in other.bound | MODULE and not inside:
            yield name, other.file


def imported(f: Facts) -> Iterator[tuple[str, str, bool]]:
    """(module, where, whether it may fail) of everything that is imported."""
    for s in f.sources:
        for node in [*s.walk(ast.Import), *s.walk(ast.ImportFrom)]:
            caught = s.optional(node)
            where = f"Line {getattr(node, 'lineno', 0)} of {s.file}"
            if isinstance(node, ast.Import):
                yield from ((a.name, where, caught) for a in node.names)
            elif isinstance(node, ast.ImportFrom):
                inside = folder_of(s, node).replace("/", ".")
                dots = "" if inside else "." * node.level
                yield dots + (inside + (node.module or "")).strip("."), where, caught


def held(f: Facts, module: str) -> bool:
    """Whether the archive holds a module, in any folder if the code changes where Python looks."""
    anywhere = any("sys.path" in s.text for s in f.sources)
    if anywhere and any(n.lower().endswith((".whl", ".egg", ".zip")) for n in f.names):
        return True
    path = module.replace(".", "/")
    place = re.compile(("(.*/)?" if anywhere else "") + re.escape(path)
                       + r"(/|\.([^/]*\.)?(py|pyc|so)$)")
    return any(map(place.match, f.names))


def well_known(top: str) -> bool:
    """Whether a package may be installed on the platform."""
    return top in sys.stdlib_module_names or top in PRESENT | UNPROVEN


def missing_module(f: Facts) -> Iterator[str]:
    for module, where, caught in imported(f):
        top = module.split(".")[0]
        known = well_known(top)
        if caught or (top and held(f, top)):
            if not caught and not known and not held(f, module) and not any(
                    DYNAMIC.search(s.text) for s in f.sources):
                yield f"{where} imports {module}, which isn't in the archive, though {top} is."
            continue
        if any(module == n or module.startswith(n + ".") for n in NOTEBOOK):
            yield f"{where} imports {module}, which only notebooks have."
        elif module.startswith("."):
            yield f"{where} imports {module} relatively, but it is in no package."
        elif not known:
            yield (f"{where} imports {top}, which is neither in the archive nor part of "
                   "Python, numpy or TensorFlow.")


def unproven_module(f: Facts) -> Iterator[str]:
    for module, where, caught in imported(f):
        top = module.split(".")[0]
        if top in UNPROVEN and not caught and not held(f, top):
            yield f"{where} imports {top}; it isn't known whether the platform has it."


def fetches(f: Facts) -> Iterator[str]:
    for s in f.sources:
        for name, call in s.calls:
            if any(name.endswith(n) for n in FETCHING):
                yield f"Line {call.lineno} of {s.file} fetches something: {name}."
            elif BUILDERS.search(name) and pretrained(call):
                yield (f"Line {call.lineno} of {s.file} downloads ImageNet weights, only to build "
                       f"{name.split('.')[-1]}.")


def pretrained(call: ast.Call) -> bool:
    given = next((k.value for k in call.keywords if k.arg == "weights"), None)
    if given is None:
        return len(call.args) < 2 and not any(k.arg is None for k in call.keywords)
    return isinstance(given, ast.Constant) and given.value == "imagenet"


def side_effects(f: Facts) -> Iterator[str]:
    for s in f.sources:
        for name, call in s.calls:
            if name.endswith((".fit", ".fit_generator", ".train_on_batch")) and s.runs(call):
                yield f"Line {call.lineno} of {s.file} trains: {name}."
            elif name in ("input", "os.system", "subprocess.run", "subprocess.check_call",
                          "os._exit", "exit", "quit", "sys.exit"):
                yield f"Line {call.lineno} of {s.file} calls {name}."


def wrong_call(f: Facts) -> Iterator[str]:
    """Calls of the file's own functions and methods with arguments that these don't take."""
    for s in f.sources:
        for _, call in s.calls:
            target = call.func
            if isinstance(target, ast.Name) and target.id in s.functions and not local(s, target):
                called, skip = s.functions[target.id], 0
            elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) \
                    and target.value.id == "self" and in_model(s, call):
                method = s.method(target.attr)
                if not isinstance(method, ast.FunctionDef) or re.search(
                        rf"self\.{target.attr}\s*(:[^=\n]+)?=(?!=)|setattr\(", s.text):
                    continue
                called, skip = method, 1
            else:
                continue
            reason = None if called.decorator_list else misfit(called, call, skip)
            if reason and not s.tried(call, "TypeError"):
                yield f"Line {call.lineno} of {s.file} calls {called.name} {reason}."


def local(s: Source, name: ast.Name) -> bool:
    """Whether an enclosing function binds the name itself."""
    return any(name.id in locals_of(n) for n in s.around(name) if isinstance(n, ast.FunctionDef))


def in_model(s: Source, node: ast.AST) -> bool:
    owner = next((n for n in s.around(node) if isinstance(n, ast.ClassDef)), None)
    return owner is not None and owner is s.classes.get("Model")


def misfit(called: ast.FunctionDef, call: ast.Call, skip: int) -> str | None:
    """What is wrong with the arguments of a call, None where they fit or that can't be told."""
    arguments = called.args
    places = [a.arg for a in [*arguments.posonlyargs, *arguments.args]][skip:]
    names = {*places, *(a.arg for a in arguments.kwonlyargs)}
    spread = any(isinstance(a, ast.Starred) for a in call.args) or any(
        k.arg is None for k in call.keywords)
    extra = [k.arg for k in call.keywords if k.arg and k.arg not in names]
    if extra and not arguments.kwarg:
        return f"with {extra[0]}=, which it doesn't take"
    if len(call.args) > len(places) and not arguments.vararg and not spread:
        return f"with {len(call.args)} arguments, and it takes {len(places)}"
    given = {*places[:len(call.args)], *(k.arg for k in call.keywords)}
    missing = [n for n in required(called, skip) or [] if n not in given]
    return f"without {missing[0]}" if missing and not spread else None


RULES = (
    Rule(20, ERROR, "model.py is Python", "Take the lines out of the notebook that aren't Python.",
         no_python),
    Rule(21, WARNING, "model.py runs under Python 3.10", "Write it in the older way.",
         newer_python),
    Rule(22, ERROR, "There is a class Model", "Call the class Model, exactly so.", no_class, (17,)),
    Rule(23, ERROR, "Model() needs no argument", "Give every parameter a default.", constructor,
         (17,)),
    Rule(24, ERROR, "predict(X) can be called", "Write: def predict(self, X).", signature, (17,)),
    Rule(25, ERROR, "Every name is defined", "Import or define it in model.py itself.", undefined,
         (18,)),
    Rule(26, ERROR, "Every module is at hand",
         "Put the file into the zip, or do without: numpy and TensorFlow are there.",
         missing_module, (18, 43)),
    Rule(27, WARNING, "No package is needed whose presence is unknown",
         "Do it with numpy and TensorFlow, or ask the organisers.", unproven_module, (11, 43)),
    *path_rules.RULES,
    Rule(34, WARNING, "Nothing is fetched from the network",
         "Build networks with weights=None and put every file into the zip.", fetches, (1,)),
    Rule(35, WARNING, "model.py does nothing but predict", "Take the line out.", side_effects),
    Rule(36, ERROR, "Own functions are called as they are defined", "Correct the call.", wrong_call,
         (17, 18)),
)
