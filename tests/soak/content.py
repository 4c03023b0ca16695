"""Content: bytes that both ends can make again from two numbers, so that every transfer is compared whole and nothing is kept."""

from __future__ import annotations

import random
from typing import Final, NamedTuple

__all__ = ["BLOCK_BYTES", "Piece"]

BLOCK_BYTES: Final = 24 * 1024 * 1024
_BLOCK: Final = memoryview(
    random.Random(0).randbytes(BLOCK_BYTES)
)  # one for all pieces: making bytes takes longer than moving them
_STRIDE: Final = 4099  # a prime, so that pieces of different numbers differ in every block of any disk


class Piece(NamedTuple):
    """The content of one file: *size* bytes, which no piece of another *number* has."""

    number: int
    size: int

    @property
    def data(self) -> memoryview:
        start = self.number * _STRIDE % (BLOCK_BYTES - self.size)
        return _BLOCK[start : start + self.size]
