"""What a dry run can find. Each function yields sentences; RULES says how bad they are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from submission.rule import ERROR, NOTE, WARNING, Rule

if TYPE_CHECKING:
    from submission.dryrun import Facts

SLOW = 0.5              # of the limit
SLOW_START = 60.0       # seconds
TELLING = 20            # pictures that are hardly all of one class
SAME = {"again": "run twice", "reversed": "in reversed order", "read-only": "read-only",
        "float32": "as float32", "float64": "as float64"}


def raises(f: "Facts") -> Iterator[str]:
    if f.prediction.stopped is None and not f.prediction.well:
        yield f"The prediction step failed: {f.prediction.last_line}"
    elif f.prediction.well and f.report.predictions is None:
        yield "The prediction step ended well and wrote no labels: model.py ended the program."


def too_slow(f: "Facts") -> Iterator[str]:
    if f.prediction.stopped == "time":
        yield (f"The prediction of {f.report.images} pictures was stopped after "
               f"{f.report.limits.seconds:.0f} s.")


def too_large(f: "Facts") -> Iterator[str]:
    if f.prediction.stopped == "memory":
        yield (f"The prediction of {f.report.images} pictures was stopped when it held "
               f"{f.prediction.peak / 2**30:.1f} GiB of memory.")


def no_score(f: "Facts") -> Iterator[str]:
    if f.scoring and not f.scoring.well:
        yield f"The scoring step failed: {f.scoring.last_line}"


def projected_time(f: "Facts") -> Iterator[str]:
    seconds, limit = f.report.projected.get("seconds", 0.0), f.report.limits.seconds
    if seconds > SLOW * limit:
        yield (f"{f.report.limits.hidden} pictures would take about {seconds:.0f} s here; "
               f"{limit:.0f} s are allowed.")


def projected_memory(f: "Facts") -> Iterator[str]:
    memory, limit = f.report.projected.get("memory", 0.0), f.report.limits.memory
    if memory > limit:
        yield (f"{f.report.limits.hidden} pictures would take about {memory / 2**30:.1f} GiB; "
               f"{limit / 2**30:.1f} GiB are assumed.")


def steps(f: "Facts") -> dict[str, dict[str, Any]]:
    return {row["step"]: row for row in f.report.probe}


def probe_stopped(f: "Facts") -> Iterator[str]:
    if f.probe and not f.probe.well:
        last = f.report.probe[-1]["step"] if f.report.probe else "nothing"
        why = {"time": "it took too long", "memory": "it took too much memory"}.get(
            f.probe.stopped or "", f.probe.last_line)
        yield f"The probe broke off after the step {last!r}: {why}."


def random_labels(f: "Facts") -> Iterator[str]:
    yield from differs(f, "whole", "again")


def depends_on_type(f: "Facts") -> Iterator[str]:
    for name in ("float32", "float64"):
        yield from differs(f, "whole", name)


def depends_on_company(f: "Facts") -> Iterator[str]:
    if any(differs(f, "whole", "again")):
        return
    whole = steps(f).get("whole", {}).get("labels")
    if not whole:
        return
    backwards = steps(f).get("reversed", {}).get("labels")
    if backwards and backwards[::-1] != whole:
        yield "Pictures get other labels when their order is reversed."
    for name, row in steps(f).items():
        labels = row.get("labels")
        if name == "odd" and labels and labels != whole[:len(labels)]:
            yield "The first seven pictures get other labels alone than in company."
        i = int(name.split()[1]) if name.startswith("single") else 0
        if name.startswith("single") and labels and labels[:1] != whole[i:i + 1]:
            yield f"Picture {i} gets another label alone than in company."


def differs(f: "Facts", one: str, other: str) -> Iterator[str]:
    a, b = (steps(f).get(name, {}).get("labels") for name in (one, other))
    if a and b and len(a) == len(b) and a != b:
        n = sum(x != y for x, y in zip(a, b, strict=True))
        yield f"{n} of {len(a)} labels differ when the same pictures are given {SAME[other]}."


def odd_input(f: "Facts") -> Iterator[str]:
    """Steps that fail although the official call went well."""
    for name, row in steps(f).items():
        if row["error"] and name != "start":
            yield f"predict fails on the step {name!r}: {row['error']}"
        elif name == "empty" and not row["error"] and row.get("shape") != [0]:
            yield f"predict gives {row.get('shape', row['kind'])} for no pictures, not [0]."


def only_at_home(f: "Facts") -> Iterator[str]:
    if not f.elsewhere:
        yield "The model loads only where the working directory is the archive's folder."


def network(f: "Facts") -> Iterator[str]:
    tried = f.prediction.network + (f.probe.network if f.probe else ())
    if tried:
        yield f"model.py tries to reach the network: {tried[0][:100]}"


def constant(f: "Facts") -> Iterator[str]:
    labels = f.report.predictions
    if f.given and labels is not None and len(labels) >= TELLING \
            and len(set(labels.tolist())) == 1:
        yield f"All {len(labels)} pictures get the label {labels[0]}."


def slow_start(f: "Facts") -> Iterator[str]:
    if f.report.seconds.get("start", 0.0) > SLOW_START:
        yield f"The model takes {f.report.seconds['start']:.0f} s to load."


RULES = (
    Rule(201, ERROR, "The prediction step fails",
         "Read the end of the log; repair model.py or what it opens.", raises,
         (1, 2, 4, 8, 9, 11, 12, 16, 18, 20, 21, 22, 43)),
    Rule(202, ERROR, "The prediction step takes too long",
         "Use fewer views or networks, predict in batches, or take a smaller network.", too_slow,
         (29, 33, 39)),
    Rule(203, ERROR, "The prediction step takes too much memory",
         "Predict in batches of fixed size; resize and convert within the batch.", too_large,
         (30,)),
    Rule(204, ERROR, "The scoring step fails", "Return integer labels, one a picture.", no_score,
         (22,)),
    Rule(205, WARNING, "The hidden set may take too long",
         "Use fewer views or networks, or larger batches. The platform's processor may be slower.",
         projected_time, (29, 33, 39)),
    Rule(206, WARNING, "The hidden set may take too much memory",
         "Predict in batches of fixed size; keep no views of all pictures at once.",
         projected_memory, (30,)),
    Rule(207, WARNING, "Two runs differ",
         "Draw nothing at random when predicting, or set a seed in predict.", random_labels, (28,)),
    Rule(208, WARNING, "A label depends on the other pictures",
         "Scale by constants, not by the batch's own extremes; keep batch norm in inference mode.",
         depends_on_company, (25, 32)),
    Rule(209, WARNING, "Floats and bytes get different labels",
         "Cast to float32 at once and scale by constants.", depends_on_type, (25, 31)),
    Rule(210, WARNING, "predict fails on unusual input",
         "Accept any number of pictures, zero too, bytes or floats, and leave them unchanged.",
         odd_input, (31,)),
    Rule(211, NOTE, "The model finds its files only in the archive's folder",
         "Open them as Path(__file__).parent / NAME.", only_at_home, (20,)),
    Rule(212, WARNING, "model.py uses the network",
         "Put every file into the zip; build networks with weights=None.", network, (1,)),
    Rule(213, WARNING, "Every picture gets the same label",
         "Look at the scaling: 0..255 comes in. Look whether the weights were loaded.", constant,
         (16, 23, 24)),
    Rule(214, WARNING, "The probe didn't reach its end",
         "Look at memory and time with many pictures.", probe_stopped, (30, 31)),
    Rule(215, NOTE, "The model loads slowly", "Keep no optimizer in the file.", slow_start, (7,)),
)
