"""`ftpd replay`: a trace is played to a server, and what is answered is compared.

Apart from the package that plays, and from the other commands: here are its arguments and its end only.
"""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

import click

from ftpd.cli.remote import client_context, place_of, server_password
from ftpd.cli.screen import say

if TYPE_CHECKING:
    from ftpd.replay import Recording
    from ftpd.replay.transcript import Shown

__all__ = ["replay"]

_ANONYMOUS = ("anonymous", "ftp")


@click.command(epilog="Exit codes: 0 the answers are the same, 1 they differ, 2 wrong command line, or no trace.")
@click.argument("file", type=click.File("rb"))
@click.argument("server", metavar="HOST[:PORT]")
@click.option("--user", help="Who logs in.  [default: as in the trace]")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, up to the first line end.")
@click.option(
    "--tls",
    type=click.Choice(["recorded", "none", "implicit"]),
    default="recorded",
    show_default=True,
    help="TLS as in the trace; none leaves out AUTH, PBSZ, PROT and CCC, as implicit does, where TLS comes first.",
)
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="Who may have signed the server's certificate.")
@click.option("--insecure", is_flag=True, help="Take any certificate of the server.")
@click.option("--codes", is_flag=True, help="Compare reply codes only, and neither their words nor numbers of bytes.")
@click.option("--differences", is_flag=True, help="Print nothing but lines whose answers differ.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1), default=30.0, show_default=True, metavar="SECONDS", help="What one reply may take."
)
def replay(
    file: IO[bytes],
    server: str,
    user: str | None,
    password_stdin: bool,
    tls: str,
    ca_file: str | None,
    insecure: bool,
    codes: bool,
    differences: bool,
    timeout: float,
) -> None:
    """Play the trace FILE to a server as its client, and compare the answers.

    What the client said stands behind ">", an answer that is the same behind a space; where they differ, "-" is the trace and "+" the server.
    Addresses, ports, times, sizes and names of sessions may differ.  Uploads have made-up content of the same size: the server's files
    change.
    """
    from ftpd.replay import Login, Terms, Unreadable, play, read, transcript

    try:
        recording = read(file)
    except Unreadable as error:
        raise click.UsageError(f"{file.name}: {error}") from error
    host, port = place_of(server, is_implicit=tls == "implicit")
    login = Login(user, _password(recording, user, password_stdin))
    terms = Terms(login, client_context(insecure, ca_file), tls, timeout)
    shown = list(transcript(recording, play(recording, host, port, terms), only_codes=codes))
    if not recording.is_whole:
        click.echo("ftpd: the trace ends before its session did", err=True)
    say(map(str, _around_differences(shown) if differences else shown))
    sys.exit(any(line.is_difference for line in shown))


def _password(recording: Recording, user: str | None, from_stdin: bool) -> str:
    """Return what stands for the passwords that were cut; asked for only where the trace logs in as somebody."""
    if from_stdin:
        return server_password(from_stdin)
    names = {user or line.argument for line in recording.lines if line.verb == "USER"}
    needs = any(line.verb == "PASS" and line.is_cut for line in recording.lines)
    return server_password(False) if needs and not names <= set(_ANONYMOUS) else "replay@"


def _around_differences(shown: list[Shown]) -> list[Shown]:
    """Return the lines that differ, and what the client had said before each."""
    kept: list[Shown] = []
    said: Shown | None = None
    for line in shown:
        if line.mark == ">":
            said = line
        elif line.is_difference:
            if said is not None:
                kept.append(said)
                said = None
            kept.append(line)
    return kept
