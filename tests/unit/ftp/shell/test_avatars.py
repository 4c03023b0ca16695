from __future__ import annotations

import os

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.protocols import ftp as stock
from twisted.python.filepath import FilePath, Permissions

from ftpd.errors import AlreadyExists, IsADirectory, NotADirectory, NotEmpty, NotFound, NotPermitted, Unsupported
from ftpd.ftp.shell.avatars import ShellFilesystem, files_of_shell
from ftpd.paths import ROOT, VirtualPath
from ftpd.testing.fakes import finish
from ftpd.values import Attributes, FileInfo, FileKind, WriteMode

KEYS = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")


def path(text):
    return VirtualPath.parse(text)


async def names(files, where="/"):
    found = []
    async with await files.open_directory(path(where)) as directory:
        while batch := await directory.next_batch():
            found += [info.name for info in batch]
    return sorted(found)


async def content(files, where):
    async with await files.open_read(path(where)) as file:
        return await file.read_at(0, 1 << 20)


async def store(files, where, data, mode=WriteMode.REPLACE, **arguments):
    file = await files.open_write(path(where), mode=mode, **arguments)
    await file.write_at(0, data)
    await file.commit()
    return str(file.path)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "inner").write_bytes(b"inner")
    (tmp_path / "f").write_bytes(b"hello")
    os.chmod(tmp_path / "f", 0o640)
    os.utime(tmp_path / "f", (1_000_000_000, 1_000_000_000))
    return tmp_path


@pytest.fixture(params=["text", "bytes"])
def files(root, request):
    """Twisted's own shell, over a root of text and over one of bytes, as a checker that answers with bytes makes it."""
    os_path = str(root) if request.param == "text" else os.fsencode(root)
    return files_of_shell(b"ann", stock.FTPShell(FilePath(os_path)), False)[1]


# Twisted's own shell.


def test_a_file_is_described(files):
    info = finish(files.stat(path("/f")))
    assert (info.name, info.kind, info.size, info.modified, info.mode, info.links) == (
        "f",
        FileKind.FILE,
        5,
        1_000_000_000,
        0o640,
        1,
    )


def test_root_and_directories_are_described(files):
    assert finish(files.stat(ROOT)).kind is FileKind.DIRECTORY
    assert finish(files.stat(path("/d"))).kind is FileKind.DIRECTORY


def test_directories_are_listed(files):
    assert finish(names(files)) == ["d", "f"]
    assert finish(names(files, "/d")) == ["inner"]


def test_the_listing_of_a_file_is_refused(files):
    with pytest.raises(NotADirectory):
        finish(files.open_directory(path("/f")))


def test_what_is_missing_is_not_found(files):
    with pytest.raises(NotFound):
        finish(files.stat(path("/no")))
    with pytest.raises(NotFound):
        finish(files.open_directory(path("/no")))


def test_one_dangling_link_does_not_hide_the_rest_of_its_directory(files, root):
    os.symlink("nowhere", root / "dangling")
    assert finish(names(files)) == ["d", "f"]


def test_names_that_are_not_utf_8_round_trip(files, root):
    with open(os.fsencode(root) + b"/\xff", "wb") as file:
        file.write(b"odd")
    assert finish(names(files)) == ["d", "f", "\udcff"]
    assert finish(content(files, "/\udcff")) == b"odd"


def test_a_file_is_read(files):
    assert finish(content(files, "/f")) == b"hello"


def test_a_directory_is_not_read(files):
    with pytest.raises(IsADirectory):
        finish(files.open_read(path("/d")))


def test_a_file_is_stored_and_replaced(files, root):
    finish(store(files, "/new", b"one"))
    finish(store(files, "/new", b"two"))
    assert (root / "new").read_bytes() == b"two"


def test_a_file_is_not_stored_over_a_directory(files):
    with pytest.raises(IsADirectory):
        finish(store(files, "/d", b""))


def test_creating_what_exists_is_refused_and_leaves_it(files, root):
    with pytest.raises(AlreadyExists):
        finish(store(files, "/f", b"other", WriteMode.CREATE))
    assert (root / "f").read_bytes() == b"hello"


