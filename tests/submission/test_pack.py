"""Packing: the zip predicts as the harness does, stands alone, and is the same twice."""

import ast
import hashlib
import importlib.util
import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from submission import dryrun, pack, rules
from submission.dryrun import dry_run
from submission.runtimes import PLATFORM, python_of
from tests.submission import networks
from zoo import engines
from zoo.adapt import adapted
from zoo.classifier import Classifier
from zoo.errors import UserError
from zoo.graph import Graph, Node
from zoo.table import BACKBONES

AGREE = 1e-4  # probabilities
LARGE = {"convnextlarge", "efficientnetv2m"}


def loaded(path: Path, folder: Path) -> Any:
    """Model() from a zip, unpacked into ``folder`` and imported from there."""
    with zipfile.ZipFile(path) as z:
        z.extractall(folder)
    spec = importlib.util.spec_from_file_location(f"model_{folder.name}", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Model()


def test_equal_classifiers_give_equal_bytes(tmp_path: Path) -> None:
    one, two = (pack.pack(networks.classifier("smallcnn2"), tmp_path / f"{i}.zip", {"seed": 3})
                for i in range(2))
    assert one.read_bytes() == two.read_bytes()
    other = pack.pack(networks.classifier("smallcnn2", seed=1), tmp_path / "2.zip", {"seed": 3})
    assert other.read_bytes() != one.read_bytes()


def test_the_manifest_tells_what_is_inside(tmp_path: Path) -> None:
    entry = networks.classifier("smallcnn2", "smallcnn3", tta="flip")
    path = pack.pack(entry, tmp_path / "x.zip", {"run": "r1", "forecast": {"low": np.float32(0.5)}})
    with zipfile.ZipFile(path) as z:
        about = json.loads(z.read("manifest.json"))
        assert sorted(z.namelist()) == ["graph0.json", "graph1.json", "manifest.json", "model.py",
                                        "weights0.npz", "weights1.npz"]
        for name, digest in about["files"].items():
            assert hashlib.sha256(z.read(name)).hexdigest() == digest
        assert set(about["files"]) == set(z.namelist()) - {"manifest.json"}
    assert about["run"] == "r1"
    assert about["forecast"] == {"low": 0.5}
    assert about["model"] == {"members": 2, "shares": [0.5, 0.5], "views": 2, "classes": 8,
                              "weights": "float32",
                              "class_names": list(entry.class_names)}
    assert set(about["versions"]) == {"tensorflow", "keras", "numpy"}


@pytest.mark.parametrize("names, tta, classes", [
    (("smallcnn2",), "none", 8), (("smallcnn2", "smallcnn3"), "flip", 8),
    (("smallcnn3",), "dihedral", 3), (("mobilenetv2",), "none", 8)])
def test_it_predicts_as_the_harness_does(names: tuple[str, ...], tta: str, classes: int,
                                         tmp_path: Path) -> None:
    entry = networks.classifier(*names, tta=tta, classes=classes)
    model = loaded(pack.pack(entry, tmp_path / "x.zip", {}), tmp_path / "unpacked")
    images = networks.pictures(45, seed=1)
    wanted = entry.predict(images)
    assert len(set(wanted.argmax(1))) > 1
    np.testing.assert_allclose(model.probabilities(images), wanted, atol=AGREE)
    labels = model.predict(images)
    assert labels.dtype == np.int64
    np.testing.assert_array_equal(labels, wanted.argmax(1))


def test_an_adapted_network_adapts_in_the_zip_too(tmp_path: Path) -> None:
    plain = networks.classifier("xception")
    entry = Classifier(tuple(adapted(g, 0.5) for g in plain.graphs), plain.class_names)
    model = loaded(pack.pack(entry, tmp_path / "x.zip", {}), tmp_path / "unpacked")
    images = networks.pictures(8, seed=1)  # in batches of any size here: the same statistics
    wanted = entry.predict(images)
    assert np.abs(wanted - plain.predict(images)).max() > 1e-2
    np.testing.assert_allclose(model.probabilities(images), wanted, atol=AGREE)


def test_any_number_type_size_and_company_gives_the_same(tmp_path: Path) -> None:
    entry = networks.classifier("smallcnn2")
    model = loaded(pack.pack(entry, tmp_path / "x.zip", {}), tmp_path / "unpacked")
    images = networks.pictures(70)
    whole = model.predict(images)
    for kind in ("float32", "float64", "int32", "float16"):
        np.testing.assert_array_equal(model.predict(images.astype(kind)), whole)
    np.testing.assert_array_equal(model.predict(images[::-1])[::-1], whole)
    assert [int(model.predict(images[i:i + 1])[0]) for i in range(5)] == whole[:5].tolist()
    empty = model.predict(images[:0])
    assert (empty.shape, empty.dtype) == ((0,), np.int64)
    probabilities = model.probabilities(images)
    np.testing.assert_array_equal(model.probabilities(images[33:34]), probabilities[33:34])
    assert model.step.experimental_get_tracing_count() == 1
    larger = networks.pictures(3, size=130)
    np.testing.assert_allclose(model.probabilities(larger), entry.predict(larger), atol=AGREE)


def test_no_more_than_a_batch_is_converted_at_once(tmp_path: Path) -> None:
    model = loaded(pack.pack(networks.classifier("smallcnn2"), tmp_path / "x.zip", {}),
                   tmp_path / "unpacked")

    class Watched(np.ndarray):
        largest = 0

        def __getitem__(self, key: Any) -> Any:
            part = np.asarray(super().__getitem__(key))
            Watched.largest = max(Watched.largest, len(part))
            return part

        def __array__(self, *_: Any, **__: Any) -> np.ndarray:
            raise AssertionError("all pictures were converted at once")

    model.predict(networks.pictures(200).view(Watched))
    assert 0 < Watched.largest <= 64


def test_half_the_bytes_change_little(tmp_path: Path) -> None:
    entry = networks.classifier("smallcnn3")
    whole = pack.pack(entry, tmp_path / "whole.zip", {})
    half = pack.pack(entry, tmp_path / "half.zip", {}, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    images = networks.pictures(40)
    model = loaded(half, tmp_path / "unpacked")
    change = np.abs(model.probabilities(images) - entry.predict(images)).max()
    assert 0 < change < 0.02
    assert (model.predict(images) != entry.predict(images).argmax(1)).mean() <= 0.05
    with zipfile.ZipFile(half) as z, np.load(io.BytesIO(z.read("weights0.npz"))) as arrays:
        kinds = {k.split("/")[-1]: str(arrays[k].dtype) for k in arrays.files}
    assert kinds["kernel"] == "float16"
    assert kinds["bias"] == "float32"


def test_what_float16_cannot_hold_stays_float32() -> None:
    large = np.full((2, 2), 1e5, "float32")
    assert pack.halved(large).dtype == np.float32
    assert pack.halved(np.ones((2, 2), "float32")).dtype == np.float16


def test_model_py_is_plain_python_for_the_platform_and_breaks_no_rule(tmp_path: Path) -> None:
    source = pack.model_source()
    tree = ast.parse(source, feature_version=(3, 10))
    names = {(n.module or "") if isinstance(n, ast.ImportFrom) else n.names[0].name
             for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)}
    assert {n.split(".")[0] for n in names} == {"collections", "dataclasses", "json", "numpy",
                                                "pathlib", "tensorflow", "typing"}
    for half in (False, True):
        path = pack.pack(networks.classifier("smallcnn2"), tmp_path / "x.zip", {}, half)
        assert rules.check(path) == []


def test_the_template_itself_can_be_imported() -> None:
    from submission.template.model import Model

    assert Model.__doc__


def test_weights_larger_than_memory_would_like_are_streamed(tmp_path: Path) -> None:
    """Every array goes into the archive by itself: nothing holds all of them as bytes."""
    largest = 0

    class Counting(io.BytesIO):
        def write(self, content: Any) -> int:
            nonlocal largest
            largest = max(largest, memoryview(content).nbytes)
            return super().write(content)

    stream = Counting()
    arrays = {f"a{i}": np.zeros((512, 512), "float32") for i in range(8)}
    with zipfile.ZipFile(stream, "w") as z:
        pack.add_arrays(z, "weights0.npz", arrays, False)
    assert largest <= 2 * arrays["a0"].nbytes
    with zipfile.ZipFile(stream) as z, np.load(io.BytesIO(z.read("weights0.npz"))) as read:
        assert sorted(read.files) == sorted(arrays)


def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be written"):
        pack.pack(networks.classifier("smallcnn2"), tmp_path / "file" / "x.zip", {})


def test_a_graph_of_odd_nodes_is_packed_too(tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    # A sum over a whole picture's values differs by 1e-5 between the engines, of which whichever
    # is faster judges; the zip has TensorFlow alone.
    monkeypatch.setattr(engines, "available", lambda: (engines.TENSORFLOW,))
    graph = Graph((Node("scaled", "affine", ("input",), {}, ("scale",)),
                   Node("pooled", "global average", ("scaled",)),
                   Node("out", "activation", ("pooled",), {"activation": "softmax"})),
                  {"scaled/scale": np.float32([0.01, 0.02, 0.03])})
    entry = Classifier((graph,), ("a", "b", "c"))
    model = loaded(pack.pack(entry, tmp_path / "x.zip", {}), tmp_path / "unpacked")
    images = networks.pictures(5)
    np.testing.assert_allclose(model.probabilities(images), entry.predict(images), atol=1e-6)


def tried(entry: Classifier, path: Path, runtime: str | None = None) -> None:
    """Pack, check, dry-run, and compare with the harness."""
    pack.pack(entry, path, {})
    assert [f for f in rules.check(path) if f.number != 11] == []  # 11 notes a large zip
    images = networks.pictures(64, seed=2)
    wanted = entry.predict(images)
    report = dry_run(path, images, wanted.argmax(1), runtime)
    assert report.ok, report.log
    assert [f for f in report.findings if f.number not in (205, 206)] == []
    assert report.predictions is not None
    close = np.sort(wanted, axis=1)[:, -1] - np.sort(wanted, axis=1)[:, -2] < 2 * AGREE
    np.testing.assert_array_equal(report.predictions[~close], wanted.argmax(1)[~close])
    assert close.mean() < 0.1


def test_an_ensemble_with_views_passes_the_dry_run(tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dryrun, "LARGE", 0.5)
    tried(networks.classifier("smallcnn2", "smallcnn3", tta="flip"), tmp_path / "x.zip")


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_is_packed_checked_and_run(name: str, tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dryrun, "LARGE", 0.5)
    entry = networks.classifier(name)
    tried(entry, tmp_path / "x.zip")
    model = loaded(tmp_path / "x.zip", tmp_path / "unpacked")
    images = networks.pictures(8, seed=3)
    np.testing.assert_allclose(model.probabilities(images), entry.predict(images), atol=AGREE)


PROBABILITIES = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from model import Model
np.save(sys.argv[3], Model().probabilities(np.load(sys.argv[2])))
"""


@pytest.mark.runtimes
@pytest.mark.parametrize("names, tta", [
    (("smallcnn3", "mobilenetv2"), "flip"), (("efficientnetb2",), "none"),
    (("convnexttiny",), "none")])
def test_the_platforms_runtime_predicts_the_same(names: tuple[str, ...], tta: str, tmp_path: Path
                                                 ) -> None:
    entry = networks.classifier(*names, tta=tta)
    tried(entry, tmp_path / "x.zip", PLATFORM)
    images = networks.pictures(40, seed=3)
    np.save(tmp_path / "images.npy", images)
    with zipfile.ZipFile(tmp_path / "x.zip") as z:
        z.extractall(tmp_path / "unpacked")
    subprocess.run([python_of(PLATFORM), "-c", PROBABILITIES, str(tmp_path / "unpacked"),
                    str(tmp_path / "images.npy"), str(tmp_path / "out.npy")], check=True, cwd="/")
    there, here = np.load(tmp_path / "out.npy"), entry.predict(images)
    print(names, "largest difference of a probability", np.abs(there - here).max())
    np.testing.assert_allclose(there, here, atol=AGREE)
