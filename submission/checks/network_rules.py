"""Rules 40 to 57: whether the platform's Keras can open the networks."""

import ast
import re
from collections.abc import Callable, Iterator

from submission.checks.code_rules import imported
from submission.checks.facts import Facts, number
from submission.checks.networks import Network
from submission.checks.path_rules import constant
from submission.rule import ERROR, NOTE, WARNING, Rule

# Layers that came after Keras 3.4, and settings that its layers don't know: each was tried.
NEWER_LAYERS = {
    "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D", "AugMix",
    "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix", "Equalization",
    "MaxNumBoundingBoxes", "MixUp", "Pipeline", "RMSNormalization", "RandAugment",
    "RandomColorDegeneration", "RandomColorJitter", "RandomElasticTransform", "RandomErasing",
    "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomSaturation", "RandomSharpness", "RandomShear",
    "ReversibleEmbedding", "STFTSpectrogram", "Solarization"}
NEWER_SETTINGS = {"quantization_config", "input_axes", "output_axes"}
# Layers that Keras 3.4 refuses to make with a setting that they had in Keras 2: each was tried.
UNGROUPED = {"DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D",
             "Conv1DTranspose", "Conv2DTranspose"}
KERAS_2 = {"TFOpLambda", "SlicingOpLambda", "ModuleWrapper", "TensorFlowOpLayer"}
BACKBONES = ("efficientnetv2", "efficientnet", "mobilenetv3", "mobilenetv2", "mobilenet",
             "convnext", "resnet50", "resnet101", "resnet152", "resnet", "vgg16", "vgg19", "vgg",
             "xception", "inceptionresnet", "inception", "densenet", "nasnet")


def whole(f: Facts) -> Iterator[Network]:
    """Files that hold a whole network, which load_model opens; load_weights reads only weights."""
    if any(kind == "load_model" for kind, _, _ in loads(f)) or f.source is None:
        yield from (n for n in f.networks if n.kind in ("keras", "h5"))


def loads(f: Facts) -> Iterator[tuple[str, ast.Call, str]]:
    """(load_model or load_weights, the call, where it stands)."""
    for s in f.sources:
        for name, call in s.calls:
            last = name.split(".")[-1]
            if last in ("load_model", "load_weights") and not s.home_made(call):
                yield last, call, f"Line {call.lineno} of {s.file}"


def switched_off(f: Facts, option: str) -> bool:
    """Whether any load_model in model.py says ``option=False``, or may say so."""
    return any(k.arg is None or k.arg == option and not (
        isinstance(k.value, ast.Constant) and k.value.value)
        for _, call, _ in loads(f) for k in call.keywords) or (
        option == "safe_mode" and "enable_unsafe_deserialization" in code(f))


def old_keras(f: Facts) -> bool:
    """Whether model.py asks for Keras 2, which is another program."""
    text = code(f)
    return "tf_keras" in text or "TF_USE_LEGACY_KERAS" in text


def version(f: Facts) -> str:
    return ".".join(map(str, f.keras))


def proven_newer(f: Facts) -> Iterator[str]:
    for network in whole(f):
        layers = sorted({o.kind for o in network.layers if not o.foreign} & NEWER_LAYERS)
        settings = sorted({k for o in network.layers for k in o.config} & NEWER_SETTINGS)
        if layers and number(network.version) > f.keras:
            yield f"{network.name} holds a layer {layers[0]}, which Keras {version(f)} hasn't got."
        elif settings:
            yield (f"{network.name} was saved by Keras {network.version or '(unknown)'}; Keras "
                   f"{version(f)} refuses its setting {settings[0]!r}.")


def newer(f: Facts) -> Iterator[str]:
    yield from saved_elsewhere(f, lambda v: number(v) > f.keras, proven_newer(f))


def saved_elsewhere(f: Facts, other: Callable[[str], bool], proven: Iterator[str]
                    ) -> Iterator[str]:
    """Networks of an ``other`` Keras version that no sentence of ``proven`` names already."""
    said = " ".join(proven)
    for network in whole(f):
        if other(network.version) and f"{network.name} " not in said:
            yield f"{network.name} was saved by Keras {network.version}, the platform has " \
                  f"{version(f)}."


def keras_2(f: Facts) -> Iterator[str]:
    if old_keras(f):
        return
    text = code(f)
    for network in whole(f):
        kinds = sorted(network.kinds & KERAS_2)
        # A class given under that name, which leaves the setting out, is the usual remedy.
        grouped = sorted(k for k in {o.kind for o in network.layers if "groups" in o.config}
                         & UNGROUPED if not re.search(rf"['\"]{k}['\"]|class \w*{k}", text))
        if kinds:
            yield f"{network.name} holds a {kinds[0]} of Keras 2, which Keras 3 can't open."
        elif grouped:
            yield (f"{network.name} holds a {grouped[0]} of Keras 2 with a setting 'groups', which "
                   f"Keras {version(f)} refuses.")


