"""The tree that every server serves, and the account that logs in to it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["FILE_BYTES", "LARGE", "PASSWORD", "SMALL_FILES", "USER", "empty_uploads", "make_tree", "uploads"]

USER: Final = "bench"
PASSWORD: Final = "bench"
FILE_BYTES: Final = 4096
SMALL_FILES: Final = 500
LARGE: Final = "large"  # the directory of many entries


def make_tree(scratch: Path, entries: int) -> Path:
    """Make the tree in *scratch*; return its root, which is called as the account (stock Twisted serves `/home/NAME`)."""
    root = scratch / USER
    for name in ("small", "up", LARGE):
        (root / name).mkdir(parents=True)
    for number in range(SMALL_FILES):
        (root / "small" / f"f{number:05d}").write_bytes(os.urandom(FILE_BYTES))
    for number in range(entries):
        os.close(os.open(root / LARGE / f"report-{number:06d}.txt", os.O_CREAT | os.O_WRONLY, 0o644))
    return root


def uploads(root: Path) -> list[int]:
    """Return the sizes of what was stored."""
    return [entry.stat().st_size for entry in os.scandir(root / "up")]


def empty_uploads(root: Path) -> None:
    for entry in os.scandir(root / "up"):
        os.unlink(entry.path)
