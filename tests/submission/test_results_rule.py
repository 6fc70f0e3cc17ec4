"""What predict gives back, read through variables and helpers."""

from pathlib import Path

import pytest
import zips

from submission import rules

FILLED = "y = np.zeros(len(X)MORE)\nfor i in range(0, len(X), 64):\n" \
    "    y[i:i + 64] = self.model.predict(X[i:i + 64]).argmax(1)\nreturn y"
HELPER = "\n    def labels(self, X):\n        y = self.model.predict(X).argmax(1)\n"


def errors(body: str, folder: Path, more: str = "") -> list[int]:
    files = zips.usual(body)
    files["model.py"] = str(files["model.py"]) + more
    return [f.number for f in rules.errors(rules.check(zips.write(folder / "x.zip", files)))]


@pytest.mark.parametrize("body, more, number", [
    (FILLED.replace("MORE", ""), "", 65), (FILLED.replace("zeros", "empty").replace("MORE", ""),
                                           "", 65),
    ("for i in range(0, len(X), 64):\n    yield self.model.predict(X[i:i + 64]).argmax(1)", "", 65),
    ("return map(int, self.model.predict(X).argmax(1))", "", 65),
    ("return int(self.model.predict(X).argmax())", "", 65),
    ("return self.labels(X)", HELPER, 60),
    ("return self.model.predict(X).argmax(1).reshape((-1, 1))", "", 64)])
def test_what_is_no_row_of_integers_is_an_error(body: str, more: str, number: int, tmp_path: Path
                                                ) -> None:
    assert errors(body, tmp_path, more) == [number]


@pytest.mark.parametrize("body, more", [
    (FILLED.replace("MORE", ", int"), ""), (FILLED.replace("MORE", ", dtype='int64'"), ""),
    (FILLED.replace("MORE", "").replace("return y", "return y.astype(int)"), ""),
    ("return self.labels(X)", HELPER + "        return y\n"),
    ("return self.labels(X)", HELPER + "        raise ValueError(y)\n"),
    ("return self.labels(X)", HELPER + "\n    def ids(self, X):\n        return self.model.predict("
     "X).argmax(1)\n\n    labels = ids\n"),
    ("return map(X)", "\ndef map(x):\n    return x.mean((1, 2, 3)).astype(int)\n")])
def test_rows_of_integers_are_left_alone(body: str, more: str, tmp_path: Path) -> None:
    assert errors(body, tmp_path, more) == []


def test_a_loop_over_what_a_network_gives_predicts_once(tmp_path: Path) -> None:
    body = "return np.array([int(np.argmax(p)) for p in self.model.predict(X)])"
    assert errors(body, tmp_path) == []
    body = "y = []\nfor p in self.model.predict(X):\n    y.append(p.argmax())\nreturn np.array(y)"
    assert 72 not in [f.number for f in rules.check(
        zips.write(tmp_path / "x.zip", zips.usual(body)))]


@pytest.mark.parametrize("kind, warned", [("float32", False), ("mixed_float16", True)])
def test_the_usual_number_type_is_not_warned_of(kind: str, warned: bool, tmp_path: Path) -> None:
    files = zips.usual(start=f"keras.config.set_dtype_policy('{kind}')\n"
                             "self.model = keras.models.load_model('weights.keras')")
    found = rules.check(zips.write(tmp_path / "x.zip", files))
    assert (51 in [f.number for f in found]) == warned


CODED = {"class_name": "__lambda__", "config": {"code": "4wEA"}}


@pytest.mark.parametrize("options", ["**options", "safe_mode=SAFE", "safe_mode=False"])
def test_options_that_may_switch_safety_off_are_believed(options: str, tmp_path: Path) -> None:
    files = zips.usual(start="options = {'safe_mode': False}\nself.model = keras.models.load_model("
                             f"'weights.keras', {options})", head=zips.HEAD + "\nSAFE = False",
                       config=zips.network(zips.layer("Lambda", function=CODED)))
    assert 46 not in [f.number for f in rules.check(zips.write(tmp_path / "x.zip", files))]
