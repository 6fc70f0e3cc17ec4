"""The dry run: what the platform would do, what it would refuse, and what a stranger can't do."""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zips
from click.testing import CliRunner

from harness.cli.dry_run import command
from submission import confined, dryrun
from submission.dryrun import DryRun, Limits, dry_run
from zoo.errors import UserError

# Plain grey pictures whose grey says the label.
GREYS = np.arange(30, dtype="uint8") * 8 + np.arange(30, dtype="uint8") % 8
IMAGES = np.broadcast_to(GREYS[:, None, None, None], (30, 96, 96, 3)).copy()
LABEL = "np.asarray(X, 'float64').mean(axis=(1, 2, 3)).astype('int64') % 8"
LABELS = np.arange(30) % 8


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dryrun, "LARGE", 0.2)


def run(tmp_path: Path, body: str, start: str = "pass", head: str = "import numpy as np",
        limits: Limits | None = None, **files: str | bytes) -> DryRun:
    path = zips.write(tmp_path / "x.zip", {"model.py": zips.predict(body, start, head), **files})
    return dry_run(path, IMAGES, LABELS, limits=limits)


def numbers(report: DryRun) -> set[int]:
    return {f.number for f in report.findings}


def test_a_good_zip_is_run_scored_and_measured(tmp_path: Path) -> None:
    report = run(tmp_path, f"return {LABEL}")
    assert report.ok
    assert report.findings == []
    assert report.predictions is not None
    assert report.predictions.dtype == np.int64
    np.testing.assert_array_equal(report.predictions, LABELS)
    assert report.accuracy == 1.0
    assert report.images_per_second is not None
    assert report.projected["images"] == 3500
    assert report.projected["seconds"] == pytest.approx(
        report.seconds["total"] - report.seconds["predict"] + 3500 / report.images_per_second)
    assert report.peak_memory > 20 << 20
    assert {r["step"] for r in report.probe} >= {"empty", "single 0", "odd", "large", "read-only"}
    assert json.loads(json.dumps(report.to_json()))["ok"] is True


def test_without_pictures_there_are_stand_ins_and_no_accuracy(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {"model.py": zips.predict(f"return {LABEL}")})
    report = dry_run(path)
    assert report.ok
    assert report.accuracy is None
    assert report.images == dryrun.STAND_INS
    with pytest.raises(UserError, match="one label a picture"):
        dry_run(path, IMAGES, LABELS[:3])


def test_a_file_is_found_from_any_working_directory_or_it_is_noted(tmp_path: Path) -> None:
    body = f"return {LABEL} + self.x"
    bare = run(tmp_path, body, "self.x = int(open('zero.txt').read())", **{"zero.txt": "0"})
    assert bare.ok
    assert numbers(bare) == {211}
    beside = run(tmp_path, body, "self.x = int((Path(__file__).parent / 'zero.txt').read_text())",
                 "import numpy as np\nfrom pathlib import Path", **{"zero.txt": "0"})
    assert beside.findings == []


@pytest.mark.parametrize("body, sentence", [
    ("raise KeyError('no such layer')", "KeyError: 'no such layer'"),
    (f"return list({LABEL})", "returned a list, not a numpy array"),
    (f"return ({LABEL})[:, None]", r"shape \(30, 1\), not \(30,\)"),
    (f"return ({LABEL})[1:]", r"shape \(29,\), not \(30,\)"),
    (f"return ({LABEL}).astype('float32')", "float32, not integers"),
    ("return None", "returned a NoneType"),
    ("import sys; sys.exit(0)", "ended the program"),
    ("import os; os.abort()", "failed"),
])
def test_what_the_platform_would_fail_on_is_an_error(body: str, sentence: str, tmp_path: Path
                                                     ) -> None:
    report = run(tmp_path, body)
    assert not report.ok
    assert report.predictions is None
    assert numbers(report) == {201}
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(report.sentence)


