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
    directories,
    files,
    host,
    inform,
    listing,
    login,
    modes,
    passive,
    rename,
    retrieve,
    security,
    site,
    store,
)

__all__ = ["KNOWN_VERBS", "standard_commands"]

_FAMILIES: Final = (
    host,
    login,
    security,
    directories,
    modes,
    passive,
    active,
    retrieve,
    store,
    listing,
    files,
    rename,
    inform,
    site,
    abort,
)

# Verbs of the RFCs and drafts that are known and not served: 502, where anything else unknown is 500.
KNOWN_VERBS: Final = frozenset(
    b"ADAT CONF CSID ENC ESTA ESTP HASH LANG LPRT LPSV MIC PRET RANG RMDA SMNT SPSV THMB XCRC XMD5 XSHA XSHA1 XSHA256 "
    b"XSHA512 XRCP XRSQ XSEM XSEN MAIL MLFL MRCP MRSQ MSAM MSND MSOM AVBL COMB DSIZ MD5 MFCT MFF MMD5".split()
)


def standard_commands() -> CommandTable:
    """Return the table of every command served, keyed by upper-cased verb."""
    rows = chain.from_iterable((value for value in vars(family).values() if isinstance(value, Command)) for family in _FAMILIES)
    return table(rows)
