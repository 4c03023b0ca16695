"""Asker: asks for digests of one file as a command does, and the kinds of files that stores open."""

from __future__ import annotations

import hashlib
import os

from twisted.internet.defer import Deferred

from ftpd.ftp.hashes import reading
from ftpd.ftp.hashes.algorithms import Algorithm
from ftpd.ftp.hashes.digests import Digests
from ftpd.ftp.settings import HashSettings
from ftpd.transfer.crew import Crews
from ftpd.values import FileInfo, FileKind

CONTENT = b"some content that is known"
SHA_256 = hashlib.sha256(CONTENT).hexdigest()


class OpenFile:
    """A file of the disk as a store opens it; *has_descriptor* says of which kind."""

    def __init__(self, path, *, has_descriptor=True):
        self._number = os.open(path, os.O_RDONLY)
        self._has_descriptor = has_descriptor
        status = os.fstat(self._number)
        self.info = FileInfo(path.name, FileKind.FILE, status.st_size, status.st_mtime_ns, unique=str(status.st_ino))
        self.is_closed = False
        self.reads = 0

    def descriptor(self):
        return self._number if self._has_descriptor else None

    async def read_at(self, offset, length):
        self.reads += 1
        return os.pread(self._number, length, offset)

    async def close(self):
        if not self.is_closed:
            self.is_closed = True
            os.close(self._number)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, trace):
        await self.close()


class Streamed(OpenFile):
    """A file that can only be read from start to end, and of which nobody knows the size."""

    def __init__(self, path):
        super().__init__(path, has_descriptor=False)
        self.info = self.info._replace(size=0)

    def pieces(self, start):
        left = [os.pread(self._number, 10, offset) for offset in range(start, os.fstat(self._number).st_size, 10)]

        async def next_piece():
            return left.pop(0) if left else b""

        return next_piece


class Asker:
    """Asks for digests of one file, and knows how often it was opened and what it was told meanwhile."""

    def __init__(self, path, clock, kind=OpenFile, settings=None):
        self.path = path
        self.clock = clock
        self.kind = kind
        self.digests = Digests(Crews(clock), settings or HashSettings())
        self.files = []
        self.told = []

    async def open(self):
        self.files.append(self.kind(self.path))
        return self.files[-1]

    def asks(self, algorithm=Algorithm.SHA_256, start=0, end=None, allowance=None):
        allowance = allowance or self.digests.allowance()
        return Deferred.fromCoroutine(self.digests.of(self.open, algorithm, lambda size: (start, end), allowance, self.told.append))

    def hears(self, *arguments, **named):
        return self.clock.wait(self.asks(*arguments, **named))


def without_descriptor(path):
    return OpenFile(path, has_descriptor=False)


class Reads(list):
    """What is read from now on, a scan at a time; `before` is called before each."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.before = lambda: None
        scan = reading.Scan

        def watched(crews, descriptor, start, length, *rest):
            self.append((start, length))
            self.before()
            return scan(crews, descriptor, start, length, *rest)

        monkeypatch.setattr(reading, "Scan", watched)
