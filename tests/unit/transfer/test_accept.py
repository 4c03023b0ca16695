"""accept(2), with and without the standard library's private half of it."""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterator

import pytest

from ftpd.transfer import accept
from ftpd.transfer.accept import accepted


@pytest.fixture(params=["private name", "public name"])
def listening(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[sockets.socket]:
    monkeypatch.setattr(accept, "_has_raw_accept", request.param == "private name")
    with sockets.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_the_connection_is_non_blocking_and_not_inherited(listening: sockets.socket) -> None:
    with sockets.create_connection(listening.getsockname()) as client:
        socket, source = accepted(listening, sockets.AF_INET)
        with socket:
            assert source == client.getsockname()
            assert (socket.getblocking(), socket.get_inheritable()) == (False, False)
            assert (socket.family, socket.type) == (sockets.AF_INET, sockets.SOCK_STREAM)
            client.send(b"x")
            assert socket.recv(2) == b"x"


def test_nobody_there_is_told(listening: sockets.socket) -> None:
    with pytest.raises(BlockingIOError):
        accepted(listening, sockets.AF_INET)


def test_this_python_has_the_private_name() -> None:
    assert accept._has_raw_accept
