from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftpd.storage import mount
from ftpd.storage.mount import Devices

EXT4, XFS, BTRFS, TMPFS, OVERLAY = 0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x794C7630
NFS, CIFS, FUSE, CEPH = 0x6969, 0xFF534D42, 0x65735546, 0x00C36400
UNHEARD_OF = 0x12345678


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path, os.O_RDONLY)
    yield number
    os.close(number)


def judged(monkeypatch: pytest.MonkeyPatch, opened: int, kind: int | None, setting: str = "auto") -> tuple[bool, bool]:
    """Whether a disk of this *kind* may hang, and whether it is the machine's own."""
    monkeypatch.setattr(mount, "file_system_type", lambda _: kind)
    devices = Devices(setting)
    return devices.may_hang(opened), devices.is_own(opened)


@pytest.mark.parametrize("kind", [EXT4, XFS, BTRFS, TMPFS, OVERLAY])
def test_disk_of_this_machine_never_hangs_and_is_its_own(monkeypatch: pytest.MonkeyPatch, opened: int, kind: int) -> None:
    assert judged(monkeypatch, opened, kind) == (False, True)


@pytest.mark.parametrize("kind", [NFS, CIFS, FUSE, CEPH])
def test_disk_behind_a_network_or_a_process_may_hang_and_is_not_ours_alone(
    monkeypatch: pytest.MonkeyPatch, opened: int, kind: int
) -> None:
    assert judged(monkeypatch, opened, kind) == (True, False)


@pytest.mark.parametrize("kind", [UNHEARD_OF, None])
def test_disk_of_an_unknown_type_is_used_like_a_local_one_and_not_taken_for_ours_alone(
    monkeypatch: pytest.MonkeyPatch, opened: int, kind: int | None
) -> None:
    assert judged(monkeypatch, opened, kind) == (False, False)


@pytest.mark.parametrize(("kind", "setting", "expected"), [(EXT4, "yes", (True, False)), (NFS, "no", (False, False)), (EXT4, "no", (False, True))])  # fmt: skip
def test_setting_says_whether_it_hangs_and_never_that_it_is_ours_alone(
    monkeypatch: pytest.MonkeyPatch, opened: int, kind: int, setting: str, expected: tuple[bool, bool]
) -> None:
    assert judged(monkeypatch, opened, kind, setting) == expected


def test_device_is_judged_once(monkeypatch: pytest.MonkeyPatch, opened: int) -> None:
    monkeypatch.setattr(mount, "file_system_type", lambda _: EXT4)
    devices = Devices()
    assert devices.is_own(opened)
    monkeypatch.setattr(mount, "file_system_type", lambda _: NFS)
    assert devices.is_own(opened)
