"""Gated: a file system of one directory, served over /dev/fuse, that answers when the test says.

Apart from the tests: the kernel's protocol (linux/fuse.h, 7.31), as much of it as a store needs.  No package is needed for it, only root
and /dev/fuse.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path
from typing import Final

from tests.integration.live import SECONDS

__all__ = ["Call", "Gated", "Hold", "lacks"]

_libc = ctypes.CDLL(None, use_errno=True)

_MNT_DETACH: Final = 2
_ROOT: Final = 1  # the number of the only directory
_LONG: Final = 10_000  # seconds: attributes, and names where they are remembered
_MOST: Final = 128 * 1024  # bytes of one write
_IN: Final = struct.Struct("<IIQQIIIHH")
_OUT: Final = struct.Struct("<IiQ")
_ATTRIBUTES: Final = struct.Struct("<6Q10I")
_SIZE_CHANGES: Final = 8  # FATTR_SIZE


class Call(IntEnum):
    """What the kernel asks."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    UNLINK = 10
    RENAME = 12
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    CREATE = 35
    INTERRUPT = 36
    BATCH_FORGET = 42


_UNANSWERED: Final = (Call.FORGET, Call.BATCH_FORGET, Call.INTERRUPT)


def lacks() -> str | None:
    """What this machine lacks for such a file system, None for nothing."""
    if os.geteuid() != 0:
        return "machine: only root may mount"
    return None if os.access("/dev/fuse", os.R_OK | os.W_OK) else "machine: no /dev/fuse"


