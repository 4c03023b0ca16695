"""Data connections of the tools: strict about addresses, and about whose they are."""

from __future__ import annotations

import socket as sockets

import pytest

from ftpd.dialogue import Control, Declined, Gone, Heard, Nonsense, Silent, accept, active, announced, connect, passive, port_line
from tests.own_server import PATIENCE, serving


def said(line: bytes) -> Heard:
    return Heard(int(line[:3]), (line,), line + b"\r\n")


def test_227_in_parentheses() -> None:
    assert announced(said(b"227 Entering Passive Mode (192,0,2,7,200,10)")) == ("192.0.2.7", 51210)


def test_227_without_parentheses() -> None:
    assert announced(said(b"227 Entering Passive Mode 192,0,2,7,0,21")) == ("192.0.2.7", 21)


def test_229() -> None:
    assert announced(said(b"229 Extended Passive Mode OK (|||50000|)")) == (None, 50000)


@pytest.mark.parametrize(
    "line",
    [
        b"227 Entering Passive Mode (192,0,2,256,200,10)",
        b"227 Entering Passive Mode (192,0,2,7,0,0)",
        b"227 Entering Passive Mode (192,0,2,7,200)",
        b"229 OK (|||0|)",
        b"229 OK (|||70000|)",
        b"229 OK (||1|50000|)",
        b"200 OK",
    ],
)
def test_what_is_no_address_is_refused(line: bytes) -> None:
    with pytest.raises(Nonsense):
        announced(said(line))


def a_script(*replies: bytes):  # type: ignore[no-untyped-def]
    def act(connection: sockets.socket) -> None:
        connection.sendall(b"220 Welcome\r\n")
        for reply in replies:
            connection.recv(1000)
            connection.sendall(reply)

    return serving(act)


def test_a_passive_address_of_a_third_host_is_refused() -> None:
    with (
        a_script(b"227 Entering Passive Mode (192,0,2,7,200,10)\r\n") as port,
        Control.connect("127.0.0.1", port, PATIENCE) as control,
        pytest.raises(Nonsense, match=r"192\.0\.2\.7"),
    ):
        passive(control, extended=False)


def test_a_passive_port_where_nobody_is_says_so() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        closed = listener.getsockname()[1]
    with (
        a_script(b"229 OK (|||%d|)\r\n" % closed) as port,
        Control.connect("127.0.0.1", port, PATIENCE) as control,
        pytest.raises(Gone, match=str(closed)),
    ):
        passive(control, extended=True)


def test_another_answer_is_declined_with_what_was_heard() -> None:
    with a_script(b"500 What?\r\n") as port, Control.connect("127.0.0.1", port, PATIENCE) as control:
        with pytest.raises(Declined) as caught:
            passive(control, extended=True)
        assert caught.value.heard.code == 500


def test_the_data_connection_goes_where_the_control_connection_goes() -> None:
    with (
        sockets.create_server(("127.0.0.1", 0)) as listener,
        a_script() as port,
        Control.connect("127.0.0.1", port, PATIENCE) as control,
        connect(control, said(b"229 OK (|||%d|)" % listener.getsockname()[1])) as connection,
    ):
        assert connection.getpeername() == listener.getsockname()


def test_active_names_its_own_listener() -> None:
    with a_script(b"200 Fine\r\n") as port, Control.connect("127.0.0.1", port, PATIENCE) as control:
        listener = active(control, extended=True)
        with listener:
            number = listener.getsockname()[1]
            assert port_line(listener, True) == f"EPRT |1|127.0.0.1|{number}|"
            assert port_line(listener, False) == f"PORT 127,0,0,1,{number >> 8},{number & 255}"
            with sockets.create_connection(("127.0.0.1", number)) as other, accept(control, listener) as connection:
                assert connection.getpeername() == other.getsockname()


def test_a_server_that_does_not_connect_is_silent() -> None:
    with (
        a_script(b"200 Fine\r\n") as port,
        Control.connect("127.0.0.1", port, 0.2) as control,
        active(control, extended=False) as listener,
        pytest.raises(Silent),
    ):
        accept(control, listener)
