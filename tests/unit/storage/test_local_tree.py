from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from twisted.internet.defer import fail

from ftpd.errors import Busy, NotADirectory, NotEmpty, NotPermitted, Unavailable
from ftpd.paths import VirtualPath
from ftpd.schema import FilePath
from ftpd.storage import local_tree
from ftpd.storage.lane import LocalLane
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.storage.resolve import Crossing, WalkResolver, standard_resolver
from ftpd.storage.root import View
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.testing.filesystem_abilities import Allowing
from ftpd.values import Account, WriteMode

TREE = VirtualPath.parse("/t")


@pytest.fixture(params=[standard_resolver, WalkResolver], ids=["kernel", "walk"])
def resolver(request):
    return request.param()


@pytest.fixture
def opened(tmp_path, resolver):
    def opened(**settings):
        store = LocalStore(
            LocalSettings(root=FilePath(str(tmp_path)), **{"durable": "none", **settings}), InlineThreads(), resolver=resolver
        )
        return finish(store.open(Account("ann")))

    (tmp_path / "t").mkdir()
    return opened


def begun(files, rules=None, path=TREE):
    return finish(files.remove_tree(path, rules or Allowing()))


def removed(removal):
    """The whole of a removal: files, directories, and the errors of what stays."""
    files, directories, kept = 0, 0, []
    for _ in range(10_000):
        batch = finish(removal.next_batch())
        files, directories, kept = files + batch.files, directories + batch.directories, kept + list(batch.kept)
        if batch.is_over:
            finish(removal.close())
            return files, directories, kept
    raise AssertionError("the removal does not end")


def deep(top: Path, depth: int) -> None:
    number = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=number)
        below = os.open("d", os.O_RDONLY, dir_fd=number)
        os.close(number)
        number = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=number))
    os.close(number)


def test_a_tree_of_depth_5000_is_removed(opened, tmp_path):
    deep(tmp_path / "t", 5000)
    assert removed(begun(opened())) == (1, 5001, [])
    assert not (tmp_path / "t").exists()


def test_what_stays_at_depth_500_is_named(opened, tmp_path):
    deep(tmp_path / "t", 500)
    path = VirtualPath(("t", *["d"] * 500, "file"))
    files, directories, kept = removed(begun(opened(), Allowing(fixed=(str(path),))))
    assert (files, directories, [error.path for error in kept]) == (0, 0, [path])
    removed(begun(opened()))


