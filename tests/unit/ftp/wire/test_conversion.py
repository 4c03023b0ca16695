"""Every combination of TYPE, STRU and MODE, both ways, against codecs written byte by byte from RFC 959."""

from __future__ import annotations

import contextlib
import itertools
import re
import tracemalloc
import zlib
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.errors import BadOffset, TransferCut
from ftpd.ftp.wire.conversion import Incoming, Outgoing, incoming, outgoing
from ftpd.ftp.wire.ebcdic import CODE_PAGES
from ftpd.ftp.wire.form import Form, Mode, Representation, Structure
from ftpd.values import Mark
from tests.plain_codecs import End, Event, Marker, decode, encode, events_of, has_end, stored

FORMS = [
    Form(Representation(type_), Structure(structure), Mode(mode))
    for type_, structure, mode in itertools.product("AEI", "FR", "SBCZ")
    if type_ + structure + mode != "IFS"
]
IDS = ["".join([form.representation.value, form.structure.value, form.mode.value]) for form in FORMS]
all_forms = pytest.mark.parametrize("form", FORMS, ids=IDS)

# Bytes that mean something in one of the codecs, far more often than chance would have it, and runs.
TELLING = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\xff", b"\xff\xff", b"\xff\x01", b"\0", b"\x15", b"\x25", b" ", b"a", b"bc", b"\x40"]
)
RUNS = st.builds(lambda byte, count: byte * count, TELLING, st.integers(min_value=1, max_value=140))
CONTENTS = st.lists(st.one_of(TELLING, RUNS, st.binary(max_size=200)), max_size=20).map(b"".join)
CUTS = st.lists(st.integers(min_value=1, max_value=400), max_size=10)
CODE_PAGE = st.sampled_from(CODE_PAGES)


