from __future__ import annotations

import pytest

from ftpd.ftp.commands import standard_commands
from ftpd.ftp.wire.strangers import protocol_of_bytes, protocol_of_line


@pytest.mark.parametrize(
    ("line", "protocol"),
    [
        (b"GET / HTTP/1.1", "HTTP"),
        (b"POST /a?b=c HTTP/1.0", "HTTP"),
        (b"PRI * HTTP/2.0", "HTTP"),
        (b"M-SEARCH * HTTP/1.1", "HTTP"),
        (b"Host: example.com", "HTTP"),
        (b"user-agent: x", "HTTP"),
        (b"OPTIONS * RTSP/1.0", "RTSP"),
        (b"INVITE sip:a@b SIP/2.0", "SIP"),
        (b"EHLO", "SMTP"),
        (b"helo x", "SMTP"),
        (b"MAIL FROM:<a@b>", "SMTP"),
        (b"SSH-2.0-x", "SSH"),
        (b"SSH-1.99-x", "SSH"),
        (b"PROXY TCP6 ::1 ::1 1 2", "the PROXY protocol"),
        (b"PROXY UNKNOWN", "the PROXY protocol"),
    ],
)
def test_line_of_another_protocol_is_told(line: bytes, protocol: str) -> None:
    assert protocol_of_line(line) == protocol


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"USER ann",
        b"USER host",
        b"HOST example.com",
        b"OPTS UTF8 ON",
        b"MAIL",
        b"STOR a HTTP/1.1 b",
        b"ACCT a b c HTTP/1.1",
        b"HTTP/1.1",
        b"EHLOX",
    ],
)
def test_line_of_ftp_is_not(line: bytes) -> None:
    assert protocol_of_line(line) == ""


def test_no_command_alone_is_taken_for_another_protocol() -> None:
    assert [verb for verb in standard_commands() if protocol_of_line(verb) or protocol_of_line(verb + b" x")] == []


def test_binary_beginnings_are_told() -> None:
    assert protocol_of_bytes(b"\x16\x03\x01\x00\xc4\x01") == "TLS"
    assert protocol_of_bytes(b"\r\n\r\n\0\r\nQUIT\n\x21") == "the PROXY protocol"
    assert protocol_of_bytes(b"\r\n\r\nUSER ann\r\n") == ""
