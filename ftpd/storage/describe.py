"""stat(2) -> FileInfo, at the price a listing of 100,000 entries can pay.

Apart from the store, because this is the inner loop of every listing that `rows` does not write (tests/bench: listing).
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Callable
from typing import Final, TypeAlias

from ftpd.spi import Threads
from ftpd.values import FileInfo, FileKind

__all__ = ["Describe", "OwnerNames", "describer"]

Describe: TypeAlias = Callable[[str, os.stat_result, str | None], FileInfo]  # name, status, target of a link

_KINDS: Final = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.LINK}
_S_IFMT: Final = 0o170000


class OwnerNames:
    """Names of users and groups, read once in a thread: a name service over the network may take seconds.

    Until they are read, and for ids the service does not enumerate, the number stands.
    """

    def __init__(self) -> None:
        self.users: dict[int, str] = {}
        self.groups: dict[int, str] = {}

    def read(self, threads: Threads) -> None:
        """Begin to read; nobody waits."""
        threads.run(self._names).addCallbacks(self._take, lambda _: None)

    @staticmethod
    def _names() -> tuple[dict[int, str], dict[int, str]]:
        return {user.pw_uid: user.pw_name for user in pwd.getpwall()}, {group.gr_gid: group.gr_name for group in grp.getgrall()}

    def _take(self, names: tuple[dict[int, str], dict[int, str]]) -> None:
        self.users, self.groups = names


def describer(owners: OwnerNames | None) -> Describe:
    """Return the function that describes one file; without *owners* all belongs to "ftp", as vsftpd's hide_ids shows it."""
    make = tuple.__new__  # FileInfo(...) checks its arguments by name: 0.5 us an entry instead of 0.2

    def anonymous(name: str, status: os.stat_result, target: str | None) -> FileInfo:
        mode = status.st_mode
        kind = _KINDS.get(mode & _S_IFMT, FileKind.OTHER)
        unique = f"{status.st_dev:x}g{status.st_ino:x}"
        size = status.st_size
        mode &= 0o7777
        return make(FileInfo, (name, kind, size, status.st_mtime_ns, mode, status.st_nlink, "ftp", "ftp", unique, target, None))

    def named(name: str, status: os.stat_result, target: str | None) -> FileInfo:
        assert owners is not None
        user = owners.users.get(status.st_uid) or str(status.st_uid)
        group = owners.groups.get(status.st_gid) or str(status.st_gid)
        return anonymous(name, status, target)._replace(owner=user, group=group)

    return anonymous if owners is None else named
