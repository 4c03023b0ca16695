"""ReadOnlyContract: what a store promises that can only be read, and the tree that it holds.

Apart from the stores that can be written to: a test of these makes what it wants to read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import pytest

from ftpd.errors import FileTransferError, IsADirectory, NotADirectory, NotFound, NotPermitted
from ftpd.paths import ROOT
from ftpd.spi import RowFormat
from ftpd.testing.filesystem_contract.forms import Alike, NameAlone, Whole
from ftpd.testing.filesystem_contract.trial import FilesystemTrial, path
from ftpd.values import Account, Attributes, FileKind, WriteMode

__all__ = ["READ_ONLY_TREE", "ReadOnlyContract"]

READ_ONLY_TREE: Final[Mapping[str, bytes | None]] = MappingProxyType(
    {
        "/a": b"0123456789",
        "/empty": b"",
        "/home": None,
        "/home/big": bytes(range(256)) * 4096,
        "/home/deep/er/Grüße 日本語 🙂": b"found",
        "/home/ leading and trailing ": b"spaces",
        "/nothing": None,
    }
    | {f"/many/{number:04}": b"%d" % number for number in range(1300)}
)
"""What the store of a :class:`ReadOnlyContract` holds: files and their bytes, None for a directory; those above a file go without saying."""


class ReadOnlyContract(FilesystemTrial):
    """What a store promises that can only be read; `make_store` returns one that holds `READ_ONLY_TREE`."""

    def test_the_root_is_listed(self) -> None:
        kinds = {name: info.kind for name, info in self.entries().items()}
        assert kinds == {
            "a": FileKind.FILE,
            "empty": FileKind.FILE,
            "home": FileKind.DIRECTORY,
            "many": FileKind.DIRECTORY,
            "nothing": FileKind.DIRECTORY,
        }

    def test_every_file_has_its_bytes(self) -> None:
        for name, content in READ_ONLY_TREE.items():
            if content is not None:
                assert self.get(name) == content

    def test_every_size_is_told(self) -> None:
        for name, content in READ_ONLY_TREE.items():
            if content is not None:
                assert self.stat(name).size == len(content)

    def test_a_file_and_its_listing_agree(self) -> None:
        assert self.entries()["a"] == self.stat("/a")
        assert self.entries()["home"] == self.stat("/home")

    def test_an_empty_directory_lists_nothing(self) -> None:
        assert self.entries("/nothing") == {}

    def test_a_long_listing_is_whole(self) -> None:
        assert sorted(self.entries("/many")) == [f"{number:04}" for number in range(1300)]

    @pytest.mark.parametrize("form", [Whole, Alike, NameAlone])
    def test_rows_tell_what_batches_tell(self, form: Callable[[], RowFormat]) -> None:
        for directory in ("/", "/many", "/nothing"):
            assert self.rows(form(), directory) == self.described(form(), directory)

    def test_what_is_missing_is_not_found_and_named(self) -> None:
        self.fails(NotFound, self.ann.stat(path("/no")), "/no")
        self.fails(NotFound, self.ann.stat(path("/no/a")), "/no/a")
        self.fails(NotFound, self.ann.open_read(path("/home/no")), "/home/no")
        self.fails(NotFound, self.ann.open_directory(path("/no")), "/no")

    def test_a_file_is_no_directory(self) -> None:
        self.fails(NotADirectory, self.ann.open_directory(path("/a")), "/a")
        self.fails(NotADirectory, self.ann.stat(path("/a/b/c")), "/a/b/c")

    def test_a_directory_is_no_file(self) -> None:
        self.fails(IsADirectory, self.ann.open_read(path("/home")), "/home")
        self.fails(IsADirectory, self.ann.open_read(ROOT))

    @pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/", "nul\0", "n" * 100_000])
    def test_a_name_that_is_no_name_is_not_there(self, name: str) -> None:
        self.fails(FileTransferError, self.ann.stat(ROOT.child(name)))

    def test_reads_end_at_the_end_and_go_back_and_ahead(self) -> None:
        file = self.run(self.ann.open_read(path("/a")))
        reads = [self.run(file.read_at(offset, 4)) for offset in (8, 0, 4, 10, 1000, 3)]
        self.run(file.close())
        self.run(file.close())
        assert reads == [b"89", b"0123", b"4567", b"", b"", b"3456"]

    def test_a_big_file_is_read_in_pieces_from_anywhere(self) -> None:
        content = READ_ONLY_TREE["/home/big"] or b""

        async def read() -> list[bytes]:
            async with await self.ann.open_read(path("/home/big")) as file:
                return [await file.read_at(offset, 65_537) for offset in (0, 65_537, 999_999, 1, 1_048_576)]

        assert self.run(read()) == [content[offset : offset + 65_537] for offset in (0, 65_537, 999_999, 1, 1_048_576)]

    def test_two_readers_of_one_file_do_not_disturb_each_other(self) -> None:
        first, second = self.run(self.ann.open_read(path("/a"))), self.run(self.bob.open_read(path("/a")))
        assert self.run(first.read_at(0, 5)) == b"01234"
        assert self.run(second.read_at(0, 3)) == b"012"
        self.run(first.close())
        assert self.run(second.read_at(3, 7)) == b"3456789"
        self.run(second.close())

    def test_a_file_that_was_never_read_is_closed(self) -> None:
        file = self.run(self.ann.open_read(path("/a")))
        self.run(file.close())

    def test_a_listing_can_be_left_and_closed_twice(self) -> None:
        directory = self.run(self.ann.open_directory(path("/many")))
        assert self.run(directory.next_batch())
        self.run(directory.close())
        self.run(directory.close())

    def test_every_change_is_refused(self) -> None:
        for mode in WriteMode:
            self.fails(NotPermitted, self.ann.open_write(path("/new"), mode=mode, expected_size=1, permissions=0o600))
            self.fails(NotPermitted, self.ann.open_write(path("/a"), mode=mode, offset=1))
        self.fails(NotPermitted, self.ann.make_directory(path("/new"), permissions=0o700))
        self.fails(NotPermitted, self.ann.remove_directory(path("/nothing")))
        self.fails(NotPermitted, self.ann.remove_file(path("/a")))
        self.fails(NotPermitted, self.ann.rename(path("/a"), path("/b")))
        self.fails(NotPermitted, self.ann.set_attributes(path("/a"), Attributes(mode=0o600)))
        assert sorted(self.entries()) == ["a", "empty", "home", "many", "nothing"]

    def test_a_confined_account_has_its_home_as_root(self) -> None:
        guest = self.open("guest", home=path("/home"))
        assert sorted(self.entries("/", guest)) == [" leading and trailing ", "big", "deep"]
        assert self.get("/deep/er/Grüße 日本語 🙂", guest) == b"found"
        self.fails(NotFound, guest.stat(path("/a")), "/a")

    def test_an_account_that_is_not_confined_sees_all(self) -> None:
        user = self.open("user", home=path("/home"), is_confined=False)
        assert "a" in self.entries("/", user)

    def test_a_home_that_is_no_directory_is_refused(self) -> None:
        self.fails(NotADirectory, self.store.open(Account("guest", home=path("/a"))))
        self.fails(NotFound, self.store.open(Account("guest", home=path("/no"))))
        self.fails(NotFound, self.store.open(Account("guest", home=path("/no"), is_confined=False)))

    def test_closing_twice_is_allowed(self) -> None:
        self.run(self.ann.close())
        self.run(self.ann.close())
        self.run(self.store.close())
        self.run(self.store.close())
