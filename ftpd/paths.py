"""VirtualPath: a place in what one account sees, independent of any disk.

Absolute, normalised, and unable to name anything above its root.  Text inside, bytes on disk and on the wire: bytes that are not
UTF-8 travel as lone surrogates (PEP 383), so that every name of a POSIX disk round-trips.
"""

from __future__ import annotations

from typing import Final

from ftpd.errors import BadName

__all__ = ["ROOT", "VirtualPath", "decode_name", "encode_name"]


def decode_name(raw: bytes) -> str:
    """Turn bytes of disk or wire into text; never fails."""
    return raw.decode("utf-8", "surrogateescape")


def encode_name(text: str) -> bytes:
    """Turn text back into the bytes it came from; text that no bytes give (a lone high surrogate) is :class:`BadName`."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadName(None, "Name is not valid text") from None


class VirtualPath:
    """An absolute path as a tuple of names; the root is the empty tuple.  Immutable and hashable."""

    __slots__ = ("parts",)

    parts: tuple[str, ...]

    def __init__(self, parts: tuple[str, ...] = ()) -> None:
        self.parts = parts

    @classmethod
    def parse(cls, text: str) -> VirtualPath:
        """Read *text* as seen from the root."""
        return ROOT.join(text)

    def join(self, text: str) -> VirtualPath:
        """Resolve *text*, absolute or relative to this path.

        Empty parts and `.` vanish, `..` goes up by name and stops at the root.  NUL and line feed are :class:`BadName`: no disk takes
        the one, and the other could forge a reply or a log line.
        """
        if "\0" in text or "\n" in text:
            raise BadName(None, "Name contains a NUL or a line feed")
        if "/" not in text and text not in ("", ".", ".."):
            return VirtualPath((*self.parts, text))
        parts = [] if text.startswith("/") else list(self.parts)
        for part in text.split("/"):
            if part == "..":
                del parts[-1:]
            elif part and part != ".":
                parts.append(part)
        return VirtualPath(tuple(parts))

    def child(self, name: str) -> VirtualPath:
        """Name an entry of this directory; *name* comes from a listing, so it is taken literally."""
        return VirtualPath((*self.parts, name))

    @property
    def name(self) -> str:
        """The last part; empty for the root."""
        return self.parts[-1] if self.parts else ""

    @property
    def parent(self) -> VirtualPath:
        """The directory that holds it; the root's is the root."""
        return VirtualPath(self.parts[:-1])

    @property
    def is_root(self) -> bool:
        return not self.parts

    def is_within(self, other: VirtualPath) -> bool:
        """Whether this is *other* or lies below it."""
        return self.parts[: len(other.parts)] == other.parts

    def below(self, other: VirtualPath) -> VirtualPath:
        """The rest of this path as seen from *other*, which must contain it."""
        if not self.is_within(other):
            raise ValueError(f"{self!r} is not within {other!r}")
        return VirtualPath(self.parts[len(other.parts) :])

    def under(self, other: VirtualPath) -> VirtualPath:
        """This path with *other* in front of it: how a home or a mount is laid over a store."""
        return VirtualPath(other.parts + self.parts)

    def __str__(self) -> str:
        return "/" + "/".join(self.parts)

    def __bytes__(self) -> bytes:
        return encode_name(str(self))

    def __repr__(self) -> str:
        return f"VirtualPath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VirtualPath) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)


ROOT: Final = VirtualPath()
