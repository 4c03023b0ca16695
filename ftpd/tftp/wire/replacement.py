r"""Replacement: the third field of a rule, with its escapes: `\0` to `\9`, `\i`, `\x`, `\U`, `\L`, `\E`, and what stands for itself.

Apart from the rules, which decide what it replaces.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

__all__ = ["Replacement"]

_PIECE: Final = re.compile(rb"\\(.)|[^\\]+|\\", re.DOTALL)  # an escape, text without any, a backslash at the end
_ESCAPES: Final = frozenset(b"0123456789ixULE")
_ADDRESS, _HEXADECIMAL = b"ix"
_CASES: Final[dict[int, Callable[[bytes], bytes] | None]] = {ord("U"): bytes.upper, ord("L"): bytes.lower, ord("E"): None}


class Replacement:
    """What a rule puts in the place of a match; before any other character a backslash only says that it stands for itself."""

    __slots__ = ("_pieces",)

    def __init__(self, source: bytes) -> None:
        self._pieces = tuple(_pieces(source))

    @property
    def literal(self) -> bytes | None:
        """What it is whatever has matched and whoever asks; None: that depends."""
        texts = [piece for piece in self._pieces if isinstance(piece, bytes)]
        return b"".join(texts) if len(texts) == len(self._pieces) else None

    def fill(self, name: bytes, offsets: Sequence[int] | None, address: str) -> bytes:
        r"""Return it for a client at the IP *address* and a match of *name* at *offsets*, as `Expression.search` gives them (None: no match).

        `\U` and `\L` change the letters A to Z of all that follows, groups and the address too.
        """
        case: Callable[[bytes], bytes] | None = None
        filled = []
        for piece in self._pieces:
            if isinstance(piece, int) and piece in _CASES:
                case = _CASES[piece]
                continue
            text = _value(piece, name, offsets, address) if isinstance(piece, int) else piece
            filled.append(case(text) if case else text)
        return b"".join(filled)


def _pieces(source: bytes) -> Iterator[bytes | int]:
    """Yield text as bytes, escapes as the code of their letter."""
    for match in _PIECE.finditer(source):
        letter: bytes | None = match[1]
        if letter is None:
            yield match[0]
        else:
            yield letter[0] if letter[0] in _ESCAPES else letter


def _value(escape: int, name: bytes, offsets: Sequence[int] | None, address: str) -> bytes:
    if escape == _ADDRESS:
        return address.encode("ascii")
    if escape == _HEXADECIMAL:
        return ipaddress.ip_address(address).packed.hex().upper().encode("ascii")
    group = 2 * (escape - ord("0"))
    return b"" if offsets is None or offsets[group] < 0 else name[offsets[group] : offsets[group + 1]]
