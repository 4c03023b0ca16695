from __future__ import annotations

import pytest

from ftpd.errors import NotADirectory, NotFound
from ftpd.paths import VirtualPath
from ftpd.storage.memory import MemoryStore
from ftpd.storage.shared import SharedStore
from ftpd.testing.fakes import finish
from ftpd.values import Account, WriteMode


class Files:
    """A filesystem in memory that counts how often it is closed."""

    def __init__(self):
        self._files = finish(MemoryStore().open(Account("")))
        self.closed = 0

    def __getattr__(self, name):
        return getattr(self._files, name)

    async def close(self):
        self.closed += 1


@pytest.fixture
def files():
    made = Files()
    finish(made.make_directory(VirtualPath.parse("/home")))
    finish(finish(made.open_write(VirtualPath.parse("/home/f"), mode=WriteMode.REPLACE)).commit())
    return made


def opened(files, home="/", **facts):
    return finish(SharedStore(files).open(Account("ann", VirtualPath.parse(home), **facts)))


def test_a_confined_account_has_its_home_as_root(files):
    assert finish(opened(files, "/home").stat(VirtualPath.parse("/f"))).name == "f"
    with pytest.raises(NotFound):
        finish(opened(files, "/home").stat(VirtualPath.parse("/home")))


def test_an_account_that_is_not_confined_sees_all(files):
    assert finish(opened(files, "/home", is_confined=False).stat(VirtualPath.parse("/home/f"))).name == "f"


@pytest.mark.parametrize(("home", "error"), [("/none", NotFound), ("/home/f", NotADirectory)])
def test_a_home_that_is_no_directory_is_refused(files, home, error):
    with pytest.raises(error):
        opened(files, home)


def test_a_session_that_ends_leaves_the_filesystem_to_the_store(files):
    store = SharedStore(files)
    finish(finish(store.open(Account("ann"))).close())
    assert files.closed == 0
    finish(store.close())
    assert files.closed == 1