def saved_by_keras_2(f: Facts) -> Iterator[str]:
    if not old_keras(f):
        yield from saved_elsewhere(f, lambda v: v.startswith("2."), keras_2(f))


def wrong_suffix(f: Facts) -> Iterator[str]:
    for network in whole(f):
        if network.kind == "h5" and network.name.lower().endswith(".keras") and not old_keras(f):
            yield f"{network.name} holds HDF5; Keras 3 opens that only by the suffix .h5."


def nested(f: Facts) -> Iterator[str]:
    for network in whole(f):
        if not isinstance(network.config, dict) or network.config.get("class_name") != "Sequential":
            continue
        inner = [o for o in network.layers if o.parent == "Sequential" and o.kind == "Functional"
                 and isinstance((o.config.get("output_layers") or [""])[0], list)]
        if inner:
            yield f"{network.name} is a Sequential around a whole network."


def code(f: Facts) -> str:
    """All Python that the archive holds."""
    return "\n".join(f.archive.read(n).decode("utf-8", "replace")
                     for n in f.names if n.endswith(".py"))


def foreign(f: Facts) -> Iterator[str]:
    text = code(f)
    # A package that is imported registers its layers itself; whether it is there asks rule 26.
    packages = {module.split(".")[0] for module, _, _ in imported(f)}
    for network in whole(f):
        for kind in sorted({o.kind for o in network.layers if o.foreign
                            and o.registered.split(">")[0] not in packages}):
            if not re.search(rf"\b{re.escape(kind)}\b", text):
                yield f"{network.name} holds a {kind}, which isn't Keras' own and not in model.py."


def unregistered(f: Facts) -> Iterator[str]:
    text = code(f)
    defined = {name for s in f.sources for name in (*s.classes, *s.functions)}
    helped = any(w in text for w in ("custom_objects", "register_keras_serializable",
                                     "custom_object_scope", "CustomObjectScope",
                                     "get_custom_objects"))
    for network in whole(f):
        for kind in sorted({o.kind for o in network.layers if o.foreign}):
            if kind in defined and not helped:
                yield f"{network.name} holds a {kind}, which the code defines but doesn't register."


def lambdas(f: Facts) -> Iterator[str]:
    for network in whole(f):
        coded = [o for o in network.layers if o.kind == "Lambda" and "__lambda__" in str(o.config)]
        if coded and network.kind == "keras" and not switched_off(f, "safe_mode"):
            yield f"{network.name} holds a Lambda layer with Python code, which load_model refuses."


def lambda_at_all(f: Facts) -> Iterator[str]:
    told = " ".join(lambdas(f))
    for network in whole(f):
        if "Lambda" in network.kinds and network.name not in told:
            yield f"{network.name} holds a Lambda layer."


def augmentation(f: Facts) -> Iterator[str]:
    for network in whole(f):
        kinds = sorted(k for k in network.kinds if k.startswith("Random") and k not in
                       ("RandomNormal", "RandomUniform"))
        if kinds:
            yield f"{network.name} still holds layers of augmentation, such as {kinds[0]}."


def optimizer(f: Facts) -> Iterator[str]:
    for network in f.networks:
        if network.optimizer:
            size = f.archive.sizes[network.name] / 1e6
            yield f"{network.name}, {size:.1f} MB, was saved with its optimizer."


def custom_compile(f: Facts) -> Iterator[str]:
    text = code(f)
    for network in whole(f):
        kinds = [k for k in network.custom_compile if not re.search(rf"\b{re.escape(k)}\b", text)]
        if kinds and not switched_off(f, "compile"):
            yield f"{network.name} was compiled with {kinds[0]}, which load_model will look for."


def half(f: Facts) -> Iterator[str]:
    for network in whole(f):
        found = re.search(r"mixed_b?float16", str(network.config))
        if found:
            yield f"{network.name} was saved under the policy {found[0]}."
    for s in f.sources:
        for name, call in s.calls:
            usual = [a.value for a in call.args if isinstance(a, ast.Constant)] == ["float32"]
            if name.endswith(("set_global_policy", "set_dtype_policy", "set_floatx")) \
                    and not usual:
                yield f"Line {call.lineno} of {s.file} sets a global number type."


def wrong_call(f: Facts) -> Iterator[str]:
    """load_model on weights, load_weights on something that Keras 3 has no reader for."""
    if old_keras(f):
        return
    kinds = {n.name: n.kind for n in f.networks}
    for name, call, where in loads(f):
        text = constant(call)
        if text is None:
            continue
        entry = f.named(text)
        low = text.lower()
        if name == "load_model" and kinds.get(entry or "") == "weights":
            yield f"{where} loads {text!r} as a network; it holds weights alone."
        elif name == "load_model" and not low.endswith((".keras", ".h5", ".hdf5")) \
                and entry_or_folder(f, text):
            yield f"{where} loads {text!r}; Keras 3 opens only .keras and .h5 files."
        elif name == "load_weights" and "." in text and not low.endswith(
                (".keras", ".h5", ".hdf5", ".json")):
            yield f"{where} loads weights from {text!r}; Keras 3 reads only .weights.h5."


