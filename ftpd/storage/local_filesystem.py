"""LocalFilesystem: what one session sees of a store on a POSIX disk.

Apart from the store, which knows accounts and homes.  Every operation is a method that awaits and a plain function `_...(view, ...)` that may block.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from functools import partial
from typing import Any

import attrs

from ftpd.errors import AlreadyExists, Busy, FileTransferError, IsADirectory, NotEmpty, NotFound, NotPermitted, Unsupported
from ftpd.paths import VirtualPath, decode_name
from ftpd.spi import RemovalRules
from ftpd.storage import attributes, creation, staging
from ftpd.storage.describe import Describe
from ftpd.storage.draft import DEFAULT_FILE_MODE, Draft, UploadRules
from ftpd.storage.drafting import begin
from ftpd.storage.familiar import Familiar
from ftpd.storage.local_directory import LocalDirectory, open_directory
from ftpd.storage.local_file import LocalFile, open_regular
from ftpd.storage.local_settings import DEFAULT_DIRECTORY_MODE, LocalSettings
from ftpd.storage.local_tree import LocalTreeRemoval, Removing, begin_removal
from ftpd.storage.local_upload import LocalUpload
from ftpd.storage.names import NameRules
from ftpd.storage.replace import replace
from ftpd.storage.resolve import O_PATH
from ftpd.storage.root import Root, View
from ftpd.values import Ability, Account, Attributes, FileInfo, WriteMode

__all__ = ["LocalFilesystem", "make_directory"]


class LocalFilesystem:
    """What one session sees of a :class:`~ftpd.storage.local.LocalStore`: a `spi.Filesystem` that can also link, measure, date, and remove trees."""

    __slots__ = ("_describe", "_leave", "_listed", "_root", "_rules", "_settings", "_sweep", "_uploads", "abilities")

    def __init__(
        self,
        root: Root,
        account: Account,
        settings: LocalSettings,
        rules: NameRules,
        describe: Describe,
        listed: Familiar,
        sweep: partial[None],
        leave: partial[None],
        abilities: Ability,
    ) -> None:
        self.abilities = abilities
        self._root = root
        self._listed = listed
        self._sweep = sweep
        self._settings = settings
        self._rules = rules
        self._describe = describe
        self._leave: partial[None] | None = leave
        # Every anonymous visitor has the same name: a part kept for one would be there for any other to finish.
        keeps = settings.cut_upload == "keep" and not settings.in_place and not account.is_anonymous
        self._uploads = UploadRules(
            account.name if keeps else None,
            settings.durable,
            settings.cut_upload,
            settings.in_place,
            None if settings.file_mode == DEFAULT_FILE_MODE else settings.file_mode,
        )

    async def stat(self, path: VirtualPath) -> FileInfo:
        """Describe *path*.  A link that leads nowhere, or out of the root, is described itself."""
        return await self._root.call(path, self._stat, self._rules.encode(path), path.name)

    async def created_ns(self, path: VirtualPath) -> int | None:
        """Return the time that was set, or else the birth; of a kept part, and of a link that leads nowhere, nobody knows."""
        return await self._root.call(path, self._created_ns, self._rules.encode(path))

    async def open_directory(self, path: VirtualPath) -> LocalDirectory:
        number, disk = await self._root.open(path, _close_first, open_directory, self._rules.encode(path))
        lane = self._root.lane(disk)
        hides_links = self._settings.symlinks == "hide"
        return LocalDirectory(path, number, lane, self._describe, self._rules, self._sweep, self._listed, hides_links=hides_links)

    async def open_read(self, path: VirtualPath) -> LocalFile:
        """Open the published file: the kept part of a cut upload is there to be resumed, not to be read."""
        number, status, disk = await self._root.open(path, _close_first, open_regular, self._rules.encode(path))
        return LocalFile(path, self._describe(path.name, status, None), number, self._root.lane(disk), disk)

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> LocalUpload:
        if path.is_root:
            raise IsADirectory(path)
        raw = self._rules.encode(path)
        rules = self._uploads if permissions is None else attrs.evolve(self._uploads, file_mode=permissions & 0o777)
        draft = await self._root.open(path, _discard_draft, begin, raw, path, mode, offset, expected_size, rules)
        return LocalUpload(draft, self._root.lane(draft.disk), self._describe)

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        if path.is_root:
            raise AlreadyExists(path)
        await self._root.call(path, self._make_directory, self._rules.encode(path), permissions)

    async def remove_directory(self, path: VirtualPath) -> None:
        """Remove an empty directory; staging files nobody works on do not count, since nobody can see them."""
        if path.is_root:
            raise NotPermitted(path)
        await self._root.call(path, self._remove_directory, self._rules.encode(path))

    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file, or a link itself; a kept part of it goes too."""
        if path.is_root:
            raise IsADirectory(path)
        await self._root.call(path, self._remove_file, self._rules.encode(path))

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        """Rename a file, directory or link; a kept part of it goes along, one of the file that it replaces is dropped."""
        if old.is_root or new.is_root:
            raise NotPermitted(old if old.is_root else new)
        await self._root.call(old, self._rename, self._rules.encode(old), self._rules.encode(new))

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        await self._root.call(path, self._set_attributes, self._rules.encode(path), changes)

    async def make_link(self, path: VirtualPath, target: VirtualPath) -> None:
        """Make a symbolic link, relative to its own directory: so it leads to the same place for every program, and stays within the root."""
        if path.is_root:
            raise AlreadyExists(path)
        if self._settings.symlinks != "follow":
            raise NotPermitted(path, "Symbolic links are not followed here")
        text = b"../" * len(path.parent.parts) + self._rules.encode(target)
        await self._root.call(path, self._make_link, self._rules.encode(path), text)

    async def available_bytes(self, path: VirtualPath) -> int:
        """What statvfs(3) grants a user who is not root."""
        return await self._root.call(path, self._available, self._rules.encode(path))

    async def remove_tree(self, path: VirtualPath, rules: RemovalRules) -> LocalTreeRemoval:
        if path.is_root:
            raise NotPermitted(path)
        removing = await self._root.open(path, Removing.close, begin_removal, self._rules.encode(path), path, self._rules, rules)
        return LocalTreeRemoval(path, removing, self._root.lane(removing.disk))

    async def close(self) -> None:
        if self._leave is not None:
            leave, self._leave = self._leave, None
            leave()

    def _stat(self, view: View, raw: bytes, name: str) -> FileInfo:
        if raw == b".":
            return self._stat_opened(view, raw, name)
        with view.place(raw, follows_last=False) as here:
            status = here.seen
            if status is not None and stat.S_ISLNK(status.st_mode):
                if view.links == "hide":
                    raise NotFound
                behind = self._stat_behind(view, raw, name) if view.links == "follow" else None
                target = None if behind else decode_name(os.readlink(here.name, dir_fd=here.directory))
                return behind or self._describe(name, status, target)
            return self._stat_file(here.directory, here.name, status, name)

    def _stat_behind(self, view: View, raw: bytes, name: str) -> FileInfo | None:
        """Describe what the link leads to, None where it leads nowhere."""
        try:
            with view.place(raw, follows_last=True) as there:
                return self._stat_file(there.directory, there.name, there.seen, name)
        except IsADirectory:  # a link to the root, or one that ends in `..`: nothing has a name there
            return self._stat_opened(view, raw, name)
        except (FileNotFoundError, NotADirectoryError, NotFound):
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
                return None
            raise

    def _stat_opened(self, view: View, raw: bytes, name: str) -> FileInfo:
        number = view.open(raw, O_PATH)
        try:
            return self._describe(name, os.fstat(number), None)
        finally:
            os.close(number)

    def _stat_file(self, directory: int, raw_name: bytes, status: os.stat_result | None, name: str) -> FileInfo:
        if status is None or stat.S_ISREG(status.st_mode):
            kept = self._uploads.kept(raw_name)
            if kept is not None:
                with suppress(FileNotFoundError):
                    status = os.stat(kept, dir_fd=directory, follow_symlinks=False)
        if status is None:
            raise NotFound
        return self._describe(name, status, None)

    def _created_ns(self, view: View, raw: bytes) -> int | None:
        view.check_thread()  # an attribute may have a block of its own, and whether that is in memory nobody tells
        try:
            number = view.open(raw, O_PATH)
        except (OSError, FileTransferError):
            self._stat(view, raw, "")
            return None
        try:
            return creation.created_ns(number)
        finally:
            os.close(number)

    def _make_directory(self, view: View, raw: bytes, permissions: int | None) -> None:
        with view.place(raw, follows_last=False) as here:
            make_directory(here.directory, here.name, permissions, self._settings.directory_mode)

    def _remove_directory(self, view: View, raw: bytes) -> None:
        with view.place(raw, follows_last=False) as here:
            try:
                os.rmdir(here.name, dir_fd=here.directory)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            view.check_thread()  # kept parts may be many, and large
            number = os.open(here.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here.directory)
            try:
                is_empty = staging.empty_of_staging(number)
            finally:
                os.close(number)
            if not is_empty:
                raise NotEmpty
            os.rmdir(here.name, dir_fd=here.directory)

    def _remove_file(self, view: View, raw: bytes) -> None:
        with view.place(raw, follows_last=False) as here:
            status = here.seen
            if status is not None and stat.S_ISDIR(status.st_mode):
                raise IsADirectory
            view.check_short(0 if status is None or status.st_nlink > 1 else status.st_size)
            kept = self._uploads.kept(here.name)
            kept_size = staging.size_of(here.directory, kept)
            view.check_short(kept_size or 0)
            has_kept = kept_size is not None
            if status is not None or not has_kept:
                os.unlink(here.name, dir_fd=here.directory)
            if kept is not None and has_kept and not staging.drop_unused(here.directory, kept) and status is None:
                raise Busy(None, "Another session is resuming this upload")

    def _rename(self, view: View, raw_old: bytes, raw_new: bytes) -> None:
        with view.place(raw_old, follows_last=False) as old, view.place(raw_new, follows_last=False) as new:
            replaced = new.seen
            view.check_short(0 if replaced is None else replaced.st_size)
            kept_old, kept_new = self._uploads.kept(old.name), self._uploads.kept(new.name)
            view.check_short(staging.size_of(new.directory, kept_new) or 0)
            # A kept part alone is no file to rename: who uploads and then renames would take it for delivered.
            replace(old.name, new.name, replaced, old_directory=old.directory, new_directory=new.directory)
            if kept_old is None or kept_new is None or raw_old == raw_new:
                return
            if staging.size_of(old.directory, kept_old) is not None:
                os.rename(kept_old, kept_new, src_dir_fd=old.directory, dst_dir_fd=new.directory)
            else:
                staging.drop_unused(new.directory, kept_new)

    def _make_link(self, view: View, raw: bytes, text: bytes) -> None:
        with view.straight(raw) as here:
            os.symlink(text, here.name, dir_fd=here.directory)

    def _available(self, view: View, raw: bytes) -> int:
        number = view.open(raw, O_PATH | os.O_DIRECTORY)
        try:
            disk = os.fstatvfs(number)
        finally:
            os.close(number)
        return disk.f_bavail * disk.f_frsize

    def _set_attributes(self, view: View, raw: bytes, changes: Attributes) -> None:
        if changes.created_ns is not None:
            view.check_thread()  # as `_created_ns`
        # Never a kept part: its time is what it is swept by.
        number = view.open(raw, attributes.FLAGS)
        try:
            status = os.fstat(number)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise Unsupported(None, "Not a regular file")
            attributes.change(number, status, changes)
        finally:
            os.close(number)


def make_directory(directory: int, name: bytes, permissions: int | None, standard: int) -> None:
    """Make the directory *name* in *directory*, with the *permissions* that are asked for, or else those of the setting, *standard*."""
    os.mkdir(name, DEFAULT_DIRECTORY_MODE, dir_fd=directory)
    if permissions is None and standard == DEFAULT_DIRECTORY_MODE:
        return
    number = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.fchmod(number, standard if permissions is None else permissions & 0o777)
    finally:
        os.close(number)


def _close_first(opened: Any) -> None:
    """Free an opened file that nobody waits for any more; called where a hang would matter, so only after its thread came back."""
    os.close(opened[0])


def _discard_draft(draft: Draft) -> None:
    with suppress(OSError, FileTransferError):
        draft.drop(is_inline=False)
    draft.close()
    os.close(draft.number)
