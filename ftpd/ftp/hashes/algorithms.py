"""The hash algorithms by the names that clients know (IANA, Hash Function Textual Names; RFC 7693 for BLAKE2).

Apart from the commands, which are four dialects for the same few functions.
"""

from __future__ import annotations

import enum
import hashlib
import zlib
from typing import TYPE_CHECKING, Protocol

from ftpd.errors import BadArgument

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Algorithm", "Digest"]


class Digest(Protocol):
    """A hash under way; `update` gives the interpreter's lock away for anything but short pieces."""

    def update(self, data: ReadableBuffer, /) -> None: ...
    def hexdigest(self) -> str: ...


class Algorithm(enum.Enum):
    """What a file can be hashed by; the value is its name in HASH and FEAT."""

    SHA_256 = "SHA-256"
    SHA_512 = "SHA-512"
    SHA_1 = "SHA-1"
    MD5 = "MD5"
    CRC32 = "CRC32"
    BLAKE2B = "BLAKE2b"
    BLAKE2S = "BLAKE2s"

    @classmethod
    def named(cls, name: str) -> Algorithm:
        """Return the algorithm called *name*, in upper or lower case; `BadArgument` where there is none."""
        for algorithm in cls:
            if algorithm.value.upper() == name.upper():
                return algorithm
        raise BadArgument("Unknown algorithm, current selection not changed")

    def begin(self) -> Digest:
        """Begin a hash of nothing yet."""
        if self is Algorithm.CRC32:
            return _CRC32()
        # Not for security: a system held to FIPS 140 would refuse MD5, which clients compare files by.
        return hashlib.new(self.value.replace("-", "").lower(), usedforsecurity=False)


class _CRC32:
    """The CRC of Ethernet and zip, eight digits."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: ReadableBuffer, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"
