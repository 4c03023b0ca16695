"""Identity: who the server becomes, as numbers.

Apart from `privileges`, which makes it so: a runtime directory and a control socket need only know.
"""

from __future__ import annotations

import grp
import os
import pwd

import attrs

from ftpd.schema import ConfigError, Problem

__all__ = ["Identity", "identity", "name_of_group", "name_of_user", "unknown_names"]


@attrs.frozen
class Identity:
    """The numbers of a user and of a group; where the user is not another than we are, the group is who may use the control socket, and no more."""

    user: int
    group: int


def identity(user: str, group: str) -> Identity:
    """Look up `process.user` and `process.group`, "" for who we are and for the group of *user*.

    Raises `ConfigError` where there is none of the name, and where this process cannot become that.
    """
    found, problems = _looked_up(user, group)
    if os.geteuid() != 0 and not problems:
        problems += _out_of_reach(found, user, group)
    if problems:
        raise ConfigError(problems)
    return found


def unknown_names(user: str, group: str) -> list[Problem]:
    """Return what is wrong with `process.user` and `process.group` whoever starts the server: names that nobody has."""
    return _looked_up(user, group)[1]


def name_of_user(number: int) -> str:
    """Return how the operator calls the user *number*."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def name_of_group(number: int) -> str:
    """Return how the operator calls the group *number*."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _looked_up(user: str, group: str) -> tuple[Identity, list[Problem]]:
    problems: list[Problem] = []
    user_number, group_number = os.geteuid(), os.getegid()
    if user:
        try:
            entry = pwd.getpwnam(user)
            if entry.pw_uid != user_number:  # else our group is what systemd's Group= or newgrp(1) has made it
                user_number, group_number = entry.pw_uid, entry.pw_gid
        except KeyError:
            problems.append(Problem("", "process.user", f"there is no user {user!r}", "see getent passwd"))
    if group:
        try:
            group_number = grp.getgrnam(group).gr_gid
        except KeyError:
            problems.append(Problem("", "process.group", f"there is no group {group!r}", "see getent group"))
    return Identity(user_number, group_number), problems


def _out_of_reach(wanted: Identity, user: str, group: str) -> list[Problem]:
    """What who is not root cannot become: another user, or member of another group."""
    own = os.geteuid()
    if wanted.user != own:
        return [Problem("", "process.user", f"{name_of_user(own)!r} has started the server", f"only root can become {user!r}")]
    if group and wanted.group not in (os.getegid(), *os.getgroups()):
        return [Problem("", "process.group", f"{name_of_user(own)!r} is not in group {group!r}", "only root can join one")]
    return []
