"""Data connections as a client makes them: PASV, EPSV, PORT, EPRT (RFC 959 3.2, RFC 2428).

Apart from the control connection, of which each needs the host and the TLS session.  A passive address of another host than the control
connection's is refused, whatever the reason for it (RFC 2577 3): a tool that follows it scans networks on a server's behalf.
"""

from __future__ import annotations

import ipaddress
import re
import socket as sockets
import ssl
from typing import Final

from ftpd.dialogue.control import Control, Declined, Gone, Heard, Nonsense, Silent

__all__ = ["accept", "active", "announced", "connect", "passive", "port_line", "secure"]

_PASSIVE: Final = re.compile(r"227 .*?\(?([0-9]{1,3}(?:,[0-9]{1,3}){5})\)?\D*", re.DOTALL)
_EXTENDED: Final = re.compile(r"229 .*\(([!-~])\1\1([0-9]{1,5})\1\).*", re.DOTALL)
_MOST_STRANGERS: Final = 16  # that are turned away before the wait is given up


def announced(heard: Heard) -> tuple[str | None, int]:
    """Return address and port of a 227, or None and the port of a 229; :class:`Nonsense` for what is neither.

    The address of a 227 may stand without parentheses, as RFC 1123 4.1.2.6 demands of clients to read.
    """
    line = heard.lines[-1].decode("latin-1")
    if match := _EXTENDED.fullmatch(line):
        port = int(match[2])
        if 0 < port < 65536:
            return None, port
    elif match := _PASSIVE.fullmatch(line):
        numbers = [int(number) for number in match[1].split(",")]
        port = numbers[4] << 8 | numbers[5]
        if max(numbers) < 256 and port:
            return ".".join(map(str, numbers[:4])), port
    raise Nonsense(f"no address of a data connection: {line[:200]!a}")


def passive(control: Control, extended: bool) -> sockets.socket:
    """Say EPSV or PASV and connect to what is answered; raises :class:`Declined` for any other answer, and what `connect` raises."""
    verb = "EPSV" if extended else "PASV"
    heard = control.command(verb)
    if heard.code != (229 if extended else 227):
        raise Declined(verb, heard)
    return connect(control, heard)


def connect(control: Control, heard: Heard) -> sockets.socket:
    """Connect to what the 227 or 229 *heard* announces.  The socket is the caller's, with the control connection's timeout.

    Raises :class:`Nonsense` where that is another host than the control connection's, :class:`Gone` and :class:`Silent` where nobody is there.
    """
    address, port = announced(heard)
    host = control.peer[0]
    if address is not None and not _is_same(address, host):
        raise Nonsense(f"the passive address is {address}, of another host than {host}: not connected")
    try:
        return sockets.create_connection((host, port), control.timeout)
    except TimeoutError as error:
        raise Silent(f"nobody answers on the passive port {port}") from error
    except OSError as error:
        raise Gone(f"cannot connect to the passive port {port}: {error.strerror or error}") from error


def active(control: Control, extended: bool) -> sockets.socket:
    """Listen where the control connection's own end is, say EPRT or PORT, and return the listener; :class:`Declined` where it is not taken."""
    listener = _listen(control)
    try:
        line = port_line(listener, extended)
        heard = control.command(line)
        if not heard.is_positive:
            raise Declined(line.partition(" ")[0], heard)
    except BaseException:
        listener.close()
        raise
    return listener


def port_line(listener: sockets.socket, extended: bool) -> str:
    """Return the EPRT or PORT that names *listener*; `ValueError` for a PORT that would have to name an IPv6 address."""
    address, port = listener.getsockname()[:2]
    parsed = _plain(address)
    if extended:
        return f"EPRT |{1 if parsed.version == 4 else 2}|{parsed}|{port}|"
    if parsed.version == 6:
        raise ValueError("PORT cannot name an IPv6 address")
    return f"PORT {str(parsed).replace('.', ',')},{port >> 8},{port & 255}"


def accept(control: Control, listener: sockets.socket) -> sockets.socket:
    """Return the connection of the control connection's peer to *listener*; strangers are closed and not counted.

    Raises :class:`Silent` where it does not come in time.
    """
    listener.settimeout(control.timeout)
    for _ in range(_MOST_STRANGERS):
        try:
            connection, address = listener.accept()
        except OSError as error:
            raise Silent("the server did not connect to the active port") from error
        if _is_same(address[0], control.peer[0]):
            connection.settimeout(control.timeout)
            return connection
        connection.close()
    raise Silent("others connected to the active port, and the server did not")


def secure(control: Control, connection: sockets.socket) -> ssl.SSLSocket:
    """Return *connection* under TLS (PROT P), resuming the control connection's session.  Raises :class:`Gone`, and closes it then."""
    context = control.context
    if context is None:  # a server that takes PROT without TLS (RFC 4217 9 forbids it)
        connection.close()
        raise Gone("a data connection cannot be private where the control connection never had TLS")
    try:
        return context.wrap_socket(connection, server_hostname=control.host, session=control.tls_session)
    except (OSError, ssl.SSLError) as error:
        connection.close()
        raise Gone(f"the TLS handshake of the data connection failed: {error.strerror or error}") from error


def _listen(control: Control) -> sockets.socket:
    host = control.local[0]
    listener = sockets.create_server((host, 0), family=sockets.AF_INET6 if ":" in host else sockets.AF_INET, backlog=1)
    listener.settimeout(control.timeout)
    return listener


def _plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def _is_same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)
