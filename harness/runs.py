"""The run store: one folder a run. Only a run with ``done`` in it is believed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.records import MEND, check_arrays, read_record, refuse, require
from zoo.errors import UserError, did_you_mean
from zoo.files import content_hash, file_hash, write_text

if TYPE_CHECKING:
    from submission.ledger import Ledger

DONE = "done"


@dataclass(frozen=True)
class Run:
    """A run's folder; its records are read when they are asked for."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def finished(self) -> bool:
        return (self.folder / DONE).is_file()

    @cached_property
    def config(self) -> dict[str, Any]:
        return self._record("config")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        return self._record("metrics")

    @cached_property
    def environment(self) -> dict[str, Any]:
        return self._record("environment")

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        return self._list("history")

    @property
    def forecasts(self) -> list[dict[str, Any]]:
        """The forecasts on record; none where none was made."""
        return self._list("forecast")

    def predictions(self) -> dict[str, np.ndarray]:
        found = self._arrays("predictions")
        refuse(found["validation"].shape[1] != len(self.config["data"]["classes"]),
               self.folder / "predictions.npz", "the number of classes")
        return found

    def suite(self) -> dict[str, np.ndarray]:
        """The stress suite's outcome; empty where none was run."""
        if not (self.folder / "suite.npz").is_file():
            return {}
        found = self._arrays("suite")
        refuse(found["probabilities"].shape[1] != len(self.config["data"]["classes"]),
               self.folder / "suite.npz", "the number of classes")
        return found

    def sample(self) -> dict[str, np.ndarray]:
        """Some validation pictures, and their positions in the validation arrays."""
        found, judged = self._shared("sample"), len(self.predictions()["validation"])
        refuse(bool((found["position"] >= judged).any() or (found["position"] < 0).any()),
               self.folder / "sample.npz", "position")
        return found

    def check(self) -> None:
        """Raise UserError where a record that every command needs is damaged."""
        require(self.config, "config")
        require(self.metrics, "metrics")
        require(self.forecasts, "forecast")

    @property
    def classifier_folder(self) -> Path:
        return self.folder / "classifier"

    def _record(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = read_record(self.folder / f"{name}.json")
        return value

    def _list(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / f"{name}.json"
        return list(read_record(path)) if path.is_file() else []

    def _arrays(self, name: str) -> dict[str, np.ndarray]:
        """Raises UserError for a file that is damaged, or that grows too much when expanded."""
        from harness.data.archives import Npz

        path = self.folder / f"{name}.npz"
        try:
            with Npz(path) as archive:
                arrays = {key: archive.read(key) for key in archive.keys}
        except UserError as e:
            raise UserError(f"{path} is missing, damaged or not what a run writes. {MEND}") from e
        return check_arrays(path, arrays)

    def _shared(self, name: str) -> dict[str, np.ndarray]:
        """The same, expanded once for files that are alike: runs on one data set keep the same
        pictures, and to expand them is most of what a page of many runs costs."""
        try:
            key = file_hash(self.folder / f"{name}.npz")
        except OSError:
            return self._arrays(name)
        if key not in _latest:
            arrays = self._arrays(name)
            _latest.clear()
            _latest[key] = arrays
        return {name: array.copy() for name, array in _latest[key].items()}


_latest: dict[str, dict[str, np.ndarray]] = {}  # hash of a file: its arrays; no more than one


@dataclass(frozen=True)
class Store:
    """All runs in a folder."""

    folder: Path

    def __init__(self, folder: str | os.PathLike[str] = "runs") -> None:
        object.__setattr__(self, "folder", Path(folder).expanduser())

    @property
    def ledger(self) -> "Ledger":
        """What was sent and what came back: a file beside the runs."""
        from submission.ledger import Ledger

        return Ledger(self.folder / "ledger.jsonl")

    def finished(self) -> list[Run]:
        """Finished runs, oldest first."""
        if not self.folder.is_dir():
            return []
        return [Run(d) for d in sorted(self.folder.iterdir()) if (d / DONE).is_file()]

    def whole(self, *arrays: str) -> list[Run]:
        """Finished runs whose records can be used, and those of their ``arrays`` ("predictions",
        "suite") that are named; oldest first. The others are pointed out."""
        from harness.terminal import warn

        found = []
        for run in self.finished():
            try:
                run.check()
                for name in arrays:
                    getattr(run, name)()
                found.append(run)
            except UserError as e:
                warn(f"{run.id} is left out. {e}")
        return found

    def by_data(self) -> list[list[Run]]:
        """The runs that can be forecast, those on one data set together."""
        groups: dict[str, list[Run]] = {}
        for run in self.whole("suite"):
            groups.setdefault(run.config["data"]["hash"], []).append(run)
        return list(groups.values())

    def run(self, id: str) -> Run:
        """The finished run of this id, or of the only id that begins like this."""
        runs = self.finished()
        ids = [r.id for r in runs]
        if id in ids:
            return runs[ids.index(id)]
        like = [r for r in runs if id and r.id.startswith(id)]
        if len(like) == 1:
            return like[0]
        hint = ((f" {len(like)} runs begin so." if like else did_you_mean(id, ids, 0.4))
                + " `harness models` lists them." if ids
                else " It holds no finished run; make one with `harness zoo`.")
        raise UserError(f"There is no finished run {id!r} in {self.folder}.{hint}")

    def find(self, identity: str) -> Run | None:
        """The finished run that was made from this configuration."""
        for run in self.finished():
            with contextlib.suppress(UserError):
                if run.config.get("identity") == identity:
                    return run
        return None

    def made(self, identity: str) -> Run:
        """The run that has just been made. Raises UserError where it is gone already."""
        run = self.find(identity)
        if run is None:
            raise UserError(f"The run was deleted from {self.folder} while it was written. Run the "
                            "command again.")
        return run

    @contextlib.contextmanager
    def new(self, words: str, identity: str) -> Iterator[Path | None]:
        """A folder to write one run into, marked as done when the block ends well.

        None where the run has been finished meanwhile: while one process works on a configuration,
        another waits. What an interrupted attempt left is deleted first.
        """
        from filelock import FileLock

        from zoo.files import user_errors

        with user_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / f".{identity[:16]}.lock")
            lock.acquire()
        try:
            if self.find(identity):
                yield None
                return
            for left in self.folder.glob(f"*-{identity[:8]}"):
                shutil.rmtree(left, ignore_errors=True)
            folder = self.folder / f"{stamp()}-{words}-{identity[:8]}"
            try:
                with user_errors(folder):
                    folder.mkdir()
                yield folder
                write_text(folder / DONE, "")
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        finally:
            lock.release()


def stamp() -> str:
    import datetime

    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")


def made_of(runs: list[Run], **own: Any) -> dict[str, Any]:
    """The configuration of a run made of ``runs``: the first one's, but for its ``own`` fields."""
    first = {k: v for k, v in runs[0].config.items() if k != "of"}  # what it had views added to
    return {**first, "members": [r.id for r in runs], **own}


def identity(config: dict[str, Any]) -> str:
    """What makes two runs the same: everything in the configuration that decides the outcome."""
    return content_hash({k: v for k, v in config.items() if k != "identity"})
