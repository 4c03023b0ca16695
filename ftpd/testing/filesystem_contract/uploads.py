"""Uploads: from the first byte to their end, and in place.

Apart from uploads that are staged and parts that are kept, of which not every store knows.
"""

from __future__ import annotations

from ftpd.errors import AlreadyExists, BadOffset, Busy, NotFound, Unsupported
from ftpd.testing.filesystem_contract.trial import FilesystemTrial, path
from ftpd.values import Attributes, WriteMode

__all__ = ["UploadsContract"]


class UploadsContract(FilesystemTrial):
    """How a file is written, in each `WriteMode`."""

    def test_a_shorter_file_leaves_nothing_of_the_longer(self) -> None:
        self.put("/a", b"a long content")
        self.put("/a", b"short")
        assert self.get("/a") == b"short"

    def test_pieces_may_come_in_any_order(self) -> None:
        upload = self.begin("/a")
        self.run(upload.write_at(5, b"world"))
        self.run(upload.write_at(0, bytearray(b"hello")))
        self.run(upload.write_at(10, memoryview(b"!")))
        assert self.run(upload.commit()).size == 11
        assert self.get("/a") == b"helloworld!"

    def test_create_refuses_a_taken_name(self) -> None:
        self.put("/a", b"old")
        self.fails(AlreadyExists, self.ann.open_write(path("/a"), mode=WriteMode.CREATE))
        self.run(self.ann.make_directory(path("/d")))
        self.fails(AlreadyExists, self.ann.open_write(path("/d"), mode=WriteMode.CREATE))

    def test_unique_takes_the_wanted_name_where_it_is_free(self) -> None:
        upload = self.begin("/a", WriteMode.UNIQUE)
        assert upload.path == path("/a")
        self.run(upload.abandon())

    def test_unique_names_are_nobody_elses(self) -> None:
        uploads = [self.begin("/a.txt", WriteMode.UNIQUE) for _ in range(4)]
        assert len({upload.path for upload in uploads}) == 4
        for number, upload in enumerate(uploads):
            self.write(upload, b"%d" % number)
            self.run(upload.commit())
        assert sorted(self.get(str(upload.path)) for upload in uploads) == [b"0", b"1", b"2", b"3"]

    def test_unique_works_for_the_longest_name(self) -> None:
        name = "/" + "n" * 255
        first, second = self.begin(name, WriteMode.UNIQUE), self.begin(name, WriteMode.UNIQUE)
        assert first.path != second.path
        self.run(first.abandon())
        self.run(second.abandon())

    def test_an_abandoned_unique_name_is_free_again(self) -> None:
        self.run(self.begin("/a", WriteMode.UNIQUE).abandon())
        assert self.entries() == {}

    def test_commit_and_abandon_work_once(self) -> None:
        upload = self.begin("/a")
        self.write(upload, b"hello")
        info = self.run(upload.commit())
        self.run(upload.abandon())
        assert self.run(upload.commit()) == info
        assert self.get("/a") == b"hello"

    def test_commit_after_abandon_publishes_nothing(self) -> None:
        upload = self.begin("/a")
        self.run(upload.abandon())
        self.run(upload.commit())
        assert self.entries() == {}

    def test_nothing_can_be_written_after_the_end(self) -> None:
        upload = self.begin("/a")
        self.run(upload.commit())
        self.fails(Unsupported, upload.write_at(0, b"late"))
        assert self.get("/a") == b""

    def test_replacing_keeps_the_mode(self) -> None:
        self.put("/a", b"old")
        self.run(self.ann.set_attributes(path("/a"), Attributes(mode=0o640)))
        self.put("/a", b"new")
        assert self.stat("/a").mode == 0o640

    def test_permissions_are_those_of_a_new_file_only(self) -> None:
        self.run(self.begin("/a", permissions=0o600).commit())
        assert self.stat("/a").mode == 0o600
        self.run(self.begin("/a", permissions=0o644).commit())
        assert self.stat("/a").mode == 0o600

    def test_an_upload_of_which_nothing_is_kept_leaves_nothing(self) -> None:
        for mode in (WriteMode.CREATE, WriteMode.REPLACE, WriteMode.APPEND, WriteMode.UNIQUE):
            upload = self.begin("/a", mode)
            self.write(upload, b"half")
            self.run(upload.abandon(keeps=False))
            self.fails(NotFound, self.ann.stat(path("/a")))
            assert self.entries() == {}

    def test_an_upload_cut_before_its_first_byte_leaves_nothing(self) -> None:
        self.cut("/a", b"")
        self.fails(NotFound, self.ann.stat(path("/a")))
        assert self.entries() == {}

    # Published files, in place.

    def test_append_goes_on_behind_the_published_file(self) -> None:
        self.put("/a", b"one")
        upload = self.begin("/a", WriteMode.APPEND)
        assert upload.start == 3
        self.write(upload, b" two")
        assert self.run(upload.commit()).size == 7
        assert self.get("/a") == b"one two"

    def test_append_makes_a_file_that_is_not_there(self) -> None:
        self.put("/a", b"one", WriteMode.APPEND)
        assert self.get("/a") == b"one"

    def test_resume_goes_on_in_the_published_file(self) -> None:
        self.put("/a", b"0123456789")
        self.put("/a", b"xy", WriteMode.RESUME, 3)
        assert self.get("/a") == b"012xy56789"

    def test_resuming_behind_the_end_is_refused(self) -> None:
        self.put("/a", b"0123")
        self.fails(BadOffset, self.ann.open_write(path("/a"), mode=WriteMode.RESUME, offset=5))
        self.fails(BadOffset, self.ann.open_write(path("/b"), mode=WriteMode.RESUME, offset=1))
        assert list(self.entries()) == ["a"]

    def test_a_cut_append_keeps_what_came(self) -> None:
        self.put("/a", b"one")
        self.cut("/a", b" tw", mode=WriteMode.APPEND)
        assert self.stat("/a").size == 6
        self.put("/a", b"o", WriteMode.APPEND)
        assert self.get("/a") == b"one two"

    def test_a_file_written_in_place_is_busy_for_others(self) -> None:
        self.put("/a", b"one")
        upload = self.begin("/a", WriteMode.APPEND)
        self.fails(Busy, self.bob.open_write(path("/a"), mode=WriteMode.APPEND))
        self.run(upload.commit())
        self.run(self.begin("/a", WriteMode.APPEND).commit())