def test_predictions_in_the_zip_are_not_taken_for_the_models(tmp_path: Path) -> None:
    """The platform copies the zip to where predictions are expected."""
    own = io.BytesIO()
    np.save(own, LABELS)
    files = {"predictions.npy": own.getvalue(), "times.json": '{"start": 1, "predict": 1}'}
    assert run(tmp_path, f"return {LABEL}", **files).ok
    quiet = run(tmp_path, "import sys; sys.exit(0)", **files)
    assert quiet.predictions is None
    assert "ended the program" in quiet.sentence
    folder = run(tmp_path, f"return {LABEL}", **{"predictions.npy/x": ""})
    assert not folder.ok


@pytest.mark.parametrize("labels, times", [
    ("b'no array'", "'[]'"), ("np.lib.format.magic(1, 0)", "'{}'"),
    ("b''", """'{"start": 1, "predict": 1}'""")])
def test_results_that_the_zip_forges_are_none(labels: str, times: str, tmp_path: Path) -> None:
    report = run(tmp_path, f"""
import os, sys
from pathlib import Path
output = Path(sys.argv[2])
(output / 'predictions.npy').write_bytes({labels})
(output / 'times.json').write_text({times})
os.symlink('/dev/zero', output / 'endless')
os._exit(0)
""")
    assert report.predictions is None
    assert "ended the program" in report.sentence


def test_a_folder_that_the_zip_spoils_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        run(tmp_path, f"Path(sys.argv[2]).parents[2].joinpath('scoring').write_text('')\n"
                      f"return {LABEL}",
            head="import sys\nimport numpy as np\nfrom pathlib import Path")


def test_the_log_holds_the_traceback(tmp_path: Path) -> None:
    report = run(tmp_path, "pass", "self.weights = missing_name")
    assert "model.py" in report.log
    assert "NameError" in report.sentence


def test_it_is_stopped_at_the_time_limit(tmp_path: Path) -> None:
    began = time.monotonic()
    report = run(tmp_path, "import time; time.sleep(60)", limits=Limits(seconds=2))
    assert numbers(report) == {202}
    assert time.monotonic() - began < 15


def test_it_is_stopped_at_the_memory_limit_children_included(tmp_path: Path) -> None:
    limits = Limits(memory=300 << 20)
    taking = "import time; x = np.ones(1 << 27); time.sleep(20)"
    assert numbers(run(tmp_path, taking, limits=limits)) == {203}
    child = ("import subprocess, sys\n"
             "subprocess.run([sys.executable, '-c', \"import time; x = b'1' * (1 << 30); "
             "time.sleep(20)\"])")
    assert numbers(run(tmp_path, child, limits=limits)) == {203}


@pytest.mark.parametrize("number, body", [
    (207, "return np.random.default_rng().integers(0, 8, len(X))"),
    (208, "return (X.astype(float).mean((1, 2, 3)) - X.mean() > 0).astype(int)"),
    (208, "y = np.arange(len(X)) % 8\nreturn y"),
    (209, f"y = {LABEL}\nreturn y if X.dtype == np.uint8 else 7 - y"),
    (210, f"assert len(X)\nreturn {LABEL}"),
    (210, f"assert len(X) > 1\nreturn {LABEL}"),
    (210, f"y = {LABEL}\nX[:] = 0\nreturn y"),
    (210, f"return {LABEL} if len(X) else np.zeros((0, 8), int)"),
    (210, f"assert X.dtype == np.uint8\nreturn {LABEL}"),
    (213, "return np.full(len(X), 3)"),
    (214, f"import os\nif len(X) == 7: os._exit(3)\nreturn {LABEL}"),
])
def test_what_one_call_hides_is_a_warning(number: int, body: str, tmp_path: Path) -> None:
    report = run(tmp_path, body)
    assert report.ok
    assert number in numbers(report)


def test_slowness_and_hunger_are_projected_to_the_hidden_set(tmp_path: Path) -> None:
    slow = run(tmp_path, f"import time; time.sleep(0.003 * len(X))\nreturn {LABEL}",
               limits=Limits(seconds=60, hidden=20_000))
    assert 205 in numbers(slow)
    assert slow.projected["seconds"] == pytest.approx(60, rel=0.5)
    hungry = run(tmp_path, f"x = np.ones((len(X), 1 << 17))\nreturn {LABEL}",
                 limits=Limits(hidden=100_000))
    assert 206 in numbers(hungry)


