"""Trial: whether the stores that a configuration names can be opened, and hold what TFTP's listeners serve, and where its extensions are.

Apart from the service, which keeps what it makes: here nothing is kept, nor need a reactor run.  A check and a reload refuse whatever is
wrong.  So does a start, but for a disk that is not there yet: of that it tells, and serves.  Whoever takes the place of a dead process asks
for none of this: what has gone since keeps nobody from serving the rest.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, ParamSpec, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.logger import Logger

from ftpd.config.tree import Config, StorageSettings
from ftpd.errors import FileTransferError
from ftpd.schema import ConfigError, Problem
from ftpd.sites import make_store
from ftpd.spi import StoreThreads
from ftpd.values import Account

__all__ = ["WithoutThreads", "demand_startable", "missing_roots", "unreadable_directories", "unusable_stores"]

P = ParamSpec("P")
T = TypeVar("T")

_log = Logger()
_PATIENCE_SECONDS: Final = 10.0  # for a disk that may hang: then requests will find out


@attrs.frozen
class WithoutThreads:
    """A `spi.StoreThreads` for who serves nobody: calls are made at once."""

    clock: Any

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return execute(function, *args, **kwargs)

    def separate(self, name: str) -> WithoutThreads:
        return self


def demand_startable(config: Config, reactor: Any) -> None:
    """Tell the log of stores that cannot be opened; raise `ConfigError` for roots of TFTP's listeners and directories of extensions that are not there.

    Waits for stores for ten seconds at most.  What a hung disk, or a store that needs the *reactor* to run, has not told by then stays open.
    """
    if problems := list(unreadable_directories(config)):
        raise ConfigError(problems)
    unopened, missing = _seen(config, reactor)
    for problem in unopened:
        _log.warn("{path}: {found}; until it is there, each login is told so", path=problem.path, found=problem.found)
    if missing:
        raise ConfigError(missing)


def _seen(config: Config, reactor: Any) -> tuple[list[Problem], list[Problem]]:
    """Return the problems of stores and of roots, as far as they are to be had; looked for in a thread, which a hung disk may keep."""
    found: list[tuple[list[Problem], list[Problem]]] = []

    async def look() -> None:
        threads = WithoutThreads(reactor)
        unopened = await unusable_stores(config, threads)
        found.append((unopened, [] if unopened else await missing_roots(config, threads)))

    def run() -> None:
        looking: Deferred[None] = Deferred.fromCoroutine(look())
        looking.addErrback(_tell)
        if not looking.called:
            looking.cancel()

    thread = threading.Thread(target=run, name="ftpd-trial", daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS)
    if thread.is_alive():
        _log.warn("a disk does not answer: whether all stores are there will be seen by those who log in")
    return found[0] if found else ([], [])


def unreadable_directories(config: Config) -> Iterator[Problem]:
    """Yield a problem for each directory of extensions in which nobody can look."""
    for index, directory in enumerate(config.extensions.directories):
        try:
            os.scandir(directory).close()
        except OSError as error:
            found = f"cannot read {directory}: {error.strerror}"
            yield Problem("", f"extensions.directories[{index}]", found, "a directory of Python files")


def _tell(failure: Any) -> None:
    if not failure.check(CancelledError):
        _log.failure("trying the stores failed", failure=failure)


async def unusable_stores(config: Config, threads: StoreThreads) -> list[Problem]:
    """Return what is wrong with the stores that *config* names; nothing is kept open."""
    stores = {"storage": config.storage, **{f"hosts[{index}].storage": host.storage for index, host in enumerate(config.hosts)}}
    return [
        problem
        for path, storage in stores.items()
        if storage is not None
        for problem in await _unusable_store(storage, config, threads, path)
    ]


async def missing_roots(config: Config, threads: StoreThreads) -> list[Problem]:
    """Return a problem for each root of TFTP's listeners that is not there, in a store that can be opened."""
    if not config.tftp.listeners:
        return []
    from ftpd.datagrams import missing_roots as missing  # with TFTP: not for a server without it

    store = make_store(config.storage, config, threads, "storage")
    try:
        return await missing(config, store)
    finally:
        await store.close()


async def _unusable_store(storage: StorageSettings, config: Config, threads: StoreThreads, path: str) -> list[Problem]:
    try:
        store = make_store(storage, config, threads, path)
    except ConfigError as error:
        return list(error.problems)
    try:
        files = await store.open(Account(name=""))
        await files.close()
    except FileTransferError as error:
        return [Problem("", f"{path}.{storage.kind}", f"cannot be opened: {error}", "what it names has to be there")]
    finally:
        await store.close()
    return []
