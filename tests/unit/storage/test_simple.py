from __future__ import annotations

import pytest

from ftpd.errors import AlreadyExists, IsADirectory, NotADirectory, NotFound, NotPermitted, OverQuota, Unsupported
from ftpd.paths import ROOT, VirtualPath
from ftpd.storage.content import Content
from ftpd.storage.simple import SimpleFilesystem, StoringFilesystem
from ftpd.testing.fakes import finish
from ftpd.values import Attributes, FileInfo, FileKind, WriteMode


def path(text):
    return VirtualPath.parse(text)


class Flat(StoringFilesystem):
    """Files of one dictionary, all in the root, and a directory `d` with nothing in it."""

    most_bytes = 10

    def __init__(self, **files):
        self.files = dict(files)

    async def find(self, path):
        if path in (ROOT, VirtualPath(("d",))):
            return FileInfo(path.name, FileKind.DIRECTORY)
        data = self.files.get("/".join(path.parts))
        return None if data is None else FileInfo(path.name, FileKind.FILE, len(data))

    async def entries(self, directory):
        return [FileInfo(name, FileKind.FILE, len(data)) for name, data in self.files.items()] if directory == ROOT else []

    async def open_file(self, path, info):
        return Content(info, self.files[path.name])

    async def store(self, path, data):
        self.files[path.name] = data


class Shown(Flat):
    """The same, and nothing can be changed."""

    open_write = SimpleFilesystem.open_write


def begin(files, name, mode=WriteMode.REPLACE, **arguments):
    return finish(files.open_write(path(name), mode=mode, **arguments))


def put(files, name, data, mode=WriteMode.REPLACE):
    upload = begin(files, name, mode)
    finish(upload.write_at(0, data))
    finish(upload.commit())
    return str(upload.path)


def test_what_find_does_not_know_is_not_found():
    with pytest.raises(NotFound):
        finish(Flat().stat(path("/none")))


def test_what_would_be_below_a_file_is_no_directory():
    with pytest.raises(NotADirectory):
        finish(Flat(f=b"").stat(path("/f/g")))


@pytest.mark.parametrize(("name", "error"), [("/f", NotADirectory), ("/none", NotFound)])
def test_only_a_directory_is_listed(name, error):
    with pytest.raises(error):
        finish(Flat(f=b"").open_directory(path(name)))


@pytest.mark.parametrize(("name", "error"), [("/d", IsADirectory), ("/none", NotFound)])
def test_only_a_file_is_read(name, error):
    with pytest.raises(error):
        finish(Flat().open_read(path(name)))


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.open_write(path("/f"), mode=WriteMode.REPLACE),
        lambda files: files.make_directory(path("/n"), permissions=0o700),
        lambda files: files.remove_directory(path("/d")),
        lambda files: files.remove_file(path("/f")),
        lambda files: files.rename(path("/f"), path("/g")),
        lambda files: files.set_attributes(path("/f"), Attributes(mode=0o600)),
    ],
)
def test_every_change_is_refused_in_the_words_of_the_subclass(change):
    files = Shown(f=b"old")
    with pytest.raises(NotPermitted, match="This cannot be changed here") as refused:
        finish(change(files))
    assert refused.value.path is not None
    assert files.files == {"f": b"old"}


def test_an_upload_is_stored_when_it_is_whole_and_told_as_find_tells_it():
    files = Flat(f=b"old")
    upload = begin(files, "/f")
    finish(upload.write_at(0, b"new"))
    assert files.files == {"f": b"old"}
    assert finish(upload.commit()) == FileInfo("f", FileKind.FILE, 3)
    assert files.files == {"f": b"new"}


def test_an_upload_that_is_abandoned_is_nowhere():
    files = Flat()
    upload = begin(files, "/f")
    finish(upload.write_at(0, b"new"))
    finish(upload.abandon())
    finish(upload.commit())
    assert files.files == {}


def test_a_name_that_is_taken_is_not_created():
    with pytest.raises(AlreadyExists):
        begin(Flat(f=b""), "/f", WriteMode.CREATE)


def test_a_name_that_was_taken_meanwhile_is_not_created():
    files = Flat()
    upload = begin(files, "/f", WriteMode.CREATE)
    files.files["f"] = b"theirs"
    with pytest.raises(AlreadyExists):
        finish(upload.commit())
    assert files.files == {"f": b"theirs"}


def test_a_unique_name_is_one_that_nobody_has():
    files = Flat(**{"f.txt": b"", "f.1.txt": b""})
    assert put(files, "/f.txt", b"x", WriteMode.UNIQUE) == "/f.2.txt"
    assert put(files, "/g", b"x", WriteMode.UNIQUE) == "/g"


@pytest.mark.parametrize("mode", [WriteMode.APPEND, WriteMode.RESUME])
def test_nothing_is_appended_or_resumed(mode):
    with pytest.raises(Unsupported, match="whole files only"):
        begin(Flat(f=b"old"), "/f", mode)


def test_an_append_may_begin_a_file():
    files = Flat()
    put(files, "/f", b"x", WriteMode.APPEND)
    assert files.files == {"f": b"x"}


@pytest.mark.parametrize(
    ("name", "error"), [("/", IsADirectory), ("/d", IsADirectory), ("/f/g", NotADirectory), ("/none/g", NotFound)]
)
def test_a_file_is_stored_in_a_directory_only(name, error):
    with pytest.raises(error):
        begin(Flat(f=b""), name)


def test_permission_bits_are_refused():
    with pytest.raises(Unsupported):
        begin(Flat(), "/f", permissions=0o600)


def test_a_file_that_says_it_is_too_large_is_refused_before_it_comes():
    with pytest.raises(OverQuota, match="Larger than the 10 bytes"):
        begin(Flat(), "/f", expected_size=11)


def test_a_file_that_grows_too_large_is_refused():
    upload = begin(Flat(), "/f")
    assert upload.ceiling == 10
    finish(upload.write_at(0, b"x" * 10))
    with pytest.raises(OverQuota):
        finish(upload.write_at(10, b"x"))
