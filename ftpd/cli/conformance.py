"""`ftpd conformance`: judge any FTP server by the RFCs.

Apart from `judging`, which does it: that is imported when the command runs.
"""

from __future__ import annotations

import sys

import click

from ftpd.cli.endings import fail
from ftpd.cli.remote import client_context, place_of, server_password

__all__ = ["conformance"]

_EXISTING_FILE = click.Path(exists=True, dir_okay=False)


@click.command(epilog="Exit codes: 0 no rule is violated, 1 one is, or there is nothing to judge, 2 wrong command line.")
@click.argument("server", metavar="HOST[:PORT]")
@click.option("--user", required=True, help="Who logs in there.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, up to the first line end.")
@click.option("--password-file", type=_EXISTING_FILE, help="Read the password from the first line of this file.")
@click.option(
    "--tls", type=click.Choice(["none", "explicit", "implicit"]), default="none", show_default=True, help="Protect the login."
)
@click.option(
    "--ca-file", type=_EXISTING_FILE, help="Who may have signed the server's certificate (PEM).  [default: the system's list]"
)
@click.option("--insecure", is_flag=True, help="Take any certificate: whoever answers is sent the password.")
@click.option("--directory", default="", help="Where the scratch directory is made.  [default: where the login leads]")
@click.option(
    "--write/--no-write", "may_write", default=True, help="Whether files may be stored; without, many checks cannot tell."
)
@click.option("--only", "only", multiple=True, type=int, metavar="RFC", help="Judge by this RFC only, such as 959; repeatable.")
@click.option(
    "--timeout", "seconds", type=click.FloatRange(0.1, 60), default=5, show_default=True, help="Seconds that a reply may take."
)
@click.option("--json", "as_json", is_flag=True, help="Print each finding as a JSON object, one a line.")
@click.option("--dialogue", "is_verbose", is_flag=True, help="Show what was said and heard where a rule is violated.")
def conformance(
    server: str,
    user: str,
    password_stdin: bool,
    password_file: str | None,
    tls: str,
    ca_file: str | None,
    insecure: bool,
    directory: str,
    may_write: bool,
    only: tuple[int, ...],
    seconds: float,
    as_json: bool,
    is_verbose: bool,
) -> None:
    """Judge an FTP server, any one, by the RFCs.

    It logs in, makes a directory, asks what RFC 959, 1123, 2228, 2389, 2428, 2640, 3659, 4217, 7151 and 8996 have rules for, takes the directory
    away again, and prints what it found with the section of each rule.  The password is asked for, unless an option says where it is.
    """
    from ftpd.cli import judging

    if password_stdin and password_file is not None:
        raise click.UsageError("Give either --password-stdin or --password-file.")
    protection = judging.protection(tls)
    host, port = place_of(server, is_implicit=tls == "implicit")
    context = None if tls == "none" else client_context(insecure, ca_file)
    try:
        wanted = judging.rfcs(only)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    target = judging.Target(
        host, port, user, _password(password_stdin, password_file), protection, context, directory, may_write, seconds
    )
    try:
        is_clean = judging.judged(target, wanted, is_json=as_json, is_verbose=is_verbose)
    except judging.Cannot as error:
        fail(error)
    sys.exit(0 if is_clean else 1)


def _password(from_stdin: bool, file: str | None) -> str:
    """Read the password of an account elsewhere."""
    if file is not None:
        with open(file, encoding="utf-8", errors="surrogateescape") as opened:
            return opened.readline().rstrip("\r\n")
    return server_password(from_stdin)
