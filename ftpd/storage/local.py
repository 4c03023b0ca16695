"""LocalStore: files on a POSIX disk, below one root; and LOCAL, its kind.

Apart from what it is made of: resolution (`resolve`), where calls run (`root`, `lane`), homes, what a session sees (`local_filesystem`), staging.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import Final

from zope.interface import implementer

from ftpd.disks import Disk
from ftpd.errors import NotFound
from ftpd.interfaces import IStoreKind
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import ConfigError, Problem
from ftpd.spi import StoreThreads
from ftpd.storage import creation, staging
from ftpd.storage.describe import OwnerNames, describer
from ftpd.storage.homes import Homes
from ftpd.storage.lane import Separate, in_thread
from ftpd.storage.local_filesystem import LocalFilesystem, make_directory
from ftpd.storage.local_settings import LocalSettings
from ftpd.storage.mount import Devices
from ftpd.storage.names import NameRules, is_staging
from ftpd.storage.resolve import O_PATH, Resolver, standard_resolver
from ftpd.storage.root import Ground, View
from ftpd.values import Ability, Account

__all__ = ["LOCAL", "LocalFilesystem", "LocalSettings", "LocalStore"]

_DIRECTORY: Final = O_PATH | os.O_DIRECTORY
_IN_PLACE: Final = Ability.LINKS | Ability.MODES | Ability.TIMES | Ability.RESUME


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
        self._homes = Homes(self._ground, threads, settings.storage_timeout, self._open_top, self._open_home)

    async def open(self, account: Account) -> LocalFilesystem:
        """Open the account's home as its root; an account that is not confined sees the whole store, and its home must be there too."""
        homes = self._homes
        home = await homes.open(account.home)
        if not account.is_confined and not account.home.is_root:
            homes.leave(home)
            home = await homes.open(ROOT)
        listed, sweep = self._ground.listed, self._sweep
        abilities = self._abilities[self._sets_creation.get(home.key[0], creation.IS_TOLD)]
        leave = partial(homes.leave, home)
        return LocalFilesystem(
            homes.root(home), account, self._settings, self._rules, self._describe, listed, sweep, leave, abilities
        )

    async def sweep(self) -> None:
        """Remove outdated kept parts and leftovers of dead processes in the whole tree, in a thread; listings do it for what they list.

        On a disk of this machine's own a leftover goes as soon as its process is dead, elsewhere after an hour.
        """
        top = await self._homes.top()
        pool = Separate(self._threads, "sweep")  # it may take minutes, or hang with a disk below
        await in_thread(pool, self._sweep_tree, top.descriptor.number, holding=top.descriptor)

    async def close(self) -> None:
        self._homes.close()

    def _open_top(self) -> tuple[int, tuple[int, int], Disk | None]:
        number = os.open(self._settings.root, _DIRECTORY | os.O_CLOEXEC)
        status = os.fstat(number)
        self._sets_creation[status.st_dev] = creation.can_set(number)
        return number, (status.st_dev, status.st_ino), self._ground.devices.disk(number)

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
                make_directory(here.directory, here.name, None, self._settings.directory_mode)

    def _sweep_tree(self, top: int) -> None:
        for _, _, names, directory in os.fwalk(".", dir_fd=top):
            if found := list(filter(is_staging, names)):
                self._sweep(directory, found)


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
