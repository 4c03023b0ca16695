"""A filesystem that only remembers what it was asked: what the guard in front of it lets through."""

from __future__ import annotations

import pytest

from ftpd.errors import NotFound
from ftpd.paths import VirtualPath
from ftpd.values import Ability, FileInfo, FileKind


class RecordedFile:
    """An upload that only remembers."""

    def __init__(self, path, start):
        self.path = path
        self.start = start
        self.ceiling = None
        self.calls = []

    def descriptor(self):
        return 7

    async def write_at(self, offset, data):
        self.calls.append(("write_at", offset, bytes(data)))

    async def commit(self):
        self.calls.append("commit")
        return FileInfo(self.path.name, FileKind.FILE)

    async def abandon(self, *, keeps=True):
        self.calls.append("abandon" if keeps else "abandon, keeping nothing")


class RecordedFiles:
    """A `spi.Filesystem` without files: it remembers what it was asked, and `existing` says which names are taken, with their sizes."""

    abilities = Ability.RESUME

    def __init__(self, existing=()):
        self.existing = {VirtualPath.parse(path): size for path, size in dict(existing).items()}
        self.calls = []
        self.upload = None

    async def stat(self, path):
        self.calls.append(("stat", str(path)))
        if path not in self.existing:
            raise NotFound(path)
        return FileInfo(path.name, FileKind.FILE, self.existing[path])

    async def open_directory(self, path):
        self.calls.append(("open_directory", str(path)))
        return "a directory"

    async def open_read(self, path):
        self.calls.append(("open_read", str(path)))
        return "a file"

    async def open_write(self, path, *, mode, offset=0, expected_size=None, permissions=None):
        self.calls.append(("open_write", str(path), mode.name, offset, expected_size))
        self.permissions = permissions
        start = self.existing.get(path, 0) if mode.name == "APPEND" else offset
        self.upload = RecordedFile(path, start)
        return self.upload

    async def make_directory(self, path, *, permissions=None):
        self.permissions = permissions
        self.calls.append(("make_directory", str(path)))

    async def remove_directory(self, path):
        self.calls.append(("remove_directory", str(path)))

    async def remove_file(self, path):
        self.calls.append(("remove_file", str(path)))

    async def rename(self, old, new):
        self.calls.append(("rename", str(old), str(new)))

    async def set_attributes(self, path, changes):
        self.calls.append(("set_attributes", str(path)))

    async def close(self):
        self.calls.append("close")


@pytest.fixture
def recorded_files():
    return RecordedFiles
