"""LocalUpload: an upload to the disk, staged beside its name and renamed into place, or written in place.

Apart from the store: what "226 only when it is stored" rests on.  A draft is the blocking half (plain functions, run wherever the lane
says), :class:`LocalUpload` the half that sessions see.

A rename gives the name a new inode: other hard links keep the old content, as with rsync.  Mode, owner, group and ACL are taken over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import attrs
from twisted.logger import Logger

from ftpd.disks import Disk
from ftpd.errors import (
    AlreadyExists,
    BadOffset,
    Busy,
    FileTransferError,
    IntegrityLost,
    IsADirectory,
    NoSpace,
    NotPermitted,
    Unsupported,
    from_oserror,
)
from ftpd.paths import VirtualPath, decode_name
from ftpd.storage import kernel, reservation, staging
from ftpd.storage.describe import Describe
from ftpd.storage.lane import LONG_BYTES, Descriptor, Lane, shielded
from ftpd.storage.names import kept_name, numbered, staging_name
from ftpd.storage.replace import replace
from ftpd.storage.resolve import Place
from ftpd.storage.root import Lengthy, View, errors_about
from ftpd.values import FileInfo, FileKind, WriteMode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

T = TypeVar("T")
Result = TypeVar("Result", covariant=True)

__all__ = ["DEFAULT_FILE_MODE", "Draft", "LocalUpload", "UploadRules", "begin"]

DEFAULT_FILE_MODE: Final = 0o666  # what open(2) is commonly given: the umask, or the directory's default ACL, takes away from it
_MAX_NUMBER: Final = 10_000  # names that UNIQUE tries
_telling: Final = attrgetter("st_dev", "st_ino", "st_mode", "st_uid", "st_gid", "st_ctime_ns")
_ACL: Final = b"system.posix_acl_access"
_IN_PLACE: Final = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@attrs.frozen
class UploadRules:
    """The settings that uploads of one account obey; see `LocalSettings`.  `account` is None where no part is ever kept."""

    account: str | None
    durable: str
    cut_upload: str
    is_in_place: bool
    file_mode: int | None  # exactly this for a new file; None: what the umask, or the directory's default ACL, leaves

    def kept(self, name: bytes) -> bytes | None:
        """The name of a kept part of *name*, None where none is kept."""
        return None if self.account is None else kept_name(self.account, name)


class _Ending(Protocol[Result]):
    def __call__(self, *, is_inline: bool) -> Result: ...


class Draft(Protocol):
    """An upload as the disk sees it.  `number` is its descriptor, `start` the first offset to write."""

    path: VirtualPath
    number: int
    start: int
    disk: Disk | None  # None: it may hang
    is_small: bool  # since its end: to close it frees little, whoever else has taken its name away

    def publish(self, *, is_inline: bool) -> os.stat_result:
        """Make it durable and give it its name; on an `OSError` or `FileTransferError` nothing is published.

        With *is_inline* it may be `Lengthy`, for a thread: nothing is done yet.  So may `drop`.
        """

    def drop(self, *, is_inline: bool, keeps: bool = True) -> None:
        """End it unpublished: keep, discard or publish what came, as the rules say; discard it where *keeps* is False."""

    def close(self) -> None:
        """Free all but `number`."""


class _Staged:
    """A draft under a staging name, in the directory of its final name."""

    def __init__(self, path: VirtualPath, place: Place, staged: bytes, number: int, rules: UploadRules) -> None:
        self.path = path
        self.number = number
        self.start = 0
        self.disk: Disk | None = None
        self.is_small = False
        self.is_exclusive = False
        self.reserved: os.stat_result | None = None  # the empty file that holds a UNIQUE name
        self._heir_of: os.stat_result | None = None  # whose attributes it has, all of them
        self._place = place
        self._staged = staged
        self._rules = rules
        self._kept = rules.kept(place.name)

    def inherit(self, old: os.stat_result | None, own: os.stat_result, extra_mode: int = 0) -> bool:
        """Take mode, owner, group and ACL from *old*, about to be replaced; a new file has those of a plain open, or the set mode.

        *own* are those that it has.  Return whether anything was set.
        """
        if old is not None and _is_same(old, self._heir_of):
            return False
        if old is None or self.reserved is not None or not stat.S_ISREG(old.st_mode):
            if self._rules.file_mode is None:
                return False
            os.fchmod(self.number, self._rules.file_mode | extra_mode)
            return True
        if (old.st_uid, old.st_gid) != (own.st_uid, own.st_gid):
            _give(self.number, old.st_uid, old.st_gid)
        mode = stat.S_IMODE(old.st_mode) & 0o777 | extra_mode
        if mode != stat.S_IMODE(own.st_mode):
            os.fchmod(self.number, mode)
        with suppress(OSError):  # no ACLs on this disk, or no /proc
            acl = kernel.attribute(self._place.directory, self._place.name, _ACL)
            if acl is not None:
                os.setxattr(self.number, _ACL, acl)
        self._heir_of = old if mode == stat.S_IMODE(old.st_mode) else None
        return True

    def publish(self, *, is_inline: bool) -> os.stat_result:
        try:
            if self._rules.durable != "none":
                _check_thread(is_inline)
                os.fdatasync(self.number)
            own, old = os.fstat(self.number), self._place.stat()
            useless = self._older_size()
            if is_inline:
                _check_short(own.st_size, 0 if old is None else old.st_size, useless or 0)
            if self.inherit(old, own):
                own = os.fstat(self.number)
            self._rename(old)
        except Lengthy:
            raise
        except BaseException:
            self._discard()
            raise
        if self._rules.durable == "full":
            _sync_directory(self._place.directory)
        if self._kept is not None and useless is not None:
            staging.drop_unused(self._place.directory, self._kept)
        self.is_small = own.st_size <= LONG_BYTES
        return own

    def drop(self, *, is_inline: bool, keeps: bool = True) -> None:
        size = os.fstat(self.number).st_size
        self.is_small = size <= LONG_BYTES
        if is_inline:
            _check_short(size, self._older_size() or 0)
        if not keeps or size == 0 or self._rules.cut_upload == "discard":
            self._discard()
        elif self._rules.cut_upload == "publish":
            with suppress(FileTransferError, OSError):  # publish discards what it cannot publish
                self.publish(is_inline=is_inline)
        elif not self._keep():
            self._discard()

    def close(self) -> None:
        self._place.close()

    def _rename(self, old: os.stat_result | None) -> None:
        directory, name = self._place.directory, self._place.name
        if not self.is_exclusive:
            replace(self._staged, name, old, old_directory=directory, new_directory=directory)
            return
        kernel.rename_exclusive(directory, self._staged, name)

    def _older_size(self) -> int | None:
        """Return the size of a part that was kept before this upload began, None where there is none."""
        return None if self._kept == self._staged else staging.size_of(self._place.directory, self._kept)

    def _keep(self) -> bool:
        """Give the bytes the name under which their account finds them; False where another session works on such a part."""
        kept = self._kept
        if kept is None:
            return False
        if kept != self._staged:
            if not staging.drop_unused(self._place.directory, kept):
                return False
            os.rename(self._staged, kept, src_dir_fd=self._place.directory, dst_dir_fd=self._place.directory)
        self._release_name()
        return True

    def _discard(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._staged, dir_fd=self._place.directory)
        self._release_name()

    def _release_name(self) -> None:
        if self.reserved is None:
            return
        now = self._place.stat()
        if now is not None and os.path.samestat(now, self.reserved):
            os.unlink(self._place.name, dir_fd=self._place.directory)


class _InPlace:
    """A draft that is the published file itself: APPEND and RESUME onto one, and every upload where the settings say so."""

    def __init__(self, path: VirtualPath, place: Place, number: int, rules: UploadRules, *, is_new: bool) -> None:
        self.path = path
        self.number = number
        self.start = 0
        self.disk: Disk | None = None
        self.is_small = False
        self._place = place
        self._rules = rules
        self._is_new = is_new

    def publish(self, *, is_inline: bool) -> os.stat_result:
        if self._rules.durable != "none":
            _check_thread(is_inline)
            try:
                os.fdatasync(self.number)
            except OSError:
                self._discard()
                raise
        if self._rules.durable == "full" and self._is_new:
            _sync_directory(self._place.directory)
        status = os.fstat(self.number)
        now = self._place.stat()
        if now is None or not os.path.samestat(now, status):
            raise IntegrityLost(None, "The file was replaced or deleted while it was written to")
        self.is_small = status.st_size <= LONG_BYTES
        return status

    def drop(self, *, is_inline: bool, keeps: bool = True) -> None:
        size = os.fstat(self.number).st_size
        if is_inline:
            _check_short(size)
        if not keeps or size == 0 or self._rules.cut_upload == "discard":
            self._discard()

    def close(self) -> None:
        self._place.close()

    def _discard(self) -> None:
        """Remove the file if this upload made it and it still has the name."""
        now = self._place.stat()
        if self._is_new and now is not None and os.path.samestat(now, os.fstat(self.number)):
            os.unlink(self._place.name, dir_fd=self._place.directory)


def _is_same(status: os.stat_result, earlier: os.stat_result | None) -> bool:
    """Whether both are of one file, of which nothing has changed in between: neither owner, mode nor ACL can without its ctime."""
    return earlier is not None and bool(_telling(status) == _telling(earlier))


def begin(
    view: View, raw: bytes, path: VirtualPath, mode: WriteMode, offset: int, expected_size: int | None, rules: UploadRules
) -> Draft:
    """Open the draft of an upload to *path*.  Nothing is created before all that can be refused is refused."""
    place = view.place(raw, follows_last=mode not in (WriteMode.CREATE, WriteMode.UNIQUE))
    try:
        _check(place, mode)
        _check_space(place, expected_size)
        draft = _open(view, path, place, mode, offset, rules)
    except BaseException:
        place.close()
        raise
    draft.disk = view.disk(draft.number)
    return draft


def _check_thread(is_inline: bool) -> None:
    """Before what takes long: raise `Lengthy` on the reactor thread."""
    if is_inline:
        raise Lengthy


def _check_short(*freed_bytes: int) -> None:
    """On the reactor thread: raise `Lengthy` where that many bytes are freed in one go."""
    if max(freed_bytes) > LONG_BYTES:
        raise Lengthy


def _check(place: Place, mode: WriteMode) -> None:
    """Refuse what is no regular file, before anything is opened: opening a FIFO or a device may hang or do something."""
    old = place.seen
    if old is None or mode is WriteMode.UNIQUE:
        return
    if mode is WriteMode.CREATE:
        raise AlreadyExists
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectory
    if stat.S_ISLNK(old.st_mode):
        raise NotPermitted(None, "Symbolic links are not followed here")
    if not stat.S_ISREG(old.st_mode):
        raise Unsupported(None, "Not a regular file")
    # The rename needs no right to the file itself, a plain open would.
    if not os.access(place.name, os.W_OK, dir_fd=place.directory, effective_ids=True):
        raise NotPermitted


def _check_space(place: Place, expected_size: int | None) -> None:
    if expected_size:
        disk = os.fstatvfs(place.directory)
        if disk.f_blocks and disk.f_bavail * disk.f_frsize < expected_size:
            raise NoSpace


def _open(view: View, path: VirtualPath, place: Place, mode: WriteMode, offset: int, rules: UploadRules) -> Draft:
    if mode is WriteMode.UNIQUE:
        return _open_unique(path, place, rules)
    if mode in (WriteMode.APPEND, WriteMode.RESUME):
        resumed = _open_kept(view, path, place, mode, offset, rules)
        if resumed is not None:
            return resumed
        if place.seen is not None:
            return _open_published(path, place, mode, offset, rules)
        if offset:
            raise BadOffset(None, "Nothing is there to resume")
    if rules.is_in_place:
        return _open_in_place(view, path, place, rules)
    return _stage(path, place, place.seen, rules, is_exclusive=mode is WriteMode.CREATE)


def _stage(
    path: VirtualPath,
    place: Place,
    old: os.stat_result | None,
    rules: UploadRules,
    *,
    is_exclusive: bool,
    reserved: os.stat_result | None = None,
) -> _Staged:
    new_name = staging_name if reserved is None else partial(reservation.staging_name_of, reserved)
    staged, number, own = staging.create(place.directory, DEFAULT_FILE_MODE, new_name)
    draft = _Staged(path, place, staged, number, rules)
    draft.is_exclusive = is_exclusive
    draft.reserved = reserved
    try:
        # Now as well as at the end: nobody shall read a private file's next content meanwhile; but a part must stay ours to resume.
        draft.inherit(old, own, 0o600)
    except BaseException:
        draft.drop(is_inline=False)
        os.close(draft.number)
        raise
    return draft


def _open_unique(path: VirtualPath, place: Place, rules: UploadRules) -> Draft:
    """Take the wanted name or a numbered one by creating it, empty: told to the client at once, it must stay nobody else's."""
    wanted = place.name
    for number in range(_MAX_NUMBER):
        place.name = numbered(wanted, number) if number else wanted
        try:
            reserved = os.open(place.name, _IN_PLACE | os.O_CREAT | os.O_EXCL, DEFAULT_FILE_MODE, dir_fd=place.directory)
        except FileExistsError:
            continue
        return _draft_reserved(path.parent.child(decode_name(place.name)), place, reserved, rules)
    raise AlreadyExists(path, "No unused name was found")


