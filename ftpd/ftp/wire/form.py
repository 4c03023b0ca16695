"""TYPE, STRU and MODE as a session has set them.

Apart from the session because the conversions, which know no session, are chosen by them.
"""

from __future__ import annotations

import enum

import attrs

__all__ = ["Form", "Mode", "Representation", "Structure"]


class Representation(enum.Enum):
    """TYPE: how bytes stand for a file on the data connection (RFC 959 3.1.1)."""

    ASCII = "A"
    EBCDIC = "E"
    IMAGE = "I"

    @property
    def words(self) -> str:
        return "BINARY" if self is Representation.IMAGE else self.name


class Structure(enum.Enum):
    """STRU: what a file is made of (RFC 959 3.1.2)."""

    FILE = "F"
    RECORD = "R"


class Mode(enum.Enum):
    """MODE: how its bytes are sent (RFC 959 3.4; Z is draft-preston-ftpext-deflate)."""

    STREAM = "S"
    BLOCK = "B"
    COMPRESSED = "C"
    DEFLATE = "Z"


@attrs.frozen
class Form:
    """How a file stands on the data connection.

    *code_page* is that of EBCDIC, *level* the effort of deflate; an upload may unpack to *max_ratio* times its size, 0: to any; in blocks a marker
    follows each *marker_bytes* of the file, 0: none.
    """

    representation: Representation
    structure: Structure
    mode: Mode
    code_page: str = "cp037"
    level: int = 6
    max_ratio: int = 0
    marker_bytes: int = 0

    @property
    def is_converted(self) -> bool:
        """Whether the bytes on the wire are others than those of the file."""
        return self.is_text or self.structure is not Structure.FILE or self.mode is not Mode.STREAM

    @property
    def is_text(self) -> bool:
        return self.representation is not Representation.IMAGE

    @property
    def is_ebcdic(self) -> bool:
        return self.representation is Representation.EBCDIC

    @property
    def has_markers(self) -> bool:
        """Whether REST names a marker, which is an offset in the file (RFC 959 3.5)."""
        return self.mode in (Mode.BLOCK, Mode.COMPRESSED)

    @property
    def counts_wire(self) -> bool:
        """Whether REST counts bytes as they are sent, which are not those of the file (RFC 3659 5.3)."""
        is_same = self.representation is not Representation.ASCII and self.structure is Structure.FILE  # in EBCDIC a byte stays one
        return not self.has_markers and not is_same
