"""Exchange: how the data connections of a replay begin and end."""

from __future__ import annotations

import socket as sockets

import pytest

from ftpd.replay.exchange import Exchange
from ftpd.replay.recording import Transferred

PATIENCE = 20.0
LONG = 1000.0


@pytest.mark.parametrize("size", [0, 10])
def test_a_download_that_the_client_reset_is_broken_off_before_the_server_has_said_anything(size: int) -> None:
    ours, servers = sockets.socketpair()
    with servers:
        servers.settimeout(PATIENCE)
        transferred = Transferred("download", size, is_finished=False, is_reset=True, is_protected=False)
        exchange = Exchange(lambda: ours, transferred, most=1000, seconds=LONG)
        with pytest.raises(ConnectionError):
            servers.sendall(bytes(100_000_000))
        exchange.finish()
    assert exchange.fault == ""
    assert exchange.moved >= size
