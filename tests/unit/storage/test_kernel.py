"""The system calls that Python does not have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftpd.storage import kernel


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc here")
def test_attribute_is_read_beside_its_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    try:
        os.setxattr(tmp_path / "file", "user.colour", b"red")
    except OSError:
        pytest.skip("this file system keeps no attributes")
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert kernel.attribute(directory, b"file", b"user.colour") == b"red"
        assert kernel.attribute(directory, b"file", b"user.shape") is None
        with pytest.raises(FileNotFoundError):
            kernel.attribute(directory, b"missing", b"user.colour")
    finally:
        os.close(directory)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="there is no /proc here")
def test_attribute_is_read_where_the_kernel_has_no_getxattrat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setattr(kernel, "_libc", None)
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert kernel.attribute(directory, b"file", b"user.shape") is None
    finally:
        os.close(directory)
