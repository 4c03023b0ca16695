"""Options: what is asked for becomes terms."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from ftpd.tftp.wire.options import Ceilings, Terms, agree
from ftpd.tftp.wire.packets import Mode, Request

CEILINGS = Ceilings(largest_block=65464, largest_window=64, refused=frozenset(), rollover=0)


def terms(
    options: dict[str, str],
    *,
    is_write: bool = False,
    ceilings: Ceilings = CEILINGS,
    mtu_block: int | None = None,
    size: int | None = 1000,
    multicast: str | None = None,
) -> Terms:
    request = Request(is_write, b"a", Mode.OCTET, options)
    return agree(request, ceilings, mtu_block=mtu_block, size=size, multicast=multicast)


def granted(options: dict[str, str], **more: Any) -> list[tuple[str, str]]:
    return list(terms(options, **more).acknowledged.items())


def test_request_without_options_has_the_terms_of_rfc_1350() -> None:
    assert terms({}) == Terms(block_size=512, window=1, timeout=None, rollover=0, acknowledged={}, declared_size=None)


def test_terms_have_the_packet_that_says_them_and_the_words_for_a_log() -> None:
    agreed = terms({"blksize": "1432", "tsize": "0"})
    assert (agreed.oack, agreed.text) == (b"\0\6blksize\x001432\0tsize\x001000\0", "blksize=1432 tsize=1000")
    assert (terms({}).oack, terms({}).text) == (b"", "")


def test_changed_terms_have_another_packet() -> None:
    agreed = attrs.evolve(terms({"blksize": "1432"}), acknowledged={"multicast": "239.0.0.1,1758,1"})
    assert (agreed.oack, agreed.text) == (b"\0\6multicast\x00239.0.0.1,1758,1\0", "multicast=239.0.0.1,1758,1")


def test_options_of_ipxe_are_granted_in_its_order() -> None:
    agreed = terms({"blksize": "1432", "tsize": "0"}, mtu_block=1468)
    assert (agreed.block_size, list(agreed.acknowledged.items())) == (1432, [("blksize", "1432"), ("tsize", "1000")])


def test_options_of_curl_are_granted_in_its_order() -> None:
    agreed = terms({"tsize": "0", "blksize": "512", "timeout": "6"})
    assert list(agreed.acknowledged.items()) == [("tsize", "1000"), ("blksize", "512"), ("timeout", "6")]
    assert (agreed.block_size, agreed.timeout) == (512, 6.0)


def test_unknown_options_are_dropped() -> None:
    assert granted({"x-vendor": "1", "tsize": "0", "": "", "blksize3": "8"}) == [("tsize", "1000")]


def test_refused_options_are_dropped() -> None:
    ceilings = Ceilings(65464, 64, frozenset({"windowsize", "multicast"}), 0)
    agreed = terms({"windowsize": "8", "multicast": "", "tsize": "0"}, ceilings=ceilings, multicast="239.0.0.1,1758,1")
    assert (agreed.window, dict(agreed.acknowledged)) == (1, {"tsize": "1000"})


@pytest.mark.parametrize(
    "text",
    ["", " ", "512 ", " 512", "+512", "-512", "5e2", "0x200", "512.0", "1_024", "\xb2", "\u0661", "9" * 20, "9" * 5000, "five"],
)
@pytest.mark.parametrize("name", ["blksize", "blksize2", "tsize", "timeout", "utimeout", "windowsize", "rollover"])
def test_what_is_no_number_is_dropped(name: str, text: str) -> None:
    assert terms({name: text}) == Terms()


@pytest.mark.parametrize(
    ("asked", "block_size"),
    [("8", 8), ("512", 512), ("0512", 512), ("1468", 1468), ("65464", 65464), ("65465", 65464), ("9999999999999999999", 65464)],
)
def test_blksize_is_lowered_to_what_the_rfc_allows(asked: str, block_size: int) -> None:
    agreed = terms({"blksize": asked})
    assert (agreed.block_size, dict(agreed.acknowledged)) == (block_size, {"blksize": str(block_size)})


@pytest.mark.parametrize("name", ["blksize", "blksize2"])
@pytest.mark.parametrize("asked", ["0", "1", "7"])
def test_block_sizes_below_8_are_dropped(name: str, asked: str) -> None:
    assert terms({name: asked}) == Terms()


def test_blksize_is_lowered_to_the_ceiling() -> None:
    assert granted({"blksize": "65464"}, ceilings=Ceilings(1024, 64, frozenset(), 0), mtu_block=1468) == [("blksize", "1024")]


def test_blksize_is_lowered_to_the_path() -> None:
    assert granted({"blksize": "8192"}, mtu_block=1468) == [("blksize", "1468")]


def test_path_does_not_change_a_block_size_that_nobody_asked_for() -> None:
    assert terms({"tsize": "0"}, mtu_block=400).block_size == 512


@pytest.mark.parametrize("name", ["blksize", "blksize2"])
def test_path_too_small_for_any_block_size_grants_none(name: str) -> None:
    assert terms({name: "1024"}, mtu_block=7) == Terms()


@pytest.mark.parametrize(
    ("asked", "block_size"), [("8", 8), ("9", 8), ("511", 256), ("512", 512), ("1400", 1024), ("32768", 32768), ("70000", 32768)]
)
def test_blksize2_is_rounded_down_to_a_power_of_two(asked: str, block_size: int) -> None:
    agreed = terms({"blksize2": asked})
    assert (agreed.block_size, dict(agreed.acknowledged)) == (block_size, {"blksize2": str(block_size)})


def test_blksize2_is_a_power_of_two_below_the_path_too() -> None:
    assert granted({"blksize2": "4096"}, mtu_block=1468) == [("blksize2", "1024")]


@pytest.mark.parametrize(
    ("options", "block_size", "acknowledged"),
    [
        ({"blksize": "1400", "blksize2": "2048"}, 1400, {"blksize": "1400"}),
        ({"blksize2": "2048", "blksize": "1400"}, 2048, {"blksize2": "2048"}),
        ({"blksize": "7", "blksize2": "2048"}, 2048, {"blksize2": "2048"}),
    ],
)
def test_first_block_size_that_can_be_granted_counts(
    options: dict[str, str], block_size: int, acknowledged: dict[str, str]
) -> None:
    agreed = terms(options)
    assert (agreed.block_size, dict(agreed.acknowledged)) == (block_size, acknowledged)


@pytest.mark.parametrize("asked", ["0", "5"])
def test_tsize_of_a_download_is_the_size_of_the_file(asked: str) -> None:
    agreed = terms({"tsize": asked}, size=7)
    assert (dict(agreed.acknowledged), agreed.declared_size) == ({"tsize": "7"}, None)


def test_tsize_of_an_empty_file_is_not_told_for_curl_takes_it_for_a_fault() -> None:
    assert granted({"tsize": "0", "blksize": "512"}, size=0) == [("blksize", "512")]


def test_tsize_of_a_download_whose_size_is_not_known_is_dropped() -> None:
    assert granted({"tsize": "0", "blksize": "512"}, size=None) == [("blksize", "512")]


@pytest.mark.parametrize(("asked", "declared"), [("0", 0), ("5000000000", 5_000_000_000)])
def test_tsize_of_an_upload_is_given_back(asked: str, declared: int) -> None:
    agreed = terms({"tsize": asked}, is_write=True, size=None)
    assert (dict(agreed.acknowledged), agreed.declared_size) == ({"tsize": asked}, declared)


def test_refused_tsize_of_an_upload_declares_nothing() -> None:
    ceilings = Ceilings(65464, 64, frozenset({"tsize"}), 0)
    assert terms({"tsize": "7"}, is_write=True, ceilings=ceilings) == Terms()


@pytest.mark.parametrize(("asked", "seconds"), [("1", 1.0), ("6", 6.0), ("255", 255.0)])
def test_timeout_is_granted_as_asked(asked: str, seconds: float) -> None:
    agreed = terms({"timeout": asked})
    assert (agreed.timeout, dict(agreed.acknowledged)) == (seconds, {"timeout": asked})


@pytest.mark.parametrize("asked", ["0", "256", "9999999999"])
def test_timeout_outside_of_the_rfc_is_dropped(asked: str) -> None:
    assert terms({"timeout": asked}) == Terms()


@pytest.mark.parametrize(("asked", "seconds"), [("10000", 0.01), ("1500000", 1.5), ("255000000", 255.0)])
def test_utimeout_is_in_microseconds(asked: str, seconds: float) -> None:
    agreed = terms({"utimeout": asked})
    assert (agreed.timeout, dict(agreed.acknowledged)) == (seconds, {"utimeout": asked})


@pytest.mark.parametrize("asked", ["0", "9999", "255000001"])
def test_utimeout_outside_of_its_range_is_dropped(asked: str) -> None:
    assert terms({"utimeout": asked}) == Terms()


@pytest.mark.parametrize(
    ("options", "seconds", "acknowledged"),
    [
        ({"timeout": "2", "utimeout": "500000"}, 2.0, {"timeout": "2"}),
        ({"utimeout": "500000", "timeout": "2"}, 0.5, {"utimeout": "500000"}),
        ({"timeout": "0", "utimeout": "500000"}, 0.5, {"utimeout": "500000"}),
    ],
)
def test_first_timeout_that_can_be_granted_counts(options: dict[str, str], seconds: float, acknowledged: dict[str, str]) -> None:
    agreed = terms(options)
    assert (agreed.timeout, dict(agreed.acknowledged)) == (seconds, acknowledged)


@pytest.mark.parametrize(("asked", "window"), [("1", 1), ("16", 16), ("64", 64), ("65", 64), ("65535", 64), ("65536", 64)])
def test_windowsize_is_lowered_to_the_ceiling(asked: str, window: int) -> None:
    agreed = terms({"windowsize": asked})
    assert (agreed.window, dict(agreed.acknowledged)) == (window, {"windowsize": str(window)})


def test_windowsize_0_is_dropped() -> None:
    assert terms({"windowsize": "0"}) == Terms()


@pytest.mark.parametrize("asked", ["0", "1"])
def test_rollover_is_granted_as_asked(asked: str) -> None:
    agreed = terms({"rollover": asked}, ceilings=Ceilings(65464, 64, frozenset(), 1))
    assert (agreed.rollover, dict(agreed.acknowledged)) == (int(asked), {"rollover": asked})


@pytest.mark.parametrize("options", [{}, {"rollover": "2"}, {"rollover": "65535"}, {"tsize": "x"}])
def test_without_a_rollover_that_can_be_granted_it_is_the_operator_s(options: dict[str, str]) -> None:
    agreed = terms(options, ceilings=Ceilings(65464, 64, frozenset(), 1))
    assert (agreed.rollover, dict(agreed.acknowledged)) == (1, {})


def test_multicast_has_the_value_it_is_given() -> None:
    assert granted({"multicast": "", "blksize": "512"}, multicast="239.255.69.1,1758,1") == [
        ("multicast", "239.255.69.1,1758,1"),
        ("blksize", "512"),
    ]


def test_multicast_that_is_not_granted_is_dropped() -> None:
    assert granted({"multicast": ""}) == []


def test_multicast_of_an_upload_is_dropped() -> None:
    assert granted({"multicast": ""}, is_write=True, multicast="239.255.69.1,1758,1") == []


def test_multicast_that_nobody_asked_for_is_not_granted() -> None:
    assert granted({"tsize": "0"}, multicast="239.255.69.1,1758,1") == [("tsize", "1000")]
