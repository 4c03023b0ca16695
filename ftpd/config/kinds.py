"""The kinds of stores and login sources that a configuration can name.

Apart from reading, so that a server whose tree was built in Python starts without the reader.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ftpd.extensions import kinds
from ftpd.interfaces import ILoginKind, IStoreKind

__all__ = ["login_kinds", "store_kinds"]


def store_kinds(directories: Iterable[str] = ()) -> dict[str, Any]:
    """Return the `IStoreKind`s by name: ours, Twisted plugins', and those in the files of *directories*."""
    return kinds(IStoreKind, "ftpd.storage", directories)


def login_kinds(directories: Iterable[str] = ()) -> dict[str, Any]:
    """Return the `ILoginKind`s by name, likewise."""
    return kinds(ILoginKind, "ftpd.login", directories)