def _draft_reserved(path: VirtualPath, place: Place, reserved: int, rules: UploadRules) -> Draft:
    if rules.is_in_place:
        return _new_in_place(path, place, reserved, rules)
    try:
        return _stage(path, place, None, rules, is_exclusive=False, reserved=os.fstat(reserved))
    except BaseException:
        with suppress(FileNotFoundError):  # it may have gone with the draft
            os.unlink(place.name, dir_fd=place.directory)
        raise
    finally:
        os.close(reserved)


def _open_kept(view: View, path: VirtualPath, place: Place, mode: WriteMode, offset: int, rules: UploadRules) -> _Staged | None:
    kept = rules.kept(place.name)
    number = None if kept is None else staging.open_kept(place.directory, kept)
    if kept is None or number is None:
        return None
    try:
        size = os.fstat(number).st_size
        start = size if mode is WriteMode.APPEND else offset
        _check_offset(start, size)
        view.check_short(size - start)
        os.ftruncate(number, start)  # what comes now ends the file: bytes of the first attempt must not stand behind it
    except BaseException:
        os.close(number)
        raise
    draft = _Staged(path, place, kept, number, rules)
    draft.start = start
    return draft


def _open_published(path: VirtualPath, place: Place, mode: WriteMode, offset: int, rules: UploadRules) -> _InPlace:
    """Open the published file itself, without copying; what stands behind the written bytes stays."""
    number = _open_regular(place, _IN_PLACE)
    try:
        size = os.fstat(number).st_size
        start = size if mode is WriteMode.APPEND else offset
        _check_offset(start, size)
    except BaseException:
        os.close(number)
        raise
    draft = _InPlace(path, place, number, rules, is_new=False)
    draft.start = start
    return draft


