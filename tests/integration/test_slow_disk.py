"""A disk that keeps a session waiting keeps no other session waiting.

The disk is a file system of the test's own over /dev/fuse (`fuse.Gated`), which `network_file_system = "no"` makes the store take for a
local one.  It answers when the test says: so "NOOP is answered meanwhile" is a fact and no figure, since the disk stays silent until
that answer was read.  A throttled block device (cgroups, device mapper) would need what few CI machines let a container do, and could
only show times; here root and /dev/fuse are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.integration.fuse import Call, Gated, lacks
from tests.integration.live import ConfiguredServer
from tests.integration.wire import Wire, read_all

pytestmark = pytest.mark.skipif(lacks() is not None, reason=lacks() or "")

LARGE = bytes(range(256)) * 8192  # 2 MiB
HELD_SECONDS = 0.05  # longer than the reactor thread shall ever be held
CALLS = 6  # of that kind, after which the disk counts as slow for half a minute


class Slow:
    """A server, a session whose home is the gated disk, and another, whose home is not."""

    def __init__(self, server: ConfiguredServer, disk: Gated, wire: Wire, other: Wire) -> None:
        self.server = server
        self.disk = disk
        self.wire = wire
        self.other = other

    def asks(self, line: str, call: Call) -> int:
        """Send *line*, let the other session do something while the disk holds *call* of it, and return its last reply."""
        with self.disk.hold(call) as hold:
            self.wire.send(f"{line}\r\n")
            hold.wait()
            assert self.other.ask("NOOP").code == 200
        return self.wire.reply().code

    def fetch(self, line: str, call: Call) -> bytes:
        with self.wire.data() as data:
            with self.disk.hold(call) as hold:
                self.wire.send(f"{line}\r\n")
                hold.wait()
                assert self.other.ask("NOOP").code == 200
            content = read_all(data)
        assert self.wire.replies(2) == [150, 226]
        return content

    def store(self, line: str, content: bytes, call: Call) -> None:
        with self.wire.data() as data, self.disk.hold(call) as hold:
            self.wire.send(f"{line}\r\n")
            data.sendall(content)
            data.close()
            hold.wait()
            assert self.other.ask("NOOP").code == 200
        assert self.wire.replies(2) == [150, 226]

    def turn_slow(self) -> None:
        """Have a call, which nobody can ask for beforehand, hold the reactor thread for once, and some more their threads."""
        assert self.wire.ask("SIZE old").code == 213  # now the name is known
        with self.disk.delay(Call.SETATTR, HELD_SECONDS):
            assert self.wire.asks(*["MFMT 20200101000000 old"] * CALLS) == [213] * CALLS
        self.server.wait_for(r"the disk .* held the server up")


@pytest.fixture
def slow(serve: Callable[..., ConfiguredServer]) -> Iterator[Callable[..., Slow]]:
    """Return what makes the server over a disk; whether names are remembered is up to the test."""
    with ExitStack() as ending:

        def start(*, remembers_names: bool) -> Slow:
            server = serve({"storage": {"local": {"network_file_system": "no", "durable": "file"}}})
            ann = server.add("ann")
            disk = Gated(ann.home, remembers_names=remembers_names)
            ending.callback(disk.close)
            disk.add("old", LARGE)
            disk.add("small", b"small")
            wires = [ending.enter_context(Wire.of(guest)) for guest in (ann, server.add("bob"))]
            return Slow(server, disk, *wires)

        yield start


@pytest.fixture
def cold(slow: Callable[..., Slow]) -> Slow:
    """The kernel knows no name of the disk: whatever is asked needs the disk."""
    return slow(remembers_names=False)


@pytest.fixture
def tardy(slow: Callable[..., Slow]) -> Slow:
    """The kernel knows the names, and the disk has held the reactor thread up once."""
    found = slow(remembers_names=True)
    found.turn_slow()
    return found


@pytest.mark.parametrize("call", [Call.LOOKUP, Call.OPEN, Call.READ])
@pytest.mark.parametrize(("name", "content"), [("old", LARGE), ("small", b"small")])
def test_a_cold_download_waits_alone(cold: Slow, call: Call, name: str, content: bytes) -> None:
    assert cold.fetch(f"RETR {name}", call) == content


@pytest.mark.parametrize("call", [Call.LOOKUP, Call.OPEN, Call.READ])
def test_a_cold_download_in_ascii_waits_alone(cold: Slow, call: Call) -> None:
    assert cold.wire.ask("TYPE A").code == 200
    assert cold.fetch("RETR small", call) == b"small"


@pytest.mark.parametrize("call", [Call.LOOKUP, Call.CREATE, Call.FSYNC, Call.RENAME])
def test_an_upload_waits_alone(cold: Slow, call: Call) -> None:
    cold.store("STOR new", b"content", call)
    assert cold.disk.content("new") == b"content"


@pytest.mark.parametrize("call", [Call.READDIR, Call.LOOKUP])
def test_a_cold_listing_waits_alone(cold: Slow, call: Call) -> None:
    rows = cold.fetch("MLSD", call).decode().splitlines()
    assert sorted(row.rpartition(" ")[2] for row in rows) == ["old", "small"]


@pytest.mark.parametrize(
    ("line", "call", "code"),
    [
        ("SIZE old", Call.LOOKUP, 213),
        ("MDTM nothing", Call.LOOKUP, 550),
        ("MFMT 20200101000000 old", Call.SETATTR, 213),
        ("DELE old", Call.UNLINK, 250),
    ],
)
def test_a_cold_command_waits_alone(cold: Slow, line: str, call: Call, code: int) -> None:
    assert cold.asks(line, call) == code


def test_a_command_of_the_same_session_is_answered_beside_its_download(cold: Slow) -> None:
    with cold.wire.data() as data:
        with cold.disk.hold(Call.READ) as hold:
            cold.wire.send("RETR old\r\n")
            hold.wait()
            assert cold.wire.reply().code == 150
            assert cold.wire.ask("NOOP").code == 200
        assert read_all(data) == LARGE
    assert cold.wire.reply().code == 226


@pytest.mark.parametrize(
    ("line", "call", "code"),
    [
        ("MFMT 20200101000000 old", Call.SETATTR, 213),
        ("DELE old", Call.UNLINK, 250),
    ],
)
def test_a_disk_that_was_slow_once_is_waited_for_alone(tardy: Slow, line: str, call: Call, code: int) -> None:
    assert tardy.asks(line, call) == code


@pytest.mark.parametrize("call", [Call.CREATE, Call.WRITE, Call.FSYNC, Call.RENAME])
def test_an_upload_to_a_disk_that_was_slow_once_waits_alone(tardy: Slow, call: Call) -> None:
    tardy.store("STOR new", b"content", call)
    assert tardy.disk.content("new") == b"content"


@pytest.mark.parametrize("call", [Call.OPENDIR, Call.READDIR])
def test_a_listing_of_a_disk_that_was_slow_once_waits_alone(tardy: Slow, call: Call) -> None:
    tardy.wire.fetch("MLSD")
    assert tardy.fetch("NLST", call) == b"old\r\nsmall\r\n"
