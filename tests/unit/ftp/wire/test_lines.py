"""LineReader: what the bytes of a control connection mean."""

from __future__ import annotations

import tracemalloc

import pytest

from ftpd.ftp.wire.lines import TOO_LONG, LineReader


def feed(*chunks: bytes, limit: int = 64) -> list[object]:
    reader = LineReader(limit)
    return [line for chunk in chunks for line in reader.feed(chunk)]


def test_crlf_ends_a_line() -> None:
    assert feed(b"NOOP\r\n") == [b"NOOP"]


def test_bare_lf_ends_a_line() -> None:
    assert feed(b"NOOP\nPWD\n") == [b"NOOP", b"PWD"]


def test_an_unfinished_line_waits() -> None:
    assert feed(b"NO") == []


def test_a_line_in_pieces_is_one_line() -> None:
    assert feed(b"N", b"OO", b"P", b"\r", b"\n") == [b"NOOP"]


def test_pipelined_lines_come_in_order() -> None:
    assert feed(b"USER a\r\nPASS b\r\nPW", b"D\r\n") == [b"USER a", b"PASS b", b"PWD"]


def test_an_empty_line_is_a_line() -> None:
    assert feed(b"\r\n") == [b""]


def test_spaces_stay() -> None:
    assert feed(b"RETR  a \r\n") == [b"RETR  a "]


def test_a_lone_cr_inside_stays() -> None:
    assert feed(b"RETR a\rb\r\n") == [b"RETR a\rb"]


def test_only_the_last_of_two_crs_belongs_to_the_end() -> None:
    assert feed(b"RETR a\r\r\n") == [b"RETR a\r"]


def test_cr_nul_means_cr() -> None:
    assert feed(b"RETR a\r\0b\r\n") == [b"RETR a\rb"]


def test_cr_nul_before_a_bare_lf_belongs_to_the_name() -> None:
    assert feed(b"RETR a\r\0\n") == [b"RETR a\r"]


def test_cr_nul_across_chunks_means_cr() -> None:
    assert feed(b"RETR a\r", b"\0b\r\n") == [b"RETR a\rb"]


def test_nul_without_cr_stays_for_the_path_to_refuse() -> None:
    assert feed(b"RETR a\0b\r\n") == [b"RETR a\0b"]


def test_utf8_passes() -> None:
    assert feed("RETR grüße 🗻\r\n".encode()) == ["RETR grüße 🗻".encode()]


def test_doubled_iac_is_one_byte() -> None:
    assert feed(b"RETR a\xff\xffb\r\n") == [b"RETR a\xffb"]


def test_three_iacs_are_one_byte_and_one_more() -> None:
    assert feed(b"RETR \xff\xff\xff\r\n") == [b"RETR \xff\xff"]


def test_unescaped_y_diaeresis_is_data() -> None:
    assert feed(b"RETR \xffa\r\n") == [b"RETR \xffa"]


def test_unescaped_y_diaeresis_before_the_end_is_data() -> None:
    assert feed(b"RETR \xff\r\n") == [b"RETR \xff"]


@pytest.mark.parametrize("verb", [0xFB, 0xFC, 0xFD, 0xFE])
def test_option_negotiation_vanishes_with_its_option(verb: int) -> None:
    assert feed(bytes([0xFF, verb, 0x18]) + b"NOOP\r\n") == [b"NOOP"]


@pytest.mark.parametrize("command", range(0xF0, 0xFB))
def test_other_telnet_commands_vanish(command: int) -> None:
    assert feed(b"NO" + bytes([0xFF, command]) + b"OP\r\n") == [b"NOOP"]


def test_telnet_command_between_cr_and_lf_vanishes() -> None:
    assert feed(b"NOOP\r\xff\xf1\n") == [b"NOOP"]


def test_lf_in_place_of_an_option_still_ends_the_line() -> None:
    assert feed(b"NOOP\xff\xfd\nPWD\r\n") == [b"NOOP", b"PWD"]


