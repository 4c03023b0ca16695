"""How TOML becomes values, and values TOML."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.schema import FORMS, ConfigError, FileMode, Network, PortRange, Problem, Seconds, Size, Unfit


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (90, 90.0),
        ("90", 90.0),
        (0.5, 0.5),
        ("90 s", 90.0),
        ("90s", 90.0),
        ("5 min", 300.0),
        ("2 h", 7200.0),
        ("7 d", 604800.0),
        ("250 ms", 0.25),
        ("1.5 h", 5400.0),
    ],
)
def test_a_duration_is_read_with_its_unit(written, seconds):
    assert FORMS[Seconds].read(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "abc", "5 m", "5 minutes", "-1", "1e3", "５ s", True, None, float("nan"), float("inf"), [1], "9" * 400]
)
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(Unfit, match="a duration such as"):
        FORMS[Seconds].read(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [(4096, 4096), ("4096", 4096), ("64 KiB", 65536), ("1 GiB", 1 << 30), ("2 MB", 2_000_000), ("1 kB", 1000), ("1.5 KiB", 1536)],
)
def test_a_size_is_read_in_bytes(written, size):
    assert FORMS[Size].read(written) == size


@pytest.mark.parametrize("written", ["64 kib", "1.0001 KiB", 1.5, "x", False, "1 PiB"])
def test_what_is_no_size_is_refused(written):
    with pytest.raises(Unfit, match="a size such as"):
        FORMS[Size].read(written)


@pytest.mark.parametrize(("written", "mode"), [("0644", 0o644), ("755", 0o755), ("0o600", 0o600), ("02775", 0o2775)])
def test_a_mode_is_octal_text(written, mode):
    assert FORMS[FileMode].read(written) == mode


@pytest.mark.parametrize("written", [644, "rw-r--r--", "0888", "07777777"])
def test_a_mode_that_could_be_read_as_decimal_is_refused(written):
    with pytest.raises(Unfit, match="octal"):
        FORMS[FileMode].read(written)


@pytest.mark.parametrize("written", ["49152-65534", "49152 - 65534", [49152, 65534]])
def test_a_port_range_is_text_or_a_pair(written):
    assert FORMS[PortRange].read(written) == (49152, 65534)


@pytest.mark.parametrize("written", ["65534-49152", "49152", [1], [1, 2, 3], ["a", "b"], "1-2-3", 49152, [True, 5]])
def test_what_is_no_port_range_is_refused(written):
    with pytest.raises(Unfit, match="a range of ports"):
        FORMS[PortRange].read(written)


def test_a_single_address_is_a_network():
    assert FORMS[Network].read("::1") == ipaddress.IPv6Network("::1/128")


def test_a_network_with_host_bits_is_refused_with_the_reason():
    with pytest.raises(Unfit, match="has host bits set"):
        FORMS[Network].read("10.0.0.1/8")


@pytest.mark.parametrize(("kind", "value"), [(str, 3), (int, "3"), (int, True), (int, 3.0), (bool, 1), (bool, "true")])
def test_plain_values_are_not_converted(kind, value):
    with pytest.raises(Unfit):
        FORMS[kind].read(value)


@given(st.integers(0, 10**9).map(lambda count: count / 1000) | st.integers(0, 10**7).map(float))
def test_a_shown_duration_reads_as_itself(seconds):
    assert FORMS[Seconds].read(FORMS[Seconds].show(seconds)) == pytest.approx(seconds, rel=1e-5)


@given(st.integers(0, 2**50))
def test_a_shown_size_reads_as_itself(size):
    assert FORMS[Size].read(FORMS[Size].show(size)) == size


@given(st.integers(0, 0o7777))
def test_a_shown_mode_reads_as_itself(mode):
    assert FORMS[FileMode].read(FORMS[FileMode].show(mode)) == mode


def test_an_error_tells_every_problem_on_a_line_of_its_own():
    error = ConfigError(
        [
            Problem("ftpd.toml", "ftp.greeting", "found 3", "it must be text in quotes"),
            Problem("ftpd.toml", "storrage", "no such table", "did you mean storage?"),
        ]
    )
    assert str(error) == (
        "ftpd.toml: ftp.greeting: found 3; it must be text in quotes\nftpd.toml: storrage: no such table; did you mean storage?"
    )


def test_the_file_is_named_where_a_setting_is_and_no_file_yet():
    error = ConfigError(
        [Problem("", "a.b", "found x", ""), Problem("other.toml", "c", "found y", ""), Problem("", "", "a sentence", "")]
    )
    assert str(error.within("ftpd.toml")) == "ftpd.toml: a.b: found x\nother.toml: c: found y\na sentence"
