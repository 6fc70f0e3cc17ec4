"""Engines: ONNX Runtime gives what TensorFlow gives, is chosen where it is faster, and is never
needed."""

import sys

import numpy as np
import pytest

from tests.zoo.networks import difference, keras_and_graph, pictures
from zoo import engines
from zoo.classifier import Classifier
from zoo.engines import AGREE, ONNX, TENSORFLOW, Fastest, choose, program
from zoo.graph import KINDS, Graph, Node
from zoo.onnx_form import FORMS
from zoo.rewrite import fast
from zoo.table import backbone

SHAPE = (2, 9, 12, 3)
LINEAR = ("relu", "relu6", "silu", "swish", "sigmoid", "tanh", "elu", "gelu", "softmax",
          "hard_sigmoid", "hard_silu", "linear")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    """No choice is kept from another test, and no GPU takes the work."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(engines, "gpus", lambda: ())


@pytest.fixture
def onnx():
    """Only where ONNX Runtime is installed."""
    pytest.importorskip("onnx", reason="pip install 'shift-harness[onnx]'")
    pytest.importorskip("onnxruntime", reason="pip install 'shift-harness[onnx]'")


def network(kind: str, args: dict | None = None, /, inputs: tuple[str, ...] = ("front",),
            **arrays: tuple[int, ...]) -> Graph:
    """One node of this kind, with random arrays of these shapes, behind one convolution that
    makes five channels of three."""
    rng = np.random.default_rng(0)
    values = {f"n/{k}": np.asarray(rng.uniform(0.1, 1, shape), "float32")
              for k, shape in arrays.items()}
    values["front/kernel"] = rng.standard_normal((1, 1, 3, 5)).astype("float32")
    front = Node("front", "conv", ("input",), {"strides": 1, "padding": "SAME"}, ("kernel",))
    return Graph((front, Node("n", kind, inputs, args or {}, tuple(arrays))), values)


def sliding(kind: str, arrays: dict[str, tuple[int, ...]], **args: object) -> list[Graph]:
    """That kind with every padding and step."""
    return [network(kind, {"strides": step, "padding": padding, **args}, **arrays)
            for step in (1, 2, 3) for padding in ("SAME", "VALID")]


def pooling(kind: str) -> list[Graph]:
    return [network(kind, {"size": [3, 2], "strides": [step, step], "padding": padding})
            for step in (1, 2) for padding in ("SAME", "VALID")]


BOTH = ("front", "input")
# Every kind of node in the ways that it occurs.
CASES: dict[str, list[Graph]] = {
    "conv": [*sliding("conv", {"kernel": (3, 3, 5, 4), "bias": (4,)}, activation="silu"),
             *sliding("conv", {"kernel": (2, 5, 5, 4)}),
             network("conv", {"strides": 1, "padding": "SAME", "dilation": 2},
                     kernel=(3, 3, 5, 4)),
             network("conv", {"strides": 1, "padding": "SAME", "groups": 5},
                     kernel=(3, 3, 1, 10))],
    "depthwise": [*sliding("depthwise", {"kernel": (3, 3, 5, 1), "bias": (5,)}),
                  *sliding("depthwise", {"kernel": (5, 4, 5, 2)}, activation="relu6")],
    "dense": [network("dense", {"activation": "gelu"}, kernel=(5, 7), bias=(7,)),
              network("dense", kernel=(5, 2))],
    "batch norm": [network("batch norm", {"epsilon": 1e-3}, mean=(5,), variance=(5,), gamma=(5,),
                           beta=(5,)),
                   network("batch norm", {"epsilon": 1e-3}, mean=(5,), variance=(5,))],
    "layer norm": [network("layer norm", {"epsilon": 1e-6}, gamma=(5,), beta=(5,)),
                   network("layer norm", {"epsilon": 1e-6})],
    "affine": [network("affine", scale=(5,), offset=(5,)), network("affine", scale=()),
               network("affine", inputs=("input",), scale=(3,), offset=(1,))],
    "reverse channels": [network("reverse channels"),
                         network("reverse channels", inputs=("input",))],
    "activation": [network("activation", {"activation": name}) for name in LINEAR],
    "max pool": pooling("max pool"),
    "average pool": pooling("average pool"),
    "global average": [network("global average"), network("global average", {"keepdims": True})],
    "resize": [network("resize", {"size": size}, inputs=(source,))
               for size in ([14, 20], [9, 12], [5, 31]) for source in BOTH],
    "pad": [network("pad", {"padding": [[1, 2], [0, 3]]}, inputs=(source,)) for source in BOTH],
    "reshape": [network("reshape", {"shape": [6, 18, 5]}), network("reshape", {"shape": [108, 5]})],
    "flatten": [network("flatten")],
    "add": [network("add", inputs=("front", "front", "front"))],
    "multiply": [network("multiply", inputs=("front", "front"))],
    "concatenate": [network("concatenate", inputs=BOTH)],
    "dropout": [network("dropout", {"rate": 0.5})],
}


def test_every_kind_is_tried():
    # Statistics of the batch that is predicted are TensorFlow's alone.
    assert set(CASES) == set(KINDS) - {"adaptive batch norm"}


@pytest.mark.usefixtures("onnx")
@pytest.mark.parametrize("kind", CASES)
def test_onnx_runtime_gives_what_tensorflow_gives(kind):
    x = np.random.default_rng(1).uniform(-3, 3, SHAPE).astype("float32")
    for graph in CASES[kind]:
        expected = np.asarray(program(graph, TENSORFLOW)(x))
        session = engines.session(*engines.onnx_form(graph, SHAPE))
        assert difference(session(x), expected) < AGREE, graph.nodes[-1]


@pytest.mark.usefixtures("onnx")
def test_a_gate_of_one_value_a_channel_is_broadcast():
    nodes = (Node("mean", "global average", ("input",)),
             Node("gate", "reshape", ("mean",), {"shape": [1, 1, 3]}),
             Node("c", "conv", ("gate",), {"strides": 1, "padding": "SAME",
                                           "activation": "sigmoid"}, ("kernel",)),
             Node("out", "multiply", ("input", "c")))
    graph = Graph(nodes, {"c/kernel": np.ones((1, 1, 3, 3), "float32")})
    x = np.random.default_rng(1).uniform(-3, 3, SHAPE).astype("float32")
    assert difference(program(graph, ONNX)(x), program(graph, TENSORFLOW)(x)) < AGREE


@pytest.mark.usefixtures("onnx")
@pytest.mark.parametrize("name", [
    "smallcnn3", "mobilenetv2", "xception", "efficientnetb2",
    *(pytest.param(n, marks=pytest.mark.slow)
      for n in ("resnet50", "vgg16", "efficientnetv2s", "convnexttiny"))])
def test_whole_networks_agree(name):
    graph = fast(keras_and_graph(name)[1])
    x = pictures(backbone(name))
    assert difference(program(graph, ONNX)(x), program(graph, TENSORFLOW)(x)) < AGREE


@pytest.mark.usefixtures("onnx")
def test_blocks_with_layer_norms_agree():
    from keras.src.applications.convnext import ConvNeXt

    from tests.zoo.networks import shake
    from zoo.read import read

    graph = fast(read(shake(ConvNeXt(
        [1, 1, 1, 1], [8, 8, 16, 16], include_top=False, weights=None, input_shape=(64, 64, 3),
        name="convnext_tiny_one", weights_name="convnext_tiny_one"))))
    x = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    assert difference(program(graph, ONNX)(x), program(graph, TENSORFLOW)(x)) < AGREE


def headed(seed: int) -> Graph:
    """A network with a head that differs from seed to seed."""
    front = network("activation", {"activation": "relu"})
    nodes = (*front.nodes, Node("pool", "global average", ("n",)),
             Node("logits", "dense", ("pool",), {}, ("kernel",)),
             Node("probabilities", "activation", ("logits",), {"activation": "softmax"}))
    kernel = np.random.default_rng(seed).standard_normal((5, 3 + seed)).astype("float32")
    return Graph(nodes, {**front.arrays, "logits/kernel": kernel})


@pytest.fixture
def measured(monkeypatch):
    """Graphs that were measured; ONNX Runtime always wins."""
    seen = []

    def measure(graph, shape, number_type):
        seen.append(graph)
        return {"engine": ONNX}

    monkeypatch.setattr(engines, "measure", measure)
    return seen


@pytest.mark.usefixtures("onnx")
def test_a_choice_is_measured_once_for_all_heads_and_weights(measured):
    changed = headed(0)
    changed = Graph(changed.nodes, {k: 2 * a for k, a in changed.arrays.items()})
    assert [choose(g, SHAPE) for g in (headed(0), headed(0), headed(1), changed)] == [ONNX] * 4
    assert len(measured) == 1
    assert [n.name for n in measured[0].nodes] == ["front", "n"]


@pytest.mark.usefixtures("onnx")
def test_another_shape_number_type_or_network_is_measured_anew(measured):
    choose(headed(0), SHAPE)
    choose(headed(0), (3, *SHAPE[1:]))
    choose(headed(0), SHAPE, "bfloat16")
    choose(network("activation", {"activation": "tanh"}), SHAPE)
    assert len(measured) == 4


@pytest.mark.usefixtures("onnx")
def test_a_machine_has_one_choice_for_any_number_of_jobs(measured, monkeypatch):
    choose(headed(0), SHAPE)
    monkeypatch.setenv(engines.THREADS, "63")
    choose(headed(0), SHAPE)
    assert len(measured) == 1


@pytest.mark.usefixtures("onnx")
def test_of_two_processes_that_measure_the_first_one_decides(monkeypatch):
    def measure(graph, shape, number_type):
        """Slower than another process."""
        monkeypatch.setattr(engines, "measure", lambda *args: {"engine": ONNX})
        assert choose(headed(0), SHAPE) == ONNX
        return {"engine": TENSORFLOW}

    monkeypatch.setattr(engines, "measure", measure)
    assert [choose(headed(0), SHAPE) for _ in range(2)] == [ONNX, ONNX]


@pytest.mark.usefixtures("onnx")
@pytest.mark.parametrize("content", ["", "{", "[]", '{"engine": "other"}', "{}"])
def test_a_spoilt_choice_is_measured_again(measured, tmp_path, content):
    choose(headed(0), SHAPE)
    path, = (tmp_path / "cache" / "engines").iterdir()
    path.write_text(content)
    assert choose(headed(0), SHAPE) == ONNX
    assert len(measured) == 2


@pytest.mark.usefixtures("onnx")
def test_a_choice_that_cannot_be_kept_is_still_made(measured, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")
    assert choose(headed(0), SHAPE) == ONNX


@pytest.mark.usefixtures("onnx")
def test_the_faster_engine_is_taken(monkeypatch):
    for winner in (ONNX, TENSORFLOW):
        times = iter([3.0, 1.0] if winner == TENSORFLOW else [1.0, 3.0])  # ONNX Runtime's first
        monkeypatch.setattr(engines, "timed", lambda way, x, times=times: next(times))
        found = engines.measure(headed(0), SHAPE, "float32")
        assert found["engine"] == winner


@pytest.mark.usefixtures("onnx")
def test_an_engine_that_disagrees_is_not_taken(monkeypatch):
    monkeypatch.setattr(engines, "AGREE", -1.0)
    assert engines.measure(headed(0), SHAPE, "float32") == {"engine": TENSORFLOW}


@pytest.mark.usefixtures("onnx")
def test_a_graph_without_an_onnx_form_is_run_by_tensorflow(monkeypatch):
    monkeypatch.delitem(FORMS, "activation")
    x = np.random.default_rng(1).uniform(-3, 3, SHAPE).astype("float32")
    assert engines.measure(headed(0), SHAPE, "float32") == {"engine": TENSORFLOW}
    assert np.array_equal(program(headed(0), ONNX)(x), program(headed(0), TENSORFLOW)(x))


@pytest.mark.usefixtures("onnx")
def test_a_gpu_is_tensorflows(monkeypatch):
    assert engines.available() == (TENSORFLOW, ONNX)
    monkeypatch.setattr(engines, "gpus", lambda: ("some GPU",))
    assert engines.available() == (TENSORFLOW,)


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_everything_runs(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    x = np.random.default_rng(1).integers(0, 256, SHAPE, dtype=np.uint8)
    assert engines.available() == (TENSORFLOW,)
    assert choose(headed(0), SHAPE) == TENSORFLOW
    assert np.allclose(Classifier((headed(0),), ("a", "b", "c")).predict(x),
                       program(headed(0), TENSORFLOW)(x), atol=1e-6)


@pytest.mark.usefixtures("onnx", "measured")
def test_a_classifiers_probabilities_do_not_depend_on_the_engine():
    x = np.random.default_rng(1).integers(0, 256, SHAPE, dtype=np.uint8)
    found = Classifier((headed(0),), ("a", "b", "c"), "flip").predict(x)
    exact = program(headed(0), TENSORFLOW)
    assert np.allclose(found, (exact(x) + exact(x[:, :, ::-1])) / 2, atol=AGREE)


@pytest.mark.usefixtures("onnx", "measured")
def test_each_shape_of_batch_has_its_own_engine():
    fastest = Fastest(headed(0))
    for shape in (SHAPE, (1, 5, 5, 3)):
        assert fastest(np.zeros(shape, "float32")).shape == (shape[0], 3)
    assert fastest.chosen == {SHAPE: ONNX, (1, 5, 5, 3): ONNX}


@pytest.mark.parametrize("told, expected", [("3", 3), ("0", 7), ("", 7), ("many", 7)])
def test_threads_are_the_jobs_share_or_all_cores(monkeypatch, told, expected):
    monkeypatch.setenv(engines.THREADS, told)
    monkeypatch.setattr(engines, "cores", lambda: 7)
    assert engines.threads() == expected
