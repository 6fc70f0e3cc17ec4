"""How a submission's statuses follow each other; one frame a look, the last one stays."""

from dataclasses import dataclass

BOTH = (("accuracy", 0.94), ("n_rows", 200.0))
HOST = "scoring_hostname-worker1"
INGESTION = "ingestion_hostname-worker1"
NON_ZERO = "Child task failed or non-zero return code"
TRACEBACK = (
    'Traceback (most recent call last):\n  File "/app/program/ingestion.py", line 7, in <module>\n'
    '    y = Model().predict(X)\n        ^^^^^^^^^^^^^^^^^^\n'
    '  File "/app/ingested_program/model.py", line 3, in predict\n'
    '    raise ValueError("boom in predict")\nValueError: boom in predict\n')
MISSING = (
    'Traceback (most recent call last):\n  File "/app/program/scoring.py", line 4, in <module>\n'
    "FileNotFoundError: [Errno 2] No such file or directory: '/app/input/res/predictions.json'\n")


@dataclass(frozen=True)
class Frame:
    """What the platform shows at one moment."""

    status: str
    details: str | None = None
    scores: tuple[tuple[str, float], ...] = ()


START = [Frame("Submitting"), Frame("Preparing", INGESTION), Frame("Scoring", INGESTION),
         Frame("Running", HOST)]
FINISHED = Frame("Finished", HOST)
LIVES = {
    "good": [*START, Frame("Finished", HOST, BOTH)],
    "one column": [*START, Frame("Finished", HOST, BOTH[:1])],
    "scores late": [*START, FINISHED, FINISHED, Frame("Finished", HOST, BOTH[:1]),
                    Frame("Finished", HOST, BOTH)],
    "out of order": [Frame("Submitting"), Frame("Running"), Frame("Submitted"),
                     Frame("Preparing", INGESTION), Frame("Running", HOST),
                     Frame("Scoring", INGESTION), Frame("Something new"),
                     Frame("Running", HOST), Frame("Finished", HOST, BOTH)],
    "no scores ever": [*START, FINISHED],
    "finished, then failed": [*START, FINISHED, Frame(
        "Failed", "Could not find scores file, did the scoring program output it?")],
    "raises": [*START, Frame("Failed", NON_ZERO)],
    "failed with scores": [*START, Frame(
        "Failed", "Error, the output directory already contains a metadata file.", BOTH)],
    "crash after scores": [*START, Frame("Finished", HOST, BOTH), Frame("Running", HOST, BOTH),
                           Frame("Finished", HOST, (BOTH[0], BOTH[0], BOTH[1], BOTH[1]))],
    "broken zip": [*START[:2], Frame("Failed", "Bad or empty zip file")],
    "slow": [*START[:1], *[Frame("Preparing", INGESTION)] * 6, *START[2:],
             Frame("Finished", HOST, BOTH)],
    "stuck": [*START[:2]],
    "parent": [Frame("Submitting")],
}
LOGS = {
    "good": {"prediction_ingestion_stdout": "ingestion starts\ningestion done\n",
             "prediction_ingestion_stderr": "a warning on stderr\n",
             "scoring_stdout": "accuracy 0.94\n"},
    "raises": {"prediction_ingestion_stdout": "ingestion starts\n",
               "prediction_ingestion_stderr": TRACEBACK, "scoring_stderr": MISSING},
}
LOG_NAMES = [f"{step}_{kind}" for step in ("prediction", "scoring")
             for kind in ("stdout", "stderr", "ingestion_stdout", "ingestion_stderr")]


def life(name: str) -> list[Frame]:
    """A fresh copy of a life."""
    return list(LIVES[name])