class Hold:
    """Calls that are not answered yet."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._requests: list[bytes] = []
        self._arrived = threading.Event()

    def take(self, request: bytes) -> None:
        self._requests.append(request)
        self._arrived.set()

    def wait(self) -> None:
        """Return once a call is held."""
        assert self._arrived.wait(SECONDS), f"no {self.call.name} came"

    def requests(self) -> list[bytes]:
        return self._requests


class Gated:
    """The file system, mounted at *folder* until closed.  *remembers_names*: the kernel keeps the names it has seen.

    A file keeps its number, and its bytes, after its name is gone.
    """

    def __init__(self, folder: Path, *, remembers_names: bool) -> None:
        self._folder = os.fsencode(folder)
        self._valid = _LONG if remembers_names else 0
        self._names: dict[bytes, int] = {}
        self._files: dict[int, bytearray] = {}
        self._last = _ROOT
        self._hold: Hold | None = None
        self._delays: dict[Call, float] = {}
        self._lock = threading.Lock()
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        self._end = os.eventfd(0)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"gated", self._folder, b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Unmount; whoever still waits for an answer gets an error."""
        _libc.umount2(self._folder, _MNT_DETACH)
        os.eventfd_write(self._end, 1)
        self._thread.join(SECONDS)
        os.close(self._device)
        os.close(self._end)

    def add(self, name: str, content: bytes) -> None:
        with self._lock:
            self._files[self._new(name.encode())][:] = content

    def content(self, name: str) -> bytes | None:
        with self._lock:
            number = self._names.get(name.encode())
            return None if number is None else bytes(self._files[number])

    @contextlib.contextmanager
    def hold(self, call: Call) -> Iterator[Hold]:
        """Answer no *call* as long as the `with` lasts."""
        with self._lock:
            hold = self._hold = Hold(call)
        try:
            yield hold
        finally:
            with self._lock:
                self._hold = None
                for request in hold.requests():
                    self._answer(request)

    @contextlib.contextmanager
    def delay(self, call: Call, seconds: float) -> Iterator[None]:
        """Answer each *call* after *seconds*."""
        self._delays[call] = seconds
        try:
            yield
        finally:
            del self._delays[call]

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._device, select.POLLIN)
        poll.register(self._end, select.POLLIN)
        while self._end not in [number for number, _ in poll.poll()]:
            try:
                request = os.read(self._device, _MOST + 4096)
            except BlockingIOError:
                continue
            except OSError:  # unmounted
                return
            self._take(request)

    def _take(self, request: bytes) -> None:
        call = _IN.unpack_from(request)[1]
        time.sleep(self._delays.get(call, 0))
        with self._lock:
            if self._hold is not None and self._hold.call == call:
                self._hold.take(request)
            else:
                self._answer(request)

    def _answer(self, request: bytes) -> None:
        _, call, unique, node, *_ = _IN.unpack_from(request)
        if call in _UNANSWERED:
            return
        answers = self._answers.get(call)
        error, body = 0, b""
        try:
            if answers is None:
                raise OSError(errno.ENOSYS, "not served")
            body = answers(self, node, request[_IN.size :])
        except OSError as fault:
            error = -(fault.errno or errno.EIO)
        with contextlib.suppress(OSError):  # the caller may be gone
            os.write(self._device, _OUT.pack(_OUT.size + len(body), error, unique) + body)

    def _new(self, name: bytes) -> int:
        self._last += 1
        self._names[name] = self._last
        self._files[self._last] = bytearray()
        return self._last

    def _number(self, name: bytes) -> int:
        if name not in self._names:
            raise FileNotFoundError(errno.ENOENT, "nothing there")
        return self._names[name]

    def _attributes(self, number: int) -> bytes:
        size = 0 if number == _ROOT else len(self._files[number])
        mode = stat.S_IFDIR | 0o755 if number == _ROOT else stat.S_IFREG | 0o644
        return _ATTRIBUTES.pack(number, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _entry(self, number: int) -> bytes:
        return struct.pack("<4QII", number, 0, self._valid, _LONG, 0, 0) + self._attributes(number)

    # Answers: the number of the file asked about, and what follows the header.

    def _init(self, node: int, body: bytes) -> bytes:
        return struct.pack("<IIIIHHIIHHI28x", 7, 31, _MOST, 1 << 5, 12, 9, _MOST, 1, 32, 0, 0)  # FUSE_BIG_WRITES

    def _lookup(self, node: int, body: bytes) -> bytes:
        return self._entry(self._number(body.rstrip(b"\0")))

    def _get_attributes(self, node: int, body: bytes) -> bytes:
        return struct.pack("<QII", _LONG, 0, 0) + self._attributes(node)

    def _set_attributes(self, node: int, body: bytes) -> bytes:
        changes, _, _, size = struct.unpack_from("<IIQQ", body)
        if changes & _SIZE_CHANGES:
            self._files[node][:] = self._files[node][:size].ljust(size, b"\0")
        return self._get_attributes(node, body)

    def _unlink(self, node: int, body: bytes) -> bytes:
        name = body.rstrip(b"\0")
        self._number(name)
        del self._names[name]
        return b""

    def _rename(self, node: int, body: bytes) -> bytes:
        old, new = body[8:].rstrip(b"\0").split(b"\0")
        number = self._number(old)
        del self._names[old]
        self._names[new] = number
        return b""

    def _open(self, node: int, body: bytes) -> bytes:
        return struct.pack("<QIi", node, 0, 0)

    def _create(self, node: int, body: bytes) -> bytes:
        number = self._new(body[16:].rstrip(b"\0"))
        return self._entry(number) + self._open(number, b"")

    def _read(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        return bytes(self._files[node][offset : offset + size])

    def _write(self, node: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("<QQI", body)
        self._files[node][offset : offset + size] = body[40 : 40 + size]
        return struct.pack("<II", size, 0)

    def _list(self, node: int, body: bytes) -> bytes:
        offset = struct.unpack_from("<QQI", body)[1]
        rows = b""
        for position, (name, number) in enumerate(list(self._names.items())[offset:], offset + 1):
            row = struct.pack("<QQII", number, position, len(name), stat.S_IFREG >> 12) + name
            rows += row + bytes(-len(row) % 8)
        return rows

    def _status(self, node: int, body: bytes) -> bytes:
        return struct.pack("<5Q4I24x", 1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096, 0)

    def _nothing(self, node: int, body: bytes) -> bytes:
        return b""

    _answers: Final[dict[int, Callable[[Gated, int, bytes], bytes]]] = {
        Call.INIT: _init,
        Call.LOOKUP: _lookup,
        Call.GETATTR: _get_attributes,
        Call.SETATTR: _set_attributes,
        Call.UNLINK: _unlink,
        Call.RENAME: _rename,
        Call.OPEN: _open,
        Call.OPENDIR: _open,
        Call.CREATE: _create,
        Call.READ: _read,
        Call.WRITE: _write,
        Call.READDIR: _list,
        Call.STATFS: _status,
        Call.FLUSH: _nothing,
        Call.FSYNC: _nothing,
        Call.RELEASE: _nothing,
        Call.RELEASEDIR: _nothing,
    }
