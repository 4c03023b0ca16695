"""Examination: a running server, tried as a client of it: passive and active mode, extended and not, in clear and over TLS.

Apart from the inspection of its configuration, which cannot know what stands between a server and its clients.  Each way of transferring is
tried with a listing of the login's own directory; nothing is changed on the server.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from socket import socket
from typing import Final, Literal, TypeAlias

import attrs

from ftpd.dialogue import Broken, Control, Declined, Gone, Heard, Nonsense, Silent, accept, active, announced, connect, secure
from ftpd.doctor.finding import Finding, fault, good, note, warning
from ftpd.private import is_private
from ftpd.schema import PortRange

__all__ = ["Protection", "Visit", "examine"]

Protection: TypeAlias = Literal["none", "explicit", "implicit"]

_MOST_BYTES: Final = 1024 * 1024  # of a listing; the rest of a longer one proves nothing more
_OPEN: Final = "let ftp.passive.ports through every firewall and router on the way, to this server and under the same numbers"
_LONE: Final = "clients that cannot do without it are told so at once, and the others use passive mode"


@attrs.frozen
class Visit:
    """Where to connect and as whom.  `ports` are the server's passive ports, None where they are not known; `seconds` is what one step may take.

    `context` verifies the server's certificate, or does not.
    """

    host: str
    port: int
    user: str
    password: str = attrs.field(repr=False)
    tls: Protection = "none"
    context: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    ports: PortRange | None = None
    seconds: float = 10.0


def examine(visit: Visit) -> Iterator[Finding]:
    """Yield what a client at this place finds, as it is found.  The connections are closed when the iterator is."""
    context = visit.context if visit.tls == "implicit" else None
    try:
        control = Control.connect(visit.host, visit.port, visit.seconds, context=context)
    except Broken as error:
        yield fault(f"no control connection: {error}", "see that the server runs, listens there, and may be reached on that port")
        return
    with control:
        try:
            yield from _examined(control, visit)
        except Broken as error:
            yield fault(
                f"the control connection failed: {error}", "see the server's log; a NAT on the way may drop idle connections"
            )


def _examined(control: Control, visit: Visit) -> Iterator[Finding]:
    yield good(f"connected from {control.local[0]} to {control.peer[0]} port {control.peer[1]}")
    refusal = _log_in(control, visit)
    if refusal:
        yield fault(refusal, "without a login no data connection can be tried: see --user, --tls, and ftp.plaintext_passwords")
        return
    yield good(f"logged in as {visit.user}" + (f" ({control.tls_version})" if control.tls_version else " in clear"))
    for protection in _protections(control):
        if protection:
            heard = control.command(f"PROT {protection}")
            if not heard.is_positive:
                yield note(f"PROT {protection} is declined: {_said(heard)}")
                continue
        words = {"P": " over TLS", "C": " in clear", "": ""}[protection]
        yield from _passive(control, visit, "EPSV", words)
        if ":" not in control.peer[0]:
            yield from _passive(control, visit, "PASV", words)
        yield from _active(control, words)
    control.send("QUIT")


def _log_in(control: Control, visit: Visit) -> str:
    """Log in; return what was refused, and how."""
    greeting = _ended(control, control.greeting)  # 120 asks for patience
    if not greeting.is_positive:
        return f"the server does not let us in: {_said(greeting)}"
    if visit.tls == "explicit" and visit.context is not None:
        heard = control.command("AUTH TLS")
        if heard.code != 234:
            return f"AUTH TLS is declined: {_said(heard)}"
        control.start_tls(visit.context)
    heard = control.command(f"USER {visit.user}")
    if heard.code == 331:
        heard = control.command(f"PASS {visit.password}")
    if heard.code not in (230, 232):
        return f"the login is refused: {_said(heard)}"
    if control.tls_version:
        control.command("PBSZ 0")
    return ""


def _protections(control: Control) -> tuple[str, ...]:
    """The levels of PROT to try: "" is none, on a connection in clear."""
    return ("P", "C") if control.tls_version else ("",)


def _passive(control: Control, visit: Visit, verb: str, words: str) -> Iterator[Finding]:
    """Try *verb*, EPSV or PASV.

    The connection is made to the control connection's host whatever PASV says: most clients do so, and a server shall not send us elsewhere.
    """
    heard = control.command(verb)
    if heard.code != (229 if verb == "EPSV" else 227):
        yield warning(
            f"{verb}{words} is declined: {_said(heard)}",
            "see ftp.passive.enabled, ftp.passive.external_address and ftp.deny_commands in its configuration",
        )
        return
    try:
        address, port = announced(heard)
    except Nonsense as error:
        yield fault(
            f"{verb}{words}: {error}", "a client needs the port from there: the server, or an FTP helper on the way, has it wrong"
        )
        return
    yield from _announced_address(address, control.peer[0])
    yield from _announced_port(port, visit.ports)
    try:
        connection = connect(control, _without_address(port))
    except Gone as error:
        yield fault(f"{verb}{words}: port {port} is refused ({error})", f"{_OPEN}; a forwarded port has to keep its number")
    except Silent:
        yield fault(f"{verb}{words}: port {port} does not answer within {control.timeout:g} s", _OPEN)
    else:
        yield _listed(control, connection, f"{verb}{words}", words)


def _announced_address(address: str | None, host: str) -> Iterator[Finding]:
    if address is None or address == host:
        return
    if is_private(address) and not is_private(host):
        yield fault(
            f"PASV tells {address}, which is private, and the server is reached at {host}: clients that believe it cannot connect",
            "set ftp.passive.external_address, or external_address of the [[listen]], to the address that clients reach",
        )
    else:
        yield warning(
            f"PASV tells {address}, and the server is reached at {host}: {host} was tried",
            "where both are not the same server, correct ftp.passive.external_address, or that of the [[listen]]; clients that come from inside may have"
            ' [[ftp.passive.networks]] with external_address = "reached"',
        )


def _announced_port(port: int, ports: PortRange | None) -> Iterator[Finding]:
    if ports is not None and not ports[0] <= port <= ports[1]:
        yield fault(
            f"port {port} is not in {ports[0]}-{ports[1]}, the ftp.passive.ports of the configuration",
            "the server runs with another configuration, or something on the way changes ports: reload it, or switch off that FTP helper",
        )


def _without_address(port: int) -> Heard:
    """Return what a 229 would have said of *port*."""
    line = f"229 Entering Extended Passive Mode (|||{port}|)".encode("ascii")
    return Heard(229, (line,), line)


def _active(control: Control, words: str) -> Iterator[Finding]:
    """Try EPRT, which says the same as PORT; whether it works is the client's side's to decide."""
    is_hidden = is_private(control.local[0]) and not is_private(control.peer[0])
    try:
        listener = active(control, True)
    except Declined as error:
        why = "this client is behind NAT" if is_hidden else "see ftp.active in its configuration"
        yield note(f"EPRT{words} is declined: {_said(error.heard)}", f"{why}; {_LONE}")
        return
    with closing(listener):
        control.send("LIST")
        heard = control.reply()
        if not heard.is_positive:
            yield _unconnected(heard, words, is_hidden)
            return
        try:
            connection = accept(control, listener)
        except Silent:
            yield _unconnected(_ended(control, heard), words, is_hidden)
            return
    yield _read(control, connection, f"EPRT{words}", words, heard)


def _unconnected(heard: Heard, words: str, is_hidden: bool) -> Finding:
    where = (
        "this client is behind NAT"
        if is_hidden
        else "a firewall before this client keeps connections from the server out, or the server's own lets none out"
    )
    return note(f"EPRT{words}: the server does not come through: {_said(heard)}", f"{where}; {_LONE}")


def _listed(control: Control, connection: socket, name: str, words: str) -> Finding:
    """Ask for a listing on *connection*, which the client has made."""
    try:
        heard = control.command("LIST")
    except Broken:
        connection.close()
        raise
    if heard.is_positive:
        return _read(control, connection, name, words, heard)
    connection.close()
    return _failed(name, heard)


def _read(control: Control, connection: socket, name: str, words: str, heard: Heard) -> Finding:
    """Read the listing that *heard* has announced, and hear its end."""
    try:
        if "TLS" in words:
            connection = secure(control, connection)
        with connection:
            is_whole = _drained(connection)
    except (Gone, OSError) as error:
        return _failed(name, _ended(control, heard), f": {error}")
    heard = _ended(control, heard)
    if heard.code in (226, 250) or not is_whole:
        return good(f"{name} works")
    return _failed(name, heard)


def _drained(connection: socket) -> bool:
    """Read to the end, or until it is enough; return whether it was the end."""
    left = _MOST_BYTES
    while left > 0:
        piece = connection.recv(left)
        if not piece:
            return True
        left -= len(piece)
    return False


def _ended(control: Control, heard: Heard) -> Heard:
    """Return the final reply after *heard*."""
    while heard.is_preliminary:
        heard = control.reply()
    return heard


def _failed(name: str, heard: Heard, error: str = "") -> Finding:
    if heard.code == 425:
        return fault(
            f"{name}: we connected{error}, and the server says that nobody did: {_said(heard)}",
            "something on the way takes the connection itself, or gives it another address than the control connection:"
            " a load balancer, a proxy, a NAT with several addresses; the server's log names it (stranger-connected)",
        )
    return fault(f"{name} fails{error}: {_said(heard)}", "the server's log tells more")


def _said(heard: Heard) -> str:
    """Show a reply of a server that nobody has to trust."""
    return "".join(letter if letter.isprintable() else "?" for letter in f"{heard.code} {heard.text}"[:200])