def entry_or_folder(f: Facts, text: str) -> bool:
    stem = text.strip("./")
    return any(n == stem or n.startswith(f"{stem}/") for n in f.archive.names)


def wrong_name(f: Facts) -> Iterator[str]:
    """A file whose name speaks of another network than it holds."""
    for network in whole(f):
        said = backbone(network.name.lower().replace("_", "").replace("-", ""))
        held = network.layer_names.replace("_", "").replace("-", "")
        holds = next((b for b in BACKBONES if b in held), None)
        if said and holds and said[:6] != holds[:6]:
            yield f"{network.name} holds {holds}, not {said}."
    if f.source:
        built = {b for s in f.sources for n, _ in s.calls if ".applications." in n
                 for b in [backbone(n.split(".")[-1].lower())] if b}
        for name, call, where in loads(f):
            said = backbone((constant(call) or "").lower().replace("_", "").replace("-", ""))
            if name == "load_weights" and said and built and not any(
                    said[:6] == b[:6] for b in built):
                yield f"{where} loads weights of {said} into {sorted(built)[0]}."


def backbone(text: str) -> str | None:
    return next((b for b in BACKBONES if b in text), None)


def slow_network(f: Facts) -> Iterator[str]:
    for network in whole(f):
        if "convnext" in network.layer_names and network.kinds & {"LayerScale", "Conv2D"}:
            yield f"{network.name} is a ConvNeXt as Keras builds it, slow without a GPU."


def pickles(f: Facts) -> Iterator[str]:
    for name in f.names:
        if name.lower().endswith((".pkl", ".pickle", ".joblib", ".pt", ".pth")):
            yield f"{name} is a pickle: it runs code when opened and needs the same packages."


RULES = (
    Rule(40, ERROR, "The platform's Keras can open every network",
         "Save it with that Keras, or build it in code and load .weights.h5.", proven_newer,
         (9, 10, 13)),
    Rule(41, WARNING, "No network was saved by a newer Keras",
         "Try it: harness dry-run ZIP --runtime tensorflow==2.17.0,keras==3.4.1", newer, (9, 10)),
    Rule(42, ERROR, "No network is of Keras 2", "Build it again under Keras 3, load the weights.",
         keras_2, (9,)),
    Rule(43, WARNING, "No network is wrapped in a Sequential",
         "Join them with keras.Model, or build in code: Keras 3.4.1 often can't open such a file.",
         nested, (8,)),
    Rule(44, ERROR, "Every layer's class is at hand", "Define and register the class in model.py.",
         foreign, (11,)),
    Rule(45, WARNING, "Home-made layers are registered",
         "Decorate the class with keras.saving.register_keras_serializable, with the package name "
         "that it was saved under, or pass custom_objects.", unregistered, (11,)),
    Rule(46, ERROR, "No Lambda layer stops the loading",
         "Use Rescaling or another plain layer; or load_model(..., safe_mode=False).", lambdas,
         (12,)),
    Rule(47, NOTE, "There are no Lambda layers", "Use a plain layer; code in files ages badly.",
         lambda_at_all, (12,)),
    Rule(48, NOTE, "No augmentation is left in the network",
         "Save the network without these layers: they do nothing when predicting.", augmentation,
         (13,)),
    Rule(49, NOTE, "No optimizer is in the file",
         "Save the weights alone, or a copy that was never compiled: Adam triples the file.",
         optimizer, (7, 14)),
    Rule(50, ERROR, "Nothing home-made was compiled in", "load_model(..., compile=False)",
         custom_compile, (14,)),
    Rule(51, WARNING, "Numbers are float32", "Save the network under the policy float32: half "
         "precision is slow without a GPU.", half, (15,)),
    Rule(52, ERROR, "Files are opened by the right call",
         "load_model for whole networks, load_weights for .weights.h5.", wrong_call, (16,)),
    Rule(53, WARNING, "Files hold what their names say", "Look whether it is the right file.",
         wrong_name, (3, 16)),
    Rule(54, NOTE, "No network is known to be slow",
         "Try it: harness dry-run ZIP. A depthwise convolution in code is several times faster.",
         slow_network, (33,)),
    Rule(55, NOTE, "There are no pickles", "Save arrays with numpy.savez.", pickles, (38,)),
    Rule(56, ERROR, "Networks bear the suffix of what they are",
         "Rename it to .h5, in the zip and in model.py; or save it again as .keras.", wrong_suffix,
         (9,)),
    Rule(57, WARNING, "No network was saved by Keras 2",
         "Try it: harness dry-run ZIP --runtime tensorflow==2.17.0,keras==3.4.1", saved_by_keras_2,
         (9,)),
)