def test_there_is_no_network_and_the_attempt_is_told(tmp_path: Path) -> None:
    start = '''
import socket, urllib.request
for attempt in (lambda: urllib.request.urlopen("http://127.0.0.1:9/x", timeout=2),
                lambda: socket.create_connection(("example.org", 80), 2),
                lambda: socket.socket().connect(("127.0.0.1", 9))):
    try:
        attempt()
        raise SystemExit("there was a network")
    except OSError:
        pass
'''
    report = run(tmp_path, f"return {LABEL}", start)
    assert report.ok
    assert numbers(report) == {212}


def test_a_stranger_reads_and_writes_nothing_of_ours(tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "token"
    secret.write_text("hidden")
    monkeypatch.setenv("HARNESS_TOKEN", "hidden")
    start = f'''
import os
assert "HARNESS_TOKEN" not in os.environ
assert os.path.expanduser("~") != {os.path.expanduser("~")!r}
for name, mode in (({str(secret)!r}, "r"), ({str(secret)!r}, "w"), ({str(tmp_path / "new")!r}, "w"),
                   ({__file__!r}, "a")):
    try:
        open(name, mode)
        raise SystemExit("opened " + name)
    except PermissionError:
        pass
open(os.path.join(os.path.dirname(__file__), "own"), "w").write("may")
'''
    report = run(tmp_path, f"return {LABEL}", start)
    if report.confinement["files"] == "not confined":
        pytest.skip("this kernel has no Landlock")
    assert report.ok, report.log
    assert secret.read_text() == "hidden"
    assert not (tmp_path / "new").exists()


def test_this_project_is_not_there_but_the_zips_own_files_are(tmp_path: Path) -> None:
    start = '''
for name in ("harness", "submission", "submission.pack"):
    try:
        __import__(name)
        raise SystemExit("imported " + name)
    except ModuleNotFoundError:
        pass
import zoo
assert zoo.mine == 1
'''
    report = run(tmp_path, f"return {LABEL}", start, **{"zoo.py": "mine = 1"})
    assert report.ok, report.log


@pytest.fixture(params=[*confined.WALLS, ()], ids=["processes", "network", "nothing"])
def walled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dry run as on machines that allow less and less."""
    if request.param and not confined.works(request.param):
        pytest.skip("this machine doesn't allow that")
    monkeypatch.setattr(confined, "walls", lambda: request.param)


@pytest.mark.parametrize("session", [False, True])
def test_nothing_is_left_running(tmp_path: Path, walled: None, session: bool) -> None:
    mark = f"left-{os.getpid()}"
    start = (f"import subprocess, sys\n"
             f"subprocess.Popen([sys.executable, '-I', '-c', 'import time; time.sleep(60)', "
             f"'{mark}'], start_new_session={session})")
    assert run(tmp_path, f"return {LABEL}", start).ok
    assert not [c for c in command_lines() if mark in c]
    assert not run(tmp_path, "import time; time.sleep(60)", start, limits=Limits(seconds=2)).ok
    assert not [c for c in command_lines() if mark in c]


def test_memory_is_counted_below_threads_too(tmp_path: Path, walled: None) -> None:
    child = ("import subprocess, sys, threading\n"
             "t = threading.Thread(target=lambda: subprocess.run([sys.executable, '-c', \"import "
             "time; x = b'1' * (1 << 30); time.sleep(20)\"]))\nt.start()\nt.join()")
    assert numbers(run(tmp_path, child, limits=Limits(memory=300 << 20))) == {203}


UNIX = """
import ctypes, _socket, socket, struct, subprocess, sys
for attempt in (lambda: _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM).connect({path!r}),
                lambda: _socket.socket(_socket.AF_VSOCK, _socket.SOCK_STREAM),
                lambda: _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_DGRAM)):
    try:
        attempt()
        raise SystemExit("there was a socket")
    except PermissionError:
        pass
