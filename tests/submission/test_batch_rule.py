"""Statistics of all pictures at once are found wherever they are taken; others are left alone."""

from pathlib import Path

import pytest
import zips

from submission import rules

HELPERS = """
def scaled(x):
    return x / x.max()

def one(picture):
    return (picture - picture.min()) / (picture.max() - picture.min())

def each(x):
    return x / np.max(x, (1, 2, 3), keepdims=True) - x.mean(axis=(1, 2, 3), keepdims=True)

def deep(pictures):
    return scaled(pictures[:, ::-1])
"""
METHODS = """
    def norm(self, pictures):
        low, high = np.min(pictures), np.max(pictures)
        return (pictures - low) / (high - low)
"""
LABELS = "return np.argmax(self.model.predict(X), axis=1)"


def found(body: str, folder: Path) -> list[int]:
    files = zips.usual(body, head=zips.HEAD + HELPERS)
    files["model.py"] = str(files["model.py"]) + METHODS
    return [f.number for f in rules.check(zips.write(folder / "x.zip", files))]


@pytest.mark.parametrize("body", [
    "X = scaled(X)\n" + LABELS, "return np.argmax(self.model.predict(scaled(X)), axis=1)",
    "X = self.norm(X)\n" + LABELS, "X = deep(pictures=X)\n" + LABELS,
    "X = (X - X.mean(axis=0)) / X.std(axis=0)\n" + LABELS,
    "X = (X - np.mean(X, axis=(0, 1, 2)))\n" + LABELS, "X = X / np.percentile(X, 99)\n" + LABELS,
    "data = np.array(X, 'float32')\ndata = data / data.max()\n"
    "return np.argmax(self.model.predict(data), axis=1)",
    "X = X.astype('float32') / tf.reduce_max(X)\n" + LABELS,
    "y = []\nfor i in range(0, len(X), 64):\n    b = X[i:i + 64]\n    b = b / b.max()\n"
    "    y.append(self.model.predict(b).argmax(1))\nreturn np.concatenate(y)",
    "X = Scaler().fit_transform(X.reshape(len(X), -1))\n" + LABELS,
    "if np.max(X) > 1:\n    X = X / 255\n" + LABELS])
def test_a_statistic_of_all_pictures_is_found(body: str, tmp_path: Path) -> None:
    body = body.replace("Scaler()", "keras.layers.Normalization()")
    assert 66 in found(body, tmp_path)


@pytest.mark.parametrize("body", [
    "X = np.stack([one(x) for x in X])\n" + LABELS, "X = each(X)\n" + LABELS,
    "X = np.array(list(map(one, X)))\n" + LABELS, "print(X.max(), X.mean())\n" + LABELS,
    "assert X.max() <= 255, X.max()\n" + LABELS,
    "p = self.model.predict(X)\nreturn np.argmax(p - p.mean(axis=0) + p.max(), axis=1)",
    "X = np.concatenate([one(X[i:i + 1]) for i in range(len(X))])\n" + LABELS,
    "views = np.stack([self.model.predict(X), self.model.predict(X[:, ::-1])])\n"
    "return views.mean(axis=0).argmax(1)",
    "for X in np.split(X, 1):\n    n = one(X[0]).max()\nX = X[:, 1:]\n" + LABELS,
    "X = X / max(1, 255)\n" + LABELS])
def test_other_statistics_are_left_alone(body: str, tmp_path: Path) -> None:
    assert 66 not in found(body, tmp_path)
