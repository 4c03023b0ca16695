"""Contracts of what a filesystem may be able to do besides: links, room left, times of creation, whole trees, as tests to inherit.

Apart from `filesystem_contract`, which every store keeps: who can one of these things inherits its contract as well::

    class TestMyStore(FilesystemContract, MeasuredContract):
        def make_store(self) -> Store:
            return MyStore(...)
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ftpd.errors import AlreadyExists, FileTransferError, NotADirectory, NotFound, NotPermitted
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import DatedFilesystem, Filesystem, LinkingFilesystem, MeasuredFilesystem, TreeFilesystem
from ftpd.testing.filesystem_contract.trial import FilesystemTrial, path
from ftpd.values import Ability, Attributes, FileInfo, FileKind, Removed, WriteMode

__all__ = ["CreationContract", "LinkingContract", "MeasuredContract", "TreeContract"]

_SECOND_NS = 10**9


class _AbilityContract(FilesystemTrial):
    """What these contracts have to say of files beside what every kit has."""

    @property
    def able(self) -> Any:
        """The filesystem of `ann`, for what only some can do."""
        return self.ann

    def names(self, text: str = "/") -> list[str]:
        return sorted(self.entries(text))

    def directories(self, *texts: str) -> None:
        for text in texts:
            self.run(self.ann.make_directory(path(text)))


class LinkingContract(_AbilityContract):
    """`spi.LinkingFilesystem`, of a store that follows links."""

    def link(self, text: str, target: str) -> None:
        self.run(self.able.make_link(path(text), path(target)))

    def test_it_can_link_and_says_so(self) -> None:
        assert isinstance(self.ann, LinkingFilesystem)
        assert Ability.LINKS in self.ann.abilities

    def test_a_link_leads_to_its_target(self) -> None:
        self.put("/a", b"content")
        self.link("/l", "/a")
        assert self.get("/l") == b"content"

    def test_a_link_further_down_leads_up(self) -> None:
        self.directories("/d", "/d/e")
        self.put("/a", b"content")
        self.link("/d/e/l", "/a")
        assert self.get("/d/e/l") == b"content"

    def test_a_link_to_the_root_leads_to_it(self) -> None:
        self.directories("/d")
        self.put("/a", b"content")
        self.link("/d/l", "/")
        assert self.get("/d/l/a") == b"content"

    def test_a_link_to_nothing_is_made(self) -> None:
        self.link("/l", "/nothing")
        assert self.stat("/l").kind is FileKind.LINK

    def test_a_link_to_itself_is_made_and_leads_nowhere(self) -> None:
        self.link("/l", "/l")
        assert self.stat("/l").kind is FileKind.LINK
        self.fails(FileTransferError, self.ann.open_read(path("/l")))

    def test_a_name_that_is_taken_stays_what_it_is(self) -> None:
        self.put("/a", b"content")
        self.fails(AlreadyExists, self.able.make_link(path("/a"), path("/b")), "/a")
        self.fails(AlreadyExists, self.able.make_link(ROOT, path("/b")))
        assert self.get("/a") == b"content"

    def test_a_link_where_there_is_no_directory_is_not_made(self) -> None:
        self.fails(NotFound, self.able.make_link(path("/d/l"), path("/a")), "/d/l")

    def test_no_link_is_made_behind_a_link(self) -> None:
        self.directories("/d")
        self.link("/l", "/d")
        self.fails(NotPermitted, self.able.make_link(path("/l/m"), path("/a")), "/l/m")

    def test_a_link_leads_nowhere_for_a_home_that_does_not_hold_its_target(self) -> None:
        self.directories("/home")
        self.put("/a", b"content")
        self.link("/home/l", "/a")
        guest = self.open("guest", home=path("/home"))
        self.fails(NotFound, guest.open_read(path("/l")), "/l")


class MeasuredContract(_AbilityContract):
    """`spi.MeasuredFilesystem`."""

    def room(self, text: str) -> int:
        return int(self.run(self.able.available_bytes(path(text))))

    def test_it_can_measure(self) -> None:
        assert isinstance(self.ann, MeasuredFilesystem)

    def test_there_is_room_in_the_root_and_below(self) -> None:
        self.directories("/d")
        assert self.room("/") > 1024
        assert self.room("/d") > 1024

    def test_a_file_has_no_room(self) -> None:
        self.put("/a", b"content")
        self.fails(NotADirectory, self.able.available_bytes(path("/a")), "/a")

    def test_nothing_has_no_room(self) -> None:
        self.fails(NotFound, self.able.available_bytes(path("/none")), "/none")


class _Dates:
    """A `spi.RowFormat`: the name, and when the file was created."""

    from_name: Callable[[str], str] | None = None
    tells_creation = True

    def row(self, info: FileInfo) -> str:
        return f"{info.name} {info.created_ns}"

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return None


class CreationContract(_AbilityContract):
    """`Ability.CREATION_TOLD` and `CREATION_SET`, with `spi.DatedFilesystem` or without."""

    def created(self, text: str, files: Filesystem | None = None) -> int | None:
        files = files or self.ann
        told: int | None = self.run(files.stat(path(text))).created_ns
        if told is None and isinstance(files, DatedFilesystem):
            return self.run(files.created_ns(path(text)))
        return told

    def change(self, text: str, **changes: int) -> None:
        self.run(self.ann.set_attributes(path(text), Attributes(**changes)))

    def test_it_tells_and_keeps_times_of_creation_and_says_so(self) -> None:
        assert Ability.CREATION_TOLD | Ability.CREATION_SET in self.ann.abilities

    @pytest.mark.parametrize("created_ns", [1_577_934_245_000_000_000, 0, -1, -86_400 * _SECOND_NS, 253_402_300_799 * _SECOND_NS])
    def test_the_time_that_is_set_is_told(self, created_ns: int) -> None:
        self.put("/a", b"content")
        self.change("/a", created_ns=created_ns)
        told = self.created("/a")
        assert told is not None
        assert told // _SECOND_NS == created_ns // _SECOND_NS  # a store may know no fractions

    def test_it_can_be_set_again(self) -> None:
        self.put("/a", b"content")
        self.change("/a", created_ns=5 * _SECOND_NS)
        self.change("/a", created_ns=4 * _SECOND_NS)
        assert self.created("/a") == 4 * _SECOND_NS

    def test_a_directory_and_the_root_have_one_too(self) -> None:
        self.directories("/d")
        self.change("/d", created_ns=5 * _SECOND_NS)
        self.change("/", created_ns=6 * _SECOND_NS)
        assert (self.created("/d"), self.created("/")) == (5 * _SECOND_NS, 6 * _SECOND_NS)

    def test_nothing_else_changes(self) -> None:
        self.put("/a", b"content")
        self.put("/b", b"content")
        before, other = self.stat("/a"), self.created("/b")
        self.change("/a", created_ns=5 * _SECOND_NS)
        assert self.stat("/a")._replace(created_ns=None) == before._replace(created_ns=None)
        assert self.created("/b") == other

    def test_it_is_set_together_with_other_attributes(self) -> None:
        self.put("/a", b"content")
        self.change("/a", created_ns=5 * _SECOND_NS, modified_ns=6 * _SECOND_NS)
        assert (self.created("/a"), self.stat("/a").modified) == (5 * _SECOND_NS, 6)

    def test_it_stays_when_the_file_is_renamed_changed_and_appended_to(self) -> None:
        self.directories("/d")
        self.put("/a", b"content")
        self.change("/a", created_ns=5 * _SECOND_NS)
        self.run(self.ann.rename(path("/a"), path("/d/b")))
        self.change("/d/b", modified_ns=6 * _SECOND_NS)
        self.put("/d/b", b" and more", WriteMode.APPEND)
        assert (self.created("/d/b"), self.get("/d/b")) == (5 * _SECOND_NS, b"content and more")

    def test_others_are_told_it(self) -> None:
        self.put("/a", b"content")
        self.change("/a", created_ns=5 * _SECOND_NS)
        assert self.created("/a", self.open("bob")) == 5 * _SECOND_NS

    def test_a_listing_that_asks_for_it_tells_it(self) -> None:
        self.put("/a", b"content")
        self.directories("/d")
        self.change("/a", created_ns=5 * _SECOND_NS)
        self.change("/d", created_ns=6 * _SECOND_NS)
        assert self.rows(_Dates(), "/") == ["a 5000000000", "d 6000000000"]

    def test_what_is_not_there_has_none(self) -> None:
        nothing = path("/none")
        self.fails(NotFound, self.ann.set_attributes(nothing, Attributes(created_ns=0)), "/none")
        if isinstance(self.ann, DatedFilesystem):
            self.fails(NotFound, self.ann.created_ns(nothing), "/none")


class Allowing:
    """`spi.RemovalRules` that allow all but what they are told: paths not to be entered, and paths not to be removed."""

    def __init__(self, *, closed: tuple[str, ...] = (), fixed: tuple[str, ...] = ()) -> None:
        self._closed = closed
        self._fixed = fixed

    def may_enter(self, directory: VirtualPath) -> bool:
        return str(directory) not in self._closed

    def may_remove(self, path: VirtualPath, *, is_directory: bool) -> bool:
        return str(path) not in self._fixed


class TreeContract(_AbilityContract):
    """`spi.TreeFilesystem`.  `begin_removal` may be overridden, to run it over another way to remove a tree."""

    def begin_removal(self, path: VirtualPath, rules: Allowing) -> Coroutine[Any, Any, Any]:
        assert isinstance(self.ann, TreeFilesystem)
        return self.ann.remove_tree(path, rules)

    def remove(self, text: str, rules: Allowing | None = None) -> tuple[int, int, list[str]]:
        """Remove a tree, and return how many files and directories that were, and the paths of what stays."""
        removal = self.run(self.begin_removal(path(text), rules or Allowing()))
        files = directories = 0
        kept: list[str] = []
        for _ in range(10_000):
            removed: Removed = self.run(removal.next_batch())
            files, directories = files + removed.files, directories + removed.directories
            kept += [str(error.path) for error in removed.kept]
            if removed.is_over:
                break
        else:
            raise AssertionError("the removal does not end")
        self.run(removal.close())
        self.run(removal.close())
        return files, directories, sorted(kept)

    def test_a_tree_is_removed_and_nothing_beside_it(self) -> None:
        self.directories("/t", "/t/d", "/t/d/e", "/t/f", "/tt")
        for name in ("/a", "/t/a", "/t/b", "/t/d/a", "/t/d/e/a", "/tt/a"):
            self.put(name, b"x")
        assert self.remove("/t") == (4, 4, [])
        assert self.names() == ["a", "tt"]
        assert self.names("/tt") == ["a"]

    def test_an_empty_directory_is_removed(self) -> None:
        self.directories("/t")
        assert self.remove("/t") == (0, 1, [])
        assert self.names() == []

    def test_many_entries_are_removed(self) -> None:
        self.directories("/t", *(f"/t/{number:04}" for number in range(60)))
        for number in range(600):
            self.put(f"/t/{number % 60:04}/{number}", b"")
        assert self.remove("/t") == (600, 61, [])
        assert self.names() == []

    def test_names_that_are_hard_to_write_are_removed(self) -> None:
        self.directories("/t")
        for name in (" ", "-rf", "*", "tab\t", "é", "a\\b", "n" * 255):
            self.put(f"/t/{name}", b"")
        assert self.remove("/t") == (7, 1, [])

    def test_what_may_not_be_removed_stays_with_what_holds_it(self) -> None:
        self.directories("/t", "/t/d", "/t/e")
        for name in ("/t/a", "/t/d/a", "/t/d/b", "/t/e/a"):
            self.put(name, b"x")
        assert self.remove("/t", Allowing(fixed=("/t/d/a",))) == (3, 1, ["/t/d/a"])
        assert self.names("/t") == ["d"]
        assert self.names("/t/d") == ["a"]

    def test_a_directory_that_may_not_be_removed_is_emptied(self) -> None:
        self.directories("/t", "/t/d")
        self.put("/t/d/a", b"x")
        assert self.remove("/t", Allowing(fixed=("/t/d",))) == (1, 0, ["/t/d"])
        assert self.names("/t/d") == []

    def test_a_directory_that_may_not_be_entered_stays_as_it_is(self) -> None:
        self.directories("/t", "/t/d")
        self.put("/t/d/a", b"x")
        assert self.remove("/t", Allowing(closed=("/t/d",))) == (0, 0, ["/t/d"])
        assert self.names("/t/d") == ["a"]

    def test_a_top_that_may_not_be_entered_is_refused(self) -> None:
        self.directories("/t")
        self.fails(NotPermitted, self.begin_removal(path("/t"), Allowing(closed=("/t",))), "/t")

    @pytest.mark.parametrize(("text", "kind"), [("/none", NotFound), ("/a", NotADirectory), ("/", NotPermitted), ("/a/b", FileTransferError)])  # fmt: skip
    def test_what_is_no_tree_is_refused(self, text: str, kind: type[FileTransferError]) -> None:
        self.put("/a", b"x")
        self.fails(kind, self.begin_removal(path(text), Allowing()))
        assert self.names() == ["a"]

    def test_nothing_is_removed_before_the_first_batch_nor_after_the_end(self) -> None:
        self.directories("/t")
        self.put("/t/a", b"x")
        removal = self.run(self.begin_removal(path("/t"), Allowing()))
        assert self.names("/t") == ["a"]
        self.run(removal.close())
        assert self.names("/t") == ["a"]

    def test_an_upload_under_way_is_not_lost(self) -> None:
        self.directories("/t")
        upload = self.run(self.ann.open_write(path("/t/new"), mode=WriteMode.REPLACE))
        self.run(upload.write_at(0, b"content"))
        _, directories, _ = self.remove("/t")
        if not directories:  # it stays as long as somebody writes into it
            self.run(upload.commit())
            assert self.get("/t/new") == b"content"
        else:
            with pytest.raises(FileTransferError):
                self.run(upload.commit())
