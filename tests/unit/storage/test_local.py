"""What the contract cannot know: the disk below the store, its links, its faults, and who may see what."""

from __future__ import annotations

import errno
import gc
import os
import socket
import stat
import time
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import fail
from twisted.internet.task import Clock

from ftpd import disks
from ftpd.errors import (
    BadName,
    FileTransferError,
    IntegrityLost,
    IsADirectory,
    NoSpace,
    NotEmpty,
    NotFound,
    NotPermitted,
    OverQuota,
    Unavailable,
    Unsupported,
)
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import ConfigError, FileMode, FilePath, Seconds
from ftpd.storage import creation, kernel, local_upload, staging
from ftpd.storage.local import LOCAL, LocalFilesystem, LocalSettings, LocalStore
from ftpd.testing.fakes import HeldThreads, InlineThreads, begin, finish, result_of
from ftpd.values import Ability, Account, Attributes, FileKind, WriteMode

T = TypeVar("T")


def path(text: str) -> VirtualPath:
    return VirtualPath.parse(text)


class Disk:
    """A store over a directory, and the words of these tests."""

    def __init__(self, top: Path, **settings: Any) -> None:
        self.top = top
        self.store = LocalStore(LocalSettings(root=FilePath(str(top)), **{"durable": "none", **settings}), InlineThreads())
        self.files = self.open("ann")

    def open(self, name: str, **facts: Any) -> LocalFilesystem:
        return finish(self.store.open(Account(name, **facts)))

    def begin(self, text: str, mode: WriteMode = WriteMode.REPLACE, **more: Any) -> local_upload.LocalUpload:
        return finish(self.files.open_write(path(text), mode=mode, **more))

    def put(self, text: str, data: bytes, mode: WriteMode = WriteMode.REPLACE, **more: Any) -> None:
        upload = self.begin(text, mode, **more)
        finish(upload.write_at(upload.start, data))
        finish(upload.commit())

    def cut(self, text: str, data: bytes) -> None:
        upload = self.begin(text)
        finish(upload.write_at(0, data))
        finish(upload.abandon())

    def get(self, text: str) -> bytes:
        file = finish(self.files.open_read(path(text)))
        data = finish(file.read_at(0, 1000))
        finish(file.close())
        return data

    def names(self, text: str = "/") -> list[str]:
        async def read() -> list[str]:
            found: list[str] = []
            async with await self.files.open_directory(path(text)) as directory:
                while batch := await directory.next_batch():
                    found += [info.name for info in batch]
            return sorted(found)

        return finish(read())

    def stat(self, text: str) -> Any:
        return finish(self.files.stat(path(text)))


@pytest.fixture
def top(tmp_path: Path) -> Path:
    found = tmp_path / "top"
    found.mkdir()
    return found


@pytest.fixture
def disk(top: Path) -> Disk:
    return Disk(top)


def fails(error: type[FileTransferError], coroutine: Coroutine[Any, Any, object]) -> FileTransferError:
    with pytest.raises(error) as caught:
        finish(coroutine)
    return caught.value


# Links


