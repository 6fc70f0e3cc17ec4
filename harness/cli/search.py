"""harness search: find a protocol for one backbone."""

from pathlib import Path

import click

from harness.cli import options


@click.command()
@click.option("--data", default="demo", show_default=True, metavar="SOURCE",
              help="An npz file, a folder of pictures (one folder a class), or demo.")
@click.option("--backbone", "name", default="mobilenetv2", show_default=True,
              help="What to search for.")
@click.option("--weights", default="auto", show_default=True, metavar="DIR|WORD",
              help="As for harness zoo.")
@click.option("--protocol", default="quick", show_default=True,
              help="Where the fields that are not searched stay.")
@click.option("--fields", metavar="NAMES", help="Which fields, separated by blanks or commas. "
              "Default: all of the search space.")
@click.option("--trials", default=20, show_default=True, type=click.IntRange(1, 10_000))
@options.keep
@options.drop
@options.settings
@options.runs
@options.images_key
@options.labels_key
@options.json_path
def command(data: str, name: str, weights: str, protocol: str, fields: str | None, trials: int,
            keep: str | None, drop: str | None, settings: tuple[str, ...], runs: str,
            images_key: str, labels_key: str, json_path: Path | None) -> None:
    """Search dropout, penalties, rates, head, batch, patience, magnitude and boundary.

    What is maximized is accuracy on the stress suite. Trials that fall behind are stopped; the
    study is kept in RUNS/search, and the same command adds trials to it, with other fields, too.

    \b
    harness search --data training_set.npz --backbone vgg16 --trials 40
    harness search --fields "dropout rate_2"
    """
    from harness import search, sweep, terminal
    from harness.prepare import prepare
    from harness.protocol import protocol as find_protocol
    from harness.training import cache
    from zoo.errors import UserError
    from zoo.files import write_json
    from zoo.table import backbone

    wanted = fields.replace(",", " ").split() if fields else list(search.SPACE)
    unknown = [f for f in wanted if f not in search.SPACE]
    if unknown:
        raise UserError(f"{unknown[0]!r} is not searched. These are: {', '.join(search.SPACE)}.")
    chosen = find_protocol(protocol, dict(options.parse_settings(settings)))
    sweep.check([backbone(name)], chosen)
    spec = sweep.plan([name], chosen, weights, 1, 1, demo=data == "demo")[0]
    prepared = prepare(data, None, images_key, labels_key, options.read_positions(keep),
                       options.read_positions(drop))
    objective = search.Objective(spec, prepared, cache.default())
    rows = search.explore(objective, wanted, trials, Path(runs) / "search")
    shown = [{k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in row.items()}
             for row in rows[:10]]
    terminal.print_table(shown, {k: k for k in ("trial", "suite", *search.SPACE)},
                         title="Best trials")
    if json_path:
        write_json(json_path, rows)
    # The best trial may be of an earlier call, which searched other fields.
    found = {f: rows[0][f] for f in search.SPACE if f in rows[0]} if rows else {}
    best = {**options.parse_settings(settings), **found}
    terminal.next_command(options.command_line(
        "zoo", data=data, backbones=name, weights=weights, protocol=protocol, keep=keep, drop=drop,
        images_key=images_key, labels_key=labels_key,
        set=tuple(f"{field}={value}" for field, value in best.items()), runs=runs))
