"""A gigabyte without the memory for it: zeros, with a mark at both ends of each MiB that tells one from the other.

Apart from the kits for sending and for receiving, which both have to move it.
"""

from __future__ import annotations

import os
import struct
from typing import Final, Self

from ftpd.testing.lines import MIB

__all__ = ["Checked", "mark_block", "marked_block"]

_MARK: Final = struct.Struct(">Q")


def marked_block(number: int) -> bytes:
    """Return MiB *number* as it shall arrive."""
    ends = _MARK.pack(number + 1)
    return ends + bytes(MIB - 2 * _MARK.size) + ends


def mark_block(descriptor: int, number: int) -> None:
    """Write the marks of MiB *number* into a file, whose zeros are holes."""
    ends = _MARK.pack(number + 1)
    os.pwrite(descriptor, ends, number * MIB)
    os.pwrite(descriptor, ends, (number + 1) * MIB - _MARK.size)


class Checked:
    """Takes the place of `Line.received`: compares what comes, and forgets it."""

    def __init__(self) -> None:
        self.count = 0
        self._block = b""

    def __iadd__(self, data: bytes) -> Self:
        view = memoryview(data)
        while view:
            number, place = divmod(self.count, MIB)
            if not place:
                self._block = marked_block(number)
            piece = view[: MIB - place]
            assert bytes(piece) == self._block[place : place + len(piece)], f"MiB {number} is not what it was"
            self.count += len(piece)
            view = view[len(piece) :]
        return self
