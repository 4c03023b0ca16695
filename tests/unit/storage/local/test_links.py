"""Links: which are followed, which are told as links, and that none leads out."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ftpd.errors import IsADirectory, NotFound, NotPermitted
from ftpd.paths import ROOT
from ftpd.testing.fakes import finish
from ftpd.values import Attributes, FileKind, WriteMode
from tests.unit.storage.local.disk import Disk, fails, path


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
