"""Commands that work on files and trees for long, over real sockets and disks: what they leave behind, whoever breaks them off.

Apart from the unit tests of the commands, whose store is in memory and never makes anybody wait.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.live import Guest
from tests.integration.wire import Wire

_ON: dict[str, Any] = {
    "ftp": {"files": {"remove_trees": True, "make_links": True}},
    "storage": {"local": {"durable": "none"}},
}


@pytest.fixture
def ann(serve: Serve) -> Guest:
    return serve(_ON).add("ann")


def fill(top: Path, count: int) -> None:
    top.mkdir()
    number = os.open(top, os.O_RDONLY)
    for name in range(count):
        os.close(os.open(str(name), os.O_CREAT | os.O_WRONLY, dir_fd=number))
    os.close(number)


def until_gone(top: Path, count: int) -> int:
    """Wait until at most *count* entries are left, and return how many."""
    end = time.monotonic() + 60
    while (left := len(os.listdir(top))) > count:
        assert time.monotonic() < end
    return left


# RMDA.


def test_100_000_entries_are_removed_while_others_are_served(ann: Guest) -> None:
    fill(ann.home / "tree", 100_000)
    with Wire.of(ann) as wire, Wire.of(ann) as other:
        wire.send("RMDA tree\r\n")
        assert other.asks(*["NOOP"] * 20) == [200] * 20
        assert wire.asks("NOOP") == [200]  # beside the removal, which takes some seconds
        assert wire.reply() == (250, "/tree: 100000 files and 1 directories are gone.")
    assert os.listdir(ann.home) == []


def test_an_abort_stops_a_removal_and_nothing_goes_after_it(ann: Guest) -> None:
    fill(ann.home / "tree", 40_000)
    with Wire.of(ann) as wire:
        wire.send("RMDA tree\r\n")
        until_gone(ann.home / "tree", 39_999)
        wire.send("ABOR\r\n")
        assert wire.replies(2) == [426, 226]
        left = len(os.listdir(ann.home / "tree"))
        assert left > 0
        assert wire.asks("NOOP", "SIZE none", "DSIZ tree") == [200, 550, 213]
        assert len(os.listdir(ann.home / "tree")) == left


def test_a_lost_connection_stops_a_removal(ann: Guest) -> None:
    fill(ann.home / "tree", 40_000)
    with Wire.of(ann) as wire:
        wire.send("RMDA tree\r\n")
        until_gone(ann.home / "tree", 39_999)
    with Wire.of(ann) as wire:  # a batch may be under way yet, for a tenth of a second
        lefts: list[int] = []
        while len(lefts) < 3 or lefts[-1] != lefts[-3]:
            lefts.append(len(os.listdir(ann.home / "tree")))
            assert wire.ask("DSIZ tree").code == 213
        assert lefts[-1] > 0


def test_a_tree_of_depth_1500_is_removed_and_counted(ann: Guest) -> None:
    number = os.open(ann.home, os.O_RDONLY)
    for name in ["tree", *["d"] * 1500]:
        os.mkdir(name, dir_fd=number)
        below = os.open(name, os.O_RDONLY, dir_fd=number)
        os.close(number)
        number = below
    os.close(number)
    with Wire.of(ann) as wire:
        assert wire.ask("RMDA tree") == (250, "/tree: 0 files and 1501 directories are gone.")
    assert os.listdir(ann.home) == []


def test_links_out_of_a_tree_are_removed_and_not_followed(ann: Guest) -> None:
    (ann.home / "keep").mkdir()
    (ann.home / "keep" / "file").write_text("content")
    (ann.home / "tree").mkdir()
    (ann.home / "tree" / "link").symlink_to("../keep")
    (ann.home / "tree" / "loop").symlink_to("loop")
    (ann.home / "tree" / "out").symlink_to("/etc")
    with Wire.of(ann) as wire:
        assert wire.asks("RMDA tree", "RMDA /", "RMDA ..") == [250, 550, 550]
    assert (ann.home / "keep" / "file").read_text() == "content"


# COMB.


def test_parts_are_combined_byte_by_byte(ann: Guest) -> None:
    parts = [os.urandom(size) for size in (5_000_001, 0, 1, 9_999_999)]
    with Wire.of(ann) as wire:
        for number, part in enumerate(parts):
            assert wire.store(f"STOR part {number}", part).code == 226
        assert wire.ask('COMB "the whole" "part 0" "part 1" "part 2" "part 3"').code == 250
        assert wire.fetch("RETR the whole") == b"".join(parts)
    assert os.listdir(ann.home) == ["the whole"]


def test_one_file_under_two_names_is_not_combined(ann: Guest) -> None:
    (ann.home / "a").write_text("content")
    os.link(ann.home / "a", ann.home / "hard")
    (ann.home / "soft").symlink_to("a")
    with Wire.of(ann) as wire:
        assert wire.asks("COMB a hard", "COMB a soft", "COMB new a hard", "COMB new soft hard", "COMB soft a") == [550] * 5
    assert sorted(os.listdir(ann.home)) == ["a", "hard", "soft"]
    assert (ann.home / "a").read_text() == "content"


def test_a_store_that_writes_in_place_loses_nothing(serve: Serve) -> None:
    ann = serve({**_ON, "storage": {"local": {"in_place": True}}}).add("ann")
    (ann.home / "a").write_text("first")
    (ann.home / "b").write_text("second")
    (ann.home / "hard").hardlink_to(ann.home / "a")
    with Wire.of(ann) as wire:
        assert wire.asks("COMB a b", "SITE CPFR a", "SITE CPTO hard", "COMB whole a b") == [550, 350, 553, 250]
    assert (ann.home / "hard").read_text() == "first"
    assert (ann.home / "whole").read_text() == "firstsecond"


def sparse(path: Path, size: int) -> None:
    """A file that takes long to copy and no room."""
    with path.open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize("command", ["COMB whole big a", "SITE CPTO whole"])
def test_an_aborted_copy_leaves_everything_as_it_was(ann: Guest, command: str) -> None:
    sparse(ann.home / "big", 20 * 1024**3)
    (ann.home / "a").write_text("content")
    with Wire.of(ann) as wire:
        if command.startswith("SITE"):
            assert wire.ask("SITE CPFR big").code == 350
        wire.send(f"{command}\r\n")
        wire.send("STAT\r\n")
        assert re.search(r"COMB|SITE CPTO", wire.reply().text)
        wire.send("ABOR\r\n")
        assert wire.replies(2) == [426, 226]
        assert wire.ask("NOOP").code == 200
    assert sorted(os.listdir(ann.home)) == ["a", "big"]


# SITE CPFR and CPTO.


def test_a_tree_is_copied_with_modes_and_links(ann: Guest) -> None:
    tree = ann.home / "tree"
    (tree / "d").mkdir(parents=True)
    (tree / "d" / "private").write_bytes(b"secret" * 100_000)
    (tree / "d" / "private").chmod(0o600)
    (tree / "d" / "link").symlink_to("../d/private")
    (tree / "d" / "absolute").symlink_to("/tree/d")
    os.mkfifo(tree / "fifo")
    with Wire.of(ann) as wire:
        assert wire.asks("SITE CPFR tree") == [350]
        assert wire.ask("SITE CPTO copy") == (250, "/tree copied to /copy: 1 files of 600000 bytes in all, 1 entries that are no files left out.")  # fmt: skip
    copy = ann.home / "copy"
    assert (copy / "d" / "private").read_bytes() == b"secret" * 100_000
    assert (copy / "d" / "private").stat().st_mode & 0o777 == 0o600
    assert os.readlink(copy / "d" / "link") == "../../copy/d/private"
    assert os.readlink(copy / "d" / "absolute") == "../../tree/d"
    assert not os.path.lexists(copy / "fifo")


def test_a_directory_does_not_copy_itself_by_way_of_a_link(ann: Guest) -> None:
    (ann.home / "tree").mkdir()
    (ann.home / "tree" / "a").write_text("content")
    (ann.home / "into").symlink_to("tree")
    with Wire.of(ann) as wire:
        assert wire.asks("SITE CPFR tree", "SITE CPTO into/copy") == [350, 250]
    assert sorted(os.listdir(ann.home / "tree")) == ["a", "copy"]
    assert os.listdir(ann.home / "tree" / "copy") == ["a"]


# The others.


def test_room_size_and_links(ann: Guest) -> None:
    (ann.home / "d").mkdir()
    (ann.home / "d" / "a").write_text("content")
    disk = os.statvfs(ann.home)
    with Wire.of(ann) as wire:
        assert 0 < int(wire.ask("AVBL d").text) <= disk.f_blocks * disk.f_frsize
        assert wire.ask("DSIZ d") == (213, "7")
        assert wire.ask("SITE SYMLINK ../../../../etc/passwd link").code == 200
        assert wire.ask("SIZE link").code == 550
        assert wire.ask("SITE SYMLINK d/a good").code == 200
        assert wire.fetch("RETR good") == b"content"
    assert os.readlink(ann.home / "link") == "etc/passwd"


def test_owner_and_mode_are_changed_together_or_not_at_all(serve: Serve) -> None:
    if os.getuid() != 0:
        pytest.skip("machine: only root gives files away")
    ann = serve({"ftp": {"files": {"change_owners": True}}}).add("ann")
    (ann.home / "a").write_text("content")
    (ann.home / "a").chmod(0o640)
    with Wire.of(ann) as wire:
        assert wire.ask("MFF UNIX.owner=1234;UNIX.group=4321;UNIX.mode=600; a") == (213, "UNIX.owner=1234;UNIX.group=4321;UNIX.mode=0600; /a")  # fmt: skip
        before = (ann.home / "a").stat()
        assert wire.ask("MFF UNIX.owner=0;UNIX.mode=644;Modify=99991231235959;Nothing=1; a").code == 504
    after = (ann.home / "a").stat()
    assert (before.st_uid, before.st_gid, before.st_mode & 0o777) == (1234, 4321, 0o600)
    assert (after.st_uid, after.st_mode, after.st_mtime_ns) == (before.st_uid, before.st_mode, before.st_mtime_ns)
