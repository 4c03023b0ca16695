"""The contracts inside the house, as `typing.Protocol`s: whoever fulfils one can be plugged in, without inheriting.

Each has a public contract kit in `ftpd.testing`.  Every error of a store is a :class:`~ftpd.errors.FileTransferError`.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar, runtime_checkable

import attrs
from twisted.internet.defer import Deferred

from ftpd.paths import VirtualPath
from ftpd.values import (
    Ability,
    Account,
    Attributes,
    Failures,
    FileInfo,
    Mark,
    Peer,
    Place,
    Removed,
    Request,
    SessionRow,
    TransferResult,
    WriteMode,
)

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = [
    "Accounts",
    "Clock",
    "Conversion",
    "DataConnection",
    "DataPort",
    "DataPorts",
    "DatedFilesystem",
    "DelayedCall",
    "Directory",
    "EnteredFilesystem",
    "Filesystem",
    "LinkingFilesystem",
    "MeasuredFilesystem",
    "Observer",
    "Pace",
    "PatientDataPorts",
    "Pump",
    "Reactor",
    "ReadableFile",
    "RemovalRules",
    "RowDirectory",
    "RowFormat",
    "Served",
    "State",
    "Store",
    "StoreThreads",
    "StreamedFile",
    "Threads",
    "TreeFilesystem",
    "TreeRemoval",
    "Wanted",
    "WritableFile",
]

P = ParamSpec("P")
T = TypeVar("T")


class Directory(Protocol):
    """An open directory; an async context manager, so that an abandoned listing closes its descriptor."""

    async def next_batch(self) -> Sequence[FileInfo]:
        """Return the next entries, a few hundred at most, in any order; empty means the end.  `.` and `..` never appear."""

    async def close(self) -> None:
        """Free it; may be called twice."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RowFormat(Protocol):
    """How one listing writes the files of a directory: a row each, without a line end.

    It remembers what repeats, so that it belongs to one listing; a store may call it in a thread, one call at a time.
    """

    def row(self, info: FileInfo) -> str: ...

    @property
    def tells_creation(self) -> bool:
        """Whether rows tell `FileInfo.created_ns`, so that a store looks for it that has to: nobody else pays for that."""

    @property
    def from_name(self) -> Callable[[str], str] | None:
        """What writes a row from the name alone; None where rows tell more, so that somebody has to look at the file."""

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        """Return what writes *info*, and all that differ from it in name, size, time and `unique` only, from the first three of these.

        The size is in bytes, the time of the last change in whole seconds since the epoch.  *info* is no link.  None where rows tell more.
        """


@runtime_checkable
class RowDirectory(Directory, Protocol):
    """A directory whose entries can be written where they are read: off the reactor, and without a :class:`FileInfo` for each."""

    def rows(self, form: RowFormat) -> Callable[[], Awaitable[Sequence[str]]]:
        """Return a function that gives the rows of the next entries, a few thousand at most; empty means the end.

        It stands in the place of `next_batch`, which tells the same entries: use the one or the other.
        """


class ReadableFile(Protocol):
    """A file open for reading; an async context manager.

    One with a descriptor may have an attribute `disk`, the `ftpd.disks.Disk` that it is on, or None: then pumps need not ask.  So may a
    `WritableFile`.
    """

    @property
    def info(self) -> FileInfo:
        """The file as it was when opened: `info.size` is what a download promises."""

    def descriptor(self) -> int | None:
        """The descriptor a fast pump may read with offsets of its own, or None: then `read_at` is used."""

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end of the file, `b""` behind it."""

    async def close(self) -> None:
        """Free it, after any thread still reading it; may be called twice."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class StreamedFile(ReadableFile, Protocol):
    """A file that can only be read from start to end, and whose `info.size` is a guess: its end is where its bytes end."""

    def pieces(self, start: int) -> Callable[[], Awaitable[bytes]]:
        """Return a function that gives the next piece from offset *start* on, of a size that suits the file; `b""` at the end."""


