"""Two workers serve as one server: connections spread, every client works, and an upload that was cut on one goes on on the other.

Apart from what happens to them: reloads, stops, crashes and shared limits have files of their own.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftpd.testing.certificates import Identity
from tests.integration.clients import Client, Curl, Ftplib, Lftp
from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, process_of
from tests.integration.live import Guest
from tests.integration.secure_clients import AUTHORITY, SecureCurl, SecureLftp
from tests.integration.wire import Wire

Program = Callable[[str], str]
CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def guest(shared_fleet: Fleet, request: pytest.FixtureRequest) -> Guest:
    return shared_fleet.add(f"guest{abs(hash(request.node.name))}")


def one_by_one(port: int) -> Iterator[Wire]:
    """Connections of which each is over before the next begins."""
    while True:
        with Wire(port) as wire:
            yield wire


def in_bursts(port: int) -> Iterator[Wire]:
    """Connections of which a hundred are begun before the first is greeted."""
    while True:
        with contextlib.ExitStack() as exits:
            yield from [exits.enter_context(Wire(port)) for _ in range(100)]


@pytest.mark.parametrize("connections", [one_by_one, in_bursts])
def test_of_2000_connections_no_worker_has_more_than_60_percent(
    shared_fleet: Fleet, connections: Callable[[int], Iterator[Wire]]
) -> None:
    counts: Counter[int] = Counter()
    for _, wire in zip(range(2000), connections(shared_fleet.port), strict=False):
        assert wire.reply().code == 220
        counts[process_of(wire)] += 1
    assert len(counts) == 2
    assert max(counts.values()) <= 1200, counts


@pytest.mark.parametrize("client", [Curl, Lftp, Ftplib])
def test_client_stores_and_fetches(client: type[Client], program: Program, guest: Guest, tmp_path: Path) -> None:
    user = client(program, guest, tmp_path)
    for number in range(6):  # each a session of its own, on either worker
        (tmp_path / "local").write_bytes(CONTENT + bytes([number]))
        user.store(tmp_path / "local", f"file{number}")
    for number in range(6):
        user.fetch(f"file{number}", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == CONTENT + bytes([number])
    assert sorted(os.listdir(guest.home)) == [f"file{number}" for number in range(6)]


def test_tls_clients_work_where_data_connections_have_to_resume(
    fleet: StartFleet, certificate: Path, authority: Identity, program: Program, tmp_path: Path
) -> None:
    tls = {"tls": {"certificates": [{"chain": certificate}]}, "ftp": {"tls": {"login": "required", "data_resumption": "required"}}}
    guest = fleet(tls).add("ann")
    (tmp_path / AUTHORITY).write_bytes(authority.certificate)
    (tmp_path / "local").write_bytes(CONTENT)
    for client in (SecureCurl, SecureLftp):
        user = client(program, guest, tmp_path)
        for number in range(4):
            user.store(tmp_path / "local", f"file{number}")
            user.fetch(f"file{number}", tmp_path / "got")
            assert (tmp_path / "got").read_bytes() == CONTENT


def test_upload_that_was_cut_on_one_worker_is_resumed_on_the_other(shared_fleet: Fleet, guest: Guest) -> None:
    with contextlib.ExitStack() as exits:
        first, second = shared_fleet.on_each(guest, exits).values()
        with first.data() as data:
            assert first.ask("STOR file").code == 150
            data.sendall(CONTENT)
            assert any(f"{len(CONTENT)} bytes" in first.ask("STAT").text for _ in range(2000))
            assert first.ask("ABOR").code == 426
            assert first.reply().code == 226
        assert second.ask("SIZE file").text == str(len(CONTENT))
        with second.data() as data:
            assert second.asks(f"REST {len(CONTENT)}", "STOR file") == [350, 150]
            data.sendall(b"the rest")
        assert second.reply().code == 226
    assert (guest.home / "file").read_bytes() == CONTENT + b"the rest"
    assert os.listdir(guest.home) == ["file"]


def test_the_same_kept_part_is_resumed_by_one_session_at_a_time(shared_fleet: Fleet, guest: Guest) -> None:
    with contextlib.ExitStack() as exits:
        first, second = shared_fleet.on_each(guest, exits).values()
        with first.data() as data:
            assert first.ask("STOR file").code == 150
            data.sendall(b"12345")
            assert any("5 bytes" in first.ask("STAT").text for _ in range(2000))
            assert first.ask("ABOR").code == 426
            assert first.reply().code == 226
        with first.data() as data:
            assert first.asks("REST 5", "STOR file") == [350, 150]
            second.passive()
            assert second.asks("REST 5", "STOR file") == [350, 450]
            data.sendall(b"67890")
        assert first.reply().code == 226
    assert (guest.home / "file").read_bytes() == b"1234567890"
