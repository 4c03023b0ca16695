"""Virtual files: what a program makes up for one client, in the place of a file of the store.

Apart from the server, so that extensions and embedders need nothing else of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self, TypeAlias

import attrs

from ftpd.paths import VirtualPath
from ftpd.values import FileInfo, FileKind, Peer

__all__ = ["FileRequest", "VirtualFile", "VirtualFiles"]


@attrs.frozen
class FileRequest:
    """What a client wants: the *name* as it wrote it, the *path* that this means here, who it is, and the options that it sent (RFC 2347)."""

    name: str
    path: VirtualPath
    peer: Peer
    options: Mapping[str, str]


VirtualFiles: TypeAlias = Callable[[FileRequest], bytes | Awaitable[bytes | None] | None]
"""Asked on the reactor thread for every file that is to be read: its bytes, None where the store shall be asked, or an awaitable of these.

May raise a `FileTransferError`, which the client is told.
"""


class VirtualFile:
    """A `spi.ReadableFile` of *content*."""

    def __init__(self, name: str, content: bytes) -> None:
        self.info = FileInfo(name, FileKind.FILE, len(content))
        self._content = content

    def descriptor(self) -> int | None:
        return None

    async def read_at(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is open."""
