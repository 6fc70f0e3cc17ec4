"""harness diagnose: why a run loses points."""

from pathlib import Path
from typing import Any

import click

from harness.cli import options


@click.command()
@click.argument("run", metavar="RUN")
@options.runs
@options.json_path
def command(run: str, runs: str, json_path: Path | None) -> None:
    """Say why RUN loses points, the costliest reason first, and what usually helps.

    RUN is the name of a finished run, or how it begins.

    \b
    harness diagnose 20261125-101530-vgg16
    """
    from harness import terminal
    from harness.judge.diagnosis import diagnose, heat_map
    from harness.judge.evidence import of_run
    from harness.judge.suite import STRENGTHS
    from harness.records import reading
    from harness.runs import Store
    from zoo.files import write_json

    chosen = Store(runs).run(run)
    findings, evidence = diagnose(chosen), of_run(chosen)
    terminal.print_table([shown(f) for f in findings], COLUMNS, title=f"Why {chosen.id} loses")
    for finding in findings:
        terminal.say(f"{finding['kind']}: {finding['words']} Usually helps: {finding['helps']}.")
    heat = heat_map(evidence) if evidence else {}
    if heat:
        terminal.print_table([heat_row(k, v) for k, v in heat.items()], {
            "family": "family", **{str(s): str(s) for s in STRENGTHS}},
            title="Accuracy by family and strength, %")
    if json_path:
        write_json(json_path, {"run": chosen.id, "findings": findings, "heat_map": heat})
    config = chosen.config
    single = None if "members" in config else config["backbone"]
    terminal.next_command(options.command_line(
        "zoo", data=config["data"]["provenance"], backbones=single, protocol="strong",
        set=("views=12", "epochs_2=16"), **reading(config), runs=runs))


COLUMNS = {"points": "points lost", "kind": "reason", "helps": "what usually helps"}


def shown(finding: dict[str, Any]) -> dict[str, Any]:
    return {**finding, "points": f"{finding['points']:.1f}"}


def heat_row(family: str, shares: list[float | None]) -> dict[str, Any]:
    return {"family": family, **{str(i): None if s is None else f"{100 * s:.0f}"
                                 for i, s in enumerate(shares, 1)}}