class WritableFile(Protocol):
    """An upload under way.  Exactly one of `commit` and `abandon` ends it, once; a second call of either does nothing."""

    @property
    def path(self) -> VirtualPath:
        """The name it is published under; of use with `WriteMode.UNIQUE`."""

    @property
    def start(self) -> int:
        """The offset of the first byte to write: the end of the file for APPEND, the asked offset for RESUME, else 0."""

    @property
    def ceiling(self) -> int | None:
        """The most bytes it takes from `start` on, None for no bound; a pump that writes to the descriptor must keep to it."""

    def descriptor(self) -> int | None:
        """The descriptor a fast pump may write with offsets of its own, or None: then `write_at` is used."""

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        """Write all of *data* at *offset*."""

    async def commit(self) -> FileInfo:
        """Make it durable as the settings demand, publish it, free it; a cancel that arrives meanwhile lets it finish."""

    async def abandon(self, *, keeps: bool = True) -> None:
        """Free it unpublished, after any thread still writing it; what is kept for a resumption is the store's setting.

        With *keeps* False nothing that this upload made stays, whatever the setting: on a full disk a kept part would be room that nobody
        sees and nobody can free.  A published file written in place stays as it is now.
        """


@runtime_checkable
class Filesystem(Protocol):
    """What one account sees.  Paths are absolute :class:`VirtualPath`s."""

    @property
    def abilities(self) -> Ability: ...
    async def stat(self, path: VirtualPath) -> FileInfo:
        """Describe *path*, following a symbolic link that stays inside; a kept part of a cut upload counts for its owner."""

    async def open_directory(self, path: VirtualPath) -> Directory: ...
    async def open_read(self, path: VirtualPath) -> ReadableFile:
        """Open a regular file; a directory is `IsADirectory`, anything else `Unsupported`."""

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> WritableFile:
        """Begin an upload; see :class:`WriteMode`.  An *offset* beyond the end of what is there is `BadOffset`.

        *permissions* are the mode bits of a new file, instead of the store's own rule; one that is there keeps its own.
        """

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        """Make a directory, with these mode bits instead of the store's own rule."""

    async def remove_directory(self, path: VirtualPath) -> None: ...
    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file or a link; a directory is `IsADirectory`."""

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        """Give *old* the name *new*, replacing a file there as POSIX does."""

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        """Make all *changes* or none; what this store cannot change is `Unsupported`."""

    async def close(self) -> None:
        """The session ended: free what is held for it, without waiting for a hung disk; may be called twice."""


@runtime_checkable
class EnteredFilesystem(Protocol):
    """A filesystem that has a say in what a working directory may be, beyond what `stat` tells."""

    async def enter(self, path: VirtualPath) -> None:
        """Return where the directory *path* may be entered; raises where it may not."""


@runtime_checkable
class DatedFilesystem(Filesystem, Protocol):
    """A filesystem that has to look further to tell when a file was created than `stat` and `next_batch` look.

    Its :class:`RowDirectory` does so for a format that `tells_creation`.
    """

    async def created_ns(self, path: VirtualPath) -> int | None:
        """Return when *path*, followed as by `stat`, was created, nanoseconds since the epoch; None where nobody knows.  Raises what `stat` raises."""


@runtime_checkable
class LinkingFilesystem(Filesystem, Protocol):
    """A filesystem in which symbolic links can be made."""

    async def make_link(self, path: VirtualPath, target: VirtualPath) -> None:
        """Make *path* a link to *target*, which need not be there.  What is written on the disk leads to it for every program, not only for this store.

        Raises `AlreadyExists`, and `NotPermitted` where the way to *path* leads through a link: then nobody could tell that for all programs.
        """


@runtime_checkable
class MeasuredFilesystem(Filesystem, Protocol):
    """A filesystem that knows how much room is left."""

    async def available_bytes(self, path: VirtualPath) -> int:
        """Return how many bytes more can be stored in the directory *path*; anything else is `NotADirectory`."""


class RemovalRules(Protocol):
    """What the removal of a tree may touch; a store asks it in a thread."""

    def may_enter(self, directory: VirtualPath) -> bool:
        """Whether what is in *directory* may be seen at all, and so be removed."""

    def may_remove(self, path: VirtualPath, *, is_directory: bool) -> bool: ...


class TreeRemoval(Protocol):
    """The removal of a tree under way.  Nothing is removed but within `next_batch`, which a cancel lets finish."""

    async def next_batch(self) -> Removed:
        """Remove some entries, for a tenth of a second at most, and tell what became of them.  Not to be called again once it `is_over`.

        Raises only what ends the whole removal; what is gone by then stays gone.
        """

    async def close(self) -> None:
        """Free it; may be called twice."""


@runtime_checkable
class TreeFilesystem(Filesystem, Protocol):
    """A filesystem that removes trees by itself: off the reactor, and never by way of a link."""

    async def remove_tree(self, path: VirtualPath, rules: RemovalRules) -> TreeRemoval:
        """Begin to remove *path* with all that is in it, as far as *rules* allow; what they do not, or cannot be removed, stays.

        Raises `NotFound`, `NotADirectory`, for a link as well, and `NotPermitted` for the root.
        """


class Store(Protocol):
    """Where files are: it opens one filesystem for each login."""

    async def open(self, account: Account) -> Filesystem:
        """Return what *account* sees, its home as the root where `account.is_confined`: nothing leads out of it, no link either.

        Raises `NotFound` or `NotADirectory` where the home is missing.
        """

    async def sweep(self) -> None:
        """Remove what is outdated, off the reactor thread: kept parts of cut uploads, leftovers of dead processes.  Called about daily."""

    async def close(self) -> None:
        """The service stops; may be called twice."""


class Threads(Protocol):
    """A bounded pool of threads.  Nothing else in the house may block."""

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Call *function* in a thread.  Cancelling the Deferred does not stop the thread: its result is dropped, not its effect."""


