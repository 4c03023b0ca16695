"""The guard: the only place where permissions and size limits are checked, whatever the protocol.

Apart from the stores, which know disks, and from the protocols, which would each check a little differently.  Rules are about the
path that the client sees: where a store follows links, a link leads to what its own place allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ftpd.errors import BadOffset, NotFound, NotPermitted, OverQuota, Unsupported
from ftpd.paths import VirtualPath
from ftpd.spi import (
    DatedFilesystem,
    Directory,
    EnteredFilesystem,
    Filesystem,
    LinkingFilesystem,
    MeasuredFilesystem,
    ReadableFile,
    TreeFilesystem,
    TreeRemoval,
    WritableFile,
)
from ftpd.storage.tree import PortableRemoval
from ftpd.values import Ability, Account, Attributes, FileInfo, Permission, WriteMode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Guard", "GuardedUpload"]

# Plain numbers: `Permission & Permission` costs half a microsecond, and every command passes here (tests/bench: commands).
_LIST: Final = Permission.LIST.value
_READ: Final = Permission.READ.value
_CREATE: Final = Permission.CREATE.value
_OVERWRITE: Final = Permission.OVERWRITE.value
_STORE: Final = _CREATE | _OVERWRITE
_DELETE: Final = Permission.DELETE.value
_RENAME: Final = Permission.RENAME.value
_DIRECTORIES: Final = Permission.DIRECTORIES.value
_ATTRIBUTES: Final = Permission.ATTRIBUTES.value

# What a refusal tells: which right is missing is the account's own business, and the difference between a typing error and a call to the operator.
_DENIED: Final = {
    _LIST: "Permission denied: this account may not see what is here",
    _READ: "Permission denied: this account may not fetch files here",
    _CREATE: "Permission denied: this account may not store new files here",
    _OVERWRITE: "Permission denied: this account may not replace or extend files here",
    _DELETE: "Permission denied: this account may not delete files here",
    _RENAME: "Permission denied: this account may not rename here",
    _DIRECTORIES: "Permission denied: this account may not make or remove directories here",
    _ATTRIBUTES: "Permission denied: this account may not change modes or times here",
}


class Guard:
    """A `spi.Filesystem` that lets one account do what its rules allow; of several rules over a path the longest counts.

    A refusal is :class:`~ftpd.errors.NotPermitted`, before the store is asked wherever the rules alone say so.
    """

    __slots__ = ("_files", "_largest", "_root", "_rules")

    def __init__(self, files: Filesystem, account: Account) -> None:
        self._files = files
        self._largest = account.max_file_size
        by_path = {rule.path.parts: rule.allows.value for rule in account.rules}
        self._root: int = by_path.pop((), 0)
        self._rules = sorted(by_path.items(), key=lambda rule: -len(rule[0]))

    def permissions(self, path: VirtualPath) -> Permission:
        """Return what the account may do with *path*; MLSD's `perm` fact and FEAT read it."""
        return Permission(self._allowed(path))

    def permits_anywhere(self, permission: Permission) -> bool:
        """Return whether the account may do *permission* in some place at least; FEAT reads it."""
        return any(allows & permission.value for allows in (self._root, *(allows for _, allows in self._rules)))

    def exceptions(self, directory: VirtualPath) -> Mapping[str, Permission]:
        """Return the entries of *directory* that have a rule of their own: a listing asks once, not for each of its rows."""
        depth = len(directory.parts)
        return {parts[depth]: Permission(allows) for parts, allows in self._rules if parts[:-1] == directory.parts}

    @property
    def abilities(self) -> Ability:
        return self._files.abilities

    async def stat(self, path: VirtualPath) -> FileInfo:
        """Describe *path*.  LIST or READ there, or LIST in the directory that holds it: what its listing shows anyway.

        So an upload-only directory can itself be seen and entered, and nothing in it can.
        """
        if not self._allowed(path) & (_LIST | _READ) and (path.is_root or not self._allowed(path.parent) & _LIST):
            raise _denied(path, _LIST)
        return await self._files.stat(path)

    async def stat_dated(self, path: VirtualPath) -> FileInfo:
        """As `stat`, and tell when *path* was created where anybody knows: for that a store may have to look once more."""
        info = await self.stat(path)
        if info.created_ns is None and isinstance(self._files, DatedFilesystem):
            return info._replace(created_ns=await self._files.created_ns(path))
        return info

    async def enter(self, path: VirtualPath) -> None:
        """Raise what keeps this account out of the directory *path*; where `stat` shows one, only the store can have something to add."""
        if isinstance(self._files, EnteredFilesystem):
            await self._files.enter(path)

    async def open_directory(self, path: VirtualPath) -> Directory:
        self._demand(path, _LIST)
        return await self._files.open_directory(path)

    async def open_read(self, path: VirtualPath) -> ReadableFile:
        if not self._allowed(path) & _READ:
            raise _denied(path, _READ)
        return await self._files.open_read(path)

    async def reopen(self, path: VirtualPath, stored: FileInfo) -> ReadableFile:
        """Open what this login has just stored under *path*, all of it, as *stored* tells: no READ is needed to hear what one has said oneself.

        Raises `NotFound` where another file has the name by now.
        """
        file = await self._files.open_read(path)
        found = file.info
        if (found.unique, found.size, found.modified_ns) != (stored.unique, stored.size, stored.modified_ns):
            await file.close()
            raise NotFound(path)
        return file

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> WritableFile:
        """Begin an upload: CREATE for a new name, OVERWRITE for one that is there.

        Without OVERWRITE the store is asked to create, so that no race can replace a file.  It is then also refused to go on with a
        cut upload: seen from here its kept part is a file that is there.  More than the account's largest file is `OverQuota`, as
        soon as it is known.
        """
        if self._largest is not None and max(offset, expected_size or 0) > self._largest:
            raise OverQuota(path, f"Larger than the {self._largest} bytes that one file may have")
        if self._allowed(path) & _STORE != _STORE:
            mode = await self._write_mode(path, mode, offset)
        file = await self._files.open_write(path, mode=mode, offset=offset, expected_size=expected_size, permissions=permissions)
        if self._largest is None:
            return file
        if file.start > self._largest:
            await file.abandon()
            raise OverQuota(path, f"Larger than the {self._largest} bytes that one file may have")
        return GuardedUpload(file, self._largest)

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        self._demand(path, _DIRECTORIES)
        await self._files.make_directory(path, permissions=permissions)

    async def remove_directory(self, path: VirtualPath) -> None:
        self._demand(path, _DIRECTORIES)
        await self._files.remove_directory(path)

    async def remove_file(self, path: VirtualPath) -> None:
        self._demand(path, _DELETE)
        await self._files.remove_file(path)

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        """Rename: RENAME at both ends, and OVERWRITE where *new* is taken.

        A place that has a rule, or holds one further down, keeps its name: moved elsewhere, its content would be under other rules.
        """
        self._demand(old, _RENAME)
        self._demand(new, _RENAME)
        if any(parts[: len(path.parts)] == path.parts for parts, _ in self._rules for path in (old, new)):
            raise NotPermitted(old, "The access rules of this server name this path")
        if not self._allowed(new) & _OVERWRITE and old != new and await self._exists(new):
            raise _denied(new, _OVERWRITE)
        await self._files.rename(old, new)

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        self._demand(path, _ATTRIBUTES)
        await self._files.set_attributes(path, changes)

    def demand(self, path: VirtualPath, permission: Permission) -> None:
        """Raise `NotPermitted` unless all of *permission* is allowed: before what cannot be undone once half of it is done."""
        missing = permission.value & ~self._allowed(path)
        if missing:
            raise _denied(path, missing)

    @property
    def can_link(self) -> bool:
        """Whether the store makes symbolic links, and this account may: one that has rules for subtrees may not.

        A link leads to what its own place allows, so it would lead past the rules; and one that does not today may once it is moved.
        """
        return not self._rules and Ability.LINKS in self.abilities and isinstance(self._files, LinkingFilesystem)

    @property
    def can_measure(self) -> bool:
        """Whether the store knows how much room is left."""
        return isinstance(self._files, MeasuredFilesystem)

    async def make_link(self, path: VirtualPath, target: VirtualPath) -> None:
        """Make a symbolic link: CREATE, and no rules but the root's; see `can_link`."""
        self._demand(path, _CREATE)
        if self._rules:
            raise NotPermitted(path, "A link could lead past the access rules of this account")
        if not isinstance(self._files, LinkingFilesystem):
            raise Unsupported(path, "There are no symbolic links here")
        await self._files.make_link(path, target)

    async def available_bytes(self, path: VirtualPath) -> int:
        """Return what the account can store in the directory *path*, of one file: nothing where it may not store."""
        allowed = self._allowed(path)
        if not allowed & (_LIST | _READ | _STORE):
            raise _denied(path, _LIST)
        if not isinstance(self._files, MeasuredFilesystem):
            raise Unsupported(path, "This storage does not tell how much room is left")
        available = await self._files.available_bytes(path)
        if not allowed & _STORE:
            return 0
        return available if self._largest is None else min(available, self._largest)

    async def remove_tree(self, path: VirtualPath) -> TreeRemoval:
        """Begin to remove a tree: DIRECTORIES at its top, and then each entry by the rules over it; what these protect stays."""
        self._demand(path, _DIRECTORIES)
        if isinstance(self._files, TreeFilesystem):
            return await self._files.remove_tree(path, self)
        return await PortableRemoval.begin(self._files, path, self)

    def may_enter(self, directory: VirtualPath) -> bool:
        """As `spi.RemovalRules`: what the account cannot see in a listing it does not remove unseen."""
        return bool(self._allowed(directory) & _LIST)

    def may_remove(self, path: VirtualPath, *, is_directory: bool) -> bool:
        return bool(self._allowed(path) & (_DIRECTORIES if is_directory else _DELETE))

    async def close(self) -> None:
        await self._files.close()

    def _allowed(self, path: VirtualPath) -> int:
        if self._rules:
            wanted = path.parts
            for parts, allows in self._rules:
                if wanted[: len(parts)] == parts:
                    return allows
        return self._root

    def _demand(self, path: VirtualPath, permission: int) -> None:
        if not self._allowed(path) & permission:
            raise _denied(path, permission)

    async def _write_mode(self, path: VirtualPath, mode: WriteMode, offset: int) -> WriteMode:
        """Return the mode for an account that may not both create and overwrite here."""
        allowed = self._allowed(path) & _STORE
        if mode in (WriteMode.CREATE, WriteMode.UNIQUE):
            self._demand(path, _CREATE)
            return mode
        if not allowed:
            raise _denied(path, _CREATE)
        if allowed == _OVERWRITE:
            if not await self._exists(path):
                raise _denied(path, _CREATE)
            return mode
        return await self._mode_for_new(path, mode, offset)

    async def _mode_for_new(self, path: VirtualPath, mode: WriteMode, offset: int) -> WriteMode:
        # APPEND as CREATE behind the kept part of a cut upload would publish the tail as the whole file.
        if mode is not WriteMode.REPLACE and await self._exists(path):
            raise _denied(path, _OVERWRITE)
        if offset:
            raise BadOffset(path)
        return WriteMode.CREATE

    async def _exists(self, path: VirtualPath) -> bool:
        try:
            await self._files.stat(path)
        except NotFound:
            return False
        return True


