from __future__ import annotations

import pytest

from ftpd.errors import NotFound
from ftpd.paths import VirtualPath
from ftpd.storage.memory import MemoryStore
from ftpd.testing.fakes import finish
from ftpd.values import Account, WriteMode


@pytest.mark.parametrize("mode", [WriteMode.REPLACE, WriteMode.CREATE, WriteMode.UNIQUE])
def test_an_upload_into_a_directory_that_is_removed_meanwhile_is_not_called_stored(mode):
    store = MemoryStore()
    files = finish(store.open(Account("ann")))
    finish(files.make_directory(VirtualPath.parse("/d")))
    upload = finish(files.open_write(VirtualPath.parse("/d/a"), mode=mode))
    finish(upload.write_at(0, b"content"))
    if mode is WriteMode.UNIQUE:  # its name is taken at once, so that the directory is not empty
        finish(files.remove_file(upload.path))
    finish(files.remove_directory(VirtualPath.parse("/d")))
    with pytest.raises(NotFound):
        finish(upload.commit())
    assert store.used == 0
