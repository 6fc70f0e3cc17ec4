"""The laws of the house that can be read off the source."""

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KNOWS = {"zoo": {"zoo"}, "submission": {"submission", "zoo"},
         "harness": {"harness", "submission", "zoo"}}
SLOW = {"tensorflow", "keras", "sklearn", "onnx", "onnxruntime"}
PROGRAMS = ("ingestion", "scoring", "probe", "guard")
OURS = set(KNOWS) | {"tests", "benchmarks"}


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path, everywhere: bool = True) -> set[str]:
    """Names of the top packages that a file imports, inside functions too or not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else iter(tree.body)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", KNOWS)
def test_knowledge_flows_one_way(room: str) -> None:
    for path in sources(room):
        assert imported(path) & OURS <= KNOWS[room], path


def test_nothing_knows_the_command_line_but_itself() -> None:
    for room in KNOWS:
        for path in sources(room):
            assert "cli" in path.parts or "harness.cli" not in path.read_text("utf-8"), path


@pytest.mark.parametrize("room", KNOWS)
def test_no_module_imports_tensorflow_when_it_is_loaded(room: str) -> None:
    for path in sources(room):
        assert not imported(path, everywhere=False) & SLOW, path


def test_only_zoo_training_and_submitted_programs_touch_tensorflow() -> None:
    for room in KNOWS:
        for path in sources(room):
            allowed = room == "zoo" or "training" in path.parts or "template" in path.parts
            assert allowed or not imported(path) & {"tensorflow", "keras"}, path


@pytest.mark.parametrize("room", [*KNOWS, "tests"])
def test_no_file_is_longer_than_400_lines(room: str) -> None:
    for path in sources(room):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_the_map_of_the_house_names_every_module_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = page.partition("## Where things are")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(?:\w+/)*(\w+\.py)`", rows))
    there = [path for room in KNOWS for path in sources(room) if path.name != "__init__.py"]
    assert named <= {path.name for path in there}
    for path in there:  # commands, programs and the checker's rules are named by their folders
        assert path.name in named or path.parent.name in ("cli", *PROGRAMS) \
            or path.name.endswith("_rules.py"), path


def named_commands() -> list[tuple[str, Path, set[str]]]:
    """Every command that the program tells people to type: (name, where, its options' names)."""
    found = []
    for path in sources("harness"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("command_line"):
                names = [c.value for c in ast.walk(node.args[0])
                         if isinstance(c, ast.Constant) and isinstance(c.value, str)]
                found += [(name, path, {k.arg for k in node.keywords if k.arg}) for name in names]
    page = (ROOT / "harness" / "report" / "world.html").read_text("utf-8")
    for name, options in re.findall(r'command_line\("([\w-]+)"([^)]*)\)', page):
        found.append((name, ROOT, set(re.findall(r"(\w+)=", options))))
    return found


def test_every_command_to_type_exists_with_its_options_and_defaults() -> None:
    from harness.cli.main import COMMANDS, group
    from harness.commands import DEFAULTS, EVERYWHERE

    defaults = {name: {key[2:].replace("-", "_"): option.default
                       for option in group.get_command(None, name).params for key in option.opts}
                for name in COMMANDS}
    named = named_commands()
    assert len(named) > 20
    for name, path, options in named:
        assert name in COMMANDS, (name, path)
        assert options <= defaults[name].keys(), (name, path)
    for name, known in defaults.items():
        expected = {**EVERYWHERE, **DEFAULTS.get(name, {})}
        assert all(known.get(key, value) == value for key, value in expected.items()), name
        assert DEFAULTS.get(name, {}).keys() <= known.keys(), name


def test_every_command_has_help_that_teaches() -> None:
    from click.testing import CliRunner

    from harness.cli.main import COMMANDS, group

    for name in COMMANDS:
        result = CliRunner().invoke(group, [name, "--help"])
        assert result.exit_code == 0, name
        assert f"harness {name}" in result.output, f"{name} shows no example"


def test_help_costs_little_more_than_python() -> None:
    def seconds(*command: str) -> float:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=dict(os.environ))
            times.append(time.perf_counter() - began)
        return min(times)

    python = seconds(sys.executable, "-c", "")
    command = seconds(sys.executable, "-m", "harness.cli.main", "--help")
    assert command - python < 0.3
