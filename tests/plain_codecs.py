"""The client's side of TYPE, STRU and MODE, byte by byte as RFC 959 tells it: what the server's codecs are compared with.

Apart from the tests because those of the codecs, of the server and the random ones all read and write with it; it uses nothing of the server's.
What stands on the wire is a list of events: a byte of data, the end of a record or of the file, a restart marker.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple, TypeAlias

CR, LF, ESCAPE = 0x0D, 0x0A, 0xFF
EOR_BIT, EOF_BIT, MARKER_BIT = 128, 64, 16


class End(Enum):
    RECORD = "end of record"
    FILE = "end of file"


class Marker(NamedTuple):
    text: str


Event: TypeAlias = int | End | Marker
Choose: TypeAlias = Callable[[int], int]  # of n ways, numbered from 0


class Broken(Exception):
    """The wire is not what RFC 959 says."""


def greedy(count: int) -> int:
    """Choose the longest string, the largest block."""
    return count - 1


# From a file to events and back: TYPE and STRU.


def ebcdic_to_latin(byte: int, code_page: str) -> int:
    """RFC 959 3.1.1.2; NL ends a line where Latin-1 has LF, and LF changes places with it."""
    if byte == 0x15:
        return LF
    if byte == 0x25:
        return 0x85
    character = bytes([byte]).decode(code_page)
    return {"\u203e": 0xAF, "\u20ac": 0xA4}.get(character) or ord(character)


def latin_to_ebcdic(byte: int, code_page: str) -> int:
    return next(candidate for candidate in range(256) if ebcdic_to_latin(candidate, code_page) == byte)


def events_of(content: bytes, type_: str, structure: str, code_page: str = "cp037") -> list[Event]:
    """What a download of *content* sends, without the end of the file."""
    table = {byte: latin_to_ebcdic(byte, code_page) for byte in set(content)} if type_ == "E" else {}
    events: list[Event] = []
    for place, byte in enumerate(content):
        if byte == LF and structure == "R":
            events.append(End.RECORD)
        elif byte == LF and type_ == "A" and not content[:place].endswith(b"\r"):
            events += [CR, LF]
        else:
            events.append(table.get(byte, byte))
    return events


def stored(events: Iterable[Event], type_: str, code_page: str = "cp037") -> bytes:
    """What an upload of *events* stores."""
    content = bytearray()
    last: Event | None = None
    for event in events:
        if isinstance(event, Marker) or event is End.FILE:
            continue
        if event is End.RECORD:
            content.append(LF)
        elif isinstance(event, int):
            if type_ == "A" and event == LF and last == CR:
                content[-1] = LF
            else:
                content.append(ebcdic_to_latin(event, code_page) if type_ == "E" else event)
        last = event
    return bytes(content)


# From events to the wire and back: MODE, and STRU where the stream itself has records.


def encode(events: Sequence[Event], type_: str, structure: str, mode: str, choose: Choose = greedy) -> bytes:
    if mode == "B":
        return encode_blocks(events, choose)
    if mode == "C":
        return encode_compressed(events, filler_of(type_), choose)
    wire = encode_stream(events, structure, choose)
    return zlib.compress(wire, choose(10)) if mode == "Z" else wire


def decode(wire: bytes, type_: str, structure: str, mode: str) -> list[Event]:
    """Raises `Broken` where the wire is not whole, or says what no server can store."""
    if mode == "B":
        events = decode_blocks(wire)
    elif mode == "C":
        events = decode_compressed(wire, filler_of(type_))
    else:
        events = decode_stream(inflate(wire) if mode == "Z" else wire, structure)
    if structure == "F" and End.RECORD in events:
        raise Broken("records in a file that has none")
    return events


def has_end(structure: str, mode: str) -> bool:
    """Whether the end of the file is an event."""
    return structure == "R" or mode in "BC"


def filler_of(type_: str) -> int:
    return {"A": 0x20, "E": 0x40, "I": 0x00}[type_]


def inflate(wire: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        stream = unpacking.decompress(wire)
    except zlib.error as error:
        raise Broken("no deflate stream") from error
    if not unpacking.eof or unpacking.unused_data:
        raise Broken("the deflate stream does not end where the connection does")
    return stream


def encode_stream(events: Sequence[Event], structure: str, choose: Choose) -> bytes:
    if structure == "F":
        return bytes([event for event in events if isinstance(event, int)])
    wire = bytearray()
    place = 0
    while place < len(events):
        event = events[place]
        if event is End.RECORD and events[place + 1 : place + 2] == [End.FILE] and choose(2):
            wire += bytes([ESCAPE, 3])
            place += 1
        elif isinstance(event, End):
            wire += bytes([ESCAPE, 1 if event is End.RECORD else 2])
        elif isinstance(event, int):
            wire += bytes([event, event] if event == ESCAPE else [event])
        place += 1
    return bytes(wire)


def decode_stream(wire: bytes, structure: str) -> list[Event]:
    if structure == "F":
        return list(wire)
    events: list[Event] = []
    place = 0
    while place < len(wire):
        byte = wire[place]
        place += 1
        if byte != ESCAPE:
            events.append(byte)
            continue
        if place == len(wire):
            raise Broken("half a control code")
        code = wire[place]
        place += 1
        if code not in (1, 2, 3, ESCAPE):
            raise Broken("unknown control code")
        if code == ESCAPE:
            events.append(ESCAPE)
        else:
            events += [End.RECORD] * (code & 1) + [End.FILE] * (code >> 1)
    return whole(events)


def strings_of(events: Sequence[Event], longest: int, choose: Choose) -> Iterable[tuple[bytes, int]]:
    """Cut *events* into strings with the descriptor of each; the end of a record or of the file may stand in one of its own, or not."""
    string = bytearray()
    limit = choose(longest) + 1
    descriptor = 0
    for event in events:
        if descriptor and (event is not End.FILE or descriptor & EOF_BIT or choose(2)):
            yield bytes(string), descriptor
            string, descriptor, limit = bytearray(), 0, choose(longest) + 1
        if isinstance(event, Marker) or (isinstance(event, int) and len(string) == limit):
            yield bytes(string), 0
            string, limit = bytearray(), choose(longest) + 1
        if isinstance(event, Marker):
            yield event.text.encode("ascii"), MARKER_BIT
        elif isinstance(event, End):
            descriptor |= EOR_BIT if event is End.RECORD else EOF_BIT
        else:
            string.append(event)
    if string or descriptor:
        yield bytes(string), descriptor


def events_in(string: bytes, descriptor: int) -> list[Event]:
    if descriptor & ~(EOR_BIT | EOF_BIT | MARKER_BIT):
        raise Broken("suspect, or undefined")
    if descriptor & MARKER_BIT and not (0 < len(string) < 256 and all(0x20 < byte < 0x7F for byte in string)):
        raise Broken("a marker that is no text")
    events: list[Event] = [Marker(string.decode("ascii"))] if descriptor & MARKER_BIT else list(string)
    if descriptor & EOR_BIT:
        events.append(End.RECORD)
    if descriptor & EOF_BIT:
        events.append(End.FILE)
    return events


def encode_blocks(events: Sequence[Event], choose: Choose) -> bytes:
    wire = bytearray()
    for string, descriptor in strings_of(events, 65_535, choose):
        wire += bytes([descriptor, len(string) >> 8, len(string) & 0xFF]) + string
    return bytes(wire)


def decode_blocks(wire: bytes) -> list[Event]:
    events: list[Event] = []
    place = 0
    while place < len(wire):
        if events[-1:] == [End.FILE] or place + 3 > len(wire):
            raise Broken("half a header, or anything behind the end")
        descriptor, count = wire[place], wire[place + 1] * 256 + wire[place + 2]
        place += 3
        if place + count > len(wire):
            raise Broken("half a block")
        events += events_in(wire[place : place + count], descriptor)
        place += count
    return whole(events)


def encode_compressed(events: Sequence[Event], filler: int, choose: Choose) -> bytes:
    wire = bytearray()
    for string, descriptor in strings_of(events, 127, choose):
        parts = compressed_parts(string, filler, choose)
        if descriptor & MARKER_BIT:
            parts = [bytes([len(string)]) + string]
        if descriptor:
            parts.insert(len(parts) - 1, bytes([0, descriptor]))
        wire += b"".join(parts)
    return bytes(wire)


def compressed_parts(string: bytes, filler: int, choose: Choose) -> list[bytes]:
    """Runs as *choose* has them, and what lies between; an empty string is a run of none."""
    parts = []
    place = 0
    while place < len(string):
        length = 1
        while place + length < len(string) and string[place + length] == string[place] and length < 63:
            length += 1
        if string[place] == filler and choose(3):
            parts.append(bytes([0xC0 | length]))
        elif choose(3) and length > 1:
            parts.append(bytes([0x80 | length, string[place]]))
        else:
            length = min(choose(127) + 1, len(string) - place)
            parts.append(bytes([length]) + string[place : place + length])
        place += length
    return parts or [bytes([0x80 | 0, 7]) if choose(2) else bytes([0xC0 | 0])]


def decode_compressed(wire: bytes, filler: int) -> list[Event]:
    events: list[Event] = []
    descriptor: int | None = None
    place = 0
    while place < len(wire):
        header = wire[place]
        if header == 0:
            if descriptor is not None or place + 1 == len(wire):
                raise Broken("an escape without a string")
            descriptor = wire[place + 1]
            place += 2
            continue
        if events[-1:] == [End.FILE]:
            raise Broken("a string behind the end")
        string, length = string_at(wire, place, filler)
        events += events_in(string, descriptor or 0)
        descriptor = None
        place += length
    if descriptor is not None:
        raise Broken("an escape without a string")
    return whole(events)


def string_at(wire: bytes, place: int, filler: int) -> tuple[bytes, int]:
    """Return the string whose header stands at *place*, and how many bytes it takes."""
    header = wire[place]
    count = header & 0x3F
    if header >= 0xC0:
        return bytes([filler]) * count, 1
    length = 2 if header >= 0x80 else 1 + header
    following = wire[place + 1 : place + length]
    if 1 + len(following) < length:
        raise Broken("half a string")
    return (following * count if header >= 0x80 else following), length


def whole(events: list[Event]) -> list[Event]:
    """Check that the file ends once, and last."""
    if events.count(End.FILE) != 1 or events[-1] is not End.FILE:
        raise Broken("the end of the file is not there, or not last")
    return events
