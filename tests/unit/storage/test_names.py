from __future__ import annotations

import pytest

from ftpd.errors import BadName, NotFound
from ftpd.paths import VirtualPath
from ftpd.storage.names import NameRules, is_staging, kept_name, numbered, staging_name


def test_staging_names_have_one_length_and_are_known() -> None:
    assert len({staging_name() for _ in range(100)}) == 100
    assert {len(staging_name()) for _ in range(100)} == {42}
    assert is_staging(staging_name().decode())
    assert is_staging(kept_name("ann", b"n" * 255).decode())


@pytest.mark.parametrize("name", [".ftpd", ".ftpd.", ".ftpd.0.new", "x.ftpd." + "0" * 32 + ".new", ".ftpd." + "0" * 32 + ".new.gz"])
def test_other_names_are_not_taken_for_staging(name: str) -> None:
    assert not is_staging(name)


def test_kept_names_differ_by_account_and_name() -> None:
    assert kept_name("ann", b"a") == kept_name("ann", b"a")
    assert len({kept_name("ann", b"a"), kept_name("bob", b"a"), kept_name("ann", b"b"), kept_name("a", b"nna")}) == 4


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a", b"a.7"),
        (b"a.txt", b"a.7.txt"),
        (b".profile", b".profile.7"),
        (b"a.tar.gz", b"a.tar.7.gz"),
        (b"n" * 255, b"n" * 253 + b".7"),
        (b"n" * 251 + b".txt", b"n" * 249 + b".7.txt"),
    ],
)
def test_numbers_stand_before_the_extension_and_fit(name: bytes, expected: bytes) -> None:
    assert numbered(name, 7) == expected


def test_patterns_are_case_sensitive_and_whole() -> None:
    rules = NameRules(("*.pem", "secret"))
    assert rules.hides("key.pem")
    assert rules.hides("secret")
    assert not rules.hides("KEY.PEM")
    assert not rules.hides("secrets")


def test_only_where_the_prefix_of_staging_names_stands_can_a_name_be_hidden() -> None:
    assert not NameRules().may_hide("a/.profile/ftpd.txt")
    assert NameRules().may_hide("a/" + staging_name().decode() + "/b")


def test_with_patterns_any_name_can_be_hidden() -> None:
    assert NameRules(("*.key",)).may_hide("a")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [((), b"."), (("a",), b"a"), (("a", "b.txt"), b"a/b.txt"), ((".profile",), b".profile"), (("a\nb", "\udcff"), b"a\nb/\xff")],
)
def test_paths_are_bytes_with_slashes_between(parts: tuple[str, ...], expected: bytes) -> None:
    assert NameRules().encode(VirtualPath(parts)) == expected


@pytest.mark.parametrize("parts", [("a/b",), ("a", ""), ("", "a"), ("a", ".."), (".",), ("a\0b",), ("a/b", "c")])
def test_names_that_no_directory_holds_are_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(BadName):
        NameRules().encode(VirtualPath(parts))


@pytest.mark.parametrize("patterns", [(), ("*.secret",)])
def test_staging_names_are_nobodys_to_reach(patterns: tuple[str, ...]) -> None:
    with pytest.raises(NotFound):
        NameRules(patterns).encode(VirtualPath(("a", staging_name().decode())))


def test_hidden_names_are_not_found_on_the_way() -> None:
    with pytest.raises(NotFound):
        NameRules(("*.secret",)).encode(VirtualPath(("a.secret", "b")))
