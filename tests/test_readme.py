"""The README and docs/ say what is so: their commands, links and tables."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md",
                    *(ROOT / "docs").glob("*.md")])
NAMES = [str(d.relative_to(ROOT)) for d in DOCUMENTS]


def commands(text: str) -> list[str]:
    """Every line of every sh or bash block, without comments; continued lines joined."""
    found = []
    for block in re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = " ".join(shlex.split(line, comments=True))
            if words:
                found.append(re.sub(r"\s+#.*", "", line).strip())
    return found


ALL = [(name, c) for name, d in zip(NAMES, DOCUMENTS, strict=True)
       for c in commands(d.read_text("utf-8"))]


@pytest.mark.parametrize("name, command", [(n, c) for n, c in ALL if "harness " in c])
def test_every_command_and_its_options_exist(name, command):
    import click

    from harness.cli.main import group

    words = shlex.split(command.partition("<")[0].partition("|")[0])
    words = words[next(i for i, w in enumerate(words) if w.endswith("harness")) + 1:]
    context = click.Context(group, info_name="harness")
    rest = list(words)
    while rest and rest[0].startswith("-"):
        rest.pop(0)
    found = group.get_command(context, rest[0]) if rest else None
    if rest:
        assert found is not None, f"{name}: {command}"
        found.make_context(rest[0], rest[1:], parent=context)


@pytest.mark.parametrize("name, command", [(n, c) for n, c in ALL if c.startswith("make")])
def test_every_target_and_variable_exists(name, command):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in shlex.split(command)[1:]:
        variable, sign, _ = word.partition("=")
        pattern = rf"\b{variable}\b" if sign else rf"(?m)^{re.escape(word)}:"
        assert re.search(pattern, makefile), f"{name}: {word}"


@pytest.mark.parametrize("name", NAMES)
def test_every_link_to_a_file_has_its_file(name):
    text = (ROOT / name).read_text("utf-8")
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    for link in links:
        if "://" not in link:
            assert ((ROOT / name).parent / unquote(link)).exists(), link


def test_the_written_documents_are_up_to_date():
    # In a process of its own: a command that ran before remembers which help options it had.
    code = ("import json, runpy; found = runpy.run_path('docs/generate.py')['documents']();"
            "print(json.dumps({str(path): text for path, text in found.items()}))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=True)
    for path, text in json.loads(done.stdout).items():
        assert Path(path).read_text("utf-8") == text, f"{path}: run docs/generate.py"


def test_every_command_is_explained_with_an_example():
    import click

    from harness.cli.main import COMMANDS, group

    context = click.Context(group, info_name="harness")
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command.help, name
        assert f"harness {name}" in command.help, f"{name} shows no example"
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help or option.metavar or option.show_default, (name, option.name)


def test_the_troubles_are_named_in_the_programs_own_words():
    source = "".join(re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
                     for room in ("harness", "submission", "zoo")
                     for path in (ROOT / room).rglob("*.py"))
    table = (ROOT / "README.md").read_text("utf-8").partition("## Troubleshooting")[2]
    quoted = re.findall(r"(?m)^\| `([^`]+)`", table)
    assert quoted
    for words in quoted:
        for part in re.split(r"\.\.\.|'\w+'", words):
            assert part.strip() in source, words


def test_the_picture_of_the_page_is_small_enough_to_load():
    assert 20_000 < (ROOT / "docs" / "page.png").stat().st_size < 300_000


def test_the_citation_has_the_version_of_the_package():
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


# ---- the walk, word for word -------------------------------------------------------------------

@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A fresh copy of what git tracks, with this environment in place of a new one."""
    if not (ROOT / ".venv" / "installed").is_file():
        pytest.skip("needs an installed .venv (make install)")
    folder = tmp_path_factory.mktemp("walk") / "clone"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                             check=True).stdout.splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    for name in ("pyproject.toml", "constraints.txt"):
        os.utime(folder / name, (0, 0))     # older than .venv/installed
    return folder


@pytest.fixture(scope="module")
def platform() -> Iterator[object]:
    sys.path.append(str(Path(__file__).parent))
    from server import Platform

    with Platform() as running:
        for competition in running.world.competitions.values():
            competition.participants["alice"] = "approved"
        yield running