class Clock(Protocol):
    """IReactorTime, which every reactor and Twisted's test clock is."""

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> DelayedCall: ...
    def seconds(self) -> float: ...


class StoreThreads(Threads, Protocol):
    """What a store is given: threads, the time, and pools of their own for disks that may hang."""

    @property
    def clock(self) -> Clock: ...
    def separate(self, name: str) -> Threads:
        """Return a further pool, which shares no thread with this one and ends with it; *name* is for thread lists."""


class Accounts(Protocol):
    """ "Who are you here?", apart from "is it you?" (a cred checker)."""

    async def account(self, avatar_id: bytes | tuple[()]) -> Account:
        """Return the account of a proven name, `()` meaning anonymous (cred's ANONYMOUS).  Raises `LookupError` where there is none."""


class State(Protocol):
    """What the sessions of one server have in common, however many processes and machines serve it; each worker opens it for itself.

    A login awaits it, a transfer never does.  Times are seconds of the worker's reactor.  Whatever `async` calls raise beside what they say is
    `Unavailable`: nobody can tell now.
    """

    async def take(self, session: str, places: Sequence[Place]) -> Place | None:
        """Take one of each of *places* for *session*, all in one step; where one is full take none, and return the first that is.

        What the session had taken before counts no more, whether it is let in or not.  Exact, whoever else asks at the same moment.
        After `Unavailable`, or cancelled, it may have taken them all the same: whoever goes on without an answer is counted, and gives back.
        """

    def give_back(self, session: str) -> None:
        """Free what *session* has taken, or is taking yet, soon; nobody waits for it.  Of a state that is closed it does nothing."""

    async def fail(self, address: str, *, window: float, most: int, ban: float) -> Failures:
        """Count a failed login of *address* within *window* seconds since its first; the one that makes *most*, and each after it, bans it for *ban* seconds.

        A *most* of 0 never bans.
        """

    def banned_until(self, address: str) -> float:
        """Return until when *address* is banned, as far as it is known here without asking: others' bans are at most a second late."""

    async def report(self, changed: Sequence[SessionRow], gone: Sequence[str]) -> Sequence[Request]:
        """Tell what this worker's sessions are doing: rows that are new or other than before, and sessions that are over.

        Once a second at most.  Returns what others have asked of this worker since.
        """

    async def share(self, uses: Mapping[str, float]) -> Mapping[str, float]:
        """Tell how much this worker has of what all have together, in the place of what it told before; return the sums over all workers.

        They are there for the keys of *uses* at least.  Amounts are finite and not negative.  A few times a second, while rates hold transfers
        back; what a worker that is closed or forgotten has told counts no more.
        """

    async def sessions(self) -> Sequence[SessionRow]:
        """Return the sessions of all workers as last reported, oldest first, each with its `worker`."""

    async def ask(self, request: Request) -> None:
        """Leave *request* for every worker, to be found with its next report; for one worker where `request.field` is "worker"."""

    async def forget(self, worker: str) -> None:
        """*worker* is dead: free what its sessions had taken, remove their rows and what it was asked."""

    async def close(self) -> None:
        """This worker ends; may be called twice.  What its sessions had taken is freed."""


