"""Any bytes are lines, however they are chunked; any reply is one reply; what is written can be read; borders of blocks do not show."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
import zlib
from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st

from ftpd.errors import BadArgument, TransferCut
from ftpd.ftp.wire.addresses import format_epsv, format_pasv, parse_eprt, parse_port
from ftpd.ftp.wire.arguments import split_list_flags
from ftpd.ftp.wire.conversion import Form, incoming, outgoing
from ftpd.ftp.wire.facts import FACTS, FactFormat, format_time, parse_time, select_facts
from ftpd.ftp.wire.form import Mode, Representation, Structure
from ftpd.ftp.wire.globs import has_magic, matcher
from ftpd.ftp.wire.lines import TOO_LONG, LineReader, TooLong
from ftpd.ftp.wire.newlines import from_network, to_network
from ftpd.ftp.wire.replies import Reply, encode, quote
from ftpd.values import FileInfo, FileKind, Mark, Permission
from tests.plain_codecs import Broken, Marker, decode, stored

LIMIT = 16

# Bytes that mean something to the reader, far more often than chance would have it.
TELLING_BYTES = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\0", b"\xff", b"\xf2", b"\xf4", b"\xfd", b"\xf0", b"ABOR", b"a", b" ", b"\x80"]
)
STREAMS = st.lists(st.one_of(TELLING_BYTES, st.binary(max_size=20)), max_size=30).map(b"".join)
CUTS = st.lists(st.integers(min_value=0, max_value=300), max_size=20)
TEXTS = st.text(st.characters(codec=None), max_size=30) | st.lists(
    st.sampled_from(["\r", "\n", "\0", "226 ", "211 End", " ", "-", "a", "\udcff", "\ud800", "ü", '"', "\x85", "\u2028"]),
    max_size=10,
).map("".join)
NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut *data* at *places*, which may lie behind its end or coincide."""
    ends = sorted(min(place, len(data)) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def slow_lines(data: bytes) -> Iterator[bytes | TooLong]:
    """Decode byte by byte what `LineReader` decodes by pattern."""
    *lines, rest = data.split(b"\n")
    for raw in lines:
        yield TOO_LONG if len(raw) > LIMIT else slow_line(raw)
    if len(rest) > LIMIT:
        yield TOO_LONG


def slow_line(raw: bytes) -> bytes:
    line = bytearray()
    place = 0
    while place < len(raw):
        byte, following = raw[place], raw[place + 1] if place + 1 < len(raw) else None
        if byte != 0xFF or following is None or following < 0xF0:
            line.append(byte)
            place += 1
        elif following == 0xFF:
            line.append(0xFF)
            place += 2
        else:
            place += 3 if following >= 0xFB else 2
    if line.endswith(b"\r"):
        del line[-1]
    decoded = bytes(line).replace(b"\r\0", b"\r")
    match = re.fullmatch(rb"[\xf2\xf4\xff]*(abor)", decoded, re.IGNORECASE)
    return match[1] if match else decoded


@given(STREAMS, CUTS)
def test_lines_are_those_of_the_slow_decoder_however_they_are_chunked(data: bytes, places: list[int]) -> None:
    reader = LineReader(LIMIT)
    assert [line for chunk in cut(data, places) for line in reader.feed(chunk)] == list(slow_lines(data))


@given(STREAMS)
def test_lines_byte_by_byte_are_the_lines_at_once(data: bytes) -> None:
    single, whole = LineReader(LIMIT), LineReader(LIMIT)
    assert [line for byte in data for line in single.feed(bytes([byte]))] == whole.feed(data)


@given(st.lists(st.binary(max_size=12), max_size=10), CUTS)
def test_names_escaped_as_telnet_asks_arrive(names: list[bytes], places: list[int]) -> None:
    lines = [b"RETR " + name.replace(b"\n", b"").replace(b"\0", b"") for name in names]
    wire = b"".join(line.replace(b"\xff", b"\xff\xff").replace(b"\r", b"\r\0") + b"\r\n" for line in lines)
    reader = LineReader()
    assert [line for chunk in cut(wire, places) for line in reader.feed(chunk)] == lines


def replies_in(wire: bytes) -> list[tuple[bytes, int]]:
    """Read *wire* as a client does (RFC 959 4.2): code and number of lines of each reply.  A client may take CR, LF or both as an end."""
    replies: list[tuple[bytes, int]] = []
    lines = iter(re.split(rb"\r\n|\r|\n", wire)[:-1])
    for line in lines:
        code, count = line[:3], 1
        if line[3:4] == b"-":
            for inner in lines:
                count += 1
                if inner.startswith(code + b" "):
                    break
        replies.append((code, count))
    return replies


@given(st.integers(min_value=100, max_value=599), TEXTS)
def test_a_reply_of_one_line_is_one_line_whatever_it_says(code: int, text: str) -> None:
    assert replies_in(encode(Reply(code, text))) == [(str(code).encode(), 1)]


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=5), TEXTS)
def test_a_reply_of_many_lines_is_one_reply_whatever_it_says(text: str, lines: list[str], last: str) -> None:
    assert replies_in(encode(Reply(211, text, tuple(lines), last))) == [(b"211", len(lines) + 2)]


