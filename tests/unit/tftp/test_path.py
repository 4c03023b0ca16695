"""PathProbe: what is asked of the kernel, how often, and with how many sockets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing

import pytest
from twisted.internet.task import Clock

from ftpd.tftp import path as path_module
from ftpd.tftp.endpoint import IS_LINUX
from ftpd.tftp.path import PathProbe

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="machine: only Linux tells the MTU of a path")

BLOCK = 65535 - 28 - 4
OURS = ("127.0.0.1", 69)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def probe(clock: Clock) -> Iterator[PathProbe]:
    with closing(PathProbe(clock)) as probe:
        yield probe


def test_one_socket_asks_for_one_client_after_the_other(probe):
    before = len(os.listdir("/proc/self/fd"))
    assert [probe.path_block(OURS, (f"127.0.0.{number}", 2070)) for number in (2, 3, 4)] == [BLOCK] * 3
    assert len(os.listdir("/proc/self/fd")) == before + 1
    probe.close()
    probe.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_it_asks_from_the_address_that_was_asked(probe):
    for ours in ("127.0.0.1", "127.0.0.2"):
        probe.path_block((ours, 69), ("127.0.0.1", 2070))
        assert probe._socket is not None
        assert probe._socket.getsockname()[0] == ours


def test_client_is_asked_for_once_a_second(probe, clock, monkeypatch):
    blocks = iter([1428, 1300])
    monkeypatch.setattr(path_module, "mtu_block", lambda connected, family: next(blocks))
    assert [probe.path_block(OURS, ("127.0.0.1", port)) for port in (2070, 2071)] == [1428, 1428]
    clock.advance(1)
    assert probe.path_block(OURS, ("127.0.0.1", 2072)) == 1300


def test_links_are_told_apart_by_their_scope(probe, monkeypatch):
    asked = []
    monkeypatch.setattr(probe, "_ask", lambda local, peer: asked.append(peer[3]))
    for scope in (2, 3, 2):
        probe.path_block(("fe80::1", 0, 0, scope), ("fe80::7", 2070, 0, scope))
    assert asked == [2, 3]


def test_memory_for_clients_is_bounded(probe, monkeypatch):
    monkeypatch.setattr(path_module, "_MOST_REMEMBERED", 4)
    monkeypatch.setattr(probe, "_ask", lambda local, peer: BLOCK)
    for number in range(100):
        probe.path_block(OURS, (f"10.0.0.{number}", 2070))
    assert len(probe._known) <= 4


def test_where_there_is_no_way_nobody_knows_and_the_next_is_asked_for(probe):
    assert probe.path_block(("203.0.113.7", 69), ("127.0.0.1", 2070)) is None  # an address that is not ours
    assert probe.path_block(OURS, ("127.0.0.1", 2070)) == BLOCK
