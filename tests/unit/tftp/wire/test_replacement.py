"""What a rule puts in the place of a match."""

from __future__ import annotations

import pytest

from ftpd.tftp.wire.replacement import Replacement

NAME = b"x-Ab-y"
OFFSETS = [2, 4, 2, 3, -1, -1, 3, 4, *[-1] * 12]  # of (A)|(c))(b): the match is Ab, \2 has no part in it


@pytest.mark.parametrize(
    ("source", "filled"),
    [
        (b"plain", b"plain"),
        (b"", b""),
        (rb"<\0>", b"<Ab>"),
        (rb"\3\1", b"bA"),
        (rb"[\2\9]", b"[]"),
        (rb"\i", b"192.0.2.169"),
        (rb"\x", b"C00002A9"),
        (rb"\\", b"\\"),
        (rb"\ \#\	", b" #\t"),
        (rb"\q\.", b"q."),
        (b"end\\", b"end\\"),
        (rb"\Ua\0\x\Ea", b"aab".upper() + b"C00002A9" + b"a"),
        (rb"\L\0\xX\UX\EX", b"abc00002a9xXX"),
        ("\\U\\zé".encode(), "Zé".encode()),
    ],
)
def test_replacement_is_filled(source, filled):
    assert Replacement(source).fill(NAME, OFFSETS, "192.0.2.169") == filled


def test_address_of_ipv6_is_told_in_both_forms():
    filled = Replacement(rb"\i \x").fill(NAME, OFFSETS, "2001:db8::1")
    assert filled == b"2001:db8::1 20010DB8000000000000000000000001"


def test_groups_are_empty_without_a_match():
    assert Replacement(rb"<\0\1>").fill(NAME, None, "192.0.2.1") == b"<>"


def test_group_with_a_backslash_is_taken_as_it_is():
    assert Replacement(rb"\0").fill(rb"a\1b", [0, 4, *[-1] * 18], "192.0.2.1") == rb"a\1b"


@pytest.mark.parametrize(("source", "literal"), [(rb"a\ b", b"a b"), (b"", b""), (rb"a\0", None), (rb"\U", None)])
def test_it_is_known_whether_it_is_always_the_same(source, literal):
    assert Replacement(source).literal == literal
