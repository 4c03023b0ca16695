"""FilesystemContract: every promise of `spi.Filesystem`, `Directory`, `ReadableFile` and `WritableFile`, as tests to inherit.

Public, apart from our own stores, so that a store of yours proves itself in five lines::

    class TestMyStore(FilesystemContract):
        def make_store(self) -> Store:
            return MyStore(...)

The store must be empty and accept any account.  `run` is for stores that really wait.  A store that stages uploads inherits
:class:`StagedUploadContract` instead, one that keeps the parts of cut uploads :class:`KeptPartContract`.  A store that cannot be changed
inherits :class:`ReadOnlyContract`, and holds :data:`READ_ONLY_TREE`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import pytest

from ftpd.errors import (
    AlreadyExists,
    BadName,
    BadOffset,
    Busy,
    FileTransferError,
    IntegrityLost,
    IsADirectory,
    NotADirectory,
    NotEmpty,
    NotFound,
    NotPermitted,
    Unsupported,
)
from ftpd.paths import ROOT, VirtualPath, decode_name
from ftpd.spi import Filesystem, RowDirectory, RowFormat, Store, WritableFile
from ftpd.testing.fakes import finish
from ftpd.values import Account, Attributes, FileInfo, FileKind, WriteMode

__all__ = ["READ_ONLY_TREE", "FilesystemContract", "KeptPartContract", "ReadOnlyContract", "StagedUploadContract"]

T = TypeVar("T")

_A_DAY_NS = 86_400 * 10**9
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


def path(text: str) -> VirtualPath:
    return VirtualPath.parse(text)


class _Whole:
    """A `spi.RowFormat` that tells everything of each file."""

    from_name: Callable[[str], str] | None = None
    tells_creation = False

    def row(self, info: FileInfo) -> str:
        return repr(info)

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return None


class _Alike(_Whole):
    """A `spi.RowFormat` that tells everything but `unique`, the time of creation and fractions of seconds."""

    def row(self, info: FileInfo) -> str:
        return repr(info._replace(unique="", created_ns=None, modified_ns=info.modified * 10**9))

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        likeness = info._replace(unique="", created_ns=None)
        return lambda name, size, modified: repr(likeness._replace(name=name, size=size, modified_ns=modified * 10**9))


class _Name(_Whole):
    """A `spi.RowFormat` that tells the name alone."""

    def __init__(self) -> None:
        self.from_name = repr

    def row(self, info: FileInfo) -> str:
        return repr(info.name)


class _Shorthands:
    """What the tests say in one word: `ann` is who works, `bob` is somebody else."""

    _files: Filesystem | None = None
    _opened: tuple[Filesystem, ...] = ()

    @pytest.fixture(autouse=True)
    def _end(self) -> Iterator[None]:
        """Close what a test has opened: a thousand tests hold many descriptors, and select() ends at number 1023."""
        yield
        self.close_all()

    def close_all(self) -> None:
        """Close what was opened; to be called by who has to end something behind it, such as threads."""
        for files in self._opened:
            self.run(files.close())
        self._opened = ()
        if hasattr(self, "_store"):
            self.run(self._store.close())
            del self._store

    def make_store(self) -> Store:
        """Return a new, empty store."""
        raise NotImplementedError

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return the result of *coroutine*; by default it must not have to wait."""
        return finish(coroutine)

    @property
    def store(self) -> Store:
        if not hasattr(self, "_store"):
            self._store = self.make_store()
        return self._store

    @property
    def ann(self) -> Filesystem:
        if self._files is None:
            self._files = self.open("ann")
        return self._files

    @property
    def bob(self) -> Filesystem:
        return self.open("bob")

    def open(self, name: str, **facts: Any) -> Filesystem:
        files = self.run(self.store.open(Account(name, **facts)))
        self._opened += (files,)
        return files

    def begin(
        self, text: str, mode: WriteMode = WriteMode.REPLACE, offset: int = 0, files: Filesystem | None = None, **more: Any
    ) -> WritableFile:
        return self.run((files or self.ann).open_write(path(text), mode=mode, offset=offset, **more))

    def write(self, upload: WritableFile, data: bytes) -> None:
        self.run(upload.write_at(upload.start, data))

    def put(self, text: str, data: bytes, mode: WriteMode = WriteMode.REPLACE, offset: int = 0) -> FileInfo:
        upload = self.begin(text, mode, offset)
        self.write(upload, data)
        return self.run(upload.commit())

    def cut(self, text: str, data: bytes, files: Filesystem | None = None, mode: WriteMode = WriteMode.REPLACE) -> None:
        upload = self.begin(text, mode, files=files)
        if data:
            self.write(upload, data)
        self.run(upload.abandon())

    def get(self, text: str, files: Filesystem | None = None) -> bytes:
        async def read() -> bytes:
            async with await (files or self.ann).open_read(path(text)) as file:
                return await file.read_at(0, 10_000_000)

        return self.run(read())

    def stat(self, text: str, files: Filesystem | None = None) -> FileInfo:
        return self.run((files or self.ann).stat(path(text)))

    def entries(self, text: str = "/", files: Filesystem | None = None) -> dict[str, FileInfo]:
        async def read() -> dict[str, FileInfo]:
            found: dict[str, FileInfo] = {}
            async with await (files or self.ann).open_directory(path(text)) as directory:
                while batch := await directory.next_batch():
                    assert len(batch) <= 1024
                    for info in batch:
                        assert info.name not in found
                        found[info.name] = info
            return found

        return self.run(read())

    def rows(self, form: RowFormat, text: str) -> list[str]:
        """The rows of a directory in *form*, sorted, from the store where it writes them."""

        async def read() -> list[str] | None:
            async with await self.ann.open_directory(path(text)) as directory:
                if not isinstance(directory, RowDirectory):
                    return None
                found: list[str] = []
                next_rows = directory.rows(form)
                while rows := await next_rows():
                    assert len(rows) <= 4096
                    found += rows
                return found

        written = self.run(read())
        return sorted(self.described(form, text) if written is None else written)

    def described(self, form: RowFormat, text: str) -> list[str]:
        """The rows of a directory in *form*, sorted, from what the store tells of its entries."""
        return sorted(form.row(info) for info in self.entries(text).values())

    def fails(self, error: type[FileTransferError], coroutine: Coroutine[Any, Any, object], names: str | None = None) -> None:
        with pytest.raises(error) as caught:
            self.run(coroutine)
        if names is not None:
            assert caught.value.path == path(names)


