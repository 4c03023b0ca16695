"""SharedStore: one filesystem for everybody, seen by each account from its home on.

Apart from the filesystems themselves, which then need not know of accounts: they say what there is, from one root.  Public, as
`storage.simple` is.
"""

from __future__ import annotations

from ftpd.errors import NotADirectory
from ftpd.paths import ROOT
from ftpd.spi import Filesystem
from ftpd.storage.layer import Layer
from ftpd.values import Account, FileKind

__all__ = ["SharedStore"]


class SharedStore:
    """A `spi.Store` that opens *files* for every account; one that is confined sees what is below its home and nothing else."""

    def __init__(self, files: Filesystem) -> None:
        self._files = files

    async def open(self, account: Account) -> Filesystem:
        if (await self._files.stat(account.home)).kind is not FileKind.DIRECTORY:
            raise NotADirectory(account.home)
        return _Lent(self._files, account.home if account.is_confined else ROOT)

    async def sweep(self) -> None:
        """Nothing is left over: what a session has begun ends with it."""

    async def close(self) -> None:
        await self._files.close()


class _Lent(Layer):
    """The filesystem as a session sees it, which ends before it."""

    async def close(self) -> None:
        """The store's to do."""
