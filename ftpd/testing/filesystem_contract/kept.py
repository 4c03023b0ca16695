"""KeptPartContract: the part of a cut upload, which waits for its account to go on.

Apart from staged uploads, of which a store may drop what was cut.
"""

from __future__ import annotations

from ftpd.errors import BadOffset, Busy, NotFound
from ftpd.testing.filesystem_contract.staged import StagedUploadContract
from ftpd.testing.filesystem_contract.trial import path
from ftpd.values import Attributes, FileKind, WriteMode

__all__ = ["KeptPartContract"]

_A_DAY_NS = 86_400 * 10**9


class KeptPartContract(StagedUploadContract):
    """What a store promises besides that keeps the part of a cut upload for its account to resume."""

    def test_a_kept_part_is_there_for_its_account(self) -> None:
        self.cut("/a", b"half")
        info = self.stat("/a")
        assert (info.name, info.kind, info.size) == ("a", FileKind.FILE, 4)

    def test_a_kept_part_is_there_for_another_session_of_its_account(self) -> None:
        self.cut("/a", b"half")
        assert self.stat("/a", self.open("ann")).size == 4

    def test_a_kept_part_hides_the_published_file_from_stat_only(self) -> None:
        self.put("/a", b"old content")
        self.cut("/a", b"half")
        assert self.stat("/a").size == 4
        assert self.get("/a") == b"old content"

    def test_a_resumed_part_is_published_whole(self) -> None:
        self.put("/a", b"old content")
        self.cut("/a", b"half")
        upload = self.begin("/a", WriteMode.RESUME, 4)
        assert upload.start == 4
        self.write(upload, b" and half")
        assert self.get("/a") == b"old content"
        assert self.run(upload.commit()).size == 13
        assert self.get("/a", self.bob) == b"half and half"
        assert self.stat("/a").size == 13
        assert list(self.entries()) == ["a"]

    def test_append_goes_on_behind_the_kept_part(self) -> None:
        self.cut("/a", b"half")
        self.put("/a", b" and half", WriteMode.APPEND)
        assert self.get("/a") == b"half and half"

    def test_resuming_before_the_end_of_the_part_drops_its_rest(self) -> None:
        self.cut("/a", b"0123456789")
        self.put("/a", b"x", WriteMode.RESUME, 3)
        assert self.get("/a") == b"012x"

    def test_resuming_behind_the_end_of_the_part_is_refused(self) -> None:
        self.cut("/a", b"half")
        self.fails(BadOffset, self.ann.open_write(path("/a"), mode=WriteMode.RESUME, offset=5))
        assert self.stat("/a").size == 4

    def test_a_part_can_be_cut_twice(self) -> None:
        self.cut("/a", b"one")
        self.cut("/a", b" two", mode=WriteMode.APPEND)
        assert self.stat("/a").size == 7
        self.put("/a", b" three", WriteMode.APPEND)
        assert self.get("/a") == b"one two three"

    def test_a_resumed_part_of_which_nothing_is_kept_is_gone(self) -> None:
        self.put("/a", b"old content")
        self.cut("/a", b"half")
        upload = self.begin("/a", WriteMode.APPEND)
        self.write(upload, b" and more")
        self.run(upload.abandon(keeps=False))
        assert self.stat("/a").size == 11
        assert self.get("/a") == b"old content"

    def test_a_part_that_is_resumed_is_busy_for_others(self) -> None:
        self.cut("/a", b"half")
        upload = self.begin("/a", WriteMode.RESUME, 4)
        again = self.open("ann")
        self.fails(Busy, again.open_write(path("/a"), mode=WriteMode.RESUME, offset=4))
        self.fails(Busy, again.open_write(path("/a"), mode=WriteMode.APPEND))
        self.run(upload.abandon())
        assert self.stat("/a").size == 4
        self.run(self.begin("/a", WriteMode.RESUME, 4).abandon())

    def test_a_part_of_one_account_is_not_anothers(self) -> None:
        self.cut("/a", b"half of ann")
        self.cut("/a", b"bob's", self.bob)
        assert self.stat("/a").size == 11
        assert self.stat("/a", self.bob).size == 5
        self.fails(BadOffset, self.open("eve").open_write(path("/a"), mode=WriteMode.RESUME, offset=1))

    def test_anonymous_visitors_share_no_parts(self) -> None:
        visitor = self.open("anonymous", is_anonymous=True)
        self.cut("/a", b"half", visitor)
        self.fails(NotFound, visitor.stat(path("/a")))

    def test_a_full_upload_drops_the_part(self) -> None:
        self.cut("/a", b"half of something else")
        self.put("/a", b"whole")
        assert self.stat("/a").size == 5
        self.put("/a", b"+", WriteMode.APPEND)
        assert self.get("/a") == b"whole+"

    def test_a_cut_overwrite_replaces_the_part_before_it(self) -> None:
        self.cut("/a", b"first attempt")
        self.cut("/a", b"second")
        assert self.stat("/a").size == 6

    def test_removing_the_name_removes_the_part(self) -> None:
        self.put("/a", b"old content")
        self.cut("/a", b"half")
        self.run(self.ann.remove_file(path("/a")))
        self.fails(NotFound, self.ann.stat(path("/a")))
        self.cut("/b", b"half")
        self.run(self.ann.remove_file(path("/b")))
        self.fails(NotFound, self.ann.stat(path("/b")))

    def test_a_part_alone_cannot_be_renamed(self) -> None:
        self.cut("/a", b"half")
        self.fails(NotFound, self.ann.rename(path("/a"), path("/b")), "/a")
        assert self.stat("/a").size == 4

    def test_renaming_takes_the_part_along(self) -> None:
        self.put("/a", b"old content")
        self.cut("/a", b"half")
        self.run(self.ann.rename(path("/a"), path("/b")))
        self.fails(NotFound, self.ann.stat(path("/a")))
        self.put("/b", b" and half", WriteMode.APPEND)
        assert self.get("/b") == b"half and half"

    def test_renaming_drops_the_part_of_what_is_replaced(self) -> None:
        self.put("/a", b"new content")
        self.cut("/b", b"half")
        self.run(self.ann.rename(path("/a"), path("/b")))
        assert self.stat("/b").size == 11

    def test_attributes_are_the_published_files(self) -> None:
        self.cut("/a", b"half")
        self.fails(NotFound, self.ann.set_attributes(path("/a"), Attributes(modified_ns=_A_DAY_NS)), "/a")
        assert self.stat("/a").size == 4

    def test_a_directory_with_nothing_but_parts_can_be_removed(self) -> None:
        self.run(self.ann.make_directory(path("/d")))
        self.cut("/d/a", b"half")
        self.cut("/d/b", b"half", self.bob)
        self.run(self.ann.remove_directory(path("/d")))
        assert self.entries() == {}

    def test_a_part_of_the_longest_name_is_kept(self) -> None:
        name = "/" + "n" * 255
        self.cut(name, b"half")
        self.put(name, b" and half", WriteMode.APPEND)
        assert self.get(name) == b"half and half"