def test_a_unique_name_is_one_that_nobody_has(files, root):
    assert finish(store(files, "/f", b"mine", WriteMode.UNIQUE)) == "/f.1"
    assert finish(store(files, "/g", b"mine", WriteMode.UNIQUE)) == "/g"
    assert (root / "f").read_bytes() == b"hello"


def test_appending_begins_a_file_and_never_overwrites_one(files, root):
    finish(store(files, "/log", b"one", WriteMode.APPEND))
    with pytest.raises(Unsupported):
        finish(store(files, "/log", b"two", WriteMode.APPEND))
    assert (root / "log").read_bytes() == b"one"


def test_resuming_is_refused(files, root):
    with pytest.raises(Unsupported):
        finish(store(files, "/f", b"x", WriteMode.RESUME, offset=3))
    assert (root / "f").read_bytes() == b"hello"


def test_permission_bits_and_attributes_are_the_shells_business(files, root):
    with pytest.raises(Unsupported):
        finish(store(files, "/new", b"", permissions=0o600))
    with pytest.raises(Unsupported):
        finish(files.make_directory(path("/new"), permissions=0o700))
    with pytest.raises(Unsupported):
        finish(files.set_attributes(path("/f"), Attributes(mode=0o600)))
    assert not (root / "new").exists()


def test_directories_and_files_are_made_renamed_and_removed(files, root):
    finish(files.make_directory(path("/e")))
    finish(files.rename(path("/e"), path("/g")))
    finish(files.remove_directory(path("/g")))
    finish(files.remove_file(path("/f")))
    assert finish(names(files)) == ["d"]


def test_a_directory_that_is_not_empty_stays(files):
    with pytest.raises(NotEmpty):
        finish(files.remove_directory(path("/d")))


def test_each_kind_is_removed_by_its_own_command(files):
    with pytest.raises(IsADirectory):
        finish(files.remove_file(path("/d")))
    with pytest.raises(NotADirectory):
        finish(files.remove_directory(path("/f")))


def test_an_anonymous_shell_changes_nothing(root):
    account, files = files_of_shell(b"anonymous", stock.FTPAnonymousShell(FilePath(str(root))), True)
    assert account.is_anonymous
    assert finish(content(files, "/f")) == b"hello"
    for change in (
        store(files, "/new", b""),
        files.make_directory(path("/new")),
        files.remove_file(path("/f")),
        files.remove_directory(path("/d")),
        files.rename(path("/f"), path("/g")),
    ):
        with pytest.raises(NotPermitted):
            finish(change)


# Shells of third parties.


class TheirShell:
    """A shell whose answers are given: values, exceptions to raise, or Deferreds."""

    def __init__(self, **answers):
        self.answers = {"stat": [0, True, 0o755, 1, 0, "o", "g"], **answers}
        self.asked = []

    def __getattr__(self, name):
        def call(*arguments):
            self.asked.append((name, *arguments))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def test_paths_are_lists_of_text_and_all_keys_are_asked_for_in_the_order_of_twisted():
    shell = TheirShell()
    finish(ShellFilesystem(shell).stat(path("/a/b c")))
    finish(ShellFilesystem(shell).stat(ROOT))
    assert shell.asked == [("stat", ["a", "b c"], KEYS), ("stat", [], KEYS)]


@pytest.mark.parametrize("values", [[7, False, 0o100644, 2, 5.5, b"me", 100], (7, 0, 0o644, 2, 5.5, "me", "100")])
@pytest.mark.parametrize("wrap", [lambda values: values, succeed], ids=["plain", "deferred"])
def test_values_come_in_the_types_that_shells_use(values, wrap):
    info = finish(ShellFilesystem(TheirShell(stat=wrap(values))).stat(path("/f")))
    assert info == FileInfo("f", FileKind.FILE, 7, 5_500_000_000, 0o644, 2, "me", "100")


def test_permissions_are_read_as_twisted_writes_them():
    values = [0, False, Permissions(0o751), 1, 0, "o", "g"]
    assert finish(ShellFilesystem(TheirShell(stat=values)).stat(path("/f"))).mode == 0o751


def test_what_a_shell_does_not_know_may_be_missing():
    info = finish(ShellFilesystem(TheirShell(stat=[None, False, 0o644, 0, None, "o", "g"])).stat(path("/f")))
    assert (info.size, info.modified_ns, info.links) == (0, 0, 1)


