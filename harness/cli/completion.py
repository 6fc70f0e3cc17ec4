"""harness completion: the shell's completion script."""

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and files with Tab.

    \b
    eval "$(harness completion bash)"     # into ~/.bashrc
    eval "$(harness completion zsh)"      # into ~/.zshrc
    harness completion fish | source     # into ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from harness.cli.main import group

    script = get_completion_class(shell)
    if script is None:
        raise click.ClickException(f"click knows no completion for {shell}.")
    click.echo(script(group, {}, "harness", "_HARNESS_COMPLETE").source())
