"""The verbs, one file per family; `standard_commands()` is the table that a factory starts from.

An embedder adds a verb with `{**standard_commands(), b"XFOO": foo}`; an operator with a file in a plugin directory.
"""

from __future__ import annotations

from itertools import chain
from typing import Final

from ftpd.ftp.command import Command, CommandTable, table
from ftpd.ftp.commands import (
    abort,
    active,
    attributes,
    combining,
    copying,
    directories,
    files,
    hashing,
    host,
    inform,
    language,
    links,
    listing,
    login,
    modes,
    mount,
    passive,
    prepare,
    rename,
    retrieve,
    security,
    site,
    store,
    trees,
    who,
)

__all__ = ["KNOWN_VERBS", "standard_commands"]

_FAMILIES: Final = (
    host,
    login,
    security,
    directories,
    modes,
    mount,
    passive,
    prepare,
    active,
    retrieve,
    store,
    who,
    listing,
    files,
    attributes,
    trees,
    copying,
    combining,
    links,
    hashing,
    rename,
    inform,
    language,
    site,
    abort,
)

# Verbs of the RFCs and drafts that are known and not served: 502, where anything else unknown is 500.
KNOWN_VERBS: Final = frozenset(
    b"ADAT CONF ENC ESTA ESTP MIC SPSV THMB XRCP XRSQ XSEM XSEN MAIL MLFL MRCP MRSQ MSAM MSND MSOM".split()
)


def standard_commands() -> CommandTable:
    """Return the table of every command served, keyed by upper-cased verb."""
    rows = chain.from_iterable((value for value in vars(family).values() if isinstance(value, Command)) for family in _FAMILIES)
    return table(rows)