def test_an_answer_may_come_later():
    later = Deferred()
    answer = Deferred.fromCoroutine(ShellFilesystem(TheirShell(stat=later)).stat(path("/f")))
    assert not answer.called
    later.callback([1, False, 0o644, 1, 0, "o", "g"])
    assert answer.result.size == 1


@pytest.mark.parametrize("wrap", [lambda error: error, fail], ids=["raised", "deferred"])
def test_errors_come_raised_or_with_a_deferred(wrap):
    with pytest.raises(NotPermitted):
        finish(ShellFilesystem(TheirShell(stat=wrap(stock.PermissionDeniedError("f")))).stat(path("/f")))


def test_names_come_as_bytes_or_text_and_the_dots_are_left_out():
    row = [0, False, 0o644, 1, 0, "o", "g"]
    rows = [(b".", row), ("..", row), (b"\xc3\xa4", row), ("ö", row), (b"\xff", row)]
    assert finish(names(ShellFilesystem(TheirShell(list=rows)))) == ["ä", "ö", "\udcff"]


def test_a_listing_is_converted_as_it_is_asked_for():
    row = [0, False, 0o644, 1, 0, "o", "g"]
    taken = []

    def rows():
        for number in range(100_000):
            taken.append(number)
            yield str(number), row

    directory = finish(ShellFilesystem(TheirShell(list=rows())).open_directory(ROOT))
    assert [info.name for info in finish(directory.next_batch())[:3]] == ["0", "1", "2"]
    assert len(taken) < 1000


def test_a_listing_that_breaks_in_the_middle_is_an_error_and_not_an_end():
    def rows():
        yield "a", [0, False, 0o644, 1, 0, "o", "g"]
        raise stock.PermissionDeniedError("b")

    directory = finish(ShellFilesystem(TheirShell(list=rows())).open_directory(ROOT))
    with pytest.raises(NotPermitted):
        finish(directory.next_batch())


def test_a_root_of_a_third_party_is_left_alone():
    class Odd:
        filesystemRoot = FilePath(b"/srv")

    shell = Odd()
    files_of_shell(b"ann", shell, False)
    assert shell.filesystemRoot.path == b"/srv"


def test_the_shells_access_is_asked_before_a_directory_is_entered():
    shell = TheirShell(access=succeed(None))
    finish(ShellFilesystem(shell).enter(path("/a/b")))
    assert shell.asked == [("access", ["a", "b"])]


def test_a_directory_that_the_shell_keeps_shut_is_not_entered():
    _, files = files_of_shell(b"ann", TheirShell(access=fail(stock.PermissionDeniedError("d"))), False)
    with pytest.raises(NotPermitted):
        finish(files.enter(path("/d")))


class Refusing:
    """An IWriteFile that cannot be received into."""

    def __init__(self, received):
        self.received = received
        self.closed = 0

    def receive(self):
        return self.received

    def close(self):
        self.closed += 1
        return fail(OSError(5, "broken as well"))


def test_a_file_that_cannot_be_received_into_is_closed():
    file = Refusing(fail(stock.PermissionDeniedError("f")))
    with pytest.raises(NotPermitted):
        finish(store(ShellFilesystem(TheirShell(openForWriting=succeed(file))), "/f", b""))
    assert file.closed == 1


@pytest.mark.parametrize("stage", ["stat", "openForReading"])
def test_a_shell_that_never_answers_is_cancelled(stage):
    cancelled = []
    never = Deferred(cancelled.append)
    shell = TheirShell(**{"stat": [0, False, 0o644, 1, 0, "o", "g"], stage: never})
    opening = Deferred.fromCoroutine(ShellFilesystem(shell).open_read(path("/f")))
    opening.cancel()
    assert isinstance(opening.result.value, CancelledError)
    opening.addErrback(lambda _: None)
    assert cancelled == [never]


def test_a_consumer_that_never_comes_is_cancelled_and_its_file_is_closed():
    file = Refusing(Deferred())
    opening = Deferred.fromCoroutine(store(ShellFilesystem(TheirShell(openForWriting=file)), "/f", b""))
    opening.cancel()
    opening.addErrback(lambda _: None)
    assert file.closed == 1
