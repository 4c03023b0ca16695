"""Any datagram is a request, a bad one, or none; options are granted as asked or lower; borders of blocks do not show in netascii."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from ftpd.tftp.wire.netascii import Decoder, Encoder
from ftpd.tftp.wire.options import Ceilings, agree
from ftpd.tftp.wire.packets import (
    LARGEST_REQUEST,
    LONGEST_MESSAGE,
    BadRequest,
    Mode,
    Request,
    error,
    is_request,
    oack,
    parse_error,
    parse_request,
)

NAMES = ("blksize", "blksize2", "tsize", "timeout", "utimeout", "windowsize", "rollover", "multicast")
NUMBERS = st.sampled_from([0, 1, 7, 8, 255, 256, 512, 1468, 9999, 10_000, 65464, 65535, 65536, 255_000_000]) | st.integers(0, 2**70)
VALUES = NUMBERS.map(str) | st.text(max_size=20) | st.sampled_from(["", "-1", "\xb2", "\u0661", "9" * 5000])
# Bytes that mean something to the parser, far more often than chance would have it.
TELLING_BYTES = st.sampled_from(
    [b"\0", b"\0\1", b"\0\2", b"octet\0", b"netascii\0", b"mail\0", b"a\0", b"512\0", *[name.encode() + b"\0" for name in NAMES]]
)
DATAGRAMS = st.one_of(
    st.binary(max_size=600),
    st.builds(
        lambda head, rest: head + b"".join(rest),
        st.sampled_from([b"", b"\0\1", b"\0\2"]),
        st.lists(TELLING_BYTES | st.binary(max_size=9)),
    ),
    st.builds(lambda rest: b"\0\1a\0octet\0" + b"".join(rest), st.lists(TELLING_BYTES | st.binary(max_size=9))),
)
REQUESTS = st.builds(
    Request,
    st.booleans(),
    st.binary(min_size=1, max_size=20),
    st.sampled_from(Mode),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), VALUES, max_size=10),
)
CEILINGS = st.builds(
    Ceilings, st.integers(8, 65464), st.integers(1, 65535), st.frozensets(st.sampled_from(NAMES), max_size=3), st.integers(0, 1)
)
TEXT = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\0", b"\0", b"a", b"\xff"]) | st.binary(max_size=9), max_size=30).map(
    b"".join
)
CUTS = st.lists(st.integers(0, 100), max_size=10)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut *data* at *places*, which may lie behind its end or coincide."""
    ends = sorted(min(place, len(data)) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(DATAGRAMS)
@example(b"\0\1a\0octet\0\0\0\0")
@example(b"\0\1" + b"\0" * 2000)
@example(b"\0\2a\0octet\0" + b"a\0b\0" * 300)
def test_any_datagram_is_a_request_a_bad_one_or_none(datagram: bytes) -> None:
    if not is_request(datagram):
        with pytest.raises(ValueError, match="not a request"):
            parse_request(datagram)
        return
    try:
        request = parse_request(datagram)
    except BadRequest:
        return
    assert len(datagram) <= LARGEST_REQUEST
    head = b"\0\2" if request.is_write else b"\0\1"
    assert datagram.lower().startswith((head + request.name + b"\0" + request.mode.value.encode() + b"\0").lower())
    assert all(name and name == name.lower() for name in request.options)


@given(st.booleans(), st.binary(min_size=1, max_size=99), st.sampled_from(Mode), st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_what_a_client_asks_arrives(is_write: bool, name: bytes, mode: Mode, options: dict[str, str]) -> None:
    name = name.replace(b"\0", b"0")
    sent = {key: value.encode("ascii", "replace").replace(b"\0", b"0")[:20] for key, value in options.items()}
    packet = (b"\0\2" if is_write else b"\0\1") + name + b"\0" + mode.value.encode() + b"\0"
    packet += b"".join(key.upper().encode() + b"\0" + value + b"\0" for key, value in sent.items())
    request = parse_request(packet)
    assert request == Request(is_write, name, mode, {key: value.decode() for key, value in sent.items()})
    assert list(request.options) == list(sent)


@given(
    REQUESTS, CEILINGS, st.none() | st.integers(0, 70_000), st.none() | st.integers(0, 2**63), st.none() | st.just("239.0.0.1,1,1")
)
def test_nothing_is_granted_beyond_what_was_asked_or_the_ceilings(
    request: Request, ceilings: Ceilings, mtu_block: int | None, size: int | None, multicast: str | None
) -> None:
    terms = agree(request, ceilings, mtu_block=mtu_block, size=size, multicast=multicast)
    granted = terms.acknowledged
    assert list(granted) == [name for name in request.options if name in granted]
    assert not granted.keys() & ceilings.refused
    numbers = {name: int(text) for name, text in granted.items() if name != "multicast"}
    assert all(numbers[name] <= int(request.options[name]) for name in numbers if name != "tsize")
    for name in numbers.keys() & {"blksize", "blksize2"}:
        assert numbers[name] == terms.block_size <= min(ceilings.largest_block, mtu_block or ceilings.largest_block)
        assert terms.block_size >= 8
    assert terms.block_size == 512 or numbers.keys() & {"blksize", "blksize2"}
    assert terms.window == numbers.get("windowsize", 1) <= ceilings.largest_window
    assert (terms.timeout is None) == (not numbers.keys() & {"timeout", "utimeout"})
    assert terms.timeout is None or 0.01 <= terms.timeout <= 255
    assert terms.rollover == numbers.get("rollover", ceilings.rollover)
    assert "tsize" not in numbers or numbers["tsize"] == (terms.declared_size if request.is_write else size)
    assert granted.get("multicast", multicast) == multicast


@given(REQUESTS, CEILINGS, st.none() | st.integers(0, 2**63))
def test_oack_reads_back_as_what_was_granted(request: Request, ceilings: Ceilings, size: int | None) -> None:
    granted = agree(request, ceilings, mtu_block=None, size=size).acknowledged
    fields = oack(granted)[2:].decode("ascii").split("\0")
    assert list(zip(fields[:-1:2], fields[1::2], strict=True)) == list(granted.items())


@given(st.integers(0, 65535), st.text(st.characters(codec=None), max_size=300))
def test_error_is_one_line_of_ascii_and_reads_back(code: int, message: str) -> None:
    packet = error(code, message)
    assert re.fullmatch(rb"\x00\x05..[ -~]*\x00", packet, re.DOTALL)
    assert len(packet) <= LONGEST_MESSAGE + 5
    assert parse_error(packet) == (code, packet[4:-1].decode("ascii"))


@given(st.binary(max_size=300))
def test_any_error_is_fit_for_a_log(tail: bytes) -> None:
    code, message = parse_error(b"\0\5" + tail)
    assert 0 <= code <= 65535
    assert message.isascii()
    assert message.isprintable()


def slow_encode(data: bytes) -> bytes:
    return b"".join({b"\n": b"\r\n", b"\r": b"\r\0"}.get(byte, byte) for byte in (bytes([value]) for value in data))


def slow_decode(data: bytes) -> bytes:
    return re.sub(rb"\r([\n\0])", lambda pair: b"\n" if pair[1] == b"\n" else b"\r", data)


@given(TEXT, CUTS)
def test_encoding_is_that_of_the_slow_encoder_however_it_is_cut(data: bytes, places: list[int]) -> None:
    encoder = Encoder()
    *blocks, last = cut(data, places)
    assert b"".join([encoder.encode(block, False) for block in blocks]) + encoder.encode(last, True) == slow_encode(data)


@given(TEXT, CUTS)
def test_decoding_is_that_of_the_slow_decoder_however_it_is_cut(data: bytes, places: list[int]) -> None:
    decoder = Decoder()
    *blocks, last = cut(data, places)
    assert b"".join([decoder.decode(block, False) for block in blocks]) + decoder.decode(last, True) == slow_decode(data)


@given(TEXT, CUTS)
def test_any_file_comes_back_from_netascii_as_it_was(data: bytes, places: list[int]) -> None:
    decoder = Decoder()
    *blocks, last = cut(Encoder().encode(data, True), places)
    assert b"".join([decoder.decode(block, False) for block in blocks]) + decoder.decode(last, True) == data