def letters(form: Form) -> tuple[str, str, str]:
    return form.representation.value, form.structure.value, form.mode.value


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut *data* at *places*, which may lie behind its end or coincide; no part is empty, as no pump hands one on."""
    ends = sorted(min(place, len(data)) for place in places)
    return [part for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if (part := data[start:end])]


def sent(form: Form, pieces: list[bytes], start: int = 0) -> bytes:
    conversion = outgoing(form, start)
    assert conversion is not None
    return b"".join(download(conversion, pieces))


def download(conversion: Outgoing, pieces: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from conversion.convert(piece)
    yield from conversion.end()


def upload(conversion: Incoming, pieces: list[bytes]) -> Iterator[bytes | Mark]:
    """Convert as a pump does: nothing behind the end that the stream has said."""
    for number, piece in enumerate(pieces):
        yield from conversion.convert(piece)
        if conversion.is_complete:
            assert number == len(pieces) - 1
            return
    yield from conversion.end()


def received(form: Form, pieces: list[bytes]) -> bytes:
    conversion = incoming(form)
    assert conversion is not None
    return b"".join([part for part in upload(conversion, pieces) if isinstance(part, bytes)])


@all_forms
@given(content=CONTENTS, places=CUTS)
def test_a_download_is_what_rfc_959_says(form: Form, content: bytes, places: list[int]) -> None:
    expected: list[Event] = events_of(content, *letters(form)[:2])
    if has_end(*letters(form)[1:]):
        expected.append(End.FILE)
    assert decode(sent(form, cut(content, places)), *letters(form)) == expected


@all_forms
@given(content=CONTENTS, places=CUTS, random=st.randoms(use_true_random=False))
def test_an_upload_is_what_rfc_959_says(form: Form, content: bytes, places: list[int], random: Random) -> None:
    events: list[Event] = list(content)
    if form.structure is Structure.RECORD:
        events = [End.RECORD if random.random() < 0.2 else event for event in events]
    if has_end(*letters(form)[1:]):
        events.append(End.FILE)
    wire = encode(events, *letters(form), random.randrange)
    assert received(form, cut(wire, places)) == stored(events, letters(form)[0])


@all_forms
@given(content=CONTENTS, sendings=CUTS, receivings=CUTS, code_page=CODE_PAGE)
def test_what_was_sent_is_stored_as_it_was(
    form: Form, content: bytes, sendings: list[int], receivings: list[int], code_page: str
) -> None:
    if form.representation is Representation.ASCII and form.structure is Structure.FILE:
        content = re.sub(rb"\r+\n", b"\n", content)  # the one loss: in TYPE A, a CRLF of the file's is one that stands for LF
    form = Form(form.representation, form.structure, form.mode, code_page=code_page)
    assert received(form, cut(sent(form, cut(content, sendings)), receivings)) == content


@all_forms
@given(content=CONTENTS, cut_at=st.integers(min_value=0))
def test_a_stream_that_says_its_end_is_never_whole_before_it(form: Form, content: bytes, cut_at: int) -> None:
    if form.mode is Mode.STREAM and form.structure is Structure.FILE:
        return  # its end is the connection's
    wire = sent(form, [content] if content else [])
    with pytest.raises(TransferCut):
        received(form, cut(wire[: cut_at % len(wire)], []))


@all_forms
@given(content=CONTENTS)
def test_nothing_may_stand_behind_the_end(form: Form, content: bytes) -> None:
    if form.mode is Mode.STREAM and form.structure is Structure.FILE:
        return
    with pytest.raises(TransferCut, match="behind the end"):
        received(form, [sent(form, [content] if content else []) + b"\x01"])


@all_forms
@given(
    wire=st.lists(st.one_of(st.binary(max_size=60), TELLING, st.sampled_from([b"\x80", b"\x40\0\0", b"\0\x40"])), max_size=20).map(
        b"".join
    ),
    places=CUTS,
)
def test_any_bytes_are_a_file_or_cut_however_they_come(form: Form, wire: bytes, places: list[int]) -> None:
    outcomes = []
    for pieces in (cut(wire, places), cut(wire, [])):
        try:
            outcomes.append(received(form, pieces))
        except TransferCut:
            outcomes.append(b"cut")
        except AssertionError:
            outcomes.append(b"cut")  # a piece is left behind the end
    assert outcomes[0] == outcomes[1]


def test_type_i_in_stream_mode_needs_no_conversion() -> None:
    plain = Form(Representation.IMAGE, Structure.FILE, Mode.STREAM)
    assert (outgoing(plain, 5), incoming(plain)) == (None, None)


@pytest.mark.parametrize("letters", ["AFS", "ARS", "ERS", "IRS", "AFZ", "ERZ"])
@given(content=CONTENTS, start=st.integers(min_value=0, max_value=3000), places=CUTS)
def test_rest_leaves_out_bytes_of_the_stream(letters: str, content: bytes, start: int, places: list[int]) -> None:
    form = Form(Representation(letters[0]), Structure(letters[1]), Mode(letters[2]))
    stream = Form(form.representation, form.structure, Mode.STREAM)
    whole = sent(stream, cut(content, places))
    start %= len(whole) + 1
    rest = sent(form, cut(content, places), start)
    assert (decode(rest, "I", "F", "Z") if letters[2] == "Z" else list(rest)) == list(whole[start:])


def test_rest_behind_the_end_of_the_stream_is_a_bad_offset() -> None:
    assert sent(Form(Representation.ASCII, Structure.FILE, Mode.STREAM), [b"a\n"], 3) == b""
    with pytest.raises(BadOffset):
        sent(Form(Representation.ASCII, Structure.FILE, Mode.STREAM), [b"a\n"], 4)


@pytest.mark.parametrize("mode", [Mode.BLOCK, Mode.COMPRESSED])
@given(
    content=CONTENTS,
    every=st.integers(min_value=1, max_value=90),
    start=st.integers(min_value=0, max_value=50),
    type_=st.sampled_from("AEI"),
    structure=st.sampled_from("FR"),
    places=CUTS,
)
def test_a_restart_from_any_marker_sends_the_rest(
    mode: Mode, content: bytes, every: int, start: int, type_: str, structure: str, places: list[int]
) -> None:
    form = Form(Representation(type_), Structure(structure), mode, marker_bytes=every)
    start = min(start, len(content))
    events = decode(sent(form, cut(content[start:], places), start), *letters(form))
    for place, event in enumerate(events):
        if isinstance(event, Marker):
            offset = int(event.text)
            again = decode(sent(form, [content[offset:]] if content[offset:] else [], offset), *letters(form))
            assert without_markers(again) == without_markers(events[place:])


@given(content=CONTENTS, every=st.integers(min_value=1, max_value=90), places=CUTS)
def test_a_marker_stands_behind_each_so_many_bytes(content: bytes, every: int, places: list[int]) -> None:
    form = Form(Representation.IMAGE, Structure.FILE, Mode.BLOCK, marker_bytes=every)
    events = decode(sent(form, cut(content, places)), *letters(form))
    assert [event.text for event in events if isinstance(event, Marker)] == [
        str(at) for at in range(every, len(content) + 1, every)
    ]


def without_markers(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Marker)]


@pytest.mark.parametrize("mode", [Mode.BLOCK, Mode.COMPRESSED])
@given(
    content=CONTENTS,
    markers=st.lists(st.integers(min_value=0, max_value=2000), max_size=5),
    type_=st.sampled_from("AEI"),
    structure=st.sampled_from("FR"),
    places=CUTS,
    random=st.randoms(use_true_random=False),
)
def test_going_on_from_an_answered_marker_stores_the_whole(
    mode: Mode, content: bytes, markers: list[int], type_: str, structure: str, places: list[int], random: Random
) -> None:
    form = Form(Representation(type_), Structure(structure), mode)
    events: list[Event] = [End.RECORD if structure == "R" and byte == 10 else byte for byte in content]
    for place in sorted({min(place, len(events)) for place in markers}, reverse=True):
        events.insert(place, Marker(f"m{place}"))
    events.append(End.FILE)
    whole = stored(events, type_)
    conversion = incoming(form)
    assert conversion is not None
    offset = 0
    for part in upload(conversion, cut(encode(events, *letters(form), random.randrange), places)):
        if isinstance(part, bytes):
            offset += len(part)
            continue
        rest = events[events.index(Marker(part.text)) + 1 :]
        assert whole[:offset] + received(form, [encode(rest, *letters(form))]) == whole


@pytest.mark.parametrize("type_", "EI")
@pytest.mark.parametrize("mode", [Mode.BLOCK, Mode.COMPRESSED])
def test_every_marker_is_answered_where_no_line_end_can_be_cut(type_: str, mode: Mode) -> None:
    form = Form(Representation(type_), Structure.FILE, mode)
    conversion = incoming(form)
    assert conversion is not None
    wire = encode([13, Marker("one"), 10, Marker("two"), Marker("three"), End.FILE], *letters(form))
    assert [part.text for part in upload(conversion, [wire]) if isinstance(part, Mark)] == ["one", "two", "three"]


def test_a_marker_between_cr_and_lf_is_left_unanswered() -> None:
    form = Form(Representation.ASCII, Structure.FILE, Mode.BLOCK)
    conversion = incoming(form)
    assert conversion is not None
    wire = encode([97, Marker("before"), 13, Marker("between"), 10, Marker("behind"), End.FILE], *letters(form))
    assert [part.text for part in upload(conversion, [wire]) if isinstance(part, Mark)] == ["before", "behind"]


@all_forms
def test_what_comes_out_of_one_piece_comes_in_bounded_pieces(form: Form) -> None:
    conversion = outgoing(form, 0)
    assert conversion is not None
    for content in (b"\n" * 2**20, b"\xff" * 2**20, b"a\n" * 2**19):
        assert max(map(len, conversion.convert(content))) <= 260 * 1024


@all_forms
@pytest.mark.parametrize(
    "flood", [b"\0\0\0", b"\x80\0\0", b"\xff", b"\xbfa", b"\xff\x01", b"\x80x", b"\x01a", b"\xff\xff"], ids=bytes.hex
)
def test_an_upload_stores_bounded_pieces_whatever_floods_it(form: Form, flood: bytes) -> None:
    conversion = incoming(form)
    assert conversion is not None
    try:
        for _ in range(2):
            assert all(
                len(part) <= 260 * 1024 for part in conversion.convert(flood * (2**18 // len(flood))) if isinstance(part, bytes)
            )
    except TransferCut:
        pass


@pytest.mark.parametrize(
    ("letters", "flood"),
    [
        ("AFC", b"\xff" * 2**18),
        ("IFC", b"\xbfa" * 2**17),
        ("ARS", b"\xff\x01" * 2**17),
        ("IRB", b"\x80\0\0" * 2**16),
        ("IFZ", zlib.compress(bytes(2**24), 9)),
        ("ARZ", zlib.compress(b"\xff\x01" * 2**23, 9)),
        ("ERZ", zlib.compress(b"\xff" * 2**24, 9)),
    ],
)
def test_a_flood_takes_no_more_memory_than_a_file(letters: str, flood: bytes) -> None:
    conversion = incoming(Form(Representation(letters[0]), Structure(letters[1]), Mode(letters[2])))
    assert conversion is not None
    tracemalloc.start()
    try:
        with contextlib.suppress(TransferCut):  # records that end nowhere
            assert sum(len(part) for part in conversion.convert(flood) if isinstance(part, bytes))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