@given(NAMES.filter(lambda name: not set(name) & set("\r\n")))
def test_a_quoted_path_reads_back(name: str) -> None:
    wire = encode(Reply(257, quote(name))).decode("utf-8", "surrogateescape")
    match = re.fullmatch(r'257 "((?:[^"]|"")*)"\r\n', wire)
    assert match is not None
    assert match[1].replace('""', '"') == name


@given(st.ip_addresses(v=4).map(str), st.integers(min_value=1, max_value=65535))
def test_what_pasv_writes_port_reads(address: str, port: int) -> None:
    assert parse_port(format_pasv(address, port)) == (address, port)


@given(st.ip_addresses(v=6), st.integers(min_value=1, max_value=65535), st.sampled_from("|!#$%*+,/;=?@^_~"))
def test_eprt_reads_every_ipv6_address(address: ipaddress.IPv6Address, port: int, delimiter: str) -> None:
    text = delimiter.join(["", "2", address.exploded, str(port), ""])
    assert parse_eprt(text) == (2, str(address.ipv4_mapped or address), port)


@given(TEXTS | st.text("|12.:,%0123456789abcdef ", max_size=40))
def test_addresses_are_read_or_refused(text: str) -> None:
    for parse in (parse_port, parse_eprt):
        try:
            port = parse(text)[-1]
        except BadArgument:
            continue
        assert isinstance(port, int)
        assert 0 < port < 65536


@given(st.integers(min_value=1, max_value=65535))
def test_epsv_reads_as_a_client_reads_it(port: int) -> None:
    match = re.fullmatch(r"(.)\1\1([0-9]+)\1", format_epsv(port))
    assert match is not None
    assert int(match[2]) == port


@given(st.integers(min_value=-62_135_596_800, max_value=253_402_300_799), st.integers(min_value=0, max_value=999_999_999))
def test_a_time_reads_back_to_the_second(seconds: int, nanoseconds: int) -> None:
    time = seconds * 1_000_000_000
    assert parse_time(format_time(time + nanoseconds)) == time
    assert parse_time(f"{format_time(time)}.{nanoseconds:09d}") == time + nanoseconds


@given(st.text("0123456789.", max_size=20) | TEXTS)
def test_times_are_read_or_refused(text: str) -> None:
    try:
        time = parse_time(text)
    except BadArgument:
        return
    assert -62_135_596_800_000_000_000 <= time <= 253_402_300_800_000_000_000


INFOS = st.builds(
    FileInfo,
    name=NAMES,
    kind=st.sampled_from(FileKind),
    size=st.integers(min_value=0, max_value=2**63),
    modified_ns=st.integers(min_value=-(2**70), max_value=2**70),
    mode=st.integers(min_value=0, max_value=0o7777),
    owner=TEXTS,
    group=TEXTS,
    unique=st.sampled_from(["", "803g1"]),
    target=st.none() | TEXTS,
    created_ns=st.none() | st.integers(min_value=-(2**70), max_value=2**70),
)


@given(INFOS, st.sets(st.sampled_from(FACTS)))
def test_facts_read_back_as_a_client_reads_them(info: FileInfo, chosen: set[str]) -> None:
    selected = select_facts(";".join(sorted(chosen)))
    facts, _, name = FactFormat(selected, Permission.ALL).row(info).partition(" ")
    assert name == info.name
    pairs = [fact.split("=", 1) for fact in facts.removesuffix(";").split(";") if fact]
    assert {fact for fact, _ in pairs} <= chosen
    assert len(pairs) == len({fact for fact, _ in pairs})
    assert facts == "".join(f"{fact}={value};" for fact, value in pairs)


def through(transform: Callable[[bytes], bytes], blocks: list[bytes]) -> bytes:
    # An empty block is the end of a transfer, so none comes before it.
    return b"".join([transform(block) for block in (*filter(None, blocks), b"")])


TEXT_FILES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"bc"]), max_size=40).map(b"".join)


@given(TEXT_FILES, CUTS)
def test_downloads_in_ascii_are_the_whole_file_converted(content: bytes, places: list[int]) -> None:
    assert through(to_network(), cut(content, places)) == re.sub(rb"(?<!\r)\n", b"\r\n", content)


@given(TEXT_FILES, CUTS)
def test_uploads_in_ascii_are_the_whole_file_converted(content: bytes, places: list[int]) -> None:
    assert through(from_network(), cut(content, places)) == re.sub(rb"\r\n", b"\n", content)


@given(TEXT_FILES.map(lambda content: content.replace(b"\r", b"")), CUTS)
def test_unix_text_survives_the_way_there_and_back(content: bytes, places: list[int]) -> None:
    assert through(from_network(), cut(through(to_network(), [content]), places)) == content


