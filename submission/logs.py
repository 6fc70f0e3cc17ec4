"""The logs of a submission, the one that explains it first.

    fetch(client, number)    name -> text, in the order of use
    hint(logs)               what is likely where the prediction left no traceback
    explain(logs)            the participant's traceback, or the last lines that say something
    save(client, number, folder)   all logs and results as files

For a code submission the participant's output is in the ingestion log of the prediction step;
the scoring log only shows that predictions are missing.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from submission import storage
from submission.codabench import Client
from submission.transport import Refused
from submission.unpack import TooLarge, unpack
from zoo import files
from zoo.errors import UserError

ORDER = ("prediction_ingestion_stderr", "prediction_stderr", "prediction_ingestion_stdout",
         "prediction_stdout", "scoring_stderr", "scoring_ingestion_stderr", "scoring_stdout",
         "scoring_ingestion_stdout")
LARGEST_LOG = 20 * 10**6            # bytes
LARGEST_RESULT = 10**9              # bytes
# The scores come first: beside predictions lies all of the participant's own zip, weights too.
RESULTS = ("scoring_result", "prediction_result")
TAIL = 40                           # lines
TRACEBACK = "Traceback (most recent call last):"
UNPRINTABLE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07"
                         r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]|\x1b.?")


def fetch(client: Client, number: int, *, pause: float = 1.0) -> dict[str, str]:
    """All logs that are not empty; those of the children, with their number, for a parent.

    After them, in the place of each that is too large or that storage doesn't give, stands a
    sentence that says so. Raises Refused where the phase hides them, or storage gives none, and
    Unreachable.
    """
    logs, unread, refused = {}, {}, 0
    addresses = _addresses(client, number)
    for name, address in addresses:
        try:
            data = storage.download(address, LARGEST_LOG, pause=pause)
        except (TooLarge, Refused) as e:    # another may hold the traceback
            unread[name] = str(e)
            refused += isinstance(e, Refused)
            if refused == len(addresses):
                raise
            continue
        text = printable(data.decode("utf-8", errors="replace"))
        if text.strip():
            logs[name] = text
    return logs | unread


def _addresses(client: Client, number: int) -> list[tuple[str, str]]:
    """Name and address of the logs, in the order of use. Empty ones are among them."""
    found = _named(client.details(number))
    if found:
        return found
    return [(f"{child}: {name}", address) for child in client.submission(number).children
            for name, address in _named(client.details(child))]


def _named(details: dict[str, object]) -> list[tuple[str, str]]:
    entries = details.get("logs")
    logs = {printable(str(log.get("name"))): str(log.get("data_file")) for log in
            (entries if isinstance(entries, list) else [])
            if isinstance(log, dict) and log.get("data_file")}
    known = [name for name in ORDER if name in logs]
    return [(name, logs[name]) for name in known + sorted(set(logs) - set(ORDER))]


def explain(logs: dict[str, str]) -> tuple[str, str]:
    """The name of the log that explains a failure, and what it says; two empty texts for none.

    The first traceback in the order of use, with everything after it; else the last lines of the
    first log that is not empty.
    """
    for name, text in logs.items():
        if TRACEBACK in text:
            return name, text[text.index(TRACEBACK):].rstrip()
    for name, text in logs.items():
        return name, "\n".join(text.rstrip().splitlines()[-TAIL:])
    return "", ""


def hint(logs: dict[str, str]) -> str:
    """What is likely where the prediction wrote no traceback and yet scoring misses something."""
    tracebacks = [name for name, text in logs.items() if TRACEBACK in text]
    if not tracebacks or any("prediction" in name for name in tracebacks):
        return ""
    return ("The prediction wrote no traceback. If its predictions are missing, it was probably "
            "stopped: by the time limit, or for memory. `harness dry-run` measures both.")


def printable(text: str) -> str:
    """``text`` without what would steer a terminal; progress bars keep their last state."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    return UNPRINTABLE.sub("", "\n".join(lines))


def save(client: Client, number: int, folder: Path, *, pause: float = 1.0,
         say: Callable[[str], None] = lambda sentence: None) -> list[Path]:
    """Write all logs and unpack all results below ``folder``; return what was written.

    Logs are named as on the platform, results lie in a folder each. A result that does not exist
    (yet) is an empty file on the platform, and is left out; so is one that is too large, or that
    storage doesn't give, which is said.
    """
    written = []
    for name, text in fetch(client, number, pause=pause).items():
        path = folder / f"{_plain(name)}.txt"
        files.write_text(path, text)
        written.append(path)
    row = client.submission(number)
    details = {each: client.details(each) for each in row.children or (number,)}
    skipped = False
    for kind in RESULTS:
        for each, addresses in details.items():
            target = folder / (f"{each}-{kind}" if row.children else kind)
            try:
                written += _result(addresses.get(kind), target, pause)
            except (TooLarge, Refused) as e:
                skipped = True
                say(f"The {kind} of submission {each} is left out. {e}")
    if not written and not skipped:
        raise UserError(f"Submission {number} has no logs and no results yet. They are empty "
                        "until its end; try again then.")
    return written


def _result(address: object, target: Path, pause: float) -> list[Path]:
    """Unpack one result into the folder ``target``; nothing where there is no address."""
    if not address:
        return []
    with files.user_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.parent) as file:
            storage.save(str(address), file, LARGEST_RESULT, pause=pause)
            return [target / name for name in unpack(file, target)]


def _plain(name: str) -> str:
    """A log's name as a file's name: the platform gives it, so it may hold anything."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "log"
