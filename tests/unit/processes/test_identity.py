"""Names of users and groups become numbers, or a sentence."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from ftpd.processes.identity import Identity, identity, name_of_user
from ftpd.schema import ConfigError

USERS = {"root": (0, 0), "ftpd": (990, 980), "ann": (1000, 1000)}
GROUPS = {"root": 0, "ftpd": 980, "admins": 70, "ann": 1000}


@pytest.fixture(autouse=True)
def database(monkeypatch):
    """A machine with these users, whoever runs the tests."""

    def user_named(name):
        number, group = USERS[name]
        return pwd.struct_passwd((name, "x", number, group, "", "/", "/bin/false"))

    def user_numbered(number):
        return next(user_named(name) for name, (known, _) in USERS.items() if known == number)

    def user_numbered_or_key_error(number):
        try:
            return user_numbered(number)
        except StopIteration:
            raise KeyError(number) from None

    monkeypatch.setattr(pwd, "getpwnam", user_named)
    monkeypatch.setattr(pwd, "getpwuid", user_numbered_or_key_error)
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", GROUPS[name], [])))


@pytest.fixture
def run_by(monkeypatch):
    """Let this process be another user, in a group, and in other groups."""

    def be(user, group, *others):
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(os, "getegid", lambda: group)
        monkeypatch.setattr(os, "getgroups", lambda: list(others))

    return be


def refusal(user, group):
    with pytest.raises(ConfigError) as caught:
        identity(user, group)
    return str(caught.value)


def test_without_names_it_is_who_we_are(run_by):
    run_by(1000, 1000)
    assert identity("", "") == Identity(1000, 1000)


def test_root_becomes_a_user_and_has_its_group(run_by):
    run_by(0, 0)
    assert identity("ftpd", "") == Identity(990, 980)


def test_root_becomes_a_user_with_another_group(run_by):
    run_by(0, 0)
    assert identity("ftpd", "admins") == Identity(990, 70)


def test_root_that_stays_root_may_name_a_group(run_by):
    run_by(0, 0)
    assert identity("", "admins") == Identity(0, 70)


def test_who_is_the_user_already_keeps_the_group_it_was_started_with(run_by):
    run_by(990, 1000)
    assert identity("ftpd", "") == Identity(990, 1000)


def test_another_group_may_be_one_that_we_are_in(run_by):
    run_by(990, 980, 980, 70)
    assert identity("ftpd", "admins") == Identity(990, 70)


def test_a_user_who_is_not_there_is_a_problem(run_by):
    run_by(0, 0)
    assert refusal("ftpf", "") == "process.user: there is no user 'ftpf'; see getent passwd"


def test_both_problems_are_named(run_by):
    run_by(0, 0)
    assert refusal("ftpf", "admin").splitlines() == [
        "process.user: there is no user 'ftpf'; see getent passwd",
        "process.group: there is no group 'admin'; see getent group",
    ]


def test_only_root_can_become_another_user(run_by):
    run_by(1000, 1000)
    assert refusal("ftpd", "") == "process.user: 'ann' has started the server; only root can become 'ftpd'"


def test_only_root_can_join_a_group(run_by):
    run_by(1000, 1000)
    assert refusal("", "admins") == "process.group: 'ann' is not in group 'admins'; only root can join one"


def test_a_number_without_a_name_is_called_by_it():
    assert [name_of_user(990), name_of_user(4711)] == ["ftpd", "4711"]
