"""harness login: keep the platform's token."""

import io
import os
import sys

import click

from harness.cli import options, remote


@click.command()
@remote.host
@click.option("--username", metavar="NAME", help="Your name on the platform; asked for if absent.")
@click.option("--token-stdin", is_flag=True, help="Read a token from standard input, for accounts "
                                                  "without a password.")
@click.option("--forget", is_flag=True, help="Delete the token of this host from this machine.")
def command(host: str, username: str | None, token_stdin: bool, forget: bool) -> None:
    """Get the platform's token and keep it for this machine, readable by you alone.

    The password is asked for, sent once, and kept nowhere. The variable CODABENCH_TOKEN goes
    before the kept token.

    \b
    harness login
    harness login --host http://localhost:8000 --username alice
    harness login --token-stdin < token.txt
    """
    from harness import terminal
    from submission.codabench import Client, login
    from submission.tokens import VARIABLE, Token, forget_token, keep_token, read_token
    from submission.transport import Transport, origin

    where = origin(host)
    if forget:
        known = forget_token(where)
        terminal.say(f"The token of {where} is deleted from this machine." if known
                     else f"There was no token of {where} on this machine.")
        return
    remote.warn_of_plain(where)
    if token_stdin:
        # Closed, as some schedulers start programs, it is None, and holds no token.
        token = read_token(getattr(sys.stdin, "buffer", io.BytesIO()), "standard input")
    else:
        name = username or click.prompt("User name", err=True)
        password = click.prompt("Password", hide_input=True, err=True)
        token = Token(login(Transport(where, None, say=remote.progress), name, password), where)
    user = Client(Transport(where, token, say=remote.progress)).username()
    path = keep_token(where, token)
    terminal.say(f"You are {user} at {where}. The token is kept in {path}.")
    if os.environ.get(VARIABLE, "").strip():
        terminal.warn(f"The variable {VARIABLE} is set and goes before this token; unset it.")
    terminal.next_command(options.command_line("quota", host=host))
