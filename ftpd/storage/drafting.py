"""How an upload to the disk begins: what may stand under its name, and the draft that is opened for it.

Apart from the drafts, which know how one ends.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import partial
from typing import Final

from ftpd.errors import AlreadyExists, BadOffset, Busy, IsADirectory, NoSpace, NotPermitted, Unsupported
from ftpd.paths import VirtualPath, decode_name
from ftpd.storage import reservation, staging
from ftpd.storage.draft import DEFAULT_FILE_MODE, Draft, InPlace, Staged, UploadRules
from ftpd.storage.names import numbered, staging_name
from ftpd.storage.resolve import Place
from ftpd.storage.root import View
from ftpd.values import WriteMode

__all__ = ["begin"]

_MAX_NUMBER: Final = 10_000  # names that UNIQUE tries
_IN_PLACE: Final = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


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
) -> Staged:
    new_name = staging_name if reserved is None else partial(reservation.staging_name_of, reserved)
    staged, number, own = staging.create(place.directory, DEFAULT_FILE_MODE, new_name)
    draft = Staged(path, place, staged, number, rules)
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


def _open_kept(view: View, path: VirtualPath, place: Place, mode: WriteMode, offset: int, rules: UploadRules) -> Staged | None:
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
    draft = Staged(path, place, kept, number, rules)
    draft.start = start
    return draft


def _open_published(path: VirtualPath, place: Place, mode: WriteMode, offset: int, rules: UploadRules) -> InPlace:
    """Open the published file itself, without copying; what stands behind the written bytes stays."""
    number = _open_regular(place, _IN_PLACE)
    try:
        size = os.fstat(number).st_size
        start = size if mode is WriteMode.APPEND else offset
        _check_offset(start, size)
    except BaseException:
        os.close(number)
        raise
    draft = InPlace(path, place, number, rules, is_new=False)
    draft.start = start
    return draft


def _open_in_place(view: View, path: VirtualPath, place: Place, rules: UploadRules) -> InPlace:
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
    return InPlace(path, place, number, rules, is_new=False)


def _new_in_place(path: VirtualPath, place: Place, number: int, rules: UploadRules) -> InPlace:
    staging.lock(number)
    if rules.file_mode is not None:
        os.fchmod(number, rules.file_mode)
    return InPlace(path, place, number, rules, is_new=True)


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
