"""Tables: what stands in the file of a shared state.

Apart from the ledger, which reads and writes them, and from the file, which is made with them.  `held` is how many of each place the
sessions of each worker have, and `uses` what `spi.State.share` tells; which session it was is that worker's business, and no other's.  A worker writes the whole number and never a
difference, so that whatever went wrong before is put right by the next write.  Numbers in `serial` only grow: who remembers the last one that it has read has read all before.
"""

from __future__ import annotations

import json
import operator
import zlib
from typing import Any, Final

import attrs

from ftpd.values import Request, SessionRow

__all__ = ["APPLICATION", "SCHEMA", "VERSION", "plain", "request_of", "row_of", "text_of_request", "text_of_row", "unplain"]

APPLICATION: Final = 0x66747064  # "ftpd", as `file` shows it
SCHEMA: Final = (
    "create table origin (identity text not null)",  # one row, another in each file that was ever made
    "create table held (key text, worker text, count integer not null, primary key (key, worker)) without rowid",
    "create table uses (key text, worker text, amount real not null, primary key (key, worker)) without rowid",
    "create table failures (address text primary key, count integer not null, since real not null, expires real not null) without rowid",
    "create index failures_by_expiry on failures (expires)",
    "create table bans (serial integer primary key autoincrement, address text not null unique, until real not null)",
    "create table sessions (session text primary key, worker text not null, row text not null) without rowid",
    # To `worker`, or to all where that is empty.
    "create table requests (serial integer primary key autoincrement, worker text not null, asked real not null, request text not null)",
)

VERSION: Final = zlib.crc32("\n".join(SCHEMA).encode()) >> 1  # 31 bits, which are others with each change of the tables

_FIELDS: Final = tuple(field.name for field in attrs.fields(SessionRow))
_values_of = operator.attrgetter(*_FIELDS)


def plain(text: str) -> str:
    """Return *text* as printable ASCII, different texts differently: the file takes neither lone surrogates (PEP 383) nor all of NUL."""
    return text if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text else json.dumps(text)[1:-1]


def unplain(text: str) -> str:
    """Return what `plain` has made *text* of."""
    original: str = json.loads(f'"{text}"')
    return original


def text_of_row(row: SessionRow) -> str:
    return json.dumps(dict(zip(_FIELDS, _values_of(row), strict=True)))


def row_of(text: str, worker: str) -> SessionRow:
    """Return what `text_of_row` has written, as a session of *worker*; what another version has written besides is left out."""
    values: dict[str, Any] = json.loads(text)
    return SessionRow(**{**{name: values[name] for name in _FIELDS if name in values}, "worker": worker})


def text_of_request(request: Request) -> str:
    return json.dumps(attrs.astuple(request))


def request_of(text: str) -> Request:
    return Request(*json.loads(text))
