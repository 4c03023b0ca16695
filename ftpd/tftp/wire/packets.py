"""TFTP's six packets as bytes: requests are parsed, answers are made (RFC 1350 5, RFC 2347).

Apart from options, which is what a request asks for and is granted: this module knows the form only.  It is on the path of every request.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import attrs

__all__ = [
    "ACK",
    "DATA",
    "ERROR",
    "LARGEST_REQUEST",
    "LONGEST_MESSAGE",
    "OACK",
    "RRQ",
    "WRQ",
    "BadRequest",
    "ErrorCode",
    "Mode",
    "Request",
    "ack",
    "data_header",
    "error",
    "is_of_transfer",
    "is_request",
    "oack",
    "parse_error",
    "parse_request",
]

RRQ: Final = 1
WRQ: Final = 2
DATA: Final = 3
ACK: Final = 4
ERROR: Final = 5
OACK: Final = 6

LARGEST_REQUEST: Final = 1472  # bytes; RFC 2347 has 512, but paths are longer than that; 1472 is what an Ethernet frame carries
LONGEST_MESSAGE: Final = 126  # bytes; what UEFI keeps of one (EFI_PXE_BASE_CODE_TFTP_ERROR)

_REMEMBERED: Final = 256  # requests, of 1472 bytes at most: machines that boot together ask for the same, in the same words

_IS_WRITE: Final = {b"\0\1": False, b"\0\2": True}
_NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})
_UNPRINTABLE: Final = re.compile(r"[^ -~]+")
_HEADER: Final = struct.Struct("!HH")
_OF_A_TRANSFER: Final = (bytes((0, DATA)), bytes((0, ACK)))


class Mode(enum.Enum):
    """How the bytes of a file go over the wire (RFC 1350 1); the value is the word of the request."""

    OCTET = "octet"
    NETASCII = "netascii"


_MODES: Final = {mode.value.encode(): mode for mode in Mode}


class ErrorCode(enum.IntEnum):
    """The codes of an ERROR packet (RFC 1350 appendix, RFC 2347)."""

    UNDEFINED = 0
    NOT_FOUND = 1
    ACCESS_VIOLATION = 2
    DISK_FULL = 3
    ILLEGAL_OPERATION = 4
    UNKNOWN_TRANSFER_ID = 5
    ALREADY_EXISTS = 6
    NO_SUCH_USER = 7
    OPTIONS_REFUSED = 8


@attrs.frozen
class Request:
    """A read or write request.

    `name` is as it was sent.  `options` has the names in lower case, in the order in which they were sent, and of an option that was
    sent twice the first value; values are as they were sent, one character for each byte (latin-1), and nobody has judged them.
    """

    is_write: bool
    name: bytes
    mode: Mode
    options: Mapping[str, str] = _NO_OPTIONS

    @property
    def command(self) -> str:
        """RRQ or WRQ."""
        return "WRQ" if self.is_write else "RRQ"


class BadRequest(Exception):
    """The request cannot be understood; `code` and `message` are the ERROR that answers it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


def is_of_transfer(datagram: bytes) -> bool:
    """Whether whoever sent *datagram* believes in a transfer: it is a DATA or an ACK."""
    return datagram[:2] in _OF_A_TRANSFER


def is_request(datagram: bytes) -> bool:
    """Tell whether *datagram* has the opcode of a request."""
    return datagram[:2] in _IS_WRITE


@lru_cache(_REMEMBERED)  # 0.1 us instead of 3 (tests/bench: tftp-tiny)
def parse_request(datagram: bytes) -> Request:
    """Parse a read or write request (RFC 1350 5, RFC 2347).

    Name and mode have to be there and to end in NUL.  Of the options whatever is whole is taken, up to the first empty name: firmware
    pads its requests, and a request without its options can still be served.  So a name without a value, or a value without its NUL,
    is dropped.

    Raises BadRequest, and ValueError for a packet that is no request, which nobody should answer.
    """
    is_write = _IS_WRITE.get(datagram[:2])
    if is_write is None:
        raise ValueError("not a request")
    if len(datagram) > LARGEST_REQUEST:
        raise BadRequest(ErrorCode.ILLEGAL_OPERATION, "Request too long")
    name, *behind = datagram[2:].split(b"\0", 2)
    if len(behind) < 2:
        raise BadRequest(ErrorCode.ILLEGAL_OPERATION, "Request not terminated")
    if not name:
        raise BadRequest(ErrorCode.ILLEGAL_OPERATION, "Request without a file name")
    word, options = behind
    mode = _MODES.get(word.lower())
    if mode is None:
        raise BadRequest(ErrorCode.ILLEGAL_OPERATION, "Only the modes octet and netascii are served")
    return Request(is_write, name, mode, _parse_options(options) if options else _NO_OPTIONS)


def _parse_options(raw: bytes) -> Mapping[str, str]:
    *ended, _ = raw.decode("latin-1").split("\0")
    texts = iter(ended)
    options: dict[str, str] = {}
    for name, value in zip(texts, texts, strict=False):
        if not name:
            break
        options.setdefault(name.lower(), value)
    return MappingProxyType(options)


def data_header(wire_number: int) -> bytes:
    """Return what stands before the bytes of a block; *wire_number* is 0 to 65535."""
    return _HEADER.pack(DATA, wire_number)


def ack(wire_number: int) -> bytes:
    """Return the packet that acknowledges a block; *wire_number* is 0 to 65535."""
    return _HEADER.pack(ACK, wire_number)


def error(code: int, message: str) -> bytes:
    """Return an ERROR packet; what is not printable ASCII in *message* is `?`, and what is longer than `LONGEST_MESSAGE` is cut off."""
    return _HEADER.pack(ERROR, code) + _printable(message).encode("ascii") + b"\0"


def oack(options: Mapping[str, str]) -> bytes:
    """Return the packet that grants *options*, in their order (RFC 2347); names and values are ASCII."""
    return b"\0\6" + "".join(f"{name}\0{value}\0" for name, value in options.items()).encode("ascii")


def parse_error(datagram: bytes) -> tuple[int, str]:
    """Return code and message of an ERROR packet, fit for a log; what is missing is 0 or empty: whoever sends an ERROR is gone anyway."""
    message, _, _ = datagram[4:].partition(b"\0")
    return int.from_bytes(datagram[2:4], "big"), _printable(message.decode("latin-1"))


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)[:LONGEST_MESSAGE]