@pytest.mark.parametrize(
    "synch",
    [b"", b"\xff\xf4\xff\xf2", b"\xff\xf4\xff", b"\xf4\xff\xf2", b"\xff\xf4\xf2", b"\xff\xff\xf2", b"\xf4", b"\xf2", b"\xff\xf4"],
    ids=lambda synch: synch.hex() or "plain",
)
def test_abor_is_found_behind_any_rest_of_the_synch_signal(synch: bytes) -> None:
    assert feed(synch + b"ABOR\r\n") == [b"ABOR"]


def test_abor_behind_a_synch_signal_keeps_its_case() -> None:
    assert feed(b"\xf2abor\r\n") == [b"abor"]


def test_the_rest_of_a_synch_signal_is_dropped_before_abor_only() -> None:
    assert feed(b"\xf2NOOP\r\n") == [b"\xf2NOOP"]


def test_a_line_of_the_limit_passes() -> None:
    assert feed(b"12345678\n", limit=8) == [b"12345678"]


def test_the_cr_counts_towards_the_limit() -> None:
    assert feed(b"1234567\r\n", limit=8) == [b"1234567"]
    assert feed(b"12345678\r\n", limit=8) == [TOO_LONG]


def test_a_line_over_the_limit_is_reported_before_its_end_comes() -> None:
    assert feed(b"123456789", limit=8) == [TOO_LONG]


def test_a_line_over_the_limit_is_reported_once() -> None:
    assert feed(b"123456789", b"123456789", b"9\r\n", limit=8) == [TOO_LONG]


def test_the_line_after_one_over_the_limit_is_read() -> None:
    assert feed(b"x" * 100, b"x\r\nNOOP\r\n", limit=8) == [TOO_LONG, b"NOOP"]


def test_two_lines_over_the_limit_are_two_reports() -> None:
    assert feed(b"x" * 9 + b"\n" + b"x" * 9 + b"\n", limit=8) == [TOO_LONG, TOO_LONG]


def test_clear_drops_the_unfinished_line() -> None:
    reader = LineReader()
    reader.feed(b"AUTH TLS\r\nPA")
    reader.clear()
    assert reader.feed(b"PBSZ 0\r\n") == [b"PBSZ 0"]


def test_clear_ends_the_skipping() -> None:
    reader = LineReader(8)
    reader.feed(b"123456789")
    reader.clear()
    assert reader.feed(b"NOOP\r\n") == [b"NOOP"]


def test_what_is_skipped_is_not_kept() -> None:
    reader = LineReader(8192)
    tracemalloc.start()
    try:
        reader.feed(b"x" * int("65536"))  # made here and now: a constant would be counted elsewhere
        assert tracemalloc.get_traced_memory()[0] < 16384
        reader.feed(b"x" * int("65536"))
        assert tracemalloc.get_traced_memory()[0] < 16384
    finally:
        tracemalloc.stop()


def test_the_limit_is_8_kib_unless_told() -> None:
    assert LineReader().feed(b"x" * 8192 + b"\n") == [b"x" * 8192]
    assert LineReader().feed(b"x" * 8193 + b"\n") == [TOO_LONG]


@pytest.mark.parametrize(
    ("asked", "refusals"),
    [
        (b"\xff\xfd\x06", b"\xff\xfc\x06"),  # DO TIMING-MARK, WONT
        (b"\xff\xfb\x01", b"\xff\xfe\x01"),  # WILL ECHO, DONT
        (b"\xff\xfe\x01\xff\xfc\x01", b""),  # DONT and WONT want no answer
        (b"NOOP\xff\xfb\r\n", b""),  # a line that ends there asks for nothing
        (b"\xff\xff\xfd\x06", b""),  # the byte FF, and no command
        (b"\xff\xfd\x01\xff\xfd\x03", b"\xff\xfc\x01\xff\xfc\x03"),
    ],
)
def test_telnet_options_that_are_asked_for_are_refused(asked: bytes, refusals: bytes) -> None:
    reader = LineReader()
    reader.feed(asked + b"NOOP\r\n")
    assert reader.refusals == refusals
