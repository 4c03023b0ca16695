"""A line of a map file."""

from __future__ import annotations

import pytest

from ftpd.tftp.wire.rule import GET, IPV4, IPV6, PUT, BadRule, Label, read_line


@pytest.mark.parametrize("raw", [b"", b"   \t", b"# comment", b"  #r a b", b"#"])
def test_line_without_a_rule_is_nothing(raw):
    assert read_line(raw, 1) is None


def flags(operation):
    rule = read_line(operation + b" x y", 1)
    names = ("is_inverse", "rewrites", "repeats", "moves_on", "refuses", "ends", "restarts", "jumps")
    return [name for name in names if getattr(rule, name)]


@pytest.mark.parametrize(
    ("operation", "does"),
    [
        (b"r", ["rewrites"]),
        (b"rg", ["rewrites", "repeats"]),
        (b"rgg", ["rewrites", "repeats", "moves_on"]),
        (b"e", ["ends"]),
        (b"s", ["restarts"]),
        (b"a", ["refuses"]),
        (b"j", ["jumps"]),
        (b"~a", ["is_inverse", "refuses"]),
        (b"res", ["rewrites", "ends", "restarts"]),
        (b"i", []),
    ],
)
def test_each_letter_is_an_operation(operation, does):
    assert flags(operation) == does


@pytest.mark.parametrize(
    ("operation", "only"), [(b"r", 0), (b"rG", GET), (b"Pr", PUT), (b"4a", IPV4), (b"a6G", IPV6 | GET), (b"GG", GET)]
)
def test_it_is_known_whom_a_rule_is_for(operation, only):
    assert read_line(operation + b" x", 1).only == only


def test_case_is_ignored_for_i():
    assert read_line(b"ri a b", 1).expression.search(b"A") is not None
    assert read_line(b"r a b", 1).expression.search(b"A") is None


@pytest.mark.parametrize(
    ("raw", "replacement"),
    [
        (b"r a b", b"b"),
        (b"\tr \t a\t b\t# comment", b"b"),
        (b"r a b#comment", b"b"),
        (b"r a b\\#c", b"b#c"),
        (b"r a b\\ c\\\td", b"b c\td"),
        (b"r a b\\\\ c", b"b\\"),
        (b"r a b\\\\#c", b"b\\"),
        (b"r a b\\", b"b\\"),
        (b"r a b c", b"b"),
        (b"r a", b""),
        (b"r a # b", b""),
    ],
)
def test_fields_end_at_white_space_and_hash_marks_without_a_backslash(raw, replacement):
    assert read_line(raw, 1).replacement.literal == replacement


def test_expression_may_have_white_space_and_hash_marks_with_a_backslash():
    assert read_line(b"r a\\ b\\#$ x", 1).expression.search(b"a b#") is not None


def test_rule_says_where_it_stands_and_what_it_is_without_its_comment():
    rule = read_line(b"  rg \\\\\t/  # slashes", 7)
    assert (rule.line, rule.text) == (7, "rg \\\\ /")


@pytest.mark.parametrize("raw", [b":boot", b" :boot # here", b": boot"])
def test_label_is_a_line_of_its_own(raw):
    assert read_line(raw, 1) == Label(b"boot")


@pytest.mark.parametrize(
    ("raw", "found", "allowed"),
    [
        (b"q a b", "operation 'q'", "allowed are r g i e s a j G P 4 6 ~"),
        (b"rE a b", "operation 'rE'", "E of tftp-hpa 5.4 is not done here: the rules do not know which files there are"),
        (b"r~ a b", "operation 'r~'", "r and ~ do not go together"),
        (b"jr a b", "operation 'jr'", "r and j do not go together"),
        (b"r", "r without a regular expression", "after the operation comes what it is for"),
        (b"r # a", "r without a regular expression", "after the operation comes what it is for"),
        (b"j a", "operation 'j' without a label", "after the regular expression comes the label to go on at"),
        (b"r (a b", "regular expression (a: Unmatched ( or \\(", ""),
    ],
)
def test_what_is_no_rule_is_said(raw, found, allowed):
    with pytest.raises(BadRule) as raised:
        read_line(raw, 1)
    assert (raised.value.found, raised.value.allowed) == (found, allowed)
