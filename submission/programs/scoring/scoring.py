"""Scoring: the share of labels that are right.

    scoring.py INPUT OUTPUT

INPUT/ref/labels.npy and INPUT/res/predictions.npy: integers (n,). OUTPUT/scores.json:
{"accuracy": share}. Ends with code 1 and a sentence where there are no usable predictions.
"""

import json
import sys
from pathlib import Path

import numpy as np


def main(given: Path, output: Path) -> None:
    labels = np.load(given / "ref" / "labels.npy", allow_pickle=False).reshape(-1)
    path = given / "res" / "predictions.npy"
    if not path.exists():
        sys.exit("There are no predictions: the ingestion's log says why.")
    predictions = np.load(path, allow_pickle=False)
    if predictions.shape != labels.shape:
        sys.exit(f"There are {predictions.shape} predictions for {labels.shape} labels.")
    accuracy = float(np.mean(predictions == labels)) if len(labels) else 0.0
    (output / "scores.json").write_text(json.dumps({"accuracy": accuracy}))
    print(f"accuracy {accuracy:.4f} of {len(labels)} pictures")


if __name__ == "__main__":
    main(*(Path(a) for a in sys.argv[1:3]))
