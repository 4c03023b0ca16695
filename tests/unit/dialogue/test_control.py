"""Control: what it takes for a reply, and what it refuses of a hostile server."""

from __future__ import annotations

import socket as sockets
from unittest.mock import patch

import pytest

from ftpd.dialogue import Broken, Control, Gone, Heard, Nonsense, Silent
from tests.own_server import PATIENCE, serving


def hear(said: bytes, timeout: float = PATIENCE) -> Heard:
    with serving(lambda connection: connection.sendall(said)) as port, Control.connect("127.0.0.1", port, timeout) as control:
        return control.greeting


def refused(said: bytes, timeout: float = PATIENCE) -> Broken:
    with pytest.raises(Broken) as caught:
        hear(said, timeout)
    return caught.value


def test_one_line_is_a_reply() -> None:
    assert hear(b"220 Welcome\r\n") == Heard(220, (b"220 Welcome",), b"220 Welcome\r\n")


def test_a_code_alone_is_a_reply() -> None:
    assert hear(b"220\r\n").lines == (b"220",)


def test_several_lines_end_with_the_code_and_a_space() -> None:
    raw = b"220-One\r\n221 not the end\r\n 220 nor this\r\n220-nor this\r\n220 End\r\n"
    heard = hear(raw)
    assert (heard.code, len(heard.lines), heard.text, heard.raw) == (220, 5, "End", raw)


def test_a_bare_line_feed_ends_a_line_and_is_kept() -> None:
    assert hear(b"220 Welcome\n") == Heard(220, (b"220 Welcome",), b"220 Welcome\n")


def test_what_follows_a_reply_waits() -> None:
    def act(connection: sockets.socket) -> None:
        connection.sendall(b"220 One\r\n150 Two\r\n226 Three\r\n")

    with serving(act) as port, Control.connect("127.0.0.1", port, PATIENCE) as control:
        assert [control.reply().code, control.reply().code] == [150, 226]


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH\r\n", b"22 Welcome\r\n", b"2200 Welcome\r\n", b"\r\n", b"720 Seven\r\n"])
def test_what_is_no_reply_is_refused(said: bytes) -> None:
    assert isinstance(refused(said), Nonsense)


def test_a_line_without_an_end_is_refused_at_one_mebibyte() -> None:
    assert isinstance(refused(b"220 " + b"x" * (2 * 1024 * 1024)), Nonsense)


def test_lines_without_an_end_are_refused_at_one_mebibyte() -> None:
    assert isinstance(refused(b"220-\r\n" + b" more\r\n" * (300 * 1024)), Nonsense)


def test_half_a_million_lines_are_one_reply() -> None:
    assert len(hear(b"220-\n" + b"a\n" * 500_000 + b"220 End\n", timeout=10.0).lines) == 500_002


def test_a_server_that_resets_at_once_is_gone() -> None:
    """The kernel no longer knows whom the socket was connected to."""
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        connect = sockets.create_connection

        def reset(*arguments: object) -> sockets.socket:
            connection = connect(*arguments)  # type: ignore[arg-type]
            accepted, _ = listener.accept()
            accepted.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            accepted.close()
            return connection

        with patch.object(sockets, "create_connection", reset), pytest.raises(Gone, match="cannot connect"):
            Control.connect("127.0.0.1", listener.getsockname()[1], PATIENCE)


def test_a_reply_that_stops_in_the_middle_is_silence() -> None:
    assert isinstance(refused(b"220-Welcome\r\n", timeout=0.1), Silent)


def test_an_end_in_the_middle_of_a_reply_is_an_end() -> None:
    def act(connection: sockets.socket) -> None:
        connection.sendall(b"220-Welc")
        connection.shutdown(sockets.SHUT_WR)

    with serving(act) as port, pytest.raises(Gone, match="220-Welc"):
        Control.connect("127.0.0.1", port, PATIENCE)


def test_words_of_a_fault_steer_no_terminal() -> None:
    assert "\x1b" not in str(refused(b"\x1b]0;title\x07\r\n"))


def test_nobody_there_is_gone() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Gone, match="cannot connect"):
        Control.connect("127.0.0.1", port, PATIENCE)


def test_text_goes_out_as_utf_8_and_undecodable_bytes_as_they_were() -> None:
    heard: list[bytes] = []

    def act(connection: sockets.socket) -> None:
        connection.sendall(b"220 Welcome\r\n")
        heard.append(connection.recv(100))
        connection.sendall(b"200 Thanks\r\n")

    with serving(act) as port, Control.connect("127.0.0.1", port, PATIENCE) as control:
        control.command("CWD \u00e4\udcff")
    assert heard == [b"CWD \xc3\xa4\xff\r\n"]


def test_what_is_said_in_clear_after_auth_is_refused() -> None:
    import ssl

    def act(connection: sockets.socket) -> None:
        connection.sendall(b"220 Welcome\r\n")
        connection.recv(100)
        connection.sendall(b"234 Go on\r\n230 Injected\r\n")

    with serving(act) as port, Control.connect("127.0.0.1", port, PATIENCE) as control:
        control.command("AUTH TLS")
        with pytest.raises(Nonsense, match="in clear"):
            control.start_tls(ssl.create_default_context())
