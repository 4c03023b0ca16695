"""The kinds of stores and login sources that a configuration can name.

Apart from reading, so that a server whose tree was built in Python starts without the reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ftpd.extensions import kind, kinds
from ftpd.interfaces import ILoginKind, IStoreKind

__all__ = ["login_kind", "login_kinds", "store_kind", "store_kinds"]


def store_kinds(directories: Iterable[str] = ()) -> dict[str, Any]:
    """Return the `IStoreKind`s by name: ours, Twisted plugins', and those in the files of *directories*."""
    return kinds(IStoreKind, "ftpd.storage", directories)


def login_kinds(directories: Iterable[str] = ()) -> dict[str, Any]:
    """Return the `ILoginKind`s by name, likewise."""
    return kinds(ILoginKind, "ftpd.login", directories)


def store_kind(name: str, directories: Iterable[str] = ()) -> Any:
    """Return the `IStoreKind` called *name*; raises `KeyError`."""
    return kind(IStoreKind, "ftpd.storage", name, directories)


def login_kind(name: str, directories: Iterable[str] = ()) -> Any:
    """Return the `ILoginKind` called *name*; raises `KeyError`."""
    return kind(ILoginKind, "ftpd.login", name, directories)
