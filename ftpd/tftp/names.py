"""Names: from the name in a request to the path that is meant, for one listener.

Apart from the server, and without a file system: the client's own directory is only named here, whoever has the store looks whether it is there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

from ftpd.errors import BadName, NotPermitted
from ftpd.paths import ROOT, VirtualPath, decode_name
from ftpd.regular import open_regular
from ftpd.schema import ConfigError, Problem
from ftpd.tftp.settings import TFTPListenSettings
from ftpd.tftp.wire.mapfile import MapFile

__all__ = ["Names", "Resolved", "path_of", "read_map_file"]

_DRIVE: Final = re.compile(r"^[A-Za-z]:(?=/)")  # as in C:/boot/bcd
_MOST_BYTES: Final = 1024 * 1024  # of a map file; a thousand rules are 50 KiB
_ADDRESSES: Final = 4096  # clients whose root is remembered: finding it takes a microsecond a network
_NAMES: Final = (
    256  # that are remembered, with what they mean: machines that boot together ask for the same few (tests/bench: tftp-tiny)
)


class Resolved(NamedTuple):
    """What a request is about.

    `root` is the directory that the client sees as /, `path` the file below it, `unique` the client's own directory below the root if
    clients may have some: where it exists it takes the place of the root, and `below(unique)` that of the path.  `name` is what was sent.
    """

    path: VirtualPath
    root: VirtualPath
    unique: VirtualPath | None
    name: str

    def below(self, directory: VirtualPath) -> VirtualPath:
        """Return the path with *directory* in the place of the root."""
        return self.path.below(self.root).under(directory)


class Names:
    r"""The way that a listener's names take: lower case if asked for, the map file's rules, the client's root.

    Without a map file `\` becomes `/`, and a drive letter goes.  With one that is left to its rules: they are written for the names that
    are sent, and what one refuses with a slash could be spelt with a backslash else.

    *mac_of* returns the MAC address of a client, given its IP address, or None where there is none to be had.
    """

    def __init__(
        self,
        listen: TFTPListenSettings,
        map_file: MapFile | None = None,
        mac_of: Callable[[str], str | None] | None = None,
    ) -> None:
        self._map_file = map_file
        self._folds_case = listen.fold_case
        self._root = VirtualPath.parse(listen.root)
        self._networks = [(network, VirtualPath.parse(entry.root)) for entry in listen.networks for network in entry.networks]
        self._network_root = lru_cache(_ADDRESSES)(self._find_root)
        self._below = lru_cache(_NAMES)(self._find_below)
        self._resolved = lru_cache(_NAMES)(self._resolve_for_all)
        self._own_name: Callable[[str], str | None] | None = None
        if listen.unique_root == "address":
            self._own_name = str
        elif listen.unique_root == "mac":
            self._own_name = mac_of
        # Whoever asks, a name means the same: then all of that is remembered, and not a part (tests/bench: tftp-tiny).
        self._is_same_for_all = map_file is None and not listen.networks and self._own_name is None

    def resolve(self, name: bytes, *, is_write: bool, address: str) -> Resolved:
        """Return what is meant by *name* in a request from the IP *address*, which has no zone.

        Raises `NotPermitted` where the map file refuses it, `BadName` where it names no file.
        """
        if self._is_same_for_all:
            return self._resolved(name)
        sent, below = self._below(name, is_write, address) if self._map_file is not None else self._below(name)
        root = self._network_root(address) if self._networks else self._root
        own = self._own_name(address) if self._own_name is not None else None
        return Resolved(below.under(root), root, None if own is None else root.child(own), sent)

    def _resolve_for_all(self, name: bytes) -> Resolved:
        sent, below = self._find_below(name)
        return Resolved(below.under(self._root), self._root, None, sent)

    def _find_below(self, name: bytes, is_write: bool = False, address: str = "") -> tuple[str, VirtualPath]:
        """Return *name* as text, and the path below the root that is meant; only a map file's rules want to know more than the name."""
        sent = decode_name(name)
        asked = sent.lower() if self._folds_case else sent
        if self._map_file is None:
            asked = _DRIVE.sub("", asked.replace("\\", "/"))
        else:
            asked = self._mapped(self._map_file, asked, is_write=is_write, address=address)
        return sent, path_of(asked)

    @staticmethod
    def _mapped(map_file: MapFile, name: str, *, is_write: bool, address: str) -> str:
        mapped = map_file.apply(name, is_write=is_write, address=address)
        if mapped.name is None:
            raise NotPermitted(None, mapped.refusal or None)
        return mapped.name

    def _find_root(self, address: str) -> VirtualPath:
        client = ipaddress.ip_address(address)
        for network, root in self._networks:
            if client in network:
                return root
        return self._root


def path_of(name: str) -> VirtualPath:
    """Return the path of *name* as seen from the root, above which nothing can be named.  Raises `BadName` where it names no file."""
    path = ROOT.join(name)
    if path.is_root:
        raise BadName(None, "No file is named")
    return path


def read_map_file(os_path: str) -> MapFile:
    """Read the rules in a file of the machine.  Raises `ConfigError` with everything that is wrong with it."""
    try:
        with open_regular(os_path) as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(os_path, "", error.strerror or str(error), "")]) from None
    if len(content) > _MOST_BYTES:
        raise ConfigError([Problem(os_path, "", f"more than {_MOST_BYTES >> 20} MiB", "a file of rules")])
    return MapFile.parse(decode_name(content), os_path)
