"""Digests: hashes of stored files, made off the reactor, a few at a time, and remembered while a file stays as it is.

Apart from the commands that ask for them, which know how each dialect writes them, and from the factory, which would have to know why
a file that was just written is not remembered.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from twisted.internet.defer import CancelledError, DeferredSemaphore, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ftpd.errors import Busy, FileTransferError
from ftpd.ftp.hashes.algorithms import Algorithm
from ftpd.ftp.hashes.reading import Allowance, Key, Opener, Progress, Reading, Span, part_of, whole
from ftpd.ftp.settings import HashSettings
from ftpd.transfer.crew import Crews

if TYPE_CHECKING:
    from ftpd.ftp.session import Session
    from ftpd.paths import VirtualPath
    from ftpd.values import FileInfo

__all__ = ["Digests", "Hashed", "digest_of"]

_MOST_REMEMBERED: Final = 4096  # digests, some 250 bytes each
_SETTLED_NS: Final = 2_000_000_000  # after its last change: the coarsest clock of a file system (FAT) ticks once in so long

_log = Logger()


class Hashed(NamedTuple):
    """A digest in lower-case hexadecimal digits, of the bytes from `start` up to, and not including, `end`."""

    value: str
    start: int
    end: int


class Digests:
    """The digests of a server: `settings.max_at_once` are made at a time of the files of each disk, the others wait in order.

    One that hangs has the places of its own files only.
    """

    def __init__(self, crews: Crews, settings: HashSettings) -> None:
        self.settings = settings
        self._crews = crews
        self._places: defaultdict[int | None, DeferredSemaphore] = defaultdict(lambda: DeferredSemaphore(settings.max_at_once))
        self._remembered: OrderedDict[Key, str] = OrderedDict()

    def allowance(self) -> Allowance:
        """Return what one request may read, from now on."""
        return Allowance(self.settings, self._crews.reactor.seconds())

    async def of(
        self,
        opens: Opener,
        algorithm: Algorithm,
        span: Span,
        allowance: Allowance,
        watch: Callable[[Progress], None],
    ) -> Hashed:
        """Return the digest of the file that *opens* gives, of the bytes from the first to the second offset that *span* says.

        It is asked with the size, None where only reading tells it; a second offset of None is the end.  *watch* is given once what
        tells how far it is, before anything is read.  A file that grows is taken as it was when opened.  Raises what opening does;
        `BadOffset` for bytes that are not there, `OverLimit` for what *allowance* has not left, `IntegrityLost` where the file shrinks or
        changes while it is read, and `Busy` where others are served for longer than it may wait.  A cancel waits for one step.
        """
        async with await opens() as file:
            part = part_of(file, span)
            if part.end is not None:
                allowance.spend(part.end - part.start)
            reading = Reading(self._crews, file, opens, algorithm, part, allowance)
            watch(reading.progress)
            value = self._recall(reading) or await self._read_in_turn(reading, allowance)
            return Hashed(value, part.start, part.start + reading.progress.moved if part.end is None else part.end)

    async def _read_in_turn(self, reading: Reading, allowance: Allowance) -> str:
        places = self._places[reading.device()]
        await self._wait_for_place(places, allowance)
        try:
            return self._recall(reading) or await self._read(reading)
        finally:
            places.release()

    async def _wait_for_place(self, places: DeferredSemaphore, allowance: Allowance) -> None:
        """Take one of *places*; whoever is cancelled while waiting has none."""
        reactor = self._crews.reactor
        place = places.acquire()
        if not place.called:
            place.addTimeout(allowance.seconds_left(reactor.seconds()), cast(IReactorTime, reactor))
        try:
            await place
        except TimeoutError:
            raise Busy(None, "Other files are being hashed; try again later") from None

    async def _read(self, reading: Reading) -> str:
        key = reading.key()
        value = await reading.digest()
        if key is not None and key == reading.key() and _is_settled(key):
            self._remember(key, value)
        return value

    def _recall(self, reading: Reading) -> str | None:
        key = reading.key()
        if key is None or key not in self._remembered:
            return None
        self._remembered.move_to_end(key)
        return self._remembered[key]

    def _remember(self, key: Key, value: str) -> None:
        self._remembered[key] = value
        if len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)


def _is_settled(key: Key) -> bool:
    """Whether a further change of the file would be seen in its times."""
    return time.time_ns() - max(key.modified_ns, key.changed_ns) > _SETTLED_NS


async def digest_of(
    session: Session, path: VirtualPath, stored: FileInfo, algorithm: Algorithm = Algorithm.SHA_256, *, is_own: bool = True
) -> str | None:
    """Return the digest of the file that this session has just stored under *path*, read back; None where it cannot be told.

    *stored* is what `commit` has returned.  *is_own*: all of its bytes are this session's, so that telling them needs no permission to read;
    else that is asked for.  None as well where it is too large, no longer there, or the session was told to stop: the file is stored all the same.
    """
    if session.stop is not None:  # while it was stored, which nobody stops: the cancel was spent on that
        return None
    files, digests = session.files, session.factory.digests
    opens = partial(files.reopen, path, stored) if is_own else partial(files.open_read, path)
    try:
        return (await digests.of(opens, algorithm, whole, digests.allowance(), lambda _: None)).value
    except (CancelledError, FileTransferError):
        return None
    except Exception:
        _log.failure("the digest of {path} could not be made", path=str(path))
        return None
