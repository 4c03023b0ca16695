"""The tree that every server serves, and the account that logs in to it.

Large things are made when the first measure wants them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = [
    "FILE_BYTES",
    "LARGE",
    "PASSWORD",
    "SMALL_FILES",
    "USER",
    "empty_uploads",
    "make_tree",
    "need_entries",
    "need_file",
    "sizes_of_uploads",
    "touch_memory",
]

USER: Final = "bench"
PASSWORD: Final = "bench"
FILE_BYTES: Final = 4096
SMALL_FILES: Final = 500
LARGE: Final = "large"  # the directory of many entries
_BLOCK_BYTES: Final = 1024 * 1024


def make_tree(scratch: Path) -> Path:
    """Make the tree in *scratch*; return its root, which is called as the account (stock Twisted serves `/home/NAME`)."""
    root = scratch / USER
    for name in ("small", "up"):
        (root / name).mkdir(parents=True)
    (root / "up").chmod(0o777)  # some servers act as the user who logs in
    for number in range(SMALL_FILES):
        (root / "small" / f"f{number:05d}").write_bytes(os.urandom(FILE_BYTES))
    return root


def need_entries(root: Path, entries: int) -> None:
    """Make the directory of *entries* empty files, where it is not there yet."""
    folder = root / LARGE
    if not folder.exists():
        folder.mkdir()
        for number in range(entries):
            os.close(os.open(folder / f"report-{number:06d}.txt", os.O_CREAT | os.O_WRONLY, 0o644))


def need_file(root: Path, name: str, size: int, block: bytes = b"") -> None:
    """Make a file of *size* bytes, of *block* over and over or of noise, where it is not there yet."""
    if (root / name).exists():
        return
    block = block or os.urandom(_BLOCK_BYTES)
    with (root / name).open("xb") as file:
        for _ in range(size // len(block)):
            file.write(block)


def touch_memory(root: Path, size: int) -> None:
    """Have the next *size* bytes of uploads find memory that was in use just now.

    A virtual machine gives freed memory back to its host, and the first touch afterwards takes several times as long.
    """
    need_file(root, "touched", size)
    (root / "touched").unlink()


def sizes_of_uploads(root: Path) -> list[int]:
    """Return the sizes of what was stored."""
    return [entry.stat().st_size for entry in os.scandir(root / "up")]


def empty_uploads(root: Path) -> None:
    for entry in os.scandir(root / "up"):
        os.unlink(entry.path)