assert ctypes.CDLL(None).socket(1, 1, 0) == -1
code = "import socket; socket.socket(socket.AF_UNIX)"
done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
assert "PermissionError" in done.stderr, done
one, other = socket.socketpair()
one.send(b"inside")
assert other.recv(9) == b"inside"
"""


def test_other_programs_of_this_machine_are_out_of_reach(tmp_path: Path, walled: None) -> None:
    path = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        report = run(tmp_path, f"return {LABEL}", UNIX.format(path=path))
        if report.confinement["network"] != "none":
            pytest.skip("this processor's calls are unknown to the guard")
        assert report.ok, report.log
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_without_walls_the_kernel_refuses_every_socket(tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "walls", lambda: ())
    start = ("import _socket\ntry:\n    _socket.socket()\n    raise SystemExit('a socket')\n"
             "except PermissionError:\n    pass")
    report = run(tmp_path, f"return {LABEL}", start)
    if report.confinement["network"] != "none":
        pytest.skip("this processor's calls are unknown to the guard")
    assert report.ok, report.log


def test_a_dry_run_that_is_killed_takes_the_strangers_program_with_it(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {"model.py": zips.predict(
        "import time; time.sleep(60)", "open('started', 'w')", "import numpy as np")})
    code = "import sys; from submission.dryrun import dry_run; dry_run(sys.argv[1])"
    ours = subprocess.Popen([sys.executable, "-c", code, str(path)],
                            env={**os.environ, "TMPDIR": str(tmp_path)})
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("started")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    ours.kill()
    ours.wait()
    while [c for c in command_lines() if str(tmp_path) in c and "ingestion.py" in c]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return found


def test_a_dangerous_zip_is_not_unpacked(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {"model.py": "", "../evil": "x"})
    with pytest.raises(UserError, match="not unpacked"):
        dry_run(path)


def test_the_last_line_of_a_traceback_is_what_is_told() -> None:
    stderr = "Traceback:\n  x\nValueError: bad size\n2026 W late"
    ended = confined.Ended(1, None, 1.0, 0, "", stderr, (), {})
    assert ended.last_line == "ValueError: bad size"


def test_the_command_ends_with_one_where_the_platform_would_fail(tmp_path: Path) -> None:
    good = zips.write(tmp_path / "good.zip", {"model.py": zips.predict(f"return {LABEL}")})
    bad = zips.write(tmp_path / "bad.zip", {"model.py": zips.predict("raise ValueError('bad')")})
    np.savez(tmp_path / "data.npz", images=IMAGES, labels=LABELS)
    facts = tmp_path / "facts.json"
    done = CliRunner().invoke(command, [str(good), "--data", str(tmp_path / "data.npz"),
                                        "--json", str(facts)])
    assert done.exit_code == 0, done.output
    assert "100.0 %" in done.output
    assert json.loads(facts.read_text())["accuracy"] == 1.0
    done = CliRunner().invoke(command, [str(bad)])
    assert done.exit_code == 1
    assert "ValueError: bad" in done.output


@pytest.mark.parametrize("option", [["--hidden", "0"], ["--time-limit", "nan"],
                                    ["--memory-limit", "inf"], ["--memory-limit", "0"]])
def test_a_limit_that_is_no_amount_is_refused(option: list[str], tmp_path: Path) -> None:
    path = zips.write(tmp_path / "x.zip", {"model.py": zips.predict(f"return {LABEL}")})
    done = CliRunner().invoke(command, [str(path), *option])
    assert done.exit_code == 2
    assert "Error" in done.output


def test_programs_compile_for_the_platforms_python() -> None:
    import ast

    for path in dryrun.PROGRAMS.rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 10))


def test_the_programs_need_nothing_but_numpy(tmp_path: Path) -> None:
    for name in ("ingestion", "scoring", "probe"):
        code = ("import ast, sys; t = ast.parse(open(sys.argv[1]).read()); print(sorted({"
                "(n.module or '') if isinstance(n, ast.ImportFrom) else n.names[0].name "
                "for n in ast.walk(t) if isinstance(n, (ast.Import, ast.ImportFrom))}))")
        path = dryrun.PROGRAMS / name / f"{name}.py"
        told = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True,
                              text=True, check=True).stdout
        foreign = [m for m in json.loads(told.replace("'", '"'))
                   if m.split(".")[0] not in sys.stdlib_module_names]
        assert foreign == ["numpy"]