class FilesystemContract(_Shorthands):
    """What every store promises."""

    # What is there

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

    # Names

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

    # Uploads

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

    # Published files, in place

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

    # Reading

    def test_reads_end_at_the_end(self) -> None:
        self.put("/a", b"0123456789")
        file = self.run(self.ann.open_read(path("/a")))
        assert self.run(file.read_at(0, 4)) == b"0123"
        assert self.run(file.read_at(8, 4)) == b"89"
        assert self.run(file.read_at(10, 4)) == b""
        assert self.run(file.read_at(1000, 4)) == b""
        self.run(file.close())
        self.run(file.close())

    # Directories

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

    @pytest.mark.parametrize("form", [_Whole, _Alike, _Name])
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

    # Removing, renaming, attributes

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

    # Accounts

    def test_accounts_share_what_is_published(self) -> None:
        self.put("/a", b"x")
        assert self.get("/a", self.bob) == b"x"

    def test_a_confined_account_has_its_home_as_root(self) -> None:
        self.run(self.ann.make_directory(path("/home")))
        guest = self.open("guest", home=path("/home"))
        self.put("/home/a", b"x")
        assert self.get("/a", guest) == b"x"
        self.fails(NotFound, guest.stat(path("/home")))
        assert list(self.entries("/", guest)) == ["a"]

    def test_an_account_that_is_not_confined_sees_all(self) -> None:
        self.run(self.ann.make_directory(path("/home")))
        user = self.open("user", home=path("/home"), is_confined=False)
        assert list(self.entries("/", user)) == ["home"]

    def test_a_home_that_is_a_file_is_refused(self) -> None:
        self.put("/a", b"x")
        self.fails(NotADirectory, self.store.open(Account("guest", home=path("/a"))))

    def test_closing_twice_is_allowed(self) -> None:
        self.run(self.ann.close())
        self.run(self.ann.close())
        self.run(self.store.close())
        self.run(self.store.close())


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


class ReadOnlyContract(_Shorthands):
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

    @pytest.mark.parametrize("form", [_Whole, _Alike, _Name])
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
