"""Rules that change names: the results are those of tftp-hpa, where a comment does not say otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.schema import ConfigError
from ftpd.tftp.wire.mapfile import ENDLESS, NO_LABEL, MapFile

SAMPLE = r"""
# The sample that tftp-hpa comes with, in its words but for the comments
ri	^[a-z]:
rg	\\		/
rg	\#		@
rg	/../		/..no../
e	^ok/
r	^[^/]		/tftpboot/\0
a	\.pvt$
"""


def mapped(rules, name, *, is_write=False, address="127.0.0.1"):
    return MapFile.parse(rules).apply(name, is_write=is_write, address=address)


@pytest.mark.parametrize(
    ("rules", "name", "result"),
    [
        ("", "a", "a"),
        ("r b x", "abb", "axb"),
        ("rg b x", "abb", "axx"),
        ("rgg b bb", "abcb", "abbcbb"),
        ("rgg ^a -", "aaa", "-aa"),
        ("rg ^a -", "aaa", "-aa"),
        ("rg ^a", "aab", "b"),
        ("ri B x", "aBb", "axb"),
        ("r b", "abc", "ac"),
        ("r ^ x/", "abc", "x/abc"),
        ("r $ .0", "abc", "abc.0"),
        ("r x* y", "abc", "yabc"),
        ("r a|abc X", "abcd", "Xd"),
        ("r (.*)/(.*) \\2/\\1", "a/b", "b/a"),
        ("r (.*) <\\1>", "a\\b", "<a\\b>"),
        ("r b \\U\\0\\i\\LABC\\Edef", "abx", "aB127.0.0.1abcdefx"),
        ("r b \\U\\0", "aéb", "aéB"),
        ("r b [\\1]\\q\\\\", "b", "[]q\\"),
        ("re b c\nr c d", "abc", "acc"),
        ("e b\nr a x", "abc", "abc"),
        ("e z\nr a x", "abc", "xbc"),
        ("~e z\nr a x", "abc", "abc"),
        ("es b\nr a x", "abc", "abc"),
        ("r a b\nrs ^b c\nr ^c d", "abc", "dbc"),
        ("g a b", "a", "a"),  # g is for r alone
        ("46r a b", "a", "a"),
        ("GPr a b", "a", "a"),  # as in tftp-hpa 5.4; in 5.2 the last of both counts
        ("j ^a there\ne .\n:there\nr a b", "a", "b"),
        ("j ^a there\ne .\n:there\nr a b", "ca", "ca"),
        ("j ^([ab]) \\1\n:a\nre $ 1\n:b\nr $ 2", "b", "b2"),
        ("j ^a x\n:x\nre $ 1\n:x\nr $ 2", "a", "a1"),  # the first of two labels
        ("~j ^a x\nr $ 1\n:x\nr $ 2", "b", "b2"),
    ],
)
def test_name_becomes(rules, name, result):
    assert mapped(rules, name).name == result


def test_rules_begin_again_with_the_very_first():
    # As tftp-hpa's page says, and as 5.4 does; 5.2 begins again with the second.
    assert mapped("r ^x y\nrs ^a x\nr $ !", "abc").name == "ybc!"


def test_sample_of_tftp_hpa_does_what_it_says():
    assert mapped(SAMPLE, "C:\\boot\\pxe#0").name == "/boot/pxe@0"
    assert mapped(SAMPLE, "a/../b").name == "/tftpboot/a/..no../b"
    assert mapped(SAMPLE, "ok/x.pvt").name == "ok/x.pvt"
    assert mapped(SAMPLE, "x.pvt").name is None


@pytest.mark.parametrize(
    ("operation", "is_write", "address", "applies"),
    [
        ("G", False, "192.0.2.1", True),
        ("G", True, "192.0.2.1", False),
        ("P", True, "192.0.2.1", True),
        ("P", False, "192.0.2.1", False),
        ("4", False, "192.0.2.1", True),
        ("4", False, "2001:db8::1", False),
        ("6", False, "2001:db8::1", True),
        ("6", False, "192.0.2.1", False),
        ("P6", True, "2001:db8::1", True),
        ("P6", False, "2001:db8::1", False),
        ("P6", True, "192.0.2.1", False),
    ],
)
def test_rule_is_for_some_requests_only(operation, is_write, address, applies):
    assert mapped(f"r{operation} a b", "a", is_write=is_write, address=address).name == ("b" if applies else "a")


def test_client_has_its_directory_by_its_address():
    assert mapped("r ^ \\i/\\x/", "a", address="192.0.2.169").name == "192.0.2.169/C00002A9/a"
    assert mapped("r ^ \\x/", "a", address="2001:db8::1").name == "20010DB8000000000000000000000001/a"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("a ^x", ""),
        ("a ^x Not\\ for\\ \\i:\\ \\0", "Not for 127.0.0.1: x"),
        ("~a ^y no\\0", "no"),
        ("ra ^x z", "z"),
        ("ae ^x", ""),
        ("as ^x", ""),
        ("r x y\na ^y", ""),
    ],
)
def test_name_is_refused(rules, words):
    result = mapped(rules, "xy")
    assert (result.name, result.refusal) == (None, words)


def test_refusal_in_one_rule_is_none_where_it_does_not_match():
    assert mapped("~a ok$", "ok").name == "ok"


@pytest.mark.parametrize(
    "rules", ["s .", "rg a aa", "rg .+ \\0\\0", "rgg .+ \\0\\0\ns .", "rg x* y", "rg x*", ":top\nj . top", "rgg x* y", "r $ x\ns ."]
)
def test_rules_without_an_end_refuse(rules):
    result = mapped(rules, "a")
    assert (result.name, result.refusal) == (None, ENDLESS)
    assert result.steps[0].rule.line == (2 if rules.startswith(":") else 1)


def test_name_may_not_grow_for_ever():
    result = mapped("rg .+ \\0\\0", "a")
    assert len(result.steps[0].after) == 8192


def test_rules_that_are_many_are_no_rules_without_an_end():
    assert mapped("r zzz y\n" * 6000 + "r a b", "a").name == "b"


def test_jump_that_leads_nowhere_refuses():
    result = mapped("j (.) \\1\n:x", "a")
    assert (result.name, result.refusal) == (None, NO_LABEL)


def test_steps_tell_how_the_name_became_what_it_is():
    result = mapped("r x y\nrg a b\n# nothing\ne ^b", "aa")
    assert [(step.rule.line, step.before, step.after) for step in result.steps] == [(2, "aa", "bb"), (4, "bb", "bb")]


def test_bytes_that_are_not_utf8_go_through():
    assert mapped("r b \udcfe", "\udcffab").name == "\udcffa\udcfe"


def test_line_ends_of_windows_are_line_ends():
    assert mapped("r a b\r\nr b c\\\r\n", "a").name == "c\\"


def test_all_problems_are_told_at_once_by_their_lines():
    with pytest.raises(ConfigError) as raised:
        MapFile.parse("q a b\nr ok fine\nj a nowhere\n\nr (a b\n", "tftp.map")
    assert str(raised.value).splitlines() == [
        "tftp.map: line 1: operation 'q'; allowed are r g i e s a j G P 4 6 ~",
        "tftp.map: line 3: label 'nowhere'; no line has it",
        "tftp.map: line 5: regular expression (a: Unmatched ( or \\(",
    ]


RULES = st.text(st.sampled_from("rgiesajGP46~:. \n\\#^$()*|abxiULE01"), max_size=60)


@given(rules=RULES, name=st.text(st.sampled_from("abx01/\\.é\udcff"), max_size=20), is_write=st.booleans())
def test_any_file_has_problems_or_makes_something_of_any_name(rules, name, is_write):
    try:
        map_file = MapFile.parse(rules)
    except ConfigError:
        return
    result = map_file.apply(name, is_write=is_write, address="192.0.2.1")
    assert result.name is None or result.refusal == ""
