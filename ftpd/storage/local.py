"""LocalStore: files on a POSIX disk, below one root; and LOCAL, its kind.

Apart from what it is made of: resolution (`resolve`), where calls run (`root`, `lane`), listings, uploads, staging.  Every operation is
a method that awaits and a plain function `_...(view, ...)` that may block.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from functools import partial
from typing import Any, Final

import attrs
from zope.interface import implementer

from ftpd.disks import Disk
from ftpd.errors import (
    AlreadyExists,
    Busy,
    FileTransferError,
    IsADirectory,
    NotEmpty,
    NotFound,
    NotPermitted,
    Unsupported,
)
from ftpd.interfaces import IStoreKind
from ftpd.paths import ROOT, VirtualPath, decode_name
from ftpd.schema import ConfigError, FileMode, FilePath, Problem, Seconds, setting
from ftpd.spi import RemovalRules, StoreThreads
from ftpd.storage import creation, staging
from ftpd.storage.describe import Describe, OwnerNames, describer
from ftpd.storage.familiar import Familiar
from ftpd.storage.joint import Joint
from ftpd.storage.lane import Descriptor, SlowLane, in_thread
from ftpd.storage.local_directory import LocalDirectory, open_directory
from ftpd.storage.local_file import LocalFile, open_regular
from ftpd.storage.local_tree import LocalTreeRemoval, Removing, begin_removal
from ftpd.storage.local_upload import DEFAULT_FILE_MODE, Draft, LocalUpload, UploadRules, begin
from ftpd.storage.mount import Devices
from ftpd.storage.names import NameRules, is_staging
from ftpd.storage.replace import replace
from ftpd.storage.resolve import O_PATH, Resolver, standard_resolver
from ftpd.storage.root import Ground, Root, View, errors_about
from ftpd.values import Ability, Account, Attributes, FileInfo, WriteMode

__all__ = ["LOCAL", "LocalFilesystem", "LocalSettings", "LocalStore"]

_DIRECTORY: Final = O_PATH | os.O_DIRECTORY
_DEFAULT_DIRECTORY_MODE: Final = 0o777  # as DEFAULT_FILE_MODE
_IN_PLACE: Final = Ability.LINKS | Ability.MODES | Ability.TIMES | Ability.RESUME
_HAS_PROC: Final = os.path.isdir("/proc/self/fd")


@attrs.frozen
class LocalSettings:
    """The `[storage.local]` table."""

    root: FilePath = setting(FilePath("/srv/ftp"), help="Directory that is served; the homes of accounts lie below it.")
    durable: str = setting(
        "file",
        help="What a success promises after a power cut: nothing, the file's content, or its name in the directory as well.",
        choices=("none", "file", "full"),
    )
    cut_upload: str = setting(
        "keep",
        help="What becomes of an upload cut short: discarded, kept hidden for its account to resume, or published as it is.",
        choices=("discard", "keep", "publish"),
    )
    partial_lifetime: Seconds = setting(Seconds(7 * 86400), help="Kept parts older than this are removed.", unit="s", minimum=60)
    in_place: bool = setting(
        False, help="Write uploads directly under their name, without a staging file; one cut short leaves a partial file."
    )
    file_mode: FileMode = setting(
        FileMode(DEFAULT_FILE_MODE), help="Mode of new files; 0666 leaves it to the umask, any other value is set exactly."
    )
    directory_mode: FileMode = setting(
        FileMode(_DEFAULT_DIRECTORY_MODE),
        help="Mode of new directories; 0777 leaves it to the umask, any other value is set exactly.",
    )
    hidden_names: tuple[str, ...] = setting((), help="Patterns (*, ?, [...]) of names that are neither listed nor reachable.")
    symlinks: str = setting(
        "follow",
        help="Symbolic links: followed as far as they stay inside, listed but not followed, or hidden.",
        choices=("follow", "deny", "hide"),
    )
    show_owners: bool = setting(False, help='Show the real names of owners and groups; otherwise all is owned by "ftp".')
    create_homes: bool = setting(False, help="Make an account's home directory at its first login.")
    network_file_system: str = setting(
        "auto",
        help="Whether the disk may hang, so that every call needs a thread; auto: judged by its type.",
        choices=("auto", "yes", "no"),
    )
    storage_timeout: Seconds = setting(Seconds(30), help="How long a call to a disk that may hang can take.", unit="s", minimum=0.1)


class LocalStore:
    """A `spi.Store`.  Accounts whose homes are one directory share its descriptor.

    *resolver* is the kernel's or the walk, whatever this machine has, unless given.
    """

    def __init__(self, settings: LocalSettings, threads: StoreThreads, *, resolver: Resolver | None = None) -> None:
        self._settings = settings
        self._threads = threads
        devices = Devices(settings.network_file_system)
        self._ground = Ground(resolver or standard_resolver(), settings.symlinks, devices, threads)
        self._rules = NameRules(settings.hidden_names)
        owners = OwnerNames() if settings.show_owners else None
        if owners is not None:
            owners.read(threads)
        self._describe = describer(owners)
        standard = _IN_PLACE if settings.in_place else _IN_PLACE | Ability.STAGING
        dated = standard | Ability.CREATION_TOLD if creation.IS_TOLD else standard
        self._abilities = (dated, dated | Ability.CREATION_SET)
        self._sets_creation: dict[int, bool] = {}  # by device, of those that were looked at in a thread
        self._sweep = partial(staging.sweep, kept_seconds=settings.partial_lifetime, trusts_locks=devices.is_own)
        self._start_lane = self._slow_lane("root")
        self._top: Root | None = None
        self._homes: dict[tuple[int, int], _Home] = {}
        self._root_home: _Home | None = None
        self._opening_top = Joint(self._open_for_all)
        self._opening_root_home = Joint(self._open_root_home)
        self._is_closed = False

    async def open(self, account: Account) -> LocalFilesystem:
        """Open the account's home as its root; an account that is not confined sees the whole store, and its home must be there too."""
        top = await self._opened_top()
        home = await self._opened_home(top, account.home)
        if not account.is_confined and not account.home.is_root:
            self._leave(home)
            home = await self._opened_home(top, ROOT)
        root = self._root(home.descriptor, home.disk, f"{home.key[0]:x}")
        listed, sweep = self._ground.listed, self._sweep
        abilities = self._abilities[self._sets_creation.get(home.key[0], creation.IS_TOLD)]
        return LocalFilesystem(
            root, account, self._settings, self._rules, self._describe, listed, sweep, partial(self._leave, home), abilities
        )

    async def sweep(self) -> None:
        """Remove outdated kept parts and leftovers of dead processes in the whole tree, in a thread; listings do it for what they list.

        On a disk of this machine's own a leftover goes as soon as its process is dead, elsewhere after an hour.
        """
        top = await self._opened_top()
        pool = _Separate(self._threads, "sweep")  # it may take minutes, or hang with a disk below
        await in_thread(pool, self._sweep_tree, top.descriptor.number, holding=top.descriptor)

    async def close(self) -> None:
        self._is_closed = True
        if self._root_home is not None:
            home, self._root_home = self._root_home, None
            self._leave(home)
        if self._top is not None:
            self._top.descriptor.close()

    async def _opened_top(self) -> Root:
        """Open the root at the first login: with its disk gone, the server starts all the same and says so to each login."""
        if self._is_closed:
            raise Busy(None, "The server is stopping")
        return self._top or await self._opening_top.result()

    async def _open_for_all(self) -> Root:
        with errors_about(ROOT):
            number, disk = await self._start_lane.blocking(self._open_top, discard=_close_first)
        top = self._root(Descriptor(number, self._start_lane.dispose), disk, "root")
        if self._is_closed:
            top.descriptor.close()
            raise Busy(None, "The server is stopping")
        self._top = top
        return top

    def _open_top(self) -> tuple[int, Disk | None]:
        number = os.open(self._settings.root, _DIRECTORY | os.O_CLOEXEC)
        self._sets_creation[os.fstat(number).st_dev] = creation.can_set(number)
        return number, self._ground.devices.disk(number)

    def _open_home(self, view: View, home: VirtualPath) -> tuple[int, tuple[int, int], Disk | None]:
        raw = self._rules.encode(home)
        try:
            number = view.open(raw, _DIRECTORY)
        except FileNotFoundError:
            if not self._settings.create_homes:
                raise NotFound(home, "The home directory is missing") from None
            self._make_home(view, home)
            number = view.open(raw, _DIRECTORY)
        status = os.fstat(number)
        if not view.is_inline and status.st_dev not in self._sets_creation:
            self._sets_creation[status.st_dev] = creation.can_set(number)
        return number, (status.st_dev, status.st_ino), view.disk(number)

    def _make_home(self, view: View, home: VirtualPath) -> None:
        for depth in range(1, len(home.parts) + 1):
            with (
                view.place(self._rules.encode(VirtualPath(home.parts[:depth])), follows_last=True) as here,
                suppress(FileExistsError),
            ):
                _make_directory(here.directory, here.name, None, self._settings.directory_mode)

    async def _opened_home(self, top: Root, path: VirtualPath) -> _Home:
        """Open a home; the root's, which most accounts have, is kept by the store as if by a session (tests/bench: login)."""
        if not path.is_root:
            return self._shared(*await top.open(path, _close_first, self._open_home, path))
        home = self._root_home or await self._opening_root_home.result()
        home.sessions += 1
        return home

    async def _open_root_home(self) -> _Home:
        home = self._shared(*await (await self._opened_top()).open(ROOT, _close_first, self._open_home, ROOT))
        if self._is_closed:
            self._leave(home)
            raise Busy(None, "The server is stopping")
        self._root_home = home
        return home

    def _shared(self, number: int, key: tuple[int, int], disk: Disk | None) -> _Home:
        home = self._homes.get(key)
        lane = self._start_lane if disk is None else self._ground.lane(disk)
        if home is None:
            home = self._homes[key] = _Home(key, Descriptor(number, lane.dispose), disk)
        else:
            lane.dispose(number)
        home.sessions += 1
        return home

    def _leave(self, home: _Home) -> None:
        home.sessions -= 1
        if not home.sessions:
            del self._homes[home.key]
            home.descriptor.close()

    def _root(self, descriptor: Descriptor, disk: Disk | None, mount: str) -> Root:
        return Root(descriptor, self._ground, disk, self._slow_lane(mount if disk is None else f"below-{mount}"))

    def _slow_lane(self, mount: str) -> SlowLane:
        return SlowLane(_Separate(self._threads, mount), self._threads.clock, self._settings.storage_timeout)

    def _sweep_tree(self, top: int) -> None:
        for _, _, names, directory in os.fwalk(".", dir_fd=top):
            if found := list(filter(is_staging, names)):
                self._sweep(directory, found)


