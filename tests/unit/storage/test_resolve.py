"""Nothing leads out of a root, and the kernel's resolver and the walk agree about everything."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftpd.storage import kernel
from ftpd.storage.familiar import Familiar
from ftpd.storage.resolve import O_PATH, Crossing, KernelResolver, Resolver, Uncached, WalkResolver, place

_RESOLVERS = [
    pytest.param(WalkResolver(), id="walk"),
    pytest.param(
        KernelResolver(),
        id="kernel",
        marks=pytest.mark.skipif(not kernel.has_openat2(), reason="machine: no openat2 in this kernel or sandbox"),
    ),
]


asking = pytest.mark.skipif(
    not kernel.has_openat2(kernel.RESOLVE_CACHED), reason="machine: this kernel cannot be asked what is in memory"
)


@pytest.fixture(params=_RESOLVERS)
def resolver(request: pytest.FixtureRequest) -> Resolver:
    found: Resolver = request.param
    return found


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """A root with a secret beside it, and links that would like to reach it."""
    (tmp_path / "secret").write_text("secret")
    inside = tmp_path / "root"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "file").write_text("file")
    (inside / "a" / "b" / "deep").write_text("deep")
    for name, target in {
        "up": "../secret",
        "far-up": "../../../../../../../../../../../../etc/hostname",
        "absolute": str(tmp_path / "secret"),
        "to-file": "file",
        "to-absolute": "/a/b/deep",
        "to-directory": "a/b",
        "to-slash": "file/",
        "to-root": "/",
        "to-parent": "..",
        "loop": "loop",
        "ping": "pong",
        "pong": "ping",
        "around": "a/b/../../a/../../../file",
        "a/back": "../file",
        "a/b/chain": "../../a/back",
        "magic": "/proc/self/root",
    }.items():
        (inside / name).symlink_to(target)
    number = os.open(inside, os.O_RDONLY | os.O_DIRECTORY)
    yield number
    os.close(number)


def read(resolver: Resolver, root: int, path: bytes) -> bytes | int:
    """The content, or the errno."""
    try:
        number = resolver.open(root, path, os.O_RDONLY)
    except OSError as error:
        return error.errno or 0
    try:
        return os.read(number, 100)
    finally:
        os.close(number)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"file", b"file"),
        (b"a/b/deep", b"deep"),
        (b"to-file", b"file"),
        (b"to-absolute", b"deep"),
        (b"to-directory/deep", b"deep"),
        (b"to-root/file", b"file"),
        (b"to-parent/to-parent/file", b"file"),
        (b"around", b"file"),
        (b"a/back", b"file"),
        (b"a/b/chain", b"file"),
        (b"to-directory/chain", b"file"),
        (b"up", errno.ENOENT),
        (b"far-up", errno.ENOENT),
        (b"absolute", errno.ENOENT),
        (b"magic", errno.ENOENT),
        (b"to-slash", errno.ENOTDIR),
        (b"loop", errno.ELOOP),
        (b"ping", errno.ELOOP),
        (b"loop/x", errno.ELOOP),
        (b"file/x", errno.ENOTDIR),
        (b"missing", errno.ENOENT),
        (b"missing/x", errno.ENOENT),
        (b"../secret", errno.ENOENT),
        (b"a/../../secret", errno.ENOENT),
        (b"n" * 300, errno.ENAMETOOLONG),
    ],
)
def test_paths_lead_where_they_should(resolver: Resolver, root: int, path: bytes, expected: bytes | int) -> None:
    assert read(resolver, root, path) == expected


def test_no_link_is_followed_where_none_shall_be(resolver: Resolver, root: int) -> None:
    for path in (b"to-file", b"to-directory/deep", b"to-root/file"):
        with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
            resolver.open(root, path, os.O_RDONLY, follows_links=False)
    os.close(resolver.open(root, b"a/b/deep", os.O_RDONLY, follows_links=False))


def test_the_last_link_itself_can_be_opened(resolver: Resolver, root: int) -> None:
    number = resolver.open(root, b"up", O_PATH | os.O_NOFOLLOW)
    assert os.readlink("", dir_fd=number) == "../secret"
    os.close(number)


def test_a_directory_moved_out_of_the_root_cannot_be_climbed_out_of(resolver: Resolver, root: int, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    (tmp_path / "root" / "a").rename(outside)
    assert read(resolver, root, b"a/back") == errno.ENOENT


def test_many_links_are_too_many(resolver: Resolver, root: int, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / "root" / f"l{number}").symlink_to(f"l{number + 1}")
    (tmp_path / "root" / "l50").write_text("end")
    assert read(resolver, root, b"l0") == errno.ELOOP
    assert read(resolver, root, b"l20") == b"end"


def test_another_mount_is_a_crossing(resolver: Resolver) -> None:
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(Crossing):
            resolver.open(root, b"proc/self/stat", os.O_RDONLY, stays=True)
    finally:
        os.close(root)


def test_a_mount_point_is_a_crossing_for_a_look(resolver: Resolver) -> None:
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(Crossing):
            resolver.look(root, b"proc", stays=True)
        seen = resolver.look(root, b"proc")
        assert seen is not None
        assert seen.st_dev == os.stat("/proc").st_dev
    finally:
        os.close(root)


@pytest.mark.parametrize("stays", [False, True])
def test_a_look_follows_no_link_and_tells_what_is_not_there(resolver: Resolver, root: int, stays: bool) -> None:
    link, nothing = resolver.look(root, b"to-file", stays=stays), resolver.look(root, b"nothing", stays=stays)
    assert link is not None
    assert (stat.S_ISLNK(link.st_mode), nothing) == (True, None)


def test_a_name_in_memory_is_no_wait(resolver: Resolver, root: int) -> None:
    os.stat("file", dir_fd=root)
    os.close(resolver.open(root, b"file", os.O_RDONLY, waits=False))
    seen = resolver.look(root, b"file", stays=True, waits=False)
    assert seen is not None
    assert seen.st_size == 4


@asking
def test_a_name_that_nobody_looked_for_is_a_wait(root: int) -> None:
    resolver = KernelResolver()
    with pytest.raises(Uncached):
        resolver.open(root, b"never", os.O_RDONLY, waits=False)
    with pytest.raises(Uncached):
        resolver.look(root, b"never either", stays=True, waits=False)


@asking
def test_a_path_longer_than_the_kernel_takes_is_a_wait(root: int) -> None:
    with pytest.raises(Uncached):
        KernelResolver().open(root, b"a/" * 3000, os.O_RDONLY, waits=False)


def test_a_kernel_that_cannot_be_asked_is_not(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "has_openat2", lambda *_: False)
    asked: list[int] = []

    def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
        asked.append(resolve)
        return -errno.ENOENT

    monkeypatch.setattr(kernel, "openat2", openat2)
    assert KernelResolver().look(root, b"file", stays=True, waits=False) is None
    assert asked == [kernel.RESOLVE_NO_XDEV]


@asking
def test_a_place_in_a_directory_that_was_searched_lately_is_no_wait(root: int) -> None:
    resolver, searched = KernelResolver(), Familiar()
    with pytest.raises(Uncached):
        place(resolver, root, b"new", searched, follows_last=True, stays=True, waits=False)
    place(resolver, root, b"other", searched, follows_last=True, stays=True).close()
    with place(resolver, root, b"newer", searched, follows_last=True, stays=True, waits=False) as found:
        assert found.seen is None


def test_no_descriptor_is_left_open(resolver: Resolver, root: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in (b"file", b"up", b"loop", b"file/x", b"a/b/chain", b"missing/x", b"to-slash"):
        read(resolver, root, path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("path", "name", "siblings"),
    [
        (b"file", b"file", "to-file"),
        (b"to-file", b"file", "to-file"),
        (b"a/back", b"file", "to-file"),
        (b"to-absolute", b"deep", "chain"),
        (b"to-directory/new", b"new", "chain"),
    ],
)
def test_a_place_is_behind_the_last_link(resolver: Resolver, root: int, path: bytes, name: bytes, siblings: str) -> None:
    with place(resolver, root, path, Familiar(), follows_last=True) as found:
        assert found.name == name
        os.stat(siblings, dir_fd=found.directory, follow_symlinks=False)


def test_a_place_behind_a_link_that_leads_out_is_not_there(resolver: Resolver, root: int) -> None:
    with pytest.raises(FileNotFoundError):
        place(resolver, root, b"absolute", Familiar(), follows_last=True)
    with place(resolver, root, b"up", Familiar(), follows_last=True) as found:
        assert found.stat() is None  # the root's own "secret", which is not there: `..` stopped at the root


def test_a_place_tells_what_was_seen_there(resolver: Resolver, root: int) -> None:
    with place(resolver, root, b"file", Familiar(), follows_last=True) as found:
        assert found.seen is not None
        assert (stat.S_ISREG(found.seen.st_mode), found.seen.st_size) == (True, 4)
    with place(resolver, root, b"to-file", Familiar(), follows_last=False) as found:
        assert found.seen is not None
        assert stat.S_ISLNK(found.seen.st_mode)
    with place(resolver, root, b"nothing", Familiar(), follows_last=True) as found:
        assert found.seen is None
