"""Endings: the exit codes of the `ftpd` command, and what it says where something is wrong.

Apart, because commands of several modules end alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from ftpd.schema import Problem

__all__ = ["EXIT_CODES", "fail", "refuse", "told"]

EXIT_CODES = "Exit codes: 0 success, 1 failure at run time, 2 wrong command line or configuration."


def told(work: Callable[[], Any]) -> Any:
    """Do *work*; what is wrong with a configuration becomes sentences and an exit code."""
    from ftpd.schema import ConfigError

    try:
        return work()
    except ConfigError as error:
        refuse(error.problems)


def refuse(problems: Iterable[Problem]) -> NoReturn:
    """End because of a configuration."""
    for problem in problems:
        click.echo(f"ftpd: {problem}", err=True)
    sys.exit(2)


def fail(message: object) -> NoReturn:
    """End because something went wrong at run time."""
    click.echo(f"ftpd: {message}", err=True)
    sys.exit(1)
