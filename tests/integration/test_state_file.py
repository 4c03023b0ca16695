"""The file of the shared state is damaged, replaced or lost while the server serves: logins go on, transfers notice nothing, and it comes back by itself.

Apart from `test_shared_limits`, where it is well, locked or removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.conftest import StartFleet
from tests.integration.fleet import wait_until
from tests.integration.live import PASSWORD
from tests.integration.wire import Wire

CONTENT: Final = bytes(range(256)) * 4096
PAGE: Final = 4096  # of SQLite
_MNT_DETACH: Final = 2
_libc = ctypes.CDLL(None)
Harm = Callable[[Path], object]


def nothing_to_mend(directory: Path) -> None:
    """The server mends it alone."""


def noise(count: int) -> bytes:
    return random.Random(count).randbytes(count)


def overwrite_everything(directory: Path) -> None:
    for file in directory.glob("state.db*"):
        if not file.name.endswith(".lock"):
            file.write_bytes(noise(file.stat().st_size))


def overwrite_the_middle(directory: Path) -> None:
    with (directory / "state.db").open("r+b") as file:
        file.seek(PAGE)
        file.write(noise(PAGE * 8))
    with (directory / "state.db-wal").open("r+b") as file:
        file.truncate(0)


def truncate(directory: Path) -> None:
    for end in ("", "-wal"):
        os.truncate(directory / f"state.db{end}", 0)


def replace_by_a_text(directory: Path) -> None:
    (directory / "state.new").write_text("this is no database\n" * 1000)
    os.replace(directory / "state.new", directory / "state.db")


def replace_by_a_directory(directory: Path) -> None:
    for file in directory.glob("state.db*"):
        file.unlink()
    (directory / "state.db").mkdir()


def mend_directory(directory: Path) -> None:
    (directory / "state.db").rmdir()


def move_away(directory: Path) -> None:
    directory.rename(directory.with_name("away"))


def move_back(directory: Path) -> None:
    directory.with_name("away").rename(directory)


def replace_by_nothing_writable(directory: Path) -> None:
    move_away(directory)
    directory.write_text("a file where the directory was")


def mend_place(directory: Path) -> None:
    directory.unlink()
    move_back(directory)


@pytest.mark.parametrize(
    ("harm", "mend"),
    [
        (overwrite_everything, nothing_to_mend),
        (overwrite_the_middle, nothing_to_mend),
        (truncate, nothing_to_mend),
        (replace_by_a_text, nothing_to_mend),
        (replace_by_a_directory, mend_directory),
        (move_away, move_back),
        (replace_by_nothing_writable, mend_place),
    ],
)
def test_logins_and_transfers_go_on_and_the_state_comes_back(fleet: StartFleet, harm: Harm, mend: Harm) -> None:
    server = fleet({"account": {"home": "/{name}", "max_sessions": 4}})
    guest = server.add("ann")
    directory = server.folder / "run"
    with contextlib.ExitStack() as exits:
        wires = list(server.on_each(guest, exits).values())
        wait_until(lambda: len(server.who()) == 2, "both are seen")
        uploads = [(wire, exits.enter_context(wire.data())) for wire in wires]
        for number, (wire, data) in enumerate(uploads):
            assert wire.ask(f"STOR file{number}").code == 150
            data.sendall(CONTENT)
        harm(directory)
        late = exits.enter_context(Wire.of(guest))
        assert late.store("STOR late", CONTENT).code == 226
        server.wait_for("the shared state .* cannot be used|the shared state .* was removed or replaced")
        mend(directory)
        for wire, data in uploads:
            data.sendall(CONTENT)
            data.close()
            assert wire.reply().code == 226
        wait_until(lambda: server.log.count("can be used again") == server.log.count("logins go on without it"), "it is back")
        wait_until(lambda: len(server.who()) == 3, "all are known again")
        fourth = exits.enter_context(Wire.of(guest))
        assert fourth.ask("NOOP").code == 200
        with Wire(server.port) as fifth:
            fifth.reply()
            assert fifth.asks("USER ann", f"PASS {PASSWORD}") == [331, 421]
    wait_until(lambda: not server.who(), "all are gone")
    assert [(guest.home / f"file{number}").read_bytes() == CONTENT * 2 for number in range(2)] == [True, True]
    assert (guest.home / "late").read_bytes() == CONTENT


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """A runtime directory on a disk of its own; return what fills it."""
    directory = tmp_path / "fleet0" / "run"
    directory.mkdir(parents=True, mode=0o750)
    if os.geteuid() != 0 or _libc.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, b"size=1m,mode=750") != 0:
        pytest.skip("machine: only root may mount")

    def fill() -> None:
        with contextlib.suppress(OSError), (directory / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))

    yield fill
    _libc.umount2(os.fsencode(directory), _MNT_DETACH)


def test_a_full_disk_keeps_nobody_from_logging_in_and_no_reload_from_being_done(
    fleet: StartFleet, full_disk: Callable[[], None]
) -> None:
    server = fleet({"process": {"drain_idle": 0.2}})
    guest = server.add("ann")
    with Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(CONTENT)
        full_disk()
        server.configure({"process": {"drain_idle": 0.2}, "ftp": {"greeting": "new"}})
        server.reload()
        with contextlib.ExitStack() as exits:
            wires = [exits.enter_context(Wire.of(guest)) for _ in range(20)]
            assert [wire.ask("NOOP").code for wire in wires] == [200] * 20
        data.sendall(CONTENT)
        data.close()
        assert wire.reply().code == 226
    (server.folder / "run" / "filler").unlink()
    server.wait_for("the shared state .* can be used again")
    wait_until(lambda: not server.who(), "nobody is there")
    with Wire.of(guest):
        wait_until(lambda: [row.account for row in server.who()] == ["ann"], "who comes is seen")
    assert (guest.home / "file").read_bytes() == CONTENT * 2
