"""StagedUploadContract: uploads that nobody sees before their commit.

Apart from what every store promises, since a store may write in place.
"""

from __future__ import annotations

from ftpd.errors import AlreadyExists, IntegrityLost, IsADirectory, NotFound
from ftpd.testing.filesystem_contract.every import FilesystemContract
from ftpd.testing.filesystem_contract.trial import path
from ftpd.values import FileKind, WriteMode

__all__ = ["StagedUploadContract"]


class StagedUploadContract(FilesystemContract):
    """What a store promises besides whose uploads are invisible until their commit."""

    def test_an_upload_shows_at_its_commit(self) -> None:
        upload = self.begin("/a")
        self.write(upload, b"hello")
        assert self.entries() == {}
        self.fails(NotFound, self.bob.stat(path("/a")))
        self.run(upload.commit())
        assert list(self.entries()) == ["a"]

    def test_the_old_file_stands_until_the_commit(self) -> None:
        self.put("/a", b"old")
        upload = self.begin("/a")
        self.write(upload, b"new content")
        assert self.get("/a") == b"old"
        self.run(upload.commit())
        assert self.get("/a") == b"new content"

    def test_an_append_to_a_file_that_was_replaced_meanwhile_is_no_success(self) -> None:
        self.put("/a", b"old")
        upload = self.begin("/a", WriteMode.APPEND)
        self.write(upload, b" and more")
        self.put("/a", b"new")
        self.fails(IntegrityLost, upload.commit())
        assert self.get("/a") == b"new"

    def test_an_append_to_a_file_that_was_deleted_meanwhile_is_no_success(self) -> None:
        self.put("/a", b"old")
        upload = self.begin("/a", WriteMode.APPEND)
        self.write(upload, b" and more")
        self.run(self.bob.remove_file(path("/a")))
        self.fails(IntegrityLost, upload.commit())
        assert self.entries() == {}

    def test_a_reader_keeps_what_it_opened(self) -> None:
        self.put("/a", b"old")
        file = self.run(self.ann.open_read(path("/a")))
        self.put("/a", b"new content")
        assert file.info.size == 3
        assert self.run(file.read_at(0, 100)) == b"old"
        self.run(file.close())

    def test_create_does_not_overwrite_what_came_meanwhile(self) -> None:
        upload = self.begin("/a", WriteMode.CREATE)
        self.write(upload, b"mine")
        self.put("/a", b"theirs")
        self.fails(AlreadyExists, upload.commit())
        assert self.get("/a") == b"theirs"
        assert list(self.entries()) == ["a"]

    def test_two_uploads_to_one_name_are_whole_and_the_last_commit_wins(self) -> None:
        first, second = self.begin("/a"), self.begin("/a")
        self.write(first, b"first, and longer")
        self.write(second, b"second")
        self.run(second.commit())
        assert self.get("/a") == b"second"
        self.run(first.commit())
        assert self.get("/a") == b"first, and longer"

    def test_an_upload_does_not_replace_a_directory_made_meanwhile(self) -> None:
        upload = self.begin("/a")
        self.write(upload, b"x")
        self.run(self.ann.make_directory(path("/a")))
        self.fails(IsADirectory, upload.commit())
        assert self.stat("/a").kind is FileKind.DIRECTORY

    def test_a_cut_upload_is_not_published(self) -> None:
        self.cut("/a", b"half")
        assert self.entries() == {}
        self.fails(NotFound, self.ann.open_read(path("/a")))
        self.fails(NotFound, self.bob.stat(path("/a")))

    def test_a_cut_overwrite_leaves_the_old_file(self) -> None:
        self.put("/a", b"old content")
        self.cut("/a", b"half")
        assert self.get("/a") == b"old content"
        assert self.stat("/a", self.bob).size == 11
        assert self.entries()["a"].size == 11
