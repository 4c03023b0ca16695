"""Directories: made, listed, removed; and what else may be done with a name: renaming, removing, attributes.

Apart from the bytes of files.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftpd.errors import AlreadyExists, BadName, IsADirectory, NotADirectory, NotEmpty, NotFound
from ftpd.paths import ROOT
from ftpd.spi import RowFormat
from ftpd.testing.filesystem_contract.forms import Alike, NameAlone, Whole
from ftpd.testing.filesystem_contract.trial import FilesystemTrial, path
from ftpd.values import Attributes, FileKind

__all__ = ["DirectoriesContract"]

_A_DAY_NS = 86_400 * 10**9


class DirectoriesContract(FilesystemTrial):
    """What may be done with names, in directories and by them."""

    def test_make_and_remove_a_directory(self) -> None:
        self.run(self.ann.make_directory(path("/d")))
        assert self.stat("/d").kind is FileKind.DIRECTORY
        self.fails(AlreadyExists, self.ann.make_directory(path("/d")), "/d")
        self.run(self.ann.remove_directory(path("/d")))
        assert self.entries() == {}

    def test_make_directory_takes_permissions(self) -> None:
        self.run(self.ann.make_directory(path("/d"), permissions=0o700))
        assert self.stat("/d").mode == 0o700

    def test_a_directory_that_holds_something_stays(self) -> None:
        self.run(self.ann.make_directory(path("/d")))
        self.put("/d/a", b"")
        self.fails(NotEmpty, self.ann.remove_directory(path("/d")), "/d")
        assert list(self.entries("/d")) == ["a"]

    def test_a_long_listing_is_whole(self) -> None:
        for number in range(1300):
            self.run(self.ann.make_directory(path(f"/{number:04}")))
        assert sorted(self.entries()) == [f"{number:04}" for number in range(1300)]

    @pytest.mark.parametrize("form", [Whole, Alike, NameAlone])
    def test_rows_tell_what_batches_tell(self, form: Callable[[], RowFormat]) -> None:
        for number in range(300):
            self.put(f"/{number:04}", b"x" * (number % 3))
        self.run(self.ann.make_directory(path("/d")))
        self.put("/Grüße 日本語 🙂", b"")
        assert self.rows(form(), "/") == self.described(form(), "/")

    def test_a_listing_can_be_left_and_closed_twice(self) -> None:
        self.put("/a", b"")
        directory = self.run(self.ann.open_directory(ROOT))
        self.run(directory.close())
        self.run(directory.close())

        async def enter() -> None:
            async with await self.ann.open_directory(ROOT) as entered:
                await entered.next_batch()

        self.run(enter())

    # Removing, renaming, attributes.

    def test_remove_a_file(self) -> None:
        self.put("/a", b"x")
        self.run(self.ann.remove_file(path("/a")))
        assert self.entries() == {}

    def test_rename_moves_between_directories(self) -> None:
        self.run(self.ann.make_directory(path("/d")))
        self.put("/a", b"x")
        self.run(self.ann.rename(path("/a"), path("/d/b")))
        assert list(self.entries()) == ["d"]
        assert self.get("/d/b") == b"x"

    def test_rename_replaces_a_file(self) -> None:
        self.put("/a", b"new")
        self.put("/b", b"old")
        self.run(self.ann.rename(path("/a"), path("/b")))
        assert list(self.entries()) == ["b"]
        assert self.get("/b") == b"new"

    def test_rename_to_itself_changes_nothing(self) -> None:
        self.put("/a", b"x")
        self.run(self.ann.rename(path("/a"), path("/a")))
        assert self.get("/a") == b"x"

    def test_rename_to_where_there_is_no_directory_leaves_everything_as_it_was(self) -> None:
        self.put("/a", b"a")
        self.put("/b", b"b")
        self.fails(NotFound, self.ann.rename(path("/a"), path("/no/a")))
        self.fails(NotADirectory, self.ann.rename(path("/a"), path("/b/a")))
        assert (self.get("/a"), self.get("/b")) == (b"a", b"b")

    def test_rename_does_not_replace_a_directory_that_holds_something(self) -> None:
        for name in ("/d", "/e"):
            self.run(self.ann.make_directory(path(name)))
        self.put("/e/a", b"x")
        self.fails(NotEmpty, self.ann.rename(path("/d"), path("/e")))
        self.put("/f", b"x")
        self.fails(IsADirectory, self.ann.rename(path("/f"), path("/e")))
        self.fails(NotADirectory, self.ann.rename(path("/d"), path("/f")))
        assert self.get("/f") == b"x"

    def test_a_directory_cannot_be_moved_into_itself(self) -> None:
        self.run(self.ann.make_directory(path("/d")))
        self.fails(BadName, self.ann.rename(path("/d"), path("/d/e")))

    def test_times_are_set_to_the_nanosecond(self) -> None:
        self.put("/a", b"x")
        self.run(self.ann.set_attributes(path("/a"), Attributes(modified_ns=_A_DAY_NS + 123_456_789)))
        assert self.stat("/a").modified_ns == _A_DAY_NS + 123_456_789
        assert self.stat("/a").modified == 86_400

    def test_modes_are_set(self) -> None:
        self.put("/a", b"x")
        self.run(self.ann.make_directory(path("/d")))
        self.run(self.ann.set_attributes(path("/a"), Attributes(mode=0o400)))
        self.run(self.ann.set_attributes(path("/d"), Attributes(mode=0o750)))
        assert (self.stat("/a").mode, self.stat("/d").mode) == (0o400, 0o750)
