"""The checks, one file for each theme; `all_checks()` is the order in which they are asked."""

from __future__ import annotations

from itertools import chain
from typing import Final

from ftpd.conformance.check import Check
from ftpd.conformance.checks import (
    abort,
    changes,
    control,
    data,
    facts,
    features,
    hosts,
    listing,
    login,
    names,
    parameters,
    paths,
    replies,
    restart,
    secure,
    transfers,
)

__all__ = ["all_checks"]

# `control` is the last but one and `replies` the last: some of their checks look back at the whole run.
_THEMES: Final = (
    login,
    parameters,
    paths,
    data,
    listing,
    transfers,
    abort,
    facts,
    changes,
    restart,
    features,
    names,
    hosts,
    secure,
    control,
    replies,
)


def all_checks() -> list[Check]:
    """Return every check, in order."""
    return list(chain.from_iterable((value for value in vars(theme).values() if isinstance(value, Check)) for theme in _THEMES))