def prepare(folder: Path) -> None:
    """The files that the walk speaks of: a contest's npz, folders of pictures, weights."""
    from PIL import Image

    from harness.data.sources import load

    for source, count in (("demo", 300), ("demo-test", 64)):
        data = load(source)
        some = np.random.default_rng(0).permutation(len(data))[:count]
        if source == "demo":
            np.savez(folder / "training_set.npz", images=data.images[some],
                     labels=data.labels[some])
        target = folder / ("pictures" if source == "demo" else "shifted")
        for i in some:
            place = target / data.class_names[data.labels[i]]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.images[i]).save(place / f"{i:05d}.png")
    shared = ROOT.parent / "shared" / "weights"
    shutil.copytree(shared, folder / "weights")


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not (ROOT.parent / "shared" / "weights").is_dir(),
                    reason="needs the pretrained weights beside the project")
def test_the_walk_through_the_readme_works_word_for_word(clone, platform, tmp_path):
    prepare(clone)
    lines = commands((ROOT / "README.md").read_text("utf-8"))
    competition = str(next(iter(platform.world.competitions)))
    env = {**os.environ, "HARNESS_CACHE": str(tmp_path / "cache"), "PAGER": "cat",
           "HARNESS_HOST": platform.host, "HARNESS_COMPETITION": competition,
           "HARNESS_WEIGHTS": str(clone / "weights"), "BACKBONES": "smallcnn2",
           "XDG_CONFIG_HOME": str(tmp_path / "config")}
    for line in lines:
        runs = sorted(p.name for p in (clone / "runs").glob("*") if (p / "done").exists())
        for run in (runs[-1:] * line.count("RUN") if line.count("RUN") < 2 else runs[:2]):
            line = line.replace("RUN", run, 1)
        if line == "harness login":     # it asks for a password, and there is no terminal here
            line = "harness login --token-stdin"
        done = subprocess.run(["bash", "-c", f"source .venv/bin/activate; {line}"], cwd=clone,
                              env=env, capture_output=True, text=True, timeout=1800,
                              input=platform.world.tokens["alice"])
        assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        if line.startswith("harness "):
            assert "Next: " in done.stdout, line
    for name in ("leaderboard.md", "report.html", "submission.zip", "pictures.zip"):
        assert (clone / name).stat().st_size > 1000, name


# ---- adding a backbone, followed literally -----------------------------------------------------

def documented_row():
    """The row in docs/adding-a-backbone.md, as the table would hold it."""
    from zoo import table

    text = (ROOT / "docs" / "adding-a-backbone.md").read_text("utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.S)[1]
    return eval(block, vars(table))


@pytest.mark.slow
def test_the_documented_row_makes_a_backbone(monkeypatch):
    from zoo import table
    from zoo.graph import run
    from zoo.split import cut, join

    row = documented_row()
    monkeypatch.setitem(table.BACKBONES, row.name, row)
    assert table.backbone("ResNet-101") is row
    model = row.model(64)
    assert model.count_params() == row.parameters
    graph = row.graph(64)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("float32")
    whole = np.asarray(run(graph, images))
    assert whole.shape == (2, 2, 2, 2048)
    for boundary in row.boundaries.values():
        trunk, tail = cut(graph, boundary)
        assert trunk.nodes
        assert tail.nodes
        np.testing.assert_allclose(np.asarray(run(join(trunk, tail), images)), whole, rtol=1e-5)


def test_the_documented_rows_fields_are_explained_in_their_order():
    import dataclasses

    from zoo.backbone import Backbone

    text = (ROOT / "docs" / "adding-a-backbone.md").read_text("utf-8")
    explained = re.findall(r"^\| (\w+) \|", text, re.M)[1:]
    fields = [f.name for f in dataclasses.fields(Backbone)]
    assert explained == fields


def test_json_facts_of_the_walk_can_be_read(tmp_path, monkeypatch):
    """--json writes the facts of the commands that the walk runs without training."""
    from harness.cli.main import main

    monkeypatch.chdir(tmp_path)
    main(["models", "--json", "models.json"])
    assert {"backbones", "runs"} <= json.loads(Path("models.json").read_text("utf-8")).keys()