class _Separate:
    """The pool of one mount, set up when first needed: most never are."""

    __slots__ = ("_name", "_threads")

    def __init__(self, threads: StoreThreads, name: str) -> None:
        self._threads = threads
        self._name = name

    def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        return self._threads.separate(self._name).run(function, *args, **kwargs)


class _Home:
    """One open home and how many sessions have it."""

    __slots__ = ("descriptor", "disk", "key", "sessions")

    def __init__(self, key: tuple[int, int], descriptor: Descriptor, disk: Disk | None) -> None:
        self.key = key
        self.descriptor = descriptor
        self.disk = disk  # None: it may hang
        self.sessions = 0


class LocalFilesystem:
    """What one session sees of a :class:`LocalStore`: a `spi.Filesystem` that can also link, measure, date, and remove trees."""

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
            _make_directory(here.directory, here.name, permissions, self._settings.directory_mode)

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
        number = view.open(raw, _DIRECTORY)
        try:
            disk = os.fstatvfs(number)
        finally:
            os.close(number)
        return disk.f_bavail * disk.f_frsize

    def _set_attributes(self, view: View, raw: bytes, changes: Attributes) -> None:
        if changes.created_ns is not None:
            view.check_thread()  # as `_created_ns`
        # Never a kept part: its time is what it is swept by.
        number = view.open(raw, O_PATH if _HAS_PROC else os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            status = os.fstat(number)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise Unsupported(None, "Not a regular file")
            _change(number, status, changes)
        finally:
            os.close(number)


def _change(number: int, status: os.stat_result, changes: Attributes) -> None:
    """Change the file of *number*, whatever name it has by now.

    /proc/self/fd/N names the very file that was opened, so that no rename can put another in its place, and needs no right to read it.
    """
    target: str | int = f"/proc/self/fd/{number}" if _HAS_PROC else number
    attribute = None if changes.created_ns is None else creation.attribute(number)
    try:
        if changes.created_ns is not None:  # first, as long as the mode lets us write
            creation.set_created_ns(number, changes.created_ns)
        _apply(target, status, changes)
    except OSError:  # all or nothing, as far as the disk lets us back
        with suppress(OSError):
            _apply(target, status, _as_before(status, changes))
        with suppress(OSError):
            if changes.created_ns is not None:
                creation.put_back(number, attribute)
        raise


def _apply(target: str | int, status: os.stat_result, changes: Attributes) -> None:
    if changes.owner is not None or changes.group is not None:
        os.chown(target, -1 if changes.owner is None else changes.owner, -1 if changes.group is None else changes.group)
    if changes.mode is not None:
        os.chmod(target, changes.mode & 0o7777)
    if changes.modified_ns is not None or changes.accessed_ns is not None:
        accessed = status.st_atime_ns if changes.accessed_ns is None else changes.accessed_ns
        modified = status.st_mtime_ns if changes.modified_ns is None else changes.modified_ns
        os.utime(target, ns=(accessed, modified))


def _as_before(status: os.stat_result, changes: Attributes) -> Attributes:
    """What undoes *changes*; the mode in any case, for a change of owner takes bits of it away."""
    return Attributes(
        mode=stat.S_IMODE(status.st_mode),
        modified_ns=status.st_mtime_ns,
        owner=None if changes.owner is None else status.st_uid,
        group=None if changes.group is None else status.st_gid,
    )


def _make_directory(directory: int, name: bytes, permissions: int | None, standard: int) -> None:
    os.mkdir(name, _DEFAULT_DIRECTORY_MODE, dir_fd=directory)
    if permissions is None and standard == _DEFAULT_DIRECTORY_MODE:
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


@implementer(IStoreKind)
class _LocalKind:
    name = "local"
    settings = LocalSettings

    def make(self, settings: LocalSettings, threads: StoreThreads) -> LocalStore:
        """Return the store.  The root need not be there yet (it may be mounted later), but must be named."""
        if not settings.root:
            raise ConfigError([Problem("", "root", "not set", "a directory")])
        return LocalStore(settings, threads)


LOCAL: Final = _LocalKind()
