"""One TOML table becomes a settings object, or a list of everything wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pytest

from ftpd.config.tables import Tables
from ftpd.schema import FilePath, Seconds, Size, setting


@attrs.frozen
class Inner:
    depth: int = setting(1, help="How deep.", minimum=0, maximum=9, unit="levels")


@attrs.frozen
class Outer:
    name: str = setting("x", help="A name.", choices=("x", "y"))
    patience: Seconds = setting(Seconds(60), help="How long.", minimum=1, unit="s")
    room: Size = setting(Size(0), help="How much.")
    file: FilePath = setting(FilePath(""), help="Where.")
    words: tuple[str, ...] = setting((), help="Words.", choices=("a", "b"))
    inner: Inner = setting(factory=Inner, help="Inside.")
    several: tuple[Inner, ...] = setting((), help="Several.")
    named: Mapping[str, Inner] = setting(factory=dict, help="By name.")
    passwords: Mapping[str, str] = setting(factory=dict, help="Secret.", is_secret=True)


@attrs.frozen
class Demanding:
    needed: str = setting(help="Has to be given.")


@pytest.fixture
def tables():
    return Tables("ftpd.toml", "/etc/ftpd")


def problems(tables, table):
    assert tables.read(Outer, table, "outer") is None
    return [str(problem) for problem in tables.problems]


def test_an_empty_table_is_all_defaults(tables):
    assert tables.read(Outer, {}, "outer") == Outer()


def test_values_are_converted_by_their_types(tables):
    table = {"patience": "5 min", "room": "1 KiB", "words": ["a"], "inner": {"depth": 2}, "several": [{}], "named": {"ann": {}}}
    assert tables.read(Outer, table, "outer") == Outer(
        patience=Seconds(300), room=Size(1024), words=("a",), inner=Inner(depth=2), several=(Inner(),), named={"ann": Inner()}
    )


def test_a_relative_path_is_relative_to_the_files_directory(tables):
    assert tables.read(Outer, {"file": "a/b"}, "outer").file == "/etc/ftpd/a/b"


def test_an_absolute_path_stays(tables):
    assert tables.read(Outer, {"file": "/a/b"}, "outer").file == "/a/b"


def test_an_empty_path_stays_empty(tables):
    assert tables.read(Outer, {"file": ""}, "outer").file == ""


def test_every_problem_is_told_with_its_path(tables):
    table = {
        "name": 3,
        "patience": "soon",
        "inner": {"depth": "2"},
        "several": [{}, {"depth": 10}],
        "named": {"ann": {"depth": -1}},
    }
    assert problems(tables, table) == [
        "ftpd.toml: outer.name: found 3; it must be text in quotes",
        "ftpd.toml: outer.patience: found 'soon'; it must be a duration such as 90, '90 s', '5 min', '2 h' or '7 d'",
        "ftpd.toml: outer.inner.depth: found '2'; it must be a whole number",
        "ftpd.toml: outer.several[1].depth: found 10; it must be at least 0 and at most 9 levels",
        "ftpd.toml: outer.named.ann.depth: found -1; it must be at least 0 and at most 9 levels",
    ]


def test_a_limit_is_told_with_its_unit_and_the_value_as_written(tables):
    assert problems(tables, {"patience": "0.5 s"}) == ["ftpd.toml: outer.patience: found '0.5 s'; it must be at least 1 s"]


def test_a_choice_names_the_choices(tables):
    assert problems(tables, {"name": "z"}) == ["ftpd.toml: outer.name: found 'z'; it must be one of x, y"]


def test_choices_hold_for_each_entry_of_an_array(tables):
    assert problems(tables, {"words": ["a", "c"]}) == ["ftpd.toml: outer.words: found ['a', 'c']; it must be one of a, b"]


def test_an_unknown_setting_names_the_nearest(tables):
    assert problems(tables, {"patiense": 1}) == ["ftpd.toml: outer.patiense: no such setting; did you mean patience?"]


def test_an_unknown_setting_like_no_other_lists_them(tables):
    assert problems(tables, {"inner": {"zzz": 1}}) == ["ftpd.toml: outer.inner.zzz: no such setting; there are depth"]


def test_text_is_not_taken_for_an_array_of_letters(tables):
    assert problems(tables, {"words": "ab"}) == ["ftpd.toml: outer.words: found 'ab'; it must be an array"]


def test_a_value_is_not_taken_for_a_table(tables):
    assert problems(tables, {"inner": 3}) == ["ftpd.toml: outer.inner: found 3; it must be a table"]


def test_a_secret_is_never_repeated(tables):
    assert problems(tables, {"passwords": {"ann": 31337}}) == [
        "ftpd.toml: outer.passwords: found a value that is not shown; it must be as the reference says"
    ]


def test_a_setting_without_default_is_missed(tables):
    assert tables.read(Demanding, {}, "d") is None
    assert [str(problem) for problem in tables.problems] == ["ftpd.toml: d.needed: missing; it has no default"]


def test_a_long_value_is_cut_short(tables):
    assert len(problems(tables, {"name": "n" * 1000})[0]) < 150
