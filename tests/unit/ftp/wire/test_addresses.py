"""Addresses: PORT, PASV, EPRT, EPSV, LPRT, LPSV."""

from __future__ import annotations

import pytest

from ftpd.errors import BadArgument
from ftpd.ftp.wire.addresses import format_epsv, format_lpsv, format_pasv, parse_eprt, parse_lprt, parse_port, plain_address


def test_port_is_six_numbers() -> None:
    assert parse_port("192,0,2,1,200,21") == ("192.0.2.1", 51221)


def test_port_may_have_odd_spaces() -> None:
    assert parse_port(" 192, 0 ,2,1,  4,1 ") == ("192.0.2.1", 1025)


def test_port_may_have_leading_zeros_which_are_not_octal() -> None:
    assert parse_port("192,000,002,001,010,000") == ("192.0.2.1", 2560)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "192.0.2.1,4,1",
        "192,0,2,1,4",
        "192,0,2,1,4,1,0",
        "192,0,2,1,4,256",
        "256,0,2,1,4,1",
        "192,0,2,-1,4,1",
        "192,0,2,1,4,+1",
        "192,0,2,,4,1",
        "192,0,2,1,4,0x1",
        "192,0,2,1,4,1 x",
        "1 92,0,2,1,4,1",
        "192,0,2,1,4,0001",
        "192,0,2,1,4,\u0661",
        "192,0,2,1,0,0",
    ],
)
def test_port_refuses(text: str) -> None:
    with pytest.raises(BadArgument):
        parse_port(text)


def test_pasv_is_written_with_commas() -> None:
    assert format_pasv("192.0.2.1", 51221) == "192,0,2,1,200,21"


def test_eprt_of_ipv4() -> None:
    assert parse_eprt("|1|192.0.2.1|51221|") == (1, "192.0.2.1", 51221)


def test_eprt_of_ipv6_is_canonical() -> None:
    assert parse_eprt("|2|2001:DB8:0:0::1|51221|") == (2, "2001:db8::1", 51221)


def test_eprt_of_a_v4_mapped_address_is_ipv4() -> None:
    assert parse_eprt("|2|::ffff:192.0.2.1|51221|") == (2, "192.0.2.1", 51221)


@pytest.mark.parametrize("delimiter", ["!", "#", ",", "/", "a", "~"])
def test_eprt_takes_any_printable_delimiter(delimiter: str) -> None:
    assert parse_eprt(delimiter.join(["", "1", "192.0.2.1", "51221", ""])) == (1, "192.0.2.1", 51221)


def test_eprt_of_an_unknown_family_is_left_to_the_caller() -> None:
    assert parse_eprt("|3|anything|51221|") == (3, "anything", 51221)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "|",
        "|1|192.0.2.1|51221",
        "|1|192.0.2.1|51221|x",
        "|1|192.0.2.1|51221||",
        "|1|192.0.2.1|0|",
        "|1|192.0.2.1|65536|",
        "|1|192.0.2.1|-1|",
        "|1|192.0.2.1|\u0661|",
        "|1|192.0.2.1||",
        "||192.0.2.1|51221|",
        "|x|192.0.2.1|51221|",
        "|1||51221|",
        "|1|192.0.2.1.5|51221|",
        "|1|localhost|51221|",
        "|1|2001:db8::1|51221|",
        "|2|192.0.2.1|51221|",
        "|2|fe80::1%eth0|51221|",
        "|2|:::|51221|",
        " 1 192.0.2.1 51221 ",
        "\x801\x80192.0.2.1\x8051221\x80",
        "\udcff1\udcff192.0.2.1\udcff51221\udcff",
    ],
)
def test_eprt_refuses(text: str) -> None:
    with pytest.raises(BadArgument):
        parse_eprt(text)


def test_epsv_is_written_with_three_bars_before_the_port() -> None:
    assert format_epsv(51221) == "|||51221|"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::FFFF:192.0.2.1%2", "192.0.2.1"),
        ("::1", "::1"),
        ("", ""),
    ],
)
def test_a_plain_address_has_no_zone_and_no_mapping(text: str, plain: str) -> None:
    assert plain_address(text) == plain


def test_a_plain_address_is_an_address() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        plain_address("nonsense:")


def test_lprt_of_ipv4() -> None:
    assert parse_lprt("4,4,192,0,2,1,2,200,21") == (4, "192.0.2.1", 51221)


def test_lprt_of_ipv6() -> None:
    assert parse_lprt("6,16,32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,1,2,4,1") == (6, "2001:db8::1", 1025)


def test_lprt_of_a_mapped_address_is_ipv4() -> None:
    assert parse_lprt("6,16,0,0,0,0,0,0,0,0,0,0,255,255,192,0,2,1,2,4,1") == (6, "192.0.2.1", 1025)


def test_lprt_of_another_family_is_told() -> None:
    assert parse_lprt("5,4,1,2,3,4,2,4,1") == (5, "", 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "4,4,192,0,2,1,2,200",
        "4,4,192,0,2,1,2,200,21,1",
        "4,16,192,0,2,1,2,200,21",
        "4,4,192,0,2,1,4,200,21",
        "4,4,192,0,2,256,2,200,21",
        "4,4,192,0,2,-1,2,200,21",
        "4,4,192,0,2,1,2,0,0",
        "6,16,1,2,2,200,21",
        "4,4,192,0,2,\u0661,2,200,21",
        "4," * 4000,
    ],
)
def test_lprt_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadArgument):
        parse_lprt(text)


def test_lpsv_is_what_lprt_reads() -> None:
    assert format_lpsv("192.0.2.1", 51221) == "4,4,192,0,2,1,2,200,21"
    assert parse_lprt(format_lpsv("2001:db8::1", 1025)) == (6, "2001:db8::1", 1025)
