"""The ``harness`` command: finds the file of a subcommand, and prints errors as sentences.

A subcommand lives in a file of its own in this folder and offers one click command called
``command``. It is imported when it runs, so ``harness --help`` costs little more than Python.
"""

import errno
import importlib
import io
import sys
from typing import Any

import click

from zoo.errors import UserError, did_you_mean

# name: (module in harness.cli, one line for the list)
COMMANDS = {
    "zoo": ("zoo", "train the backbones, forecast their hidden scores, update the leaderboard"),
    "submission": ("submission", "pack the best run as a zip, check it, dry-run it"),
    "report": ("report", "write the page: one HTML file with everything that was measured"),
    "models": ("models", "list the backbones and the finished runs"),
    "clean": ("clean", "find pollution, duplicates, outliers and suspected labels in a file"),
    "ensemble": ("ensemble", "join finished runs into one entry of the leaderboard"),
    "tta": ("tta", "give a finished run test-time augmentation"),
    "soup": ("soup", "average the weights of runs of one backbone"),
    "forecast": ("forecast", "forecast the hidden score of every finished run"),
    "diagnose": ("diagnose", "say why one run loses points, and what usually helps"),
    "search": ("search", "search dropout, rates, magnitude and boundary on cached activations"),
    "compare": ("compare", "put two runs side by side"),
    "check": ("check", "check a zip, ours or anybody's, against numbered rules"),
    "dry-run": ("dry_run", "run a zip as the platform would, without the platform"),
    "bundle": ("bundle", "make a competition bundle from a labelled file"),
    "login": ("login", "keep the platform's token for this machine"),
    "status": ("status", "show the state of a submission on the platform"),
    "quota": ("quota", "show how many submissions are left"),
    "submit": ("submit", "upload a checked zip, watch it, and record its score"),
    "logs": ("logs", "fetch the log that explains a submission"),
    "leaderboard": ("leaderboard", "show our leaderboard, or the platform's"),
    "sync": ("sync", "match what the platform has with what the ledger holds"),
    "score": ("score", "enter a returned score by hand"),
    "cache": ("cache", "show or clear the cache of activations"),
    "doctor": ("doctor", "say what is installed, where things lie, and what is missing"),
    "completion": ("completion", "print the shell's completion script"),
}


class Commands(click.Group):
    """A group that imports a command only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"harness.cli.{COMMANDS[name][0]}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS:
            near = did_you_mean(args[0], COMMANDS)
            raise click.UsageError(f"There is no command {args[0]!r}.{near}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="shift-harness", prog_name="harness")
@click.option("-q", "--quiet", is_flag=True, help="Print tables, warnings and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Print more, TensorFlow's messages, too.")
def group(quiet: bool, verbose: bool) -> None:
    """From a dirty contest file to the best zip, with a forecast of its hidden score.

    \b
    harness zoo                         try it on the embedded demo data
    harness zoo --data training_set.npz train every backbone on yours
    harness submission                  pack the best one
    """
    from harness import terminal

    terminal.set_verbosity(quiet, verbose)


def main(args: list[str] | None = None) -> None:
    """Run the command line. Exit code 2 and one sentence for what a user can mend."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # letters that a terminal has not got
            stream.reconfigure(errors="backslashreplace")
    try:
        group.main(args=args, prog_name="harness", standalone_mode=False)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.Abort:
        interrupted()
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except UserError as e:
        from harness.terminal import visible

        click.echo(f"harness: {visible(str(e))}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        interrupted()
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        click.echo(f"harness: The disk is full{f': {e.filename}' if e.filename else ''}. Free some "
                   "space, and run the same command again.", err=True)
        sys.exit(2)
    except MemoryError:
        click.echo("harness: The memory is full. Close other programs, lower --jobs, or try with "
                   "fewer images.", err=True)
        sys.exit(2)


def interrupted() -> None:
    """Ctrl-C: say that nothing finished is lost, and how to go on."""
    click.echo("\nharness: Stopped. What was finished is kept; the same command goes on from "
               "there.", err=True)
    sys.exit(130)


if __name__ == "__main__":
    main()
