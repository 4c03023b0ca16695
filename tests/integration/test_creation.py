"""Times of creation over real disks: set by real clients, read again after the server's end, and refused where the disk keeps none.

Apart from the other commands on files, since it depends on the file system what can be kept.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from ftpd.storage import creation
from tests.integration.clients import Curl, Lftp
from tests.integration.conftest import Serve
from tests.integration.live import Guest
from tests.integration.wire import Wire

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH: Final = 2  # the server may still have it open


@pytest.fixture
def ann(serve: Serve) -> Guest:
    ann = serve({"storage": {"local": {"durable": "none"}}}).add("ann")
    number = os.open(ann.home, os.O_RDONLY)
    try:
        if not creation.can_set(number):
            pytest.skip("machine: this disk keeps no attributes of users")
    finally:
        os.close(number)
    (ann.home / "a").write_text("content")
    return ann


@pytest.fixture
def mounted() -> Iterator[Callable[[Path], Path]]:
    """Return what mounts a ramfs, which has no attributes and no times of birth, at a directory."""
    mounts: list[Path] = []

    def mount(at: Path) -> Path:
        if os.geteuid() != 0 or _libc.mount(b"ramfs", os.fsencode(at), b"ramfs", 0, None) != 0:
            pytest.skip("machine: no ramfs can be mounted")
        mounts.append(at)
        return at

    yield mount
    for at in mounts:
        _libc.umount2(os.fsencode(at), _MNT_DETACH)


def facts(wire: Wire, name: str) -> str:
    """Choose type and time of creation, and return these facts of *name*."""
    assert wire.ask("OPTS MLST type;create;").code == 200
    return wire.ask(f"MLST {name}").text.split("\n")[1].strip().partition(" ")[0]


def is_born(told: str) -> bool:
    """Whether the time of creation that *told* has is one that nobody has set."""
    return re.fullmatch(r"type=file;create=[0-9]{14};", told) is not None and "20010203040506" not in told


def features(wire: Wire) -> list[str]:
    return [line.strip() for line in wire.ask("FEAT").text.split("\n")]


def test_lftp_sets_it_and_curl_sees_it(ann: Guest, program: Callable[[str], str], tmp_path: Path) -> None:
    lftp, curl = Lftp(program, ann, tmp_path), Curl(program, ann, tmp_path)
    assert b"213 Create=20010203040506; /a" in lftp.lftp("quote MFCT 20010203040506 a").stdout
    shown = curl.curl("-Q", "OPTS MLST create;", "-X", "MLSD", ann.url()).stdout
    assert shown.splitlines() == [b"create=20010203040506; a"]


def test_it_outlives_the_server(serve: Serve, ann: Guest, tmp_path: Path) -> None:
    with Wire.of(ann) as wire:
        assert wire.ask("MFF Create=20010203040506.789;Modify=20020203040506; a") == (213, "Create=20010203040506;Modify=20020203040506; /a")  # fmt: skip
    again = serve({"storage": {"local": {"root": str(ann.home.parent)}}}).add("ann")._replace(home=ann.home)
    with Wire.of(again) as wire:
        assert facts(wire, "a") == "type=file;create=20010203040506;"
    assert os.getxattr(ann.home / "a", "user.ftpd.created") == b"981173106.789000000"


def test_a_renamed_file_keeps_it_and_a_copy_and_a_replacement_are_new(ann: Guest) -> None:
    with Wire.of(ann) as wire:
        assert wire.asks("MFCT 20010203040506 a", "RNFR a", "RNTO b", "SITE CPFR b", "SITE CPTO copy") == [213, 350, 250, 350, 250]
        assert facts(wire, "b") == "type=file;create=20010203040506;"
        assert is_born(facts(wire, "copy"))
        wire.store("STOR b", b"other content")
        assert is_born(facts(wire, "b"))


def test_a_disk_without_attributes_below_refuses_for_good(ann: Guest, mounted: Callable[[Path], Path]) -> None:
    (ann.home / "below").mkdir()
    (mounted(ann.home / "below") / "x").write_text("content")
    with Wire.of(ann) as wire:
        assert "MFCT" in features(wire)
        assert wire.ask("MFCT 20010203040506 below/x") == (550, "/below/x: This file system keeps no time of creation.")
        assert wire.ask("MFF UNIX.mode=600;Create=20010203040506; below/x").code == 550
        assert facts(wire, "below/x") == "type=file;"
        assert wire.fetch("MLSD below") == b"type=file; x\r\n"
    assert (ann.home / "below" / "x").stat().st_mode & 0o777 == 0o644


def test_a_home_on_a_disk_without_attributes_offers_nothing_to_set(ann: Guest, mounted: Callable[[Path], Path]) -> None:
    (mounted(ann.home) / "x").write_text("content")
    with Wire.of(ann) as wire:
        offered = features(wire)
        assert "MFCT" not in offered
        assert "MFF Modify;UNIX.mode;" in offered
        assert "MLST type*;size*;modify*;create;perm*;unique;UNIX.mode;UNIX.owner;UNIX.group;" in offered
        assert wire.ask("MFCT 20010203040506 x").code == 504
