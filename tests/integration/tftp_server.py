"""A real server that answers TFTP too, and the one account that its clients are.

Apart from `live`, whose servers have connections only.  It serves FTP as well, on a port that nobody uses.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.integration.live import ConfiguredServer, Guest, merged

__all__ = ["ACCOUNT", "Shelf", "TftpServer"]

ACCOUNT: Final = "booter"
_ANSWERING: Final = r"answering TFTP requests on (\S+) port (\d+)"
_numbers = itertools.count()


class Shelf:
    """A directory of a test's own among the files that clients see; names on the wire begin with `name`/."""

    def __init__(self, server: TftpServer) -> None:
        self.server = server
        self.name = f"shelf{next(_numbers)}"
        self.folder = server.files / self.name
        self.folder.mkdir()

    def put(self, name: str, content: bytes) -> str:
        """Lay a file there; return what clients call it."""
        (self.folder / name).write_bytes(content)
        return self.remote(name)

    def remote(self, name: str) -> str:
        return f"{self.name}/{name}"

    def content(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


class TftpServer(ConfiguredServer):
    """A server with TFTP listeners, one on 127.0.0.1 where anything may be stored unless *settings* say otherwise; clients see `files`."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, prefix: Sequence[str] = ()) -> None:
        self.files = folder / "root" / ACCOUNT
        self.files.mkdir(parents=True)
        for root in _roots(settings):
            (self.files / root.strip("/")).mkdir(parents=True, exist_ok=True)
        super().__init__(folder, settings, prefix=prefix)
        count = self._listeners
        self.wait_for(rf"(?s)(?:{_ANSWERING}.*?){{{count}}}")
        self.places = [(address, int(port)) for address, port in re.findall(_ANSWERING, self.log)]

    def configure(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        config = merged(_own(), settings)
        config["tftp"]["listeners"] = [{"port": 0, "account": ACCOUNT, **listener} for listener in config["tftp"]["listeners"]]
        self._listeners = len(config["tftp"]["listeners"])
        return super().configure(config)

    @property
    def place(self) -> tuple[str, int]:
        """Address and port of the first listener."""
        return self.places[0]

    def guest(self, index: int = 0) -> Guest:
        """Return how clients reach a listener."""
        host, port = self.places[index]
        return Guest(ACCOUNT, self.files, port, host)


def _own() -> dict[str, Any]:
    return {
        "storage": {"local": {"durable": "none"}},
        "limits": {"sessions": 0},
        "process": {"stop": 0.5},
        "tftp": {"listeners": [{"address": "127.0.0.1", "write": "any"}], "sessions_per_address": 0},
    }


def _roots(settings: Mapping[str, Any]) -> list[str]:
    """Return the roots that the listeners of *settings* have: a server does not start where one is not there."""
    listeners = settings.get("tftp", {}).get("listeners", [])
    return [place["root"] for listener in listeners for place in (listener, *listener.get("networks", [])) if "root" in place]