def _open_in_place(view: View, path: VirtualPath, place: Place, rules: UploadRules) -> _InPlace:
    if place.seen is None:
        number = os.open(place.name, _IN_PLACE | os.O_CREAT | os.O_EXCL, DEFAULT_FILE_MODE, dir_fd=place.directory)
        return _new_in_place(path, place, number, rules)
    view.check_short(place.seen.st_size)
    number = _open_regular(place, _IN_PLACE)
    try:
        os.ftruncate(number, 0)
    except BaseException:
        os.close(number)
        raise
    return _InPlace(path, place, number, rules, is_new=False)


def _new_in_place(path: VirtualPath, place: Place, number: int, rules: UploadRules) -> _InPlace:
    staging.lock(number)
    if rules.file_mode is not None:
        os.fchmod(number, rules.file_mode)
    return _InPlace(path, place, number, rules, is_new=True)


def _open_regular(place: Place, flags: int) -> int:
    """Open for writing in place, alone: two writers in one file would leave neither whole."""
    number = os.open(place.name, flags, dir_fd=place.directory)
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise Unsupported(None, "Not a regular file")
        if not staging.lock(number):
            raise Busy(None, "Another upload is writing to this file")
    except BaseException:
        os.close(number)
        raise
    return number


def _check_offset(start: int, size: int) -> None:
    if start > size:
        raise BadOffset(None, f"Only {size} bytes are there to resume")


