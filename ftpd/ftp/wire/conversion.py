"""The conversions between a file and the wire, chosen by TYPE, STRU and MODE.

Apart from the codecs because each of those is one rule of RFC 959, and this is how they stand around one another: text next to the file,
framing next to the wire, deflate around both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from ftpd.ftp.wire.blocks import BlockFraming, BlockUnframing
from ftpd.ftp.wire.compressed import CompressedFraming, CompressedUnframing
from ftpd.ftp.wire.deflate import DeflateFraming, DeflateUnframing
from ftpd.ftp.wire.ebcdic import NEW_LINE, SPACE, from_ebcdic, to_ebcdic
from ftpd.ftp.wire.form import Form, Mode, Representation, Structure
from ftpd.ftp.wire.framing import Framing, MarkedFraming, PlainFraming, PlainUnframing, SkippingFraming, Unframing
from ftpd.ftp.wire.markers import Markers
from ftpd.ftp.wire.newlines import from_network, to_network
from ftpd.ftp.wire.records import RecordFraming, RecordUnframing
from ftpd.values import Mark

__all__ = ["Form", "Incoming", "Outgoing", "incoming", "outgoing"]

Text: TypeAlias = Callable[[bytes], bytes]  # of each piece, and of b"" at the end

# Of the file, converted at a time.  Framing makes three bytes of one at most, so that no more than 256 KiB come of any of these.
_WHOLE_BYTES: Final = 256 * 1024  # where nobody looks at the bytes
_STEP_BYTES: Final = 64 * 1024
_LISTED_BYTES: Final = 16 * 1024  # where each record, or each run, costs its own microsecond: of nothing but these, some 4 ms

_FILLERS: Final = {Representation.ASCII: b" ", Representation.EBCDIC: SPACE, Representation.IMAGE: b"\0"}  # RFC 959 3.4.3


class Outgoing:
    """The conversion of one download, a `spi.Conversion`.  `end` raises `BadOffset` where REST has left out more than there was."""

    is_complete = False

    def __init__(self, text: Text | None, framing: Framing, markers: Markers | None, *, step_bytes: int, is_costly: bool) -> None:
        self.is_costly = is_costly
        self._text = text
        self._framing = framing
        self._markers = markers
        self._step_bytes = step_bytes

    def convert(self, piece: bytes) -> Iterator[bytes]:
        for start in range(0, len(piece), self._step_bytes):
            yield from self._converted(piece[start : start + self._step_bytes])

    def end(self) -> Iterator[bytes]:
        yield self._framing.end()

    def _converted(self, piece: bytes) -> Iterator[bytes]:
        for part, marker in self._markers.cut(piece) if self._markers else ((piece, b""),):
            yield self._framing.frame(self._text(part) if self._text else part) + marker


class Incoming:
    """The conversion of one upload, a `spi.Conversion`.

    With *minds_cr*, TYPE A, a marker that stands behind a CR is left unanswered: the CR is not stored yet, as LF may follow.
    """

    def __init__(self, unframing: Unframing, text: Text | None, *, minds_cr: bool, is_costly: bool) -> None:
        self.is_costly = is_costly
        self._unframing = unframing
        self._text = text
        self._minds_cr = minds_cr
        self._is_behind_cr = False

    @property
    def is_complete(self) -> bool:
        return self._unframing.is_ended

    def convert(self, piece: bytes) -> Iterator[bytes | Mark]:
        for part in self._unframing.unframe(piece):
            if not isinstance(part, Mark):
                yield self._stored(part)
            elif not self._is_behind_cr:
                yield part
        if self.is_complete and self._text:
            yield self._text(b"")

    def end(self) -> Iterator[bytes]:
        self._unframing.end()
        if self._text:
            yield self._text(b"")

    def _stored(self, part: bytes) -> bytes:
        if not part or not self._text:
            return part
        self._is_behind_cr = self._minds_cr and part.endswith(b"\r")
        return self._text(part)


def outgoing(form: Form, start: int) -> Outgoing | None:
    """Return the conversion of a download as *form* says, None where there is nothing to convert.

    *start* is the REST offset.  Where `form.counts_wire` so many bytes of the stream are left out, and the file is read from its beginning;
    elsewhere it is read from *start* on, and markers count from there.
    """
    if not form.is_converted:
        return None
    framing, markers = _framing(form, start)
    return Outgoing(_text_out(form), framing, markers, step_bytes=_step_bytes(form), is_costly=form.mode is Mode.DEFLATE)


def incoming(form: Form) -> Incoming | None:
    """Return the conversion of an upload as *form* says, None where there is nothing to convert."""
    if not form.is_converted:
        return None
    minds_cr = form.representation is Representation.ASCII
    return Incoming(_unframing(form), _text_in(form), minds_cr=minds_cr, is_costly=form.mode is Mode.DEFLATE)


def _step_bytes(form: Form) -> int:
    has_records = form.structure is Structure.RECORD
    if form.mode is Mode.COMPRESSED or (form.mode is Mode.BLOCK and has_records):
        return _LISTED_BYTES
    return _STEP_BYTES if form.is_text or has_records else _WHOLE_BYTES


def _text_out(form: Form) -> Text | None:
    if form.is_ebcdic:
        table = to_ebcdic(form.code_page)
        return lambda data: data.translate(table)
    # A file of records has no line ends on the wire, so that a CR before one is data and stays.
    return to_network() if form.is_text and form.structure is Structure.FILE else None


def _text_in(form: Form) -> Text | None:
    if form.is_ebcdic:
        table = from_ebcdic(form.code_page)
        return lambda data: data.translate(table)
    return from_network() if form.is_text else None


def _framing(form: Form, start: int) -> tuple[Framing, Markers | None]:
    line_end = None if form.structure is Structure.FILE else NEW_LINE if form.is_ebcdic else b"\n"
    if form.has_markers:
        return _marked_framing(form, line_end, start)
    framing: Framing = PlainFraming() if line_end is None else RecordFraming(line_end)
    if form.counts_wire and start:
        framing = SkippingFraming(framing, start)
    return DeflateFraming(framing, form.level) if form.mode is Mode.DEFLATE else framing, None


def _marked_framing(form: Form, line_end: bytes | None, start: int) -> tuple[Framing, Markers | None]:
    is_block = form.mode is Mode.BLOCK
    framing: MarkedFraming = BlockFraming(line_end) if is_block else CompressedFraming(_FILLERS[form.representation], line_end)
    minds_cr = form.representation is Representation.ASCII
    return framing, Markers(framing.mark, start, form.marker_bytes, minds_cr=minds_cr) if form.marker_bytes else None


def _unframing(form: Form) -> Unframing:
    line_end = None if form.structure is Structure.FILE else _stored_line_end(form)
    if form.mode is Mode.BLOCK:
        return BlockUnframing(line_end)
    if form.mode is Mode.COMPRESSED:
        return CompressedUnframing(_FILLERS[form.representation], line_end)
    unframing: Unframing = PlainUnframing() if line_end is None else RecordUnframing(line_end)
    return DeflateUnframing(unframing, form.max_ratio) if form.mode is Mode.DEFLATE else unframing


def _stored_line_end(form: Form) -> bytes:
    """Return what stands for the end of a record until the text is converted, to LF; in TYPE A a CR before it is data and stays."""
    if form.is_ebcdic:
        return NEW_LINE
    return b"\r\n" if form.is_text else b"\n"
