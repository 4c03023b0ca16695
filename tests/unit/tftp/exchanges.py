"""Stand-ins for what an exchange has around it: a line without a socket, a server without a port, files that wait.

Apart so that downloads and uploads are tested with the same ones; nothing here waits, and time is Twisted's test clock.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from ftpd.accounts.limits import Limits, LimitSettings
from ftpd.accounts.rates import Rates, RateSettings
from ftpd.events import DatagramTransferEnded
from ftpd.interfaces import IAvatar
from ftpd.paths import VirtualPath
from ftpd.tftp.download import Download
from ftpd.tftp.exchange import Visitor
from ftpd.tftp.frames import FileFrames, Geometry, HotFiles
from ftpd.tftp.logins import Login, Logins
from ftpd.tftp.timing import Timing
from ftpd.tftp.upload import Upload
from ftpd.tftp.window import Receiver, Sender
from ftpd.tftp.wire.options import Terms
from ftpd.tftp.wire.packets import ErrorCode, Mode, Request, ack, data_header
from ftpd.values import Account, FileInfo, FileKind, Peer

PATH = VirtualPath(("boot", "kernel"))
PEER = Peer("10.0.0.7", 2070, "10.0.0.1", 69, "tftp", "lab", "s1")
FIRST, LONGEST, GIVE_UP = 1.0, 8.0, 30.0


def pattern(size: int) -> bytes:
    """Return *size* bytes that tell a block from its neighbours."""
    return b"".join(b"%07d\n" % number for number in range(size // 8 + 1))[:size]


class FakeLine:
    """A line that remembers what was sent, in `sent`, and how many system calls that took, in `calls`.

    `room` is how many calls succeed before there is none (None: always room); `failures` are raised by the next calls, one each.
    """

    def __init__(self, segments: int = 1) -> None:
        self.segments = 1
        self._segments = segments
        self.sent: list[bytes] = []
        self.calls = 0
        self.room: int | None = None
        self.failures: list[OSError] = []
        self.is_awaited = False
        self.is_closed = False
        self.cuts: list[tuple[int, int]] = []
        self.listener: Any = None

    def send(self, datagram: Any) -> None:
        self._call()
        self.sent.append(bytes(datagram))

    def burst(self, pieces: Any) -> None:
        datagrams = b"".join(pieces)
        size = self.cuts[-1][0] if self.cuts else len(datagrams)
        assert len(datagrams) <= self.segments * size, "the kernel cuts no more"
        self._call()
        self.sent += [bytes(datagrams[start : start + size]) for start in range(0, len(datagrams), size)]

    def _call(self) -> None:
        if self.is_closed:
            raise OSError(9, "Bad file descriptor")
        if self.failures:
            raise self.failures.pop(0)
        if self.room is not None:
            if not self.room:
                raise BlockingIOError(errno.EAGAIN, "no room")
            self.room -= 1
        self.calls += 1

    def tell(self, listener: Any) -> None:
        self.listener = listener

    def read(self) -> None:
        """What comes is told to the listener by the test."""

    def await_room(self) -> None:
        self.is_awaited = True

    def has_room(self, calls: int | None = None) -> None:
        """Tell the exchange that there is room again, for so many calls."""
        self.room = calls
        self.is_awaited = False
        self.listener.writable()

    def cut_at(self, size: int, receives: int) -> None:
        self.cuts.append((size, receives))
        self.segments = self._segments

    def close(self) -> None:
        self.is_closed = True

    def taken(self) -> list[bytes]:
        """Return what was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent


class FakeHome:
    """A server that has no port: `events` and `ended` are what it was told."""

    def __init__(self, rates: RateSettings | None = None) -> None:
        self.reactor = Clock()
        self.rates = Rates(rates or RateSettings(), self.reactor)
        self.limits = Limits(LimitSettings(), self.reactor)
        self.events: list[Any] = []
        self.ended: list[Any] = []
        self.logins = Logins(Portal(None), b"", self.reactor)  # type: ignore[arg-type]
        self.logins.close()  # it keeps none, so that each logout is seen
        self.logouts = 0
        self.dallies = True
        self.wants = lambda kind: True

    def over(self, exchange: Any, key: Any) -> None:
        self.ended.append(exchange)

    def publish(self, event: Any) -> None:
        self.events.append(event)

    def visitor(self, *, is_write: bool = False, mode: Mode = Mode.OCTET, account: Account | None = None) -> Visitor:
        visit = self.limits.open(PEER)
        request = Request(is_write, b"boot/kernel", mode)
        visitor = Visitor(self, ("10.0.0.7", 2070), b"request", request, PEER, visit, self.reactor.seconds())
        avatar = _Avatar(account or Account("anonymous", is_anonymous=True))
        visitor.logged_in(Login((PEER.address, PEER.local_address), avatar, self._logged_out, self.reactor.seconds()), self.logins)
        return visitor

    def _logged_out(self) -> None:
        self.logouts += 1

    @property
    def places_taken(self) -> int:
        return self.limits._sessions


@implementer(IAvatar)
class _Avatar:
    files = None

    def __init__(self, account: Account) -> None:
        self.account = account


