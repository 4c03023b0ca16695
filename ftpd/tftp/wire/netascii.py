"""Netascii: text of the network, whose line ends are CR LF (RFC 764, as RFC 1350 1 has it).

Apart from FTP's line ends because a lone CR has a form of its own here, CR NUL, so that any file comes back as it was.  A pair may be cut by
the border of two blocks.  The speed is that of `bytes.replace`: no loop over lines.
"""

from __future__ import annotations

__all__ = ["Decoder", "Encoder"]


class Encoder:
    """What a download sends: LF becomes CR LF, and CR becomes CR NUL, so that CR LF in a file goes out as CR NUL CR LF."""

    __slots__ = ()

    def encode(self, data: bytes, is_end: bool = False) -> bytes:
        """Return the bytes for the wire; each piece stands for itself, *is_end* is there because a decoder needs it."""
        return data.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")


class Decoder:
    """What an upload stores: CR LF becomes LF, and CR NUL becomes CR.

    What no encoder sends is kept as it came, as tftp-hpa does: a CR before anything else, a CR at the end, a lone LF (curl sends files as
    they are).  So nothing is lost, and nothing refused.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def decode(self, data: bytes, is_end: bool = False) -> bytes:
        """Return the bytes for the file; a CR at the end of a piece is held back until the next one, or until *is_end*."""
        if self._held:
            data, self._held = self._held + data, b""
        if b"\r" not in data:
            return data
        if not is_end and data.endswith(b"\r"):
            data, self._held = data[:-1], b"\r"
        data = data.replace(b"\r\n", b"\n")
        return data.replace(b"\r\0", b"\r") if b"\r" in data else data
