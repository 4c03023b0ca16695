"""Options: what a request asks for becomes the terms of its exchange (RFC 2347).

Apart from the packets because this is policy, with ceilings of the operator's, and judges numbers that anybody may have sent.  It is on the
path of every request, and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import attrs

from ftpd.tftp.wire.packets import Request, oack

__all__ = ["DEFAULT_BLOCK", "SMALLEST_BLOCK", "Ceilings", "Terms", "agree"]

DEFAULT_BLOCK: Final = 512  # bytes; RFC 1350 2
SMALLEST_BLOCK: Final = 8  # bytes; RFC 2348
_LARGEST_TIMEOUT: Final = 255  # seconds; RFC 2349
_SMALLEST_UTIMEOUT: Final = 10_000  # microseconds; tftp-hpa's least
_LONGEST_NUMBER: Final = 19  # digits; no file has more bytes than that
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


@attrs.frozen
class Ceilings:
    """What the operator grants at most.

    `largest_block` is in bytes, 8 to 65464; `largest_window` in blocks, 1 to 32767; `refused` are names in lower case of options to
    ignore; `rollover` is the number behind 65535, 0 or 1, for clients that do not ask for one.
    """

    largest_block: int
    largest_window: int
    refused: frozenset[str]
    rollover: int


@attrs.frozen
class Terms:
    """What an exchange goes by.

    `block_size` is in bytes, `window` in blocks, `timeout` in seconds (None: ours to choose), `rollover` 0 or 1.  `acknowledged` is the
    OACK, in the order of the request; without one there is no OACK.  `declared_size` is what an upload says it has, in bytes: clients
    that send netascii count before or behind the conversion, so there it tells how much room to look for and not how much has to come.

    `oack` is the packet that says `acknowledged`, empty where there is nothing to say, and `text` what logs say of it.
    """

    block_size: int = DEFAULT_BLOCK
    window: int = 1
    timeout: float | None = None
    rollover: int = 0
    acknowledged: Mapping[str, str] = _NONE
    declared_size: int | None = None
    oack: bytes = attrs.field(init=False, eq=False, repr=False)
    text: str = attrs.field(init=False, eq=False, repr=False)

    @oack.default
    def _oack(self) -> bytes:
        return oack(self.acknowledged) if self.acknowledged else b""

    @text.default
    def _text(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.acknowledged.items())


class _Bounds(NamedTuple):
    """What a number is judged by; `block` is the largest block for the operator and on the path, `size` that of the file."""

    is_write: bool
    block: int
    window: int
    size: int | None


def _block(asked: int, bounds: _Bounds) -> int | None:
    granted = min(asked, bounds.block)
    return granted if granted >= SMALLEST_BLOCK else None


def _power_of_two(asked: int, bounds: _Bounds) -> int | None:
    granted = min(asked, bounds.block)
    return 1 << granted.bit_length() - 1 if granted >= SMALLEST_BLOCK else None


def _size(asked: int, bounds: _Bounds) -> int | None:
    return asked if bounds.is_write else bounds.size or None  # 0: curl gives up an empty file with "invalid tsize"


def _timeout(asked: int, bounds: _Bounds) -> int | None:
    return asked if 1 <= asked <= _LARGEST_TIMEOUT else None


def _utimeout(asked: int, bounds: _Bounds) -> int | None:
    return asked if _SMALLEST_UTIMEOUT <= asked <= _LARGEST_TIMEOUT * 1_000_000 else None


def _window(asked: int, bounds: _Bounds) -> int | None:
    return min(asked, bounds.window) or None


def _rollover(asked: int, bounds: _Bounds) -> int | None:
    return asked if asked <= 1 else None


# From what is asked to what is granted; None: dropped.
_GRANTS: Final[Mapping[str, Callable[[int, _Bounds], int | None]]] = {
    "blksize": _block,
    "blksize2": _power_of_two,
    "tsize": _size,
    "timeout": _timeout,
    "utimeout": _utimeout,
    "windowsize": _window,
    "rollover": _rollover,
}
# Two ways to ask for one thing.
_TWINS: Final = {"blksize": "blksize2", "blksize2": "blksize", "timeout": "utimeout", "utimeout": "timeout"}


def agree(request: Request, ceilings: Ceilings, *, mtu_block: int | None, size: int | None, multicast: str | None = None) -> Terms:
    """Grant what *request* asks for as far as *ceilings* go.

    *mtu_block* is the largest block, in bytes, that crosses the path in one piece, None: it does not matter; *size* that of the file as
    it will go over the wire, None: not known; *multicast* the value for that option, None: not granted.

    An option that is unknown, refused, or no number is dropped, as is any that is not answered (RFC 2347).  Of the others:

    - `blksize` (RFC 2348): above the ceilings it is lowered; below 8 it is dropped.
    - `blksize2` (tftp-hpa): the same, rounded down to a power of two.  Of both the first that can be granted counts, as there.
    - `tsize` (RFC 2349): the file's size if it is known; an upload's own is given back.
    - `timeout` (RFC 2349): 1 to 255 seconds as asked, else dropped; `utimeout` (tftp-hpa): 10,000 to 255,000,000 microseconds.  Of both
      the first counts, since one exchange has one timeout.
    - `windowsize` (RFC 7440): above the ceiling it is lowered; 0 is dropped.
    - `rollover` (tftp-hpa): 0 or 1, else dropped.
    - `multicast` (RFC 2090): of downloads only.
    """
    if not request.options:
        return Terms(rollover=ceilings.rollover)
    block = ceilings.largest_block if mtu_block is None else min(ceilings.largest_block, mtu_block)
    bounds = _Bounds(request.is_write, block, ceilings.largest_window, size)
    granted: dict[str, int] = {}
    acknowledged: dict[str, str] = {}
    for name, text in request.options.items():
        if name in ceilings.refused:
            continue
        if name == "multicast" and multicast is not None and not request.is_write:
            acknowledged[name] = multicast
        elif (number := _grant(name, text, granted, bounds)) is not None:
            granted[name] = number
            acknowledged[name] = str(number)
    return _terms(request, ceilings, granted, acknowledged)


def _grant(name: str, text: str, granted: Mapping[str, int], bounds: _Bounds) -> int | None:
    judge = _GRANTS.get(name)
    if judge is None or _TWINS.get(name) in granted:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        return None
    return judge(int(text), bounds)


def _terms(request: Request, ceilings: Ceilings, granted: Mapping[str, int], acknowledged: Mapping[str, str]) -> Terms:
    timeout: float | None = granted.get("timeout")
    if "utimeout" in granted:
        timeout = granted["utimeout"] / 1_000_000
    return Terms(
        block_size=granted.get("blksize") or granted.get("blksize2") or DEFAULT_BLOCK,
        window=granted.get("windowsize", 1),
        timeout=timeout,
        rollover=granted.get("rollover", ceilings.rollover),
        acknowledged=acknowledged,
        declared_size=granted.get("tsize") if request.is_write else None,
    )