def _denied(path: VirtualPath, missing: int) -> NotPermitted:
    """Say which right is missing at *path*, the first where there are several."""
    return NotPermitted(path, _DENIED[missing & -missing])


class GuardedUpload:
    """A `spi.WritableFile` that stays within the account's largest file.

    A pump that writes through `descriptor()` passes `write_at` by: it is given `ceiling`, the tighter of the store's and ours, as
    `Wanted.ceiling`.
    """

    __slots__ = ("_file", "_largest", "ceiling")

    def __init__(self, file: WritableFile, largest: int) -> None:
        self._file = file
        self._largest = largest
        rest = largest - file.start
        self.ceiling = rest if file.ceiling is None else min(file.ceiling, rest)

    @property
    def path(self) -> VirtualPath:
        return self._file.path

    @property
    def start(self) -> int:
        return self._file.start

    def descriptor(self) -> int | None:
        return self._file.descriptor()

    @property
    def disk(self) -> Any:
        """Where the store tells it; see `transfer.choose`."""
        return getattr(self._file, "disk", None)

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        """Write; `OverQuota`, and nothing written, where *data* would end behind the largest file."""
        if offset + memoryview(data).nbytes > self._largest:
            raise OverQuota(self._file.path, f"Larger than the {self._largest} bytes that one file may have")
        await self._file.write_at(offset, data)

    async def commit(self) -> FileInfo:
        return await self._file.commit()

    async def abandon(self, *, keeps: bool = True) -> None:
        await self._file.abandon(keeps=keeps)