def _give(number: int, owner: int, group: int) -> None:
    """Set owner and group, or at least the group, as far as the server may."""
    try:
        os.fchown(number, owner, group)
    except PermissionError:
        with suppress(PermissionError):
            os.fchown(number, -1, group)


def _sync_directory(directory: int) -> None:
    """Make a rename durable.  A directory that may be written but not read (a drop box) cannot be opened for it."""
    try:
        number = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    except PermissionError:
        return
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _write_all(number: int, offset: int, data: ReadableBuffer) -> None:
    rest = memoryview(data).cast("B")
    while rest:
        written = os.pwrite(number, rest, offset)
        rest, offset = rest[written:], offset + written


def _unlocking(number: int, function: Callable[[], T]) -> T:
    try:
        return function()
    finally:
        staging.unlock(number)


def _dispose(draft: Draft, lane: Lane, number: int) -> None:
    draft.close()
    if lane.is_local and not lane.is_quick:
        staging.unlock(number)  # it will be closed in a thread, and a kept part may be wanted at once
    if draft.is_small:
        lane.dispose_small(number)
    else:
        lane.dispose(number)


class LocalUpload:
    """A `spi.WritableFile` over a draft."""

    __slots__ = ("_describe", "_draft", "_file", "_info", "_is_ended", "_lane")

    _log = Logger()

    def __init__(self, draft: Draft, lane: Lane, describe: Describe) -> None:
        self._draft = draft
        self._lane = lane
        self._describe = describe
        # No method of ours: the cycle would keep each upload until the garbage collector runs (tests/bench: stor).
        self._file = Descriptor(draft.number, partial(_dispose, draft, lane))
        self._info: FileInfo | None = None
        self._is_ended = False

    @property
    def path(self) -> VirtualPath:
        return self._draft.path

    @property
    def start(self) -> int:
        return self._draft.start

    @property
    def disk(self) -> Disk | None:
        return self._draft.disk

    @property
    def ceiling(self) -> int | None:
        return None

    def descriptor(self) -> int | None:
        return self._draft.number if self._lane.is_local else None

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        with errors_about(self.path):
            if self._is_ended:
                raise Unsupported(None, "The upload has ended")
            await self._lane.quick(_write_all, self._draft.number, offset, data, holding=self._file)

    async def commit(self) -> FileInfo:
        if not self._is_ended:
            status = await self._end(self._draft.publish)
            self._info = self._describe(self.path.name, status, None)
        return self._info or FileInfo(self.path.name, FileKind.FILE)

    async def abandon(self, *, keeps: bool = True) -> None:
        """Free it unpublished.  A disk that fails now leaves a staging file behind, for the sweep, and a line in the log."""
        if self._is_ended:
            return
        try:
            await self._end(partial(self._draft.drop, keeps=keeps))
        except FileTransferError as error:
            self._log.warn("cut upload to {path} was not cleared away: {error}", path=str(self.path), error=str(error))

    async def _end(self, function: _Ending[T]) -> T:
        self._is_ended = True
        try:
            if self._lane.is_quick:
                try:
                    return await self._lane.quick(partial(function, is_inline=True), holding=self._file)
                except Lengthy:
                    pass
            threaded = partial(function, is_inline=False)
            return await shielded(self._lane.blocking(_unlocking, self._draft.number, threaded, holding=self._file))
        except OSError as error:  # as `errors_about`, without its three calls (tests/bench: stor)
            raise from_oserror(error, self.path) from error
        except FileTransferError as error:
            if error.path is None:
                error.path = self.path
            raise
        finally:
            self._file.close()
