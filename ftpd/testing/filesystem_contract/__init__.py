"""Every promise of `spi.Filesystem`, `Directory`, `ReadableFile` and `WritableFile`, as tests to inherit.

Public, apart from our own stores, so that a store of yours proves itself in five lines::

    class TestMyStore(FilesystemContract):
        def make_store(self) -> Store:
            return MyStore(...)

The store must be empty and accept any account.  `run` is for stores that really wait.  A store that stages uploads inherits
:class:`StagedUploadContract` instead, one that keeps the parts of cut uploads :class:`KeptPartContract`.  A store that cannot be changed
inherits :class:`ReadOnlyContract`, and holds :data:`READ_ONLY_TREE`.
"""

from __future__ import annotations

from ftpd.testing.filesystem_contract.every import FilesystemContract
from ftpd.testing.filesystem_contract.kept import KeptPartContract
from ftpd.testing.filesystem_contract.readonly import READ_ONLY_TREE, ReadOnlyContract
from ftpd.testing.filesystem_contract.staged import StagedUploadContract

__all__ = ["READ_ONLY_TREE", "FilesystemContract", "KeptPartContract", "ReadOnlyContract", "StagedUploadContract"]