def test_more_entries_than_are_read_at_once_are_removed(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(local_tree, "_NAMES_AT_ONCE", 7)
    for number in range(50):
        (tmp_path / "t" / f"d{number}").mkdir()
        (tmp_path / "t" / f"f{number}").touch()
    assert removed(begun(opened())) == (50, 51, [])


def test_entries_that_stay_are_looked_at_once(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(local_tree, "_NAMES_AT_ONCE", 7)
    names = [f"f{number}" for number in range(50)]
    for name in names:
        (tmp_path / "t" / name).touch()
    files, directories, kept = removed(begun(opened(), Allowing(fixed=tuple(f"/t/{name}" for name in names[::2]))))
    assert (files, directories, len(kept)) == (25, 0, 25)


def test_links_are_removed_and_not_followed(opened, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").write_text("content")
    (tmp_path / "t" / "directory").symlink_to("../outside")
    (tmp_path / "t" / "file").symlink_to(tmp_path / "outside" / "a")
    (tmp_path / "t" / "loop").symlink_to("loop")
    (tmp_path / "t" / "up").symlink_to("..")
    (tmp_path / "t" / "nothing").symlink_to("nothing at all")
    assert removed(begun(opened())) == (5, 1, [])
    assert (tmp_path / "outside" / "a").read_text() == "content"


def test_a_link_to_a_directory_is_no_tree(opened, tmp_path):
    (tmp_path / "l").symlink_to("t")
    with pytest.raises(NotADirectory):
        begun(opened(), path=VirtualPath.parse("/l"))


def test_fifos_and_sockets_are_removed_without_being_opened(opened, tmp_path):
    os.mkfifo(tmp_path / "t" / "fifo")
    assert removed(begun(opened())) == (1, 1, [])


def test_a_directory_that_became_a_link_is_not_followed(opened, tmp_path, monkeypatch):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a").touch()
    (tmp_path / "t" / "d").mkdir()
    read = local_tree.Removing._read

    def and_then_swapped(removing, level):
        read(removing, level)
        if (tmp_path / "t" / "d").is_dir():
            (tmp_path / "t" / "d").rmdir()
            (tmp_path / "t" / "d").symlink_to("../outside")

    monkeypatch.setattr(local_tree.Removing, "_read", and_then_swapped)
    _, directories, kept = removed(begun(opened()))
    assert directories == 0
    assert [(type(error), str(error.path)) for error in kept] == [(Busy, "/t/d")]
    assert (tmp_path / "outside" / "a").exists()


def test_a_tree_that_is_moved_away_meanwhile_ends_the_removal(opened, tmp_path, monkeypatch):
    (tmp_path / "t" / "d").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a").touch()
    descend = local_tree.Removing._descend

    def and_then_moved(removing, name):
        descend(removing, name)
        (tmp_path / "t" / "d").rename(tmp_path / "elsewhere" / "d")

    monkeypatch.setattr(local_tree.Removing, "_descend", and_then_moved)
    removal = begun(opened())
    with pytest.raises(Busy, match="moved"):
        removed(removal)
    finish(removal.close())
    assert sorted(os.listdir(tmp_path / "elsewhere")) == ["a", "d"]


def test_what_others_remove_first_is_no_fault(opened, tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / "t" / name).touch()
    (tmp_path / "t" / "d").mkdir()
    read = local_tree.Removing._read

    def and_then_gone(removing, level):
        read(removing, level)
        for name in "ab":
            (tmp_path / "t" / name).unlink(missing_ok=True)
        if (tmp_path / "t" / "d").exists():
            (tmp_path / "t" / "d").rmdir()

    monkeypatch.setattr(local_tree.Removing, "_read", and_then_gone)
    assert removed(begun(opened())) == (1, 1, [])


def test_what_others_add_meanwhile_stays(opened, tmp_path, monkeypatch):
    ascend = local_tree.Removing._ascend

    def and_before_added(removing, level):
        (tmp_path / "t" / "new").touch()
        ascend(removing, level)

    monkeypatch.setattr(local_tree.Removing, "_ascend", and_before_added)
    _, directories, kept = removed(begun(opened()))
    assert directories == 0
    assert [type(error) for error in kept] == [NotEmpty]
    assert (tmp_path / "t" / "new").exists()


def test_hidden_names_protect_what_holds_them(opened, tmp_path):
    (tmp_path / "t" / "d").mkdir()
    (tmp_path / "t" / ".secret").touch()
    (tmp_path / "t" / "d" / ".secrets").mkdir()
    (tmp_path / "t" / "a").touch()
    files, directories, kept = removed(begun(opened(hidden_names=(".secret*",))))
    assert (files, directories) == (1, 0)
    assert sorted(str(error.path) for error in kept) == ["/t", "/t/d"]
    assert (tmp_path / "t" / ".secret").exists()
    assert (tmp_path / "t" / "d" / ".secrets").exists()


def test_an_upload_under_way_keeps_its_directory(opened, tmp_path):
    files = opened()
    upload = finish(files.open_write(VirtualPath.parse("/t/new"), mode=WriteMode.REPLACE))
    finish(upload.write_at(0, b"content"))
    _, directories, kept = removed(begun(files))
    assert directories == 0
    assert [type(error) for error in kept] == [Busy]
    finish(upload.commit())
    assert (tmp_path / "t" / "new").read_bytes() == b"content"


def test_the_kept_part_of_a_cut_upload_goes(opened, tmp_path):
    files = opened()
    cut_upload(files, "/t/new")
    assert removed(begun(files)) == (0, 1, [])


def cut_upload(files, text):
    upload = finish(files.open_write(VirtualPath.parse(text), mode=WriteMode.REPLACE))
    finish(upload.write_at(0, b"content"))
    finish(upload.abandon())


@pytest.mark.parametrize("fixed", ["/t/a", "/t"])
def test_the_kept_part_of_a_cut_upload_stays_with_its_directory(opened, tmp_path, fixed):
    files = opened()
    (tmp_path / "t" / "a").touch()
    cut_upload(files, "/t/new")
    removed(begun(files, Allowing(fixed=(fixed,))))
    assert finish(files.stat(VirtualPath.parse("/t/new"))).size == 7


def test_a_directory_that_is_mounted_here_from_the_same_disk_is_not_entered(opened, tmp_path, monkeypatch):
    def crossing(view, directory, name):
        raise Crossing

    (tmp_path / "t" / "a").touch()
    files = opened()
    monkeypatch.setattr(View, "descend", crossing)
    with pytest.raises(Busy, match="Another file system is mounted here"):
        begun(files)
    assert os.listdir(tmp_path / "t") == ["a"]


def test_its_descriptors_are_closed_on_a_disk_that_takes_no_more_calls(opened, tmp_path, monkeypatch):
    def refuse(lane, *_arguments, **_options):
        return fail(Unavailable(None, "Too much is waiting for the disk"))

    files = opened()
    before = len(os.listdir("/proc/self/fd"))
    removal = begun(files)
    monkeypatch.setattr(LocalLane, "blocking", refuse)
    finish(removal.close())
    assert len(os.listdir("/proc/self/fd")) == before


def test_after_the_close_nothing_more_is_removed(opened, tmp_path):
    for name in "abc":
        (tmp_path / "t" / name).touch()
    removal = begun(opened())
    removal._removing.stop()
    assert finish(removal.next_batch()) == (0, 0, (), False)
    finish(removal.close())
    assert sorted(os.listdir(tmp_path / "t")) == ["a", "b", "c"]


def test_no_descriptor_is_left_open(opened, tmp_path):
    deep(tmp_path / "t", 30)
    files = opened()
    before = len(os.listdir("/proc/self/fd"))
    removed(begun(files))
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_the_disk_forbids_stays(opened, tmp_path, monkeypatch):
    def forbidden(name, *, dir_fd):
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "t" / "d").mkdir()
    (tmp_path / "t" / "d" / "a").touch()
    files = opened()
    monkeypatch.setattr(os, "unlink", forbidden)  # modes forbid nothing to root
    gone, directories, kept = removed(begun(files))
    assert (gone, directories) == (0, 0)
    assert [(type(error), str(error.path)) for error in kept] == [(NotPermitted, "/t/d/a")]