class Served(Protocol):
    """The sessions of one listener, whatever protocol they speak: each protocol's factory is one.  On the reactor thread only."""

    def drain(self, quiet_seconds: float, words: str = ...) -> Deferred[None]:
        """Let sessions end by themselves; the Deferred fires when the last is over, those that are not logged in and those in mid handshake included.

        One in which nothing is under way, or waits to be answered, is told *words* and ended once its client has said nothing for so long.
        0: at once, or after the last reply; transfers are never cut, that is what `close_sessions` is for.  May be called again with a shorter
        time; cannot be taken back.
        """

    def lock(self, message: str | None) -> None:
        """Let no further session in, and tell its client *message*, one line; None: let them in again.  Those inside go on."""

    def kick(self, field: str, value: str, reason: str) -> list[str]:
        """End the sessions whose *field*, "session", "account" or "address", is *value*, and tell them *reason*, one line; return their ids.

        Transfers are cut, as by `close_sessions`.  An address is an IPv4 or IPv6 address, or a network in CIDR form.  Raises `ValueError` for
        what is none, and for another field.
        """

    def slow(self, field: str, value: str, rate: int) -> list[str]:
        """Hold the sessions that `kick` would end to *rate* bytes a second each way, each by itself; 0: no more.  Return their ids.

        It holds at once, for a transfer under way too, beside every other rate, and until the login ends; who is not logged in is left out.
        Raises `ValueError` as `kick` does.
        """

    def rows(self) -> Iterator[SessionRow]:
        """Yield a row for each session; the same object as the last time as long as it would say the same.

        Those are there that there were at the first, and are not over when it is their turn: it may be taken in several turns of the reactor.
        """

    def close_sessions(self, words: str = ...) -> Deferred[None]:
        """Tell every session *words* and end it now, transfers included; the Deferred fires when the last is over."""


class DelayedCall(Protocol):
    """What `Reactor.callLater` gives."""

    def active(self) -> bool: ...
    def cancel(self) -> None: ...


class Reactor(Protocol):
    """What data sockets need of Twisted's reactor: IReactorFDSet and IReactorTime, which every selectable reactor is."""

    def addReader(self, reader: Any) -> None: ...
    def removeReader(self, reader: Any) -> None: ...
    def addWriter(self, writer: Any) -> None: ...
    def removeWriter(self, writer: Any) -> None: ...
    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> DelayedCall: ...
    def seconds(self) -> float: ...


class DataConnection(Protocol):
    """An open data connection.  Pumps with a fast path take `socket`; the copy pump uses the rest.

    Errors are `OSError`s, as of the socket calls; a fault of the peer is told from others by the pump.
    """

    @property
    def socket(self) -> socket.socket | None:
        """The non-blocking socket in clear, or None: then only `send` and `receive` fit."""

    def send(self, data: ReadableBuffer) -> Awaitable[None]:
        """Done when the connection can take more; at most one call at a time."""

    def receive(self, most: int = 256 * 1024) -> Awaitable[bytes]:
        """Return some bytes, *most* or fewer, `b""` at a truthful end; at most one call at a time."""

    def finish(self) -> Awaitable[None]:
        """Close the sending side and wait until the peer has taken everything; the caller bounds the time."""

    def unacknowledged(self) -> int:
        """Bytes sent that the peer's kernel has not acknowledged; 0 where nobody can say."""

    def close(self) -> None:
        """Free it at once; may be called twice."""


class DataPort(Protocol):
    """One data connection of one session, announced or targeted: one peer, one use, one deadline."""

    @property
    def address(self) -> str:
        """The local address it listens on, or the address it will connect to."""

    @property
    def port(self) -> int: ...
    def open(self) -> Awaitable[DataConnection]:
        """Return the connection, waiting for it until the deadline; then `DataConnectionFailed`, with the reason for the client."""

    def close(self) -> None:
        """Stop listening or connecting; a connection already handed over is its taker's.  May be called twice."""