class FakeFile:
    """A file to be read: on a descriptor if *os_path* says where, else by `read_at`, which waits for `let_go` while `is_held`."""

    def __init__(self, content: bytes = b"", *, os_path: Any = None, unique: str = "") -> None:
        self.content = content
        self.number: int | None = None
        size = len(content)
        if os_path is not None:
            self.number = os.open(os_path, os.O_RDONLY)
            size = os.fstat(self.number).st_size
        self.info = FileInfo("kernel", FileKind.FILE, size, unique=unique)
        self.is_held = False
        self.is_closed = False
        self.reads: list[tuple[int, int]] = []
        self._waiting: list[Deferred[None]] = []

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def descriptor(self) -> int | None:
        return self.number

    async def read_at(self, offset: int, length: int) -> bytes:
        assert not self.is_closed
        self.reads.append((offset, length))
        if self.is_held:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        if self.number is not None:
            return os.pread(self.number, length, offset)
        return self.content[offset : offset + length]

    def let_go(self, error: Exception | None = None) -> None:
        waiting = self._waiting.pop(0)
        if error is None:
            waiting.callback(None)
        else:
            waiting.errback(error)

    async def close(self) -> None:
        assert not self._waiting, "closed while it is read"
        self.is_closed = True
        if self.number is not None:
            os.close(self.number)
            self.number = None

    async def __aenter__(self) -> FakeFile:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class FakeUpload:
    """A file to be written.  What is named in `held`, "write_at" or "commit", waits for `let_go`; `failures` are raised, by name."""

    path = PATH
    start = 0
    ceiling = None

    def __init__(self) -> None:
        self.content = bytearray()
        self.end = ""
        self.held: set[str] = set()
        self.failures: dict[str, Exception] = {}
        self.writes: list[tuple[int, int]] = []
        self._waiting: list[tuple[str, Deferred[None]]] = []

    @property
    def waiting(self) -> list[str]:
        return [name for name, _ in self._waiting]

    def let_go(self, error: Exception | None = None) -> None:
        _, waiting = self._waiting.pop(0)
        if error is None:
            waiting.callback(None)
        else:
            waiting.errback(error)

    def descriptor(self) -> int | None:
        return None

    async def write_at(self, offset: int, data: Any) -> None:
        assert not self.waiting, "one thing at a time"
        assert not self.end
        self.writes.append((offset, len(data)))
        await self._done("write_at")
        assert offset <= len(self.content), "a hole"
        self.content[offset : offset + len(data)] = data

    async def commit(self) -> FileInfo:
        assert not self.waiting, "one thing at a time"
        await self._done("commit")
        assert not self.end
        self.end = "committed"
        return FileInfo("kernel", FileKind.FILE, len(self.content))

    async def abandon(self, *, keeps: bool = True) -> None:
        assert not self.waiting, "one thing at a time"
        assert not keeps, "nobody can resume an upload by TFTP"
        if not self.end:
            self.end = "abandoned"
        if "abandon" in self.failures:
            raise self.failures["abandon"]

    async def _done(self, name: str) -> None:
        if name in self.held:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((name, waiting))
            await waiting
        if name in self.failures:
            raise self.failures[name]


def timing() -> Timing:
    return Timing(FIRST, LONGEST, GIVE_UP)


def make_download(
    home: FakeHome, line: FakeLine, file: Any, terms: Terms | None = None, *, frames: Any = None, hot: HotFiles | None = None
) -> Download:
    """Return a download of *file*, not started."""
    terms = terms or Terms()
    if frames is None:
        frames = FileFrames(file, PATH, Geometry(terms.block_size, terms.window, terms.rollover), hot or HotFiles(1 << 20))
    timer = Sender(terms.window, timing(), rollover=terms.rollover, has_oack=bool(terms.acknowledged), last=frames.last)
    download = Download(home.visitor(), PATH, terms, file, timer, frames)
    download.attach(line)
    return download


def make_upload(
    home: FakeHome,
    line: FakeLine,
    file: Any,
    terms: Terms | None = None,
    *,
    mode: Mode = Mode.OCTET,
    ceiling: int | None = None,
    account: Account | None = None,
) -> Upload:
    """Return an upload into *file*, not started."""
    terms = terms or Terms()
    timer = Receiver(terms.window, timing(), rollover=terms.rollover)
    visitor = home.visitor(is_write=True, mode=mode, account=account)
    upload = Upload(visitor, PATH, terms, file, timer, ceiling)
    upload.attach(line)
    return upload


def data(number: int, payload: bytes) -> bytes:
    return data_header(number) + payload


def blocks_of(content: bytes, size: int, rollover: int = 0) -> list[bytes]:
    """Return the DATA packets of *content*, by arithmetic of the test's own."""
    packets = []
    for count in range(len(content) // size + 1):
        number = (count + 1) % 65536 if not rollover else count % 65535 + 1
        packets.append(b"\0\3" + number.to_bytes(2, "big") + content[count * size : (count + 1) * size])
    return packets


def error_code(datagram: bytes) -> ErrorCode:
    """Return the code of an ERROR packet; anything else fails the test."""
    assert datagram[:2] == b"\0\5", datagram
    return ErrorCode(int.from_bytes(datagram[2:4], "big"))


__all__ = [
    "FIRST",
    "GIVE_UP",
    "LONGEST",
    "PATH",
    "PEER",
    "FakeFile",
    "FakeHome",
    "FakeLine",
    "FakeUpload",
    "ack",
    "blocks_of",
    "data",
    "error_code",
    "make_download",
    "make_upload",
    "pattern",
    "timing",
]


def ended(home: FakeHome) -> DatagramTransferEnded:
    """Return the one event there is, of an exchange that has given back everything."""
    (event,) = home.events
    assert isinstance(event, DatagramTransferEnded)
    assert home.places_taken == 0
    assert home.logouts == 1
    assert len(home.ended) == 1
    assert home.reactor.getDelayedCalls() == []
    return event
