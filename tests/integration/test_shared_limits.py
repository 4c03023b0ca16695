"""Limits hold for all workers together, exactly; and a shared state that cannot be used costs a login some time, and nobody anything else."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, wait_until
from tests.integration.live import PASSWORD, SECONDS, Guest
from tests.integration.wire import Reply, Wire

CLIENTS: Final = 50
MOST: Final = 17  # of them may come in
CONTENT: Final = bytes(range(256)) * 4096
BANNED: Final = Reply(421, "Too many failed logins from your address; try again later.")


def race(guests: Iterable[tuple[Guest, str]], exits: contextlib.ExitStack) -> list[tuple[str, Reply]]:
    """Let each guest connect from the address beside it, and then all log in at once; return addresses and last replies.

    Connections stay open until *exits*.
    """
    ready = threading.Barrier(CLIENTS, timeout=SECONDS)

    def enter(guest: Guest, source: str) -> tuple[str, Reply]:
        wire = Wire(guest.port, source=source)
        exits.callback(wire.control.close)
        reply = wire.reply()
        if reply.code == 220:
            reply = wire.ask(f"USER {guest.name}")
        ready.wait()
        return source, wire.ask(f"PASS {PASSWORD}") if reply.code == 331 else reply

    with ThreadPoolExecutor(CLIENTS) as threads:
        return [done.result() for done in [threads.submit(enter, *each) for each in guests]]


def counted(replies: Iterable[tuple[str, Reply]]) -> Counter[Reply]:
    return Counter(reply if reply.code != 230 else Reply(230, "") for _, reply in replies)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"limits": {"sessions": MOST}}, "Too many connections"),
        ({"limits": {"sessions_per_address": MOST}}, "Too many connections from your address"),
        ({"account": {"home": "/{name}", "max_sessions": MOST}}, "Too many sessions of this account"),
    ],
    ids=["in all", "per address", "per account"],
)
def test_so_many_sessions_come_in_and_no_more(fleet: StartFleet, settings: dict[str, Any], words: str) -> None:
    server = fleet(settings)
    guest = server.add("ann")
    for _ in range(2):  # what the first had is free again for the second
        with contextlib.ExitStack() as exits:
            replies = counted(race([(guest, "127.0.0.1")] * CLIENTS, exits))
            assert replies == {Reply(230, ""): MOST, Reply(421, f"{words}; try again later."): CLIENTS - MOST}
        wait_until(lambda: not server.who(), "all are gone")


def test_each_address_and_each_account_has_its_own_number(fleet: StartFleet) -> None:
    server = fleet({"limits": {"sessions_per_address": 10}, "account": {"home": "/{name}", "max_sessions": 7}})
    ann, bob = server.add("ann"), server.add("bob")
    with contextlib.ExitStack() as exits:
        twins = [(guest, source) for guest, source in ((ann, "127.0.0.2"), (bob, "127.0.0.3")) for _ in range(CLIENTS // 2)]
        replies = Counter(source for source, reply in race(twins, exits) if reply.code == 230)
        assert replies == {"127.0.0.2": 7, "127.0.0.3": 7}
        with Wire(server.port, source="127.0.0.2") as wire:  # three are left of the address, but not of ann
            assert wire.reply().code == 220
            assert wire.asks("USER ann", f"PASS {PASSWORD}") == [331, 421]


def test_address_that_fails_on_one_worker_is_banned_on_the_other(fleet: StartFleet) -> None:
    server = fleet({"limits": {"failures_per_address": 4, "login_failures_per_session": 9}})
    server.add("ann")
    with contextlib.ExitStack() as exits:
        first, second = server.greeted_by_each(exits, "127.0.0.5").values()
        for wire in (first, first, second, second):  # both workers count to the same end
            assert wire.asks("USER ann", "PASS wrong")[1] in (421, 530)
        for wire in (first, second):
            wait_until(lambda wire=wire: is_banned_inside(wire), "whoever is inside is banned")  # type: ignore[misc]
        wait_until(lambda: all(is_banned(server.port, "127.0.0.5") for _ in range(40)), "whoever comes is banned, by both")
        assert not is_banned(server.port, "127.0.0.6")


def is_banned(port: int, source: str) -> bool:
    with Wire(port, source=source) as wire:
        return wire.reply() == BANNED


def is_banned_inside(wire: Wire) -> bool:
    """Whether the session is refused a login; one that was is over."""
    try:
        return wire.ask("USER ann").code == 421 or wire.ask("PASS wrong") == BANNED
    except (EOFError, ConnectionError):
        return True


def test_ban_outlasts_the_server(fleet: StartFleet, tmp_path: Path) -> None:
    settings = {"limits": {"failures_per_address": 1}, "process": {"directory": tmp_path / "run"}}
    server = fleet(settings)
    with Wire(server.port, source="127.0.0.5") as wire:
        wire.reply()
        assert wire.asks("USER ann", "PASS wrong")[1] in (421, 530)
    assert server.stop() == 0
    follower = fleet(settings)
    wait_until(lambda: is_banned(follower.port, "127.0.0.5"), "the ban is known")
    assert not is_banned(follower.port, "127.0.0.6")


# A state that cannot be used.


@contextlib.contextmanager
def foreign_lock(server: Fleet) -> Iterator[None]:
    """Lock the database as somebody may who looks into it."""
    with contextlib.closing(sqlite3.connect(server.folder / "run" / "state.db", isolation_level=None)) as other:
        other.execute("begin exclusive")
        yield
        other.execute("rollback")


def test_database_that_others_lock_delays_logins_and_harms_nothing(fleet: StartFleet) -> None:
    server = fleet({"account": {"home": "/{name}", "max_sessions": 4}})
    guest = server.add("ann")
    with contextlib.ExitStack() as exits:
        wires = list(server.on_each(guest, exits).values())
        data = exits.enter_context(wires[0].data())
        assert wires[0].ask("STOR upload").code == 150
        with foreign_lock(server):
            late = exits.enter_context(Wire.of(guest))
            assert late.store("STOR late", CONTENT).code == 226
            assert wires[1].store("STOR beside", CONTENT).code == 226
            data.sendall(CONTENT)
            data.close()
            assert wires[0].reply().code == 226
        server.wait_for("the shared state .* can be used again")
        wait_until(lambda: len(server.who()) == 3, "all are seen")
        fourth = exits.enter_context(Wire.of(guest))
        assert fourth.ask("NOOP").code == 200
        with Wire(server.port) as fifth:  # the one that came in without an answer counts
            fifth.reply()
            assert fifth.asks("USER ann", f"PASS {PASSWORD}") == [331, 421]
    for name in ("upload", "late", "beside"):
        assert (guest.home / name).read_bytes() == CONTENT
    assert 1 <= server.log.count("cannot be used, logins go on without it") <= 3  # once in each process


def test_database_that_is_removed_is_made_again_and_knows_everything(fleet: StartFleet) -> None:
    server = fleet({"account": {"home": "/{name}", "max_sessions": 2}})
    guest = server.add("ann")
    with contextlib.ExitStack() as exits:
        wires = list(server.on_each(guest, exits).values())
        for file in (server.folder / "run").glob("state.db*"):
            os.unlink(file)
        assert wires[0].store("STOR file", CONTENT).code == 226
        server.wait_for("the shared state .* was removed or replaced")
        wait_until(lambda: len(server.who()) == 2, "both are known again")
        with Wire(server.port) as third:
            third.reply()
            assert third.asks("USER ann", f"PASS {PASSWORD}") == [331, 421]
    wait_until(lambda: not server.who(), "both are gone")
    with Wire.of(guest) as wire:
        assert wire.fetch("RETR file") == CONTENT
