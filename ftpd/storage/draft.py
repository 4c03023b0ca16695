"""Drafts: an upload as the disk sees it, staged beside its name and renamed into place, or written in place.

Apart from `local_upload`, the half that sessions see: here are plain functions that may block, and what "226 only when it is stored" rests on.

A rename gives the name a new inode: other hard links keep the old content, as with rsync.  Mode, owner, group and ACL are taken over.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from operator import attrgetter
from typing import Final, Protocol

import attrs

from ftpd.disks import Disk
from ftpd.errors import FileTransferError, IntegrityLost
from ftpd.paths import VirtualPath
from ftpd.storage import kernel, staging
from ftpd.storage.lane import LONG_BYTES
from ftpd.storage.names import kept_name
from ftpd.storage.replace import replace
from ftpd.storage.resolve import Place
from ftpd.storage.root import Lengthy

__all__ = ["DEFAULT_FILE_MODE", "Draft", "InPlace", "Staged", "UploadRules"]

DEFAULT_FILE_MODE: Final = 0o666  # what open(2) is commonly given: the umask, or the directory's default ACL, takes away from it
_telling: Final = attrgetter("st_dev", "st_ino", "st_mode", "st_uid", "st_gid", "st_ctime_ns")
_ACL: Final = b"system.posix_acl_access"


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


class Staged:
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


class InPlace:
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


def _check_thread(is_inline: bool) -> None:
    """Before what takes long: raise `Lengthy` on the reactor thread."""
    if is_inline:
        raise Lengthy


def _check_short(*freed_bytes: int) -> None:
    """On the reactor thread: raise `Lengthy` where that many bytes are freed in one go."""
    if max(freed_bytes) > LONG_BYTES:
        raise Lengthy


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
