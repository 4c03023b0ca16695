"""FTP over a program's own data: `python docs/examples/dictionary_files.py` serves a dictionary, on loopback, to look at and to change.

A dictionary is a directory, bytes are a file, and what can be called makes the content of a file each time it is read.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from ftpd.errors import AlreadyExists, IsADirectory, NotADirectory, NotEmpty, NotFound, NotPermitted
from ftpd.paths import VirtualPath
from ftpd.spi import ReadableFile, WritableFile
from ftpd.storage.content import Content
from ftpd.storage.shared import SharedStore
from ftpd.storage.simple import StoringFilesystem
from ftpd.values import FileInfo, FileKind

Tree: TypeAlias = "dict[str, Node]"
Node: TypeAlias = "Tree | bytes | Callable[[], bytes]"


class DictionaryFiles(StoringFilesystem):
    """What is in *tree*, which its program may change as well, on the reactor's thread."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def find(self, path: VirtualPath) -> FileInfo | None:
        node = self._node(path)
        return None if node is None else described(path.name, node)

    async def entries(self, directory: VirtualPath) -> Iterator[FileInfo]:
        return iter([described(name, node) for name, node in self._folder(directory).items()])

    async def open_file(self, path: VirtualPath, info: FileInfo) -> ReadableFile:
        return Content(info, content(self._folder(path.parent)[path.name]))

    async def open_write(self, path: VirtualPath, **wanted: Any) -> WritableFile:
        if callable(self._node(path)):
            raise NotPermitted(path, "The program itself makes this file")
        return await super().open_write(path, **wanted)

    async def store(self, path: VirtualPath, data: bytes) -> None:
        self._folder(path.parent)[path.name] = data

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        if await self.find(path) is not None:
            raise AlreadyExists(path)
        self._folder(path.parent)[path.name] = {}

    async def remove_directory(self, path: VirtualPath) -> None:
        if path.is_root:
            raise NotPermitted(path)
        if self._folder(path):
            raise NotEmpty(path)
        del self._folder(path.parent)[path.name]

    async def remove_file(self, path: VirtualPath) -> None:
        if (await self.stat(path)).kind is FileKind.DIRECTORY:
            raise IsADirectory(path)
        del self._folder(path.parent)[path.name]

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        await self.stat(old)
        if new.is_within(old) or isinstance(there := self._node(new), dict) or callable(there):
            raise AlreadyExists(new)
        folder = self._folder(new.parent)
        folder[new.name] = self._folder(old.parent).pop(old.name)

    def _node(self, path: VirtualPath) -> Node | None:
        node: Node | None = self._tree
        for name in path.parts:
            node = node.get(name) if isinstance(node, dict) else None
        return node

    def _folder(self, path: VirtualPath) -> Tree:
        node = self._node(path)
        if not isinstance(node, dict):
            raise NotFound(path) if node is None else NotADirectory(path)
        return node


def described(name: str, node: Node) -> FileInfo:
    if isinstance(node, dict):
        return FileInfo(name, FileKind.DIRECTORY)
    return FileInfo(name, FileKind.FILE, len(content(node)), time.time_ns())


def content(node: Node) -> bytes:
    return node() if callable(node) else bytes(node)  # type: ignore[arg-type]  # a directory has none


if __name__ == "__main__":
    from serving import serve

    notes: Tree = {"todo": b"Buy milk.\n", "old": {}}
    serve(SharedStore(DictionaryFiles({"notes": notes, "version": lambda: sys.version.encode()})))
