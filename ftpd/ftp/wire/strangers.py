"""What speaks another protocol to the port: told by its first bytes, or by a line of it.

Apart from the commands, none of which may run for it.  A browser or a mail client that was led here could carry commands in a request that its
user did not write (ALPACA, 2021; TLS Poison, 2020), and whoever has set up the wrong port is told so by the log.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["protocol_of_bytes", "protocol_of_line"]

_CLIENT_HELLO: Final = b"\x16\x03"  # a TLS record with a handshake, any version since SSL 3 (RFC 8446 5.1)
_PROXY_2: Final = b"\r\n\r\n\0\r\nQUIT\n"  # the PROXY protocol, version 2: its signature holds a line that is a command of ours
_LINE: Final = re.compile(
    # A request, whatever its verb, some of which are ours: `OPTIONS sip:x SIP/2.0`, `DESCRIBE rtsp://x RTSP/1.0`, `USER / HTTP/1.1`.
    rb"[!-~]{1,40} [^ ]+ (?P<request>HTTP|RTSP|SIP)/[0-9](?:\.[0-9])?\Z"
    rb"|(?P<HTTP>(?i:HOST|USER-AGENT|CONTENT-LENGTH|ACCEPT):)"
    rb"|(?P<SSH>SSH-[12]\.[0-9]{1,2}-)"  # RFC 4253 4.2
    rb"|(?P<SMTP>(?i:(?:EHLO|HELO|LHLO)(?: |\Z)|MAIL FROM:|RCPT TO:))"  # RFC 5321 4.1.1
    rb"|(?P<PROXY>PROXY (?:TCP[46]|UNKNOWN)\b)"
)  # one pattern: each login's lines are looked at (tests/bench: login)
_PROXY: Final = "the PROXY protocol"


def protocol_of_bytes(data: bytes) -> str:
    """Return the protocol that *data*, read at once from a client that speaks in clear, begins; "" where it may be FTP."""
    if data.startswith(_CLIENT_HELLO):
        return "TLS"
    return _PROXY if data.startswith(_PROXY_2) else ""


def protocol_of_line(line: bytes) -> str:
    """Return the protocol that *line* belongs to; "" where it may be FTP."""
    match = _LINE.match(line)
    if match is None:
        return ""
    name = match.lastgroup or ""
    return match[name].decode("ascii") if name == "request" else _PROXY if name == "PROXY" else name