class DataPorts(Protocol):
    """Where data ports come from; the real one is `ftp.data.ports.DataPortFactory`."""

    def listen(self, peer: Peer, *, from_anywhere: bool = False) -> DataPort:
        """Wait for a connection from *peer*'s address (from any, for FXP) on the local address *peer* reached.

        Raises `DataConnectionFailed`: `NoFreePort` where no port is free.
        """

    def target(self, peer: Peer, address: str, port: int) -> DataPort:
        """Prepare to connect to *address*; nothing is sent before `open`.  Whether that is allowed was the caller's question."""

    def close(self) -> None:
        """Give every port back; may be called twice."""


@runtime_checkable
class PatientDataPorts(Protocol):
    """What `DataPorts` may be able to do beside: let a session wait until a port is free."""

    def listen_soon(self, peer: Peer, *, from_anywhere: bool = False) -> Awaitable[DataPort]:
        """Do what `listen` does, once that is possible; raises `NoFreePort` where it is not for some seconds.  The wait may be cancelled."""


class Pace(Protocol):
    """The rate a transfer is held to.  Asked on the reactor thread only, before bytes move, by whatever pump moves them."""

    def take(self, most: int) -> int:
        """Return how many of *most* bytes may move now, and count them as moved; 0: ask again after `pause` seconds."""

    def give_back(self, count: int) -> None:
        """Of what was taken, *count* bytes did not move."""

    def pause(self) -> float:
        """Return the seconds after which `take` has something worth a system call."""


class Conversion(Protocol):
    """Turns the bytes of one transfer into others, a piece at a time: TYPE, STRU and MODE are conversions.  Made anew for each transfer.

    What it yields are pieces of some 256 KiB at most, however little goes in.  `TransferCut`, with words for the client, is raised for bytes
    that cannot be.
    """

    @property
    def is_costly(self) -> bool:
        """Whether it computes for so long that it belongs in a thread: one call of it at a time."""

    @property
    def is_complete(self) -> bool:
        """Whether the stream itself has said that it ends here; nothing more is to be read."""

    def convert(self, piece: bytes) -> Iterator[bytes | Mark]: ...
    def end(self) -> Iterator[bytes | Mark]:
        """Yield what is left once the source has ended.  Called once, unless `is_complete`; a stream that is not whole is `TransferCut`."""


@attrs.frozen
class Wanted:
    """What a transfer shall move; every pump honours all of it.

    `start` is the first byte's offset in the file, `end` the offset behind the last byte of a download, None for its size.  `ceiling` is
    the most bytes that an upload may add to its file before it is :class:`~ftpd.errors.OverQuota`.  `conversion` stands between the file and
    the wire; `mark` is told each restart marker of an upload, and the offset in the file up to which all is stored.
    `stall_seconds`: with no byte moved for so long, the peer is at fault.  `pace` holds the transfer to a rate.
    """

    start: int = 0
    end: int | None = None
    ceiling: int | None = None
    conversion: Conversion | None = None
    mark: Callable[[Mark, int], None] | None = None
    stall_seconds: float = 0.0
    pace: Pace | None = None


class Pump(Protocol):
    """Moves one file over one data connection."""

    @property
    def moved(self) -> int:
        """Payload bytes so far; may be read at any time."""

    def start(self) -> TransferResult | Deferred[TransferResult]:
        """Begin; the result, where nothing has to be waited for.

        The Deferred never fails: faults are in the result.  Cancelling it stops the transfer: the result is then CANCELLED.

        The pump does not close the connection or the file; nor may anybody else before it has ended, since a thread may be at work on them.
        A cancel waits for that, for one step at most on a disk that answers.
        """

    def hold_to(self, pace: Pace) -> None:
        """Hold what is left to *pace*, where nothing held it so far."""


class Observer(Protocol):
    """Told of every event: audit, metrics, hooks.  It may not veto; one that raises is logged and the others are still told."""

    def __call__(self, event: Any) -> None: ...