FORMS = st.builds(Form, st.sampled_from(Representation), st.sampled_from(Structure), st.sampled_from(Mode)).filter(
    lambda form: form.is_converted
)

# Of what the framings know: ends, escapes, runs, fillers, markers, blocks, and counts that lie.
RECORD_CODES = [b"\xff\x01", b"\xff\x02", b"\xff\x03", b"\xff\xff", b"\xff", b"\r", b"\n", b"\x15", b"\x25"]
STRINGS = [b"\0", b"\0\x80", b"\0\x40", b"\0\x10", b"\0\xc0", b"\xc0", b"\x83a", b"\x01a", b"\x02m1"]
BLOCKS = [b"\0\0\0", b"\0\0\x01a", b"\x80\0\0", b"\xc0\0\x01\n", b"\x40\0\0", b"\x10\0\x02m1", b"\x10\xff\xff"]
TELLING_FRAMES = st.sampled_from([*RECORD_CODES, *STRINGS, *BLOCKS])
FRAMES = st.builds(
    lambda frames, end: b"".join(frames) + end,
    st.lists(
        TELLING_FRAMES | st.sampled_from(RECORD_CODES) | st.sampled_from(STRINGS) | st.sampled_from(BLOCKS) | st.binary(max_size=8),
        max_size=20,
    ),
    st.sampled_from([b"", b"\xff\x02", b"\xff\x03", b"\0\x40\xc0", b"\x40\0\0"]),
)


def letters(form: Form) -> tuple[str, str, str]:
    return form.representation.value, form.structure.value, form.mode.value


def upload(form: Form, pieces: list[bytes]) -> tuple[bytes, list[str]] | None:
    """Receive as a pump does; None for an upload that is cut."""
    conversion = incoming(form)
    assert conversion is not None
    parts: list[bytes | Mark] = []
    try:
        for piece in pieces:
            if conversion.is_complete:
                return None
            parts += conversion.convert(piece)
        if not conversion.is_complete:
            parts += conversion.end()
    except TransferCut:
        return None
    return b"".join([part for part in parts if isinstance(part, bytes)]), [part.text for part in parts if isinstance(part, Mark)]


@given(FORMS, FRAMES, CUTS, st.integers(min_value=0, max_value=9))
def test_an_upload_is_what_the_slow_decoder_says_or_cut(form: Form, frames: bytes, places: list[int], level: int) -> None:
    wire = zlib.compress(frames, level) if form.mode is Mode.DEFLATE else frames
    try:
        events = decode(wire, *letters(form))
    except Broken:
        assert upload(form, list(filter(None, cut(wire, places)))) is None
        return
    arrived = upload(form, list(filter(None, cut(wire, places))))
    assert arrived is not None
    content, marks = arrived
    assert content == stored(events, form.representation.value)
    answered = iter([event.text for event in events if isinstance(event, Marker)])
    assert all(mark in answered for mark in marks)


@given(st.sampled_from(Representation), st.sampled_from(Structure), st.binary(max_size=300), CUTS)
def test_any_bytes_in_mode_z_are_a_file_or_cut(
    representation: Representation, structure: Structure, wire: bytes, places: list[int]
) -> None:
    form = Form(representation, structure, Mode.DEFLATE)
    assert upload(form, list(filter(None, cut(wire, places)))) == upload(form, list(filter(None, [wire])))


@given(FORMS, FRAMES, CUTS, CUTS)
def test_any_file_survives_in_any_form(form: Form, content: bytes, sendings: list[int], receivings: list[int]) -> None:
    if form.representation is Representation.ASCII and form.structure is Structure.FILE:
        content = content.replace(b"\r", b"")
    conversion = outgoing(form, 0)
    assert conversion is not None
    wire = b"".join([*(part for piece in cut(content, sendings) for part in conversion.convert(piece)), *conversion.end()])
    assert upload(form, list(filter(None, cut(wire, receivings)))) == (content, [])


@given(st.text("-la1C /.x", max_size=20) | TEXTS)
def test_flags_and_path_are_all_there_is(text: str) -> None:
    flags, path = split_list_flags(text)
    assert text.endswith(path)
    assert re.fullmatch(r"(-[A-Za-z0-9]+( |\Z))*(--( |\Z))?", text[: len(text) - len(path)])
    assert flags == re.sub(r"[- ]", "", text[: len(text) - len(path)])


PATTERNS = st.text("*?[]!-^ab.\\", max_size=30) | TEXTS


@given(PATTERNS, st.text("ab.-^[]!\n", max_size=12))
def test_patterns_match_as_fnmatch_does_but_for_the_leading_dot(pattern: str, name: str) -> None:
    expected = fnmatch.fnmatchcase(name, pattern) and (not name.startswith(".") or pattern.startswith("."))
    assert matcher(pattern)(name) == expected


@given(st.text("[]ab!-.", max_size=12).filter(lambda name: not has_magic(name)))
def test_a_name_without_magic_matches_itself_alone(name: str) -> None:
    matches = matcher(name)
    assert matches(name)
    assert not matches(name + "x")
