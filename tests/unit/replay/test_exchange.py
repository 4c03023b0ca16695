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


def test_an_upload_that_the_server_broke_off_goes_on_and_ends_in_good_order_where_it_is_taken() -> None:
    ours, servers = sockets.socketpair()
    with servers:
        servers.settimeout(PATIENCE)
        transferred = Transferred("upload", 3, is_finished=False, is_reset=False, is_protected=False, is_refused=True)
        exchange = Exchange(lambda: ours, transferred, most=10_000_000, seconds=LONG)
        assert len(servers.makefile("rb").read()) == 1_048_579  # to its end, and nobody has heard a final reply
        exchange.finish()
    assert exchange.fault == ""


def test_a_download_that_the_server_broke_off_is_read_on() -> None:
    ours, servers = sockets.socketpair()
    with servers:
        servers.settimeout(PATIENCE)
        transferred = Transferred("download", 10, is_finished=False, is_reset=False, is_protected=False, is_refused=True)
        exchange = Exchange(lambda: ours, transferred, most=10_000_000, seconds=LONG)
        servers.sendall(bytes(1_000_000))
    exchange.finish()
    assert (exchange.fault, exchange.moved) == ("", 1_000_000)
