"""Packets: requests are parsed, answers are made."""

from __future__ import annotations

import pytest

from ftpd.tftp.wire.packets import (
    BadRequest,
    ErrorCode,
    Mode,
    Request,
    ack,
    data_header,
    error,
    is_request,
    oack,
    parse_error,
    parse_request,
)


def options_of(tail: bytes) -> list[tuple[str, str]]:
    return list(parse_request(b"\0\1a\0octet\0" + tail).options.items())


def refusal_of(datagram: bytes) -> tuple[int, str]:
    with pytest.raises(BadRequest) as caught:
        parse_request(datagram)
    return caught.value.code, caught.value.message


def test_read_request() -> None:
    assert parse_request(b"\0\1dir/pxelinux.0\0octet\0") == Request(False, b"dir/pxelinux.0", Mode.OCTET, {})


def test_write_request() -> None:
    assert parse_request(b"\0\2running-config\0netascii\0") == Request(True, b"running-config", Mode.NETASCII, {})


@pytest.mark.parametrize(("datagram", "command"), [(b"\0\1a\0octet\0", "RRQ"), (b"\0\2a\0octet\0", "WRQ")])
def test_command_is_the_name_of_the_request(datagram: bytes, command: str) -> None:
    assert parse_request(datagram).command == command


@pytest.mark.parametrize(
    ("word", "mode"), [(b"OCTET", Mode.OCTET), (b"Octet", Mode.OCTET), (b"NetASCII", Mode.NETASCII), (b"NETASCII", Mode.NETASCII)]
)
def test_case_of_the_mode_does_not_matter(word: bytes, mode: Mode) -> None:
    assert parse_request(b"\0\1a\0" + word + b"\0").mode is mode


def test_name_is_kept_as_it_was_sent() -> None:
    assert parse_request(b"\0\1\\Boot\\\xfc\r\n \xff\0octet\0").name == b"\\Boot\\\xfc\r\n \xff"


def test_options_are_in_the_order_of_the_request() -> None:
    assert options_of(b"tsize\x000\0blksize\x001468\0") == [("tsize", "0"), ("blksize", "1468")]


def test_names_of_options_are_in_lower_case_and_values_are_as_sent() -> None:
    assert options_of(b"BlkSize\x00 1468x\0X-Vendor\0Value\0") == [("blksize", " 1468x"), ("x-vendor", "Value")]


def test_first_of_two_values_counts() -> None:
    assert options_of(b"blksize\x001468\0tsize\x000\0BLKSIZE\x00512\0") == [("blksize", "1468"), ("tsize", "0")]


def test_value_may_be_empty() -> None:
    assert options_of(b"multicast\0\0tsize\x000\0") == [("multicast", ""), ("tsize", "0")]


def test_value_that_is_not_ascii_has_a_character_for_each_byte() -> None:
    assert options_of(b"blksize\0\xb2\xff\0") == [("blksize", "\xb2\xff")]


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 100, b"\0\0blksize\x00512\0", b"\0junk", b"junk", b"junk\0"])
def test_padding_behind_the_mode_is_no_option(tail: bytes) -> None:
    assert options_of(tail) == []


@pytest.mark.parametrize("tail", [b"\0\0\0", b"blksize\0", b"blksize", b"blksize\x00512", b"\xff\xff\xff", b"\0x\x001\0"])
def test_whatever_is_not_whole_behind_an_option_is_dropped(tail: bytes) -> None:
    assert options_of(b"tsize\x000\0" + tail) == [("tsize", "0")]


def test_request_without_options_shares_a_mapping_that_nobody_can_change() -> None:
    with pytest.raises(TypeError):
        parse_request(b"\0\1a\0octet\0").options["x"] = "y"  # type: ignore[index]


@pytest.mark.parametrize("datagram", [b"\0\1", b"\0\1a", b"\0\1a\0", b"\0\1a\0octet", b"\0\1" + b"a" * 600])
def test_request_whose_name_or_mode_does_not_end_is_refused(datagram: bytes) -> None:
    assert refusal_of(datagram) == (4, "Request not terminated")


def test_empty_name_is_refused() -> None:
    assert refusal_of(b"\0\1\0octet\0") == (4, "Request without a file name")


@pytest.mark.parametrize("mode", [b"mail", b"", b"binary", b"octet ", b"oct\xe9t"])
def test_other_modes_are_refused(mode: bytes) -> None:
    assert refusal_of(b"\0\1a\0" + mode + b"\0") == (4, "Only the modes octet and netascii are served")


