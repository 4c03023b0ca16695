"""Another server, as the command line names it: its place, its certificate, and the password for it.

Apart, because every command that speaks to a server as its client has the same arguments.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    import ssl

__all__ = ["client_context", "place_of", "server_password"]


_HOST: Final = re.compile(r"[^\s\[\]]+")
_STANDARD_PORT: Final = 21
_IMPLICIT_PORT: Final = 990  # of TLS from the start


def place_of(server: str, *, is_implicit: bool) -> tuple[str, int]:
    """Read `HOST`, `HOST:PORT`, an IPv6 address with or without brackets; where no port is named it is the standard one."""
    host, colon, port = server.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")) or server.endswith("]"):
        host, port = server, str(_IMPLICIT_PORT if is_implicit else _STANDARD_PORT)
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536) or not _HOST.fullmatch(host.strip("[]")):
        raise click.UsageError(f"{server!r} is not HOST or HOST:PORT, an IPv6 address in brackets.")
    return host.strip("[]"), int(port)


def client_context(insecure: bool, authorities: str | None = None) -> ssl.SSLContext:
    """Return what verifies the server by the system's *authorities*, or those of that file, or, *insecure*, not at all."""
    import ssl

    try:
        context = ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise click.UsageError(f"{authorities}: no certificates in PEM: {error.strerror or error}") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def server_password(from_stdin: bool) -> str:
    """Return the first line of standard input, or what is typed."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password: str = click.prompt("Password", hide_input=True, err=True)
    return password
