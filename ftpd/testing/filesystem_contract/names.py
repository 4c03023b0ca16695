"""What is there, and under which names.

Apart from what may be done with it: who gets a name wrong gets everything wrong.
"""

from __future__ import annotations

import pytest

from ftpd.errors import AlreadyExists, BadName, IsADirectory, NotADirectory, NotFound, NotPermitted
from ftpd.paths import ROOT, decode_name
from ftpd.testing.filesystem_contract.trial import FilesystemTrial, path
from ftpd.values import Attributes, FileKind, WriteMode

__all__ = ["NamesContract"]

_HARD_NAMES = (
    " leading",
    "trailing ",
    "  ",
    "-rf",
    "~",
    "*",
    'a "quoted" name',
    "it's",
    "back\\slash",
    "per%cent",
    "tab\there",
    "carriage\rreturn",
    "\x7f\x01",
    "ÿ",
    "Grüße 日本語 🙂",
    "...",
    ".hidden",
    "a;b|c&d$(e)",
    decode_name(b"latin \xe9\xff"),
    "n" * 255,
    "é" * 127,
)


class NamesContract(FilesystemTrial):
    """What is there, what is not, and what a name may be."""

    def test_root_is_a_directory(self) -> None:
        assert self.stat("/").kind is FileKind.DIRECTORY

    def test_a_new_store_lists_nothing(self) -> None:
        assert self.entries() == {}

    def test_what_was_stored_is_fetched(self) -> None:
        assert self.put("/a", b"hello").size == 5
        assert self.get("/a") == b"hello"

    def test_an_empty_file_is_a_file(self) -> None:
        upload = self.begin("/empty")
        self.run(upload.commit())
        assert self.get("/empty") == b""

    def test_stat_tells_kind_size_and_name(self) -> None:
        self.put("/a", b"hello")
        info = self.stat("/a")
        assert (info.name, info.kind, info.size) == ("a", FileKind.FILE, 5)

    def test_a_file_and_its_listing_agree(self) -> None:
        self.put("/a", b"hello")
        self.run(self.ann.make_directory(path("/d")))
        assert self.entries()["a"] == self.stat("/a")
        assert self.entries()["d"] == self.stat("/d")

    def test_what_is_missing_is_not_found_and_named(self) -> None:
        self.fails(NotFound, self.ann.stat(path("/no")), "/no")
        self.fails(NotFound, self.ann.open_read(path("/no")), "/no")
        self.fails(NotFound, self.ann.open_directory(path("/no")), "/no")
        self.fails(NotFound, self.ann.open_write(path("/no/a"), mode=WriteMode.REPLACE), "/no/a")
        self.fails(NotFound, self.ann.make_directory(path("/no/a")), "/no/a")
        self.fails(NotFound, self.ann.remove_file(path("/no")), "/no")
        self.fails(NotFound, self.ann.remove_directory(path("/no")), "/no")
        self.fails(NotFound, self.ann.rename(path("/no"), path("/new")), "/no")
        self.fails(NotFound, self.ann.set_attributes(path("/no"), Attributes(mode=0o600)), "/no")

    def test_a_file_is_no_directory(self) -> None:
        self.put("/a", b"hello")
        self.fails(NotADirectory, self.ann.open_directory(path("/a")))
        self.fails(NotADirectory, self.ann.stat(path("/a/b")))
        self.fails(NotADirectory, self.ann.open_write(path("/a/b"), mode=WriteMode.REPLACE))
        self.fails(NotADirectory, self.ann.remove_directory(path("/a")))

    def test_a_directory_is_no_file(self) -> None:
        self.run(self.ann.make_directory(path("/d")))
        self.fails(IsADirectory, self.ann.open_read(path("/d")))
        self.fails(IsADirectory, self.ann.remove_file(path("/d")))
        for mode in (WriteMode.REPLACE, WriteMode.APPEND, WriteMode.RESUME):
            self.fails(IsADirectory, self.ann.open_write(path("/d"), mode=mode))
        self.fails(IsADirectory, self.ann.open_read(ROOT))
        self.fails(IsADirectory, self.ann.open_write(ROOT, mode=WriteMode.REPLACE))

    def test_the_root_cannot_be_changed(self) -> None:
        self.fails(AlreadyExists, self.ann.make_directory(ROOT))
        self.fails(NotPermitted, self.ann.remove_directory(ROOT))
        self.fails(IsADirectory, self.ann.remove_file(ROOT))
        self.fails(NotPermitted, self.ann.rename(ROOT, path("/a")))

    @pytest.mark.parametrize("name", _HARD_NAMES)
    def test_names_round_trip(self, name: str) -> None:
        self.run(self.ann.make_directory(ROOT.child(name)))
        self.put(f"/{name}/{name}", b"x")
        assert list(self.entries()) == [name]
        assert list(self.entries(f"/{name}")) == [name]
        assert self.get(f"/{name}/{name}") == b"x"
        self.run(self.ann.rename(path(f"/{name}/{name}"), path("/plain")))
        self.run(self.ann.remove_directory(path(f"/{name}")))
        assert list(self.entries()) == ["plain"]

    @pytest.mark.parametrize("name", ["n" * 256, "é" * 128, "n" * 4096, "n" * 100_000])
    def test_a_name_longer_than_a_disk_takes_is_bad(self, name: str) -> None:
        self.fails(BadName, self.ann.open_write(path(f"/{name}"), mode=WriteMode.REPLACE))
        self.fails(BadName, self.ann.make_directory(path(f"/{name}")))
        assert self.entries() == {}

    @pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/", "nul\0"])
    def test_a_name_that_is_no_name_is_bad(self, name: str) -> None:
        bad = ROOT.child(name)
        self.fails(BadName, self.ann.open_write(bad, mode=WriteMode.REPLACE))
        self.fails(BadName, self.ann.make_directory(bad))
        self.put("/x", b"")
        self.fails(BadName, self.ann.rename(path("/x"), bad))

    def test_a_tree_deeper_than_a_path_can_say_is_reached(self) -> None:
        name = "d" * 200
        here = ROOT
        for _ in range(30):
            here = here.child(name)
            self.run(self.ann.make_directory(here))
        self.put(f"{here}/a", b"deep")
        assert self.get(f"{here}/a") == b"deep"