def test_request_may_be_longer_than_512_bytes() -> None:
    assert parse_request(b"\0\1" + b"a" * 1463 + b"\0octet\0").name == b"a" * 1463


def test_request_longer_than_a_frame_is_refused() -> None:
    assert refusal_of(b"\0\1" + b"a" * 1464 + b"\0octet\0") == (4, "Request too long")


@pytest.mark.parametrize("datagram", [b"", b"\0", b"\1", b"\0\0a\0octet\0", b"\0\3\0\1", b"\0\7", b"\1\1a\0octet\0", b"\1\0"])
def test_what_is_no_request_is_not_to_be_answered(datagram: bytes) -> None:
    assert not is_request(datagram)
    with pytest.raises(ValueError, match="not a request"):
        parse_request(datagram)


@pytest.mark.parametrize("datagram", [b"\0\1", b"\0\2", b"\0\1a\0octet\0"])
def test_opcode_alone_makes_a_request(datagram: bytes) -> None:
    assert is_request(datagram)


@pytest.mark.parametrize(("number", "packet"), [(0, b"\0\4\0\0"), (258, b"\0\4\1\2"), (65535, b"\0\4\xff\xff")])
def test_ack(number: int, packet: bytes) -> None:
    assert ack(number) == packet


@pytest.mark.parametrize(("number", "header"), [(0, b"\0\3\0\0"), (258, b"\0\3\1\2"), (65535, b"\0\3\xff\xff")])
def test_data_header(number: int, header: bytes) -> None:
    assert data_header(number) == header


def test_error_ends_in_nul() -> None:
    assert error(ErrorCode.NOT_FOUND, "File not found") == b"\0\5\0\1File not found\0"


def test_message_of_an_error_is_printable_ascii() -> None:
    assert error(0, "a\0b\r\nc\u00fc\ud800 d~") == b"\0\5\0\0a?b?c? d~\0"


def test_message_of_an_error_is_cut_to_what_uefi_keeps() -> None:
    assert error(0, "x" * 127) == b"\0\5\0\0" + b"x" * 126 + b"\0"


def test_oack_has_the_options_in_order() -> None:
    assert oack({"tsize": "10", "blksize": "1428"}) == b"\0\6tsize\x0010\0blksize\x001428\0"


def test_oack_may_have_a_multicast_group() -> None:
    assert oack({"multicast": "239.255.69.1,1758,1"}) == b"\0\6multicast\x00239.255.69.1,1758,1\0"


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (b"\0\5\0\x08User aborted the transfer\0", (8, "User aborted the transfer")),
        (b"\0\5\0\0not ended", (0, "not ended")),
        (b"\0\5\xff\xff\0junk", (65535, "")),
        (b"\0\5\0\3full\n\x1b[2J\xff\0", (3, "full?[2J?")),
        (b"\0\5\0\0" + b"x" * 500 + b"\0", (0, "x" * 126)),
        (b"\0\5\0\2", (2, "")),
        (b"\0\5\1", (1, "")),
        (b"\0\5", (0, "")),
    ],
)
def test_error_is_read_as_far_as_it_goes(packet: bytes, told: tuple[int, str]) -> None:
    assert parse_error(packet) == told


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (ErrorCode.UNDEFINED, 0),
        (ErrorCode.NOT_FOUND, 1),
        (ErrorCode.ACCESS_VIOLATION, 2),
        (ErrorCode.DISK_FULL, 3),
        (ErrorCode.ILLEGAL_OPERATION, 4),
        (ErrorCode.UNKNOWN_TRANSFER_ID, 5),
        (ErrorCode.ALREADY_EXISTS, 6),
        (ErrorCode.NO_SUCH_USER, 7),
        (ErrorCode.OPTIONS_REFUSED, 8),
    ],
)
def test_codes_are_those_of_the_standards(code: ErrorCode, number: int) -> None:
    assert code == number


def test_what_is_remembered_of_a_request_cannot_be_changed() -> None:
    request = parse_request(b"\0\1a\0octet\0tsize\x000\0")
    with pytest.raises(TypeError):
        request.options["tsize"] = "1"  # type: ignore[index]
    assert parse_request(b"\0\1a\0octet\0tsize\x000\0") is request


def test_requests_that_are_remembered_are_a_bounded_number() -> None:
    for number in range(1000):
        parse_request(b"\0\1%d\0octet\0" % number)
    assert parse_request.cache_info().currsize == 256
