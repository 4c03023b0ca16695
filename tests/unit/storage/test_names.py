from __future__ import annotations

import pytest

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