def test_a_link_that_leaves_the_root_is_dangling(disk: Disk, top: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (top / "absolute").symlink_to(tmp_path / "secret")
    (top / "relative").symlink_to("../secret")
    for name in ("absolute", "relative"):
        fails(NotFound, disk.files.open_read(path(name)))
        assert disk.stat(f"/{name}").kind is FileKind.LINK
    assert disk.stat("/relative").target == "../secret"


def test_a_link_that_leaves_the_home_is_dangling(top: Path) -> None:
    (top / "home").mkdir()
    (top / "other").write_text("x")
    (top / "home" / "out").symlink_to("../other")
    disk = Disk(top)
    disk.files = disk.open("guest", home=path("/home"))
    fails(NotFound, disk.files.open_read(path("/out")))


def test_a_listing_shows_links_as_links(disk: Disk, top: Path) -> None:
    (top / "link").symlink_to("target")
    directory = finish(disk.files.open_directory(ROOT))
    (info,) = finish(directory.next_batch())
    assert (info.name, info.kind, info.target) == ("link", FileKind.LINK, "target")


def test_stat_follows_a_link_that_stays_inside(disk: Disk, top: Path) -> None:
    (top / "file").write_text("four")
    (top / "link").symlink_to("/file")
    (top / "here").symlink_to(".")
    (top / "top").symlink_to("/")
    assert (disk.stat("/link").name, disk.stat("/link").kind, disk.stat("/link").size) == ("link", FileKind.FILE, 4)
    assert disk.stat("/here").kind is FileKind.DIRECTORY
    assert disk.stat("/top").kind is FileKind.DIRECTORY


def test_replacing_a_link_replaces_its_target(disk: Disk, top: Path) -> None:
    (top / "d").mkdir()
    (top / "d" / "file").write_text("old")
    (top / "link").symlink_to("d/file")
    disk.put("/link", b"new")
    assert (top / "link").is_symlink()
    assert (top / "d" / "file").read_bytes() == b"new"
    assert os.listdir(top / "d") == ["file"]


def test_an_upload_through_a_link_never_lands_outside(disk: Disk, top: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (top / "absolute").symlink_to(tmp_path / "outside" / "new")
    (top / "directory").symlink_to(tmp_path / "outside")
    fails(NotFound, disk.files.open_write(path("/absolute"), mode=WriteMode.REPLACE))
    fails(NotFound, disk.files.open_write(path("/directory/new"), mode=WriteMode.REPLACE))
    assert os.listdir(tmp_path / "outside") == []


def test_a_link_to_a_directory_is_no_place_for_an_upload(disk: Disk, top: Path) -> None:
    (top / "d").mkdir()
    for name, target in {"to-d": "d", "to-top": "/", "to-self": "d/..", "to-dot": "d/."}.items():
        (top / name).symlink_to(target)
        fails(IsADirectory, disk.files.open_write(path(name), mode=WriteMode.REPLACE))


def test_a_cut_upload_through_a_link_is_found_through_it(disk: Disk, top: Path) -> None:
    (top / "d").mkdir()
    (top / "link").symlink_to("d/file")
    disk.cut("/link", b"half")
    assert disk.stat("/link").size == 4
    disk.put("/d/file", b" and half", WriteMode.APPEND)
    assert disk.get("/link") == b"half and half"


def test_removing_and_renaming_a_link_spares_its_target(disk: Disk, top: Path) -> None:
    (top / "file").write_text("x")
    (top / "link").symlink_to("file")
    finish(disk.files.rename(path("/link"), path("/moved")))
    assert (top / "moved").is_symlink()
    finish(disk.files.remove_file(path("/moved")))
    assert disk.names() == ["file"]


def test_attributes_follow_a_link_inside_and_none_outside(disk: Disk, top: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (top / "out").symlink_to(outside)
    (top / "file").write_text("x")
    (top / "in").symlink_to("file")
    fails(NotFound, disk.files.set_attributes(path("/out"), Attributes(mode=0o777)))
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644
    finish(disk.files.set_attributes(path("/in"), Attributes(mode=0o600)))
    assert stat.S_IMODE((top / "file").stat().st_mode) == 0o600


def test_of_several_attributes_all_are_changed_or_none(disk: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "a").touch()
    (top / "a").chmod(0o640)
    before = (top / "a").stat()
    utime = os.utime

    def refuse_the_first(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(os, "utime", utime)
        raise PermissionError(errno.EPERM, "refused")

    monkeypatch.setattr(os, "utime", refuse_the_first)
    fails(NotPermitted, disk.files.set_attributes(path("/a"), Attributes(mode=0o600, modified_ns=0)))
    after = (top / "a").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_denied_links_are_listed_and_not_followed(top: Path) -> None:
    (top / "d").mkdir()
    (top / "d" / "file").write_text("x")
    (top / "link").symlink_to("d/file")
    (top / "way").symlink_to("d")
    disk = Disk(top, symlinks="deny")
    assert disk.names() == ["d", "link", "way"]
    assert disk.stat("/link").kind is FileKind.LINK
    fails(NotPermitted, disk.files.open_read(path("/link")))
    fails(NotPermitted, disk.files.open_read(path("/way/file")))
    fails(NotPermitted, disk.files.open_write(path("/link"), mode=WriteMode.REPLACE))


def test_hidden_links_are_not_there(top: Path) -> None:
    (top / "file").write_text("x")
    (top / "link").symlink_to("file")
    disk = Disk(top, symlinks="hide")
    assert disk.names() == ["file"]
    fails(NotFound, disk.files.stat(path("/link")))
    fails(NotFound, disk.files.open_read(path("/link")))


# Names


def test_hidden_names_are_neither_listed_nor_reachable(top: Path) -> None:
    (top / ".git").mkdir()
    (top / ".git" / "config").write_text("x")
    (top / "key.pem").write_text("x")
    (top / "file").write_text("x")
    disk = Disk(top, hidden_names=(".git", "*.pem"))
    assert disk.names() == ["file"]
    for text in ("/.git", "/.git/config", "/key.pem"):
        fails(NotFound, disk.files.stat(path(text)))
        fails(NotFound, disk.files.open_read(path(text)))
        fails(NotFound, disk.files.open_write(path(text), mode=WriteMode.REPLACE))
        fails(NotFound, disk.files.remove_file(path(text)))
    fails(NotFound, disk.files.rename(path("/file"), path("/new.pem")))


def test_a_directory_with_hidden_files_is_not_empty(top: Path) -> None:
    (top / "d").mkdir()
    (top / "d" / "key.pem").write_text("x")
    disk = Disk(top, hidden_names=("*.pem",))
    fails(NotEmpty, disk.files.remove_directory(path("/d")))


def test_a_staging_file_is_unreachable(disk: Disk, top: Path) -> None:
    upload = disk.begin("/a")
    (name,) = os.listdir(top)
    staged = path("/" + name)
    fails(NotFound, disk.files.stat(staged))
    fails(NotFound, disk.files.open_read(staged))
    fails(NotFound, disk.files.open_write(staged, mode=WriteMode.APPEND))
    fails(NotFound, disk.files.remove_file(staged))
    fails(NotFound, disk.files.rename(staged, path("/b")))
    fails(NotFound, disk.files.rename(path("/b"), staged))
    fails(NotFound, disk.files.set_attributes(staged, Attributes(mode=0)))
    fails(NotFound, disk.files.make_directory(staged))
    assert disk.names() == []
    finish(upload.abandon())


def test_names_that_are_not_utf8_keep_their_bytes(disk: Disk, top: Path) -> None:
    raw = os.fsencode(top) + b"/\xff\xfe"
    with open(raw, "wb"):
        pass
    assert disk.names() == ["\udcff\udcfe"]
    finish(disk.files.rename(path("/\udcff\udcfe"), path("/\udc80")))
    assert os.listdir(os.fsencode(top)) == [b"\x80"]


def test_a_name_with_a_line_feed_is_listed_and_cannot_be_parsed(disk: Disk, top: Path) -> None:
    (top / "a\nb").write_text("x")
    assert disk.names() == ["a\nb"]
    with pytest.raises(BadName):
        path("/a\nb")


# Things that are not files


def test_a_fifo_is_refused_without_waiting(disk: Disk, top: Path) -> None:
    os.mkfifo(top / "fifo")
    fails(Unsupported, disk.files.open_read(path("/fifo")))
    for mode in (WriteMode.REPLACE, WriteMode.APPEND, WriteMode.RESUME):
        fails(Unsupported, disk.files.open_write(path("/fifo"), mode=mode))
    assert disk.stat("/fifo").kind is FileKind.OTHER
    finish(disk.files.remove_file(path("/fifo")))


def test_a_fifo_is_refused_where_uploads_go_in_place(top: Path) -> None:
    os.mkfifo(top / "fifo")
    disk = Disk(top, in_place=True)
    fails(Unsupported, disk.files.open_write(path("/fifo"), mode=WriteMode.REPLACE))


def test_a_socket_is_refused(disk: Disk, top: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "socket"))
        fails(Unsupported, disk.files.open_read(path("/socket")))
        fails(Unsupported, disk.files.open_write(path("/socket"), mode=WriteMode.REPLACE))


# Modes


@pytest.fixture
def umask() -> Any:
    old = os.umask(0o027)
    yield
    os.umask(old)


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_of_a_plain_open(disk: Disk, top: Path) -> None:
    disk.put("/a", b"x")
    finish(disk.files.make_directory(path("/d")))
    assert stat.S_IMODE((top / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((top / "d").stat().st_mode) == 0o750


@pytest.mark.usefixtures("umask")
def test_set_modes_are_set_exactly(top: Path) -> None:
    disk = Disk(top, file_mode=FileMode(0o664), directory_mode=FileMode(0o2775))
    disk.put("/a", b"x")
    finish(disk.files.make_directory(path("/d")))
    assert stat.S_IMODE((top / "a").stat().st_mode) == 0o664
    assert stat.S_IMODE((top / "d").stat().st_mode) == 0o2775


def test_a_private_file_is_private_while_it_is_replaced(disk: Disk, top: Path) -> None:
    (top / "a").write_text("old")
    (top / "a").chmod(0o600)
    upload = disk.begin("/a")
    (staged,) = set(os.listdir(top)) - {"a"}
    assert stat.S_IMODE((top / staged).stat().st_mode) == 0o600
    finish(upload.abandon())


@pytest.mark.skipif(os.geteuid() != 0, reason="machine: only root may give files away")
def test_replacing_keeps_owner_and_group(disk: Disk, top: Path) -> None:
    (top / "a").write_text("old")
    os.chown(top / "a", 1234, 4321)
    disk.put("/a", b"new")
    status = (top / "a").stat()
    assert (status.st_uid, status.st_gid) == (1234, 4321)


def test_owners_are_hidden_unless_shown(disk: Disk, top: Path) -> None:
    disk.put("/a", b"x")
    assert (disk.stat("/a").owner, disk.stat("/a").group) == ("ftp", "ftp")
    shown = Disk(top, show_owners=True).stat("/a")
    assert (shown.owner, shown.group) == ((top / "a").owner(), (top / "a").group())


# Cut uploads and what they leave


def test_cut_uploads_are_published_where_the_setting_says_so(top: Path) -> None:
    disk = Disk(top, cut_upload="publish")
    disk.put("/a", b"old content")
    disk.cut("/a", b"half")
    assert disk.get("/a") == b"half"
    finish(disk.begin("/a").abandon())
    assert disk.get("/a") == b"half"  # nothing came, so nothing is published


def test_discarded_uploads_leave_nothing(top: Path) -> None:
    disk = Disk(top, cut_upload="discard")
    disk.cut("/a", b"half")
    assert os.listdir(top) == []


def test_in_place_a_cut_new_file_stays_or_goes_as_set(top: Path) -> None:
    Disk(top, in_place=True).cut("/a", b"half")
    assert (top / "a").read_bytes() == b"half"
    Disk(top, in_place=True, cut_upload="discard").cut("/b", b"half")
    assert os.listdir(top) == ["a"]


def age(file: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_a_listing_sweeps_outdated_parts(top: Path) -> None:
    disk = Disk(top, partial_lifetime=Seconds(1000))
    disk.cut("/a", b"half")
    (part,) = top.iterdir()
    age(part, 900)
    assert disk.names() == []
    assert part.exists()
    age(part, 1100)
    assert disk.names() == []
    assert not part.exists()


@pytest.mark.parametrize(("setting", "stays"), [("auto", False), ("yes", True)])
def test_a_dead_process_s_staging_file_is_swept_and_a_live_one_s_is_not(top: Path, setting: str, stays: bool) -> None:
    disk = Disk(top, network_file_system=setting)
    upload = disk.begin("/a")
    (alive,) = top.iterdir()
    age(alive, 10**6)
    dead = top / (".ftpd." + "0" * 32 + ".new")
    dead.write_text("x")
    age(dead, 10**6)
    fresh = top / (".ftpd." + "1" * 32 + ".new")
    fresh.write_text("x")
    disk.names()
    assert set(top.iterdir()) == {alive, fresh} if stays else {alive}
    finish(upload.commit())


def test_sweep_reaches_directories_nobody_lists(disk: Disk, top: Path) -> None:
    (top / "d" / "e").mkdir(parents=True)
    dead = top / "d" / "e" / (".ftpd." + "0" * 32 + ".new")
    dead.write_text("x")
    finish(disk.store.sweep())
    assert not dead.exists()


def test_sweep_leaves_what_can_be_resumed(disk: Disk, top: Path) -> None:
    disk.cut("/a", b"half")
    finish(disk.store.sweep())
    assert disk.stat("/a").size == 4


def test_an_upload_that_a_sweep_meets_as_it_begins_is_stored(disk: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, swept = staging.lock, []

    def late_lock(number: int) -> bool:
        if not swept:
            swept.extend(top.iterdir())
            finish(disk.store.sweep())
        return lock(number)

    monkeypatch.setattr(staging, "lock", late_lock)
    disk.put("/a", b"whole")
    assert len(swept) == 1
    assert (os.listdir(top), disk.get("/a")) == (["a"], b"whole")


def test_a_directory_is_not_removed_under_an_upload(disk: Disk) -> None:
    finish(disk.files.make_directory(path("/d")))
    upload = disk.begin("/d/a")
    fails(NotEmpty, disk.files.remove_directory(path("/d")))
    finish(upload.commit())
    assert disk.names("/d") == ["a"]


def test_an_upload_follows_its_directory_when_that_is_renamed(disk: Disk) -> None:
    finish(disk.files.make_directory(path("/d")))
    upload = disk.begin("/d/a")
    finish(disk.files.rename(path("/d"), path("/e")))
    finish(upload.commit())
    assert disk.names("/e") == ["a"]


# Faults


def raising(number: int) -> Any:
    def call(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("function", "number", "error"),
    [("fdatasync", errno.ENOSPC, NoSpace), ("fdatasync", errno.EIO, IntegrityLost), ("rename", errno.EDQUOT, OverQuota)],
)
def test_a_failing_commit_publishes_nothing(
    top: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, error: type[FileTransferError]
) -> None:
    disk = Disk(top, durable="file")
    disk.put("/a", b"old")
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"new content"))
    with monkeypatch.context() as patched:
        patched.setattr(os, function, raising(number))
        assert fails(error, upload.commit()).path == path("/a")
    assert disk.get("/a") == b"old"
    assert os.listdir(top) == ["a"]


def test_an_upload_is_freed_without_the_garbage_collector(disk: Disk) -> None:
    upload = disk.begin("/a")
    draft = weakref.ref(upload._draft)
    gc.disable()
    try:
        finish(upload.commit())
        del upload
        assert draft() is None
    finally:
        gc.enable()


def test_a_failing_commit_in_place_leaves_no_new_file(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(top, durable="file", in_place=True)
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"content"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", raising(errno.ENOSPC))
        fails(NoSpace, upload.commit())
    assert os.listdir(top) == []


def test_a_full_disk_is_no_space_and_nothing_is_kept_where_the_caller_says_so(
    disk: Disk, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"half"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", raising(errno.ENOSPC))
        fails(NoSpace, upload.write_at(4, b" and half"))
    finish(upload.abandon(keeps=False))
    assert os.listdir(top) == []


def test_nothing_is_published_of_which_nothing_is_kept(top: Path) -> None:
    disk = Disk(top, cut_upload="publish")
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"half"))
    finish(upload.abandon(keeps=False))
    assert os.listdir(top) == []


def test_a_file_that_cannot_fit_is_refused_before_it_is_sent(disk: Disk, top: Path) -> None:
    fails(NoSpace, disk.files.open_write(path("/a"), mode=WriteMode.REPLACE, expected_size=10**18))
    assert os.listdir(top) == []


def test_a_short_write_goes_on(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda number, data, offset: pwrite(number, data[:3], offset))
    disk.put("/a", b"0123456789")
    assert disk.get("/a") == b"0123456789"


def test_without_descriptors_it_is_unavailable(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.put("/a", b"x")
    monkeypatch.setattr(kernel, "openat2", lambda *_: -errno.EMFILE)
    monkeypatch.setattr(os, "open", raising(errno.EMFILE))
    fails(Unavailable, disk.files.open_read(path("/a")))


def test_a_file_that_shrinks_ends_early(disk: Disk, top: Path) -> None:
    disk.put("/a", b"0123456789")
    file = finish(disk.files.open_read(path("/a")))
    os.truncate(top / "a", 3)
    assert file.info.size == 10
    assert finish(file.read_at(0, 10)) == b"012"
    finish(file.close())


def test_a_failed_abandon_is_not_raised(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = disk.begin("/a")
    monkeypatch.setattr(os, "unlink", raising(errno.EIO))
    finish(upload.abandon())


def test_no_descriptor_is_left_open(top: Path) -> None:
    (top / "d").mkdir()
    os.mkfifo(top / "fifo")
    (top / "link").symlink_to("d")
    before = len(os.listdir("/proc/self/fd"))
    disk = Disk(top)
    disk.put("/a", b"x")
    disk.cut("/a", b"half")
    disk.put("/a", b"x", WriteMode.APPEND)
    disk.put("/a", b"x", WriteMode.RESUME, offset=0)
    disk.put("/a", b"x", WriteMode.UNIQUE)
    disk.get("/a")
    disk.names()
    disk.stat("/link")
    fails(Unsupported, disk.files.open_read(path("/fifo")))
    fails(IsADirectory, disk.files.open_write(path("/d"), mode=WriteMode.REPLACE))
    fails(NotFound, disk.files.open_write(path("/no/a"), mode=WriteMode.REPLACE))
    finish(disk.files.close())
    finish(disk.store.close())
    directory = [
        os.readlink(f"/proc/self/fd/{number}")
        for number in os.listdir("/proc/self/fd")
        if os.path.lexists(f"/proc/self/fd/{number}")
    ]
    assert [found for found in directory if found.startswith(str(top))] == []
    assert before > 0


# Times of creation


def created(disk: Disk, text: str) -> int | None:
    return finish(disk.files.created_ns(path(text)))


def date(disk: Disk, text: str, created_ns: int, **more: Any) -> None:
    finish(disk.files.set_attributes(path(text), Attributes(created_ns=created_ns, **more)))


def without_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "getxattr", refuse)
    monkeypatch.setattr(os, "setxattr", refuse)


@pytest.fixture
def dated(disk: Disk) -> Disk:
    if Ability.CREATION_SET not in disk.files.abilities:
        pytest.skip("machine: this disk keeps no attributes of users")
    disk.put("/a", b"content")
    return disk


def test_a_time_of_creation_outlives_the_store(dated: Disk, top: Path) -> None:
    date(dated, "/a", 5)
    finish(dated.store.close())
    assert created(Disk(top), "/a") == 5


def test_the_time_of_creation_behind_a_link_is_its_targets(dated: Disk, top: Path) -> None:
    (top / "l").symlink_to("a")
    date(dated, "/l", 5)
    assert (created(dated, "/a"), created(dated, "/l")) == (5, 5)


def test_of_a_link_that_leads_nowhere_nobody_knows_the_time_of_creation(dated: Disk, top: Path) -> None:
    (top / "l").symlink_to("none")
    assert dated.stat("/l").kind is FileKind.LINK
    assert created(dated, "/l") is None
    fails(NotFound, dated.files.set_attributes(path("/l"), Attributes(created_ns=5)))


def test_no_time_of_creation_is_told_or_set_behind_a_hidden_or_forbidden_link(dated: Disk, top: Path) -> None:
    (top / "l").symlink_to("a")
    hiding, denying = Disk(top, symlinks="hide"), Disk(top, symlinks="deny")
    fails(NotFound, hiding.files.created_ns(path("/l")))
    fails(NotFound, hiding.files.set_attributes(path("/l"), Attributes(created_ns=5)))
    assert created(denying, "/l") is None  # as what it is itself, it is there
    fails(NotPermitted, denying.files.set_attributes(path("/l"), Attributes(created_ns=5)))
    assert os.listxattr(top / "a") == []


def test_of_a_kept_part_nobody_knows_the_time_of_creation(dated: Disk) -> None:
    dated.cut("/part", b"half")
    assert dated.stat("/part").size == 4
    assert created(dated, "/part") is None
    fails(NotFound, dated.files.set_attributes(path("/part"), Attributes(created_ns=5)))


@pytest.mark.parametrize("kind", [os.mkfifo, lambda name: os.mknod(name, 0o600 | stat.S_IFSOCK)])
def test_what_is_neither_file_nor_directory_keeps_no_time_of_creation(dated: Disk, top: Path, kind: Any) -> None:
    kind(top / "odd")
    assert created(dated, "/odd") is not None  # its birth
    fails(Unsupported, dated.files.set_attributes(path("/odd"), Attributes(created_ns=5)))


def test_what_replaces_a_file_is_a_new_one(dated: Disk, top: Path) -> None:
    date(dated, "/a", 5)
    dated.put("/a", b"other content")
    assert os.listxattr(top / "a") == []


def test_a_file_written_in_place_stays_the_old_one(dated: Disk, top: Path) -> None:
    in_place = Disk(top, in_place=True)
    date(in_place, "/a", 5)
    in_place.put("/a", b"other content")
    assert created(in_place, "/a") == 5


def test_a_change_that_fails_leaves_the_time_of_creation_as_it_was(dated: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    (top / "b").touch()
    date(dated, "/b", 5)
    monkeypatch.setattr(os, "utime", refuse)
    for name in ("/a", "/b"):
        fails(NotPermitted, dated.files.set_attributes(path(name), Attributes(created_ns=6, modified_ns=7)))
    assert os.listxattr(top / "a") == []
    assert created(dated, "/b") == 5


def test_a_disk_without_attributes_says_so_and_changes_nothing(dated: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_attributes(monkeypatch)
    born, mode = created(dated, "/a"), (top / "a").stat().st_mode
    error = fails(Unsupported, dated.files.set_attributes(path("/a"), Attributes(created_ns=5, mode=0o400)))
    assert str(error) == "This file system keeps no time of creation"
    assert (created(dated, "/a"), (top / "a").stat().st_mode) == (born, mode)


def test_abilities_tell_what_the_disk_of_the_root_can(dated: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Ability.CREATION_TOLD | Ability.CREATION_SET in dated.files.abilities
    without_attributes(monkeypatch)
    abilities = Disk(top).files.abilities
    assert Ability.CREATION_TOLD in abilities
    assert Ability.CREATION_SET not in abilities


def test_a_machine_without_times_of_creation_offers_none(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "IS_TOLD", False)
    disk = Disk(top)
    disk.put("/a", b"content")
    assert not disk.files.abilities & (Ability.CREATION_TOLD | Ability.CREATION_SET)
    assert created(disk, "/a") is None
    fails(Unsupported, disk.files.set_attributes(path("/a"), Attributes(created_ns=5)))


# Large files leave the reactor thread


@pytest.fixture
def hand(top: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which the disk is judged; it stands still, or a busy machine would look like a slow disk."""
    clock, device = Clock(), top.stat().st_dev
    monkeypatch.setattr(disks, "_disks", {device: disks.Disk(device, clock.seconds)})
    return clock


@pytest.fixture
def counted(top: Path, hand: Clock) -> tuple[Disk, InlineThreads]:
    disk, threads = Disk(top), InlineThreads()
    disk.store = LocalStore(LocalSettings(root=FilePath(str(top)), durable="none"), threads)
    disk.files = disk.open("ann")
    threads.calls = 0
    return disk, threads


def test_what_is_in_memory_needs_no_thread(counted: tuple[Disk, InlineThreads]) -> None:
    disk, threads = counted
    disk.names()
    disk.put("/first", b"x")
    threads.calls = 0
    disk.put("/a", b"x")
    disk.put("/a", b"y")
    disk.get("/a")
    disk.stat("/a")
    disk.names()
    finish(disk.files.rename(path("/a"), path("/b")))
    finish(disk.files.remove_file(path("/b")))
    assert threads.calls == 0


def test_a_new_name_in_a_directory_that_nobody_read_needs_a_thread(counted: tuple[Disk, InlineThreads]) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    assert threads.calls == 1
    disk.put("/b", b"x")
    assert threads.calls == 1


def test_a_time_of_creation_is_told_and_set_in_a_thread(counted: tuple[Disk, InlineThreads]) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    threads.calls = 0
    finish(disk.files.created_ns(path("/a")))
    assert threads.calls == 1
    with suppress(Unsupported):  # as the disk may be
        date(disk, "/a", 5)
    assert threads.calls == 2


def test_a_name_that_is_not_in_memory_needs_a_thread(counted: tuple[Disk, InlineThreads], monkeypatch: pytest.MonkeyPatch) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    threads.calls = 0
    plain = kernel.openat2

    def openat2(directory: int, name: bytes, flags: int, resolve: int) -> int:
        if resolve & kernel.RESOLVE_CACHED:
            return -errno.EAGAIN
        return plain(directory, name, flags, resolve)

    monkeypatch.setattr(kernel, "openat2", openat2)
    assert disk.get("/a") == b"x"
    assert threads.calls == 1


def test_what_is_not_in_memory_is_read_in_a_thread(counted: tuple[Disk, InlineThreads], monkeypatch: pytest.MonkeyPatch) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    threads.calls = 0
    monkeypatch.setattr("ftpd.disks.Disk.is_cached", lambda *_: False)
    assert disk.get("/a") == b"x"
    assert threads.calls == 1


def test_a_disk_that_held_a_call_for_long_is_used_through_threads(
    counted: tuple[Disk, InlineThreads], hand: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    disk.names()
    plain = os.rename

    def rename(*names: bytes, **where: int) -> None:
        hand.advance(0.1)
        plain(*names, **where)

    monkeypatch.setattr(os, "rename", rename)
    threads.calls = 0
    finish(disk.files.rename(path("/a"), path("/b")))
    assert threads.calls == 0
    finish(disk.files.rename(path("/b"), path("/c")))
    assert disk.get("/c") == b"x"
    assert disk.names() == ["c"]
    disk.put("/c", b"y")
    assert threads.calls == 1 + 3 + 3 + 4  # rename; open, read, close; the same; open, write, commit, close
    hand.advance(31)
    threads.calls = 0
    assert disk.get("/c") == b"y"
    assert threads.calls == 0


def test_removing_a_large_file_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", 100_000_000)
    threads.calls = 0
    finish(disk.files.remove_file(path("/a")))
    assert threads.calls == 1
    assert os.listdir(top) == []


def test_replacing_a_large_file_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", 100_000_000)
    threads.calls = 0
    disk.put("/a", b"new")
    assert threads.calls == 1
    assert disk.get("/a") == b"new"


LARGE = 100_000_000  # bytes, in a file without blocks


def cut_large(disk: Disk, top: Path, text: str) -> Path:
    """Leave a large kept part of *text*; return its file."""
    before = set(top.rglob(".ftpd.*"))
    disk.cut(text, b"x")
    (kept,) = set(top.rglob(".ftpd.*")) - before
    os.truncate(kept, LARGE)
    return kept


def test_removing_a_large_kept_part_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    kept = cut_large(disk, top, "/a")
    threads.calls = 0
    finish(disk.files.remove_file(path("/a")))
    assert threads.calls == 1
    assert (kept.exists(), os.listdir(top)) == (False, [])


def test_renaming_over_a_large_kept_part_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    disk.put("/b", b"y")
    kept = cut_large(disk, top, "/b")
    threads.calls = 0
    finish(disk.files.rename(path("/a"), path("/b")))
    assert threads.calls == 1
    assert (kept.exists(), os.listdir(top)) == (False, ["b"])


def test_an_upload_that_makes_a_large_kept_part_useless_ends_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    kept = cut_large(disk, top, "/a")
    threads.calls = 0
    disk.put("/a", b"whole")
    assert threads.calls == 1
    assert (kept.exists(), disk.get("/a")) == (False, b"whole")


def test_an_upload_that_is_cut_beside_a_large_kept_part_ends_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    kept = cut_large(disk, top, "/a")
    threads.calls = 0
    disk.cut("/a", b"abc")
    assert threads.calls == 1
    assert kept.read_bytes() == b"abc"


def test_removing_a_directory_with_kept_parts_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    (top / "d").mkdir()
    cut_large(disk, top, "/d/a")
    disk.stat("/d")
    threads.calls = 0
    finish(disk.files.remove_directory(path("/d")))
    assert threads.calls == 1
    assert os.listdir(top) == []


def test_a_large_file_that_was_deleted_while_it_was_read_is_closed_in_a_thread(
    counted: tuple[Disk, InlineThreads], top: Path
) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", LARGE)
    file = finish(disk.files.open_read(path("/a")))
    os.unlink(top / "a")
    threads.calls = 0
    finish(file.close())
    assert threads.calls == 1


def test_a_large_upload_that_is_discarded_is_closed_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    upload = disk.begin("/a")
    os.truncate(upload.descriptor() or -1, LARGE)
    threads.calls = 0
    finish(upload.abandon(keeps=False))
    assert threads.calls == 2  # unlink, close
    assert os.listdir(top) == []


def test_without_a_thread_to_be_had_a_large_file_is_closed_all_the_same(
    counted: tuple[Disk, InlineThreads], top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", LARGE)
    file = finish(disk.files.open_read(path("/a")))
    number = file.descriptor() or -1
    os.unlink(top / "a")
    monkeypatch.setattr(threads, "run", lambda *_: fail(Unavailable()))
    finish(file.close())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_mount_point_is_looked_at_in_threads_of_its_own(
    counted: tuple[Disk, InlineThreads], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, threads = counted
    pools: list[str] = []

    def separate(name: str) -> InlineThreads:
        pools.append(name)
        return threads

    monkeypatch.setattr(threads, "separate", separate)
    store = LocalStore(LocalSettings(root=FilePath("/")), threads)
    files = finish(store.open(Account("ann")))
    pools.clear()
    assert finish(files.stat(path("/proc"))).kind is FileKind.DIRECTORY
    assert [name.partition("-")[0] for name in pools] == ["below"]


def test_a_short_listing_known_already_needs_no_thread_and_a_long_one_does(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    for number in range(255):
        (top / str(number)).touch()
    assert len(disk.names()) == 255
    assert threads.calls == 1
    assert len(disk.names()) == 255
    assert threads.calls == 1
    threads.calls = 0
    for number in range(255, 1000):
        (top / str(number)).touch()
    assert len(disk.names()) == 1000
    assert threads.calls == 2


# Homes, and the kind


def test_a_missing_home_is_not_found(disk: Disk) -> None:
    assert "home" in str(fails(NotFound, disk.store.open(Account("new", home=path("/home/new")))))


def test_homes_are_made_where_the_setting_says_so(top: Path) -> None:
    disk = Disk(top, create_homes=True)
    disk.files = disk.open("new", home=path("/home/new"))
    disk.put("/a", b"x")
    assert (top / "home" / "new" / "a").read_bytes() == b"x"


def test_a_home_behind_a_link_out_of_the_root_is_refused(disk: Disk, top: Path, tmp_path: Path) -> None:
    (top / "home").symlink_to(tmp_path)
    fails(NotFound, disk.store.open(Account("new", home=path("/home"))))


def test_sessions_of_one_home_share_its_descriptor(disk: Disk, top: Path) -> None:
    (top / "home").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    sessions = [disk.open("x", home=path("/home")) for _ in range(10)]
    assert len(os.listdir("/proc/self/fd")) == before + 1
    for session in sessions:
        finish(session.close())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_root_that_is_not_there_is_said_at_login_and_not_before(tmp_path: Path) -> None:
    store = LocalStore(LocalSettings(root=FilePath(str(tmp_path / "later"))), InlineThreads())
    fails(NotFound, store.open(Account("ann")))
    (tmp_path / "later").mkdir()
    finish(store.open(Account("ann")))


def test_a_slow_disk_offers_no_descriptor(top: Path) -> None:
    disk = Disk(top, network_file_system="yes")
    upload = disk.begin("/a")
    assert upload.descriptor() is None
    finish(upload.commit())
    assert finish(disk.files.open_read(path("/a"))).descriptor() is None


def test_the_kind_demands_a_root() -> None:
    with pytest.raises(ConfigError, match="root: not set"):
        LOCAL.make(LocalSettings(root=FilePath("")), InlineThreads())


def test_first_logins_that_come_together_open_the_root_once(tmp_path: Path) -> None:
    class Held(HeldThreads):
        clock = Clock()

        def separate(self, name: str) -> Held:
            return self

    threads = Held()
    store = LocalStore(LocalSettings(root=FilePath(str(tmp_path)), durable="none"), threads)
    logins = [begin(store.open(Account(f"ann{number}"))) for number in range(50)]
    assert len(threads.calls) == 1
    threads.finish()
    assert len({id(result_of(login)) for login in logins}) == 50
    assert not threads.calls
