"""Measures of digests: how fast a file that is in memory is hashed, for each of the usual algorithms."""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable
from typing import Final

from tests.bench.measure import Figures, Measure
from tests.bench.servers import Server
from tests.bench.stream import MIB
from tests.bench.tree import need_file

__all__ = ["hashing"]

_SIZE: Final = 1024 * MIB
_UNABLE: Final = frozenset({"twisted", "pyftpdlib", "vsftpd", "pure-ftpd"})
_ZEROS: Final = bytes(MIB)


def _crc32() -> str:
    value = 0
    for _ in range(_SIZE // MIB):
        value = zlib.crc32(_ZEROS, value)
    return f"{value:08X}"


def _of(name: str) -> Callable[[], str]:
    def digest() -> str:
        under_way = hashlib.new(name)
        for _ in range(_SIZE // MIB):
            under_way.update(_ZEROS)
        return under_way.hexdigest().upper()

    return digest


_EXPECTED: Final = {"XCRC": _crc32, "XMD5": _of("md5"), "XSHA1": _of("sha1"), "XSHA256": _of("sha256"), "XSHA512": _of("sha512")}


def _hash(server: Server) -> Figures:
    need_file(server.root, "zeros", _SIZE, _ZEROS)
    client = server.client()
    client.command(b"TYPE I", 200)
    figures: dict[str, float] = {}
    cpu = server.cpu_seconds()
    for verb, expected in _EXPECTED.items():
        os.utime(os.path.join(server.root, "zeros"))  # else who remembers digests has this one from the round before
        begun = time.perf_counter()
        reply = client.command(b"%s zeros" % verb.encode(), 250)
        figures[f"{verb} MiB/s"] = _SIZE / MIB / (time.perf_counter() - begun)
        assert expected() in reply.decode(), f"{server.name} answers {verb} with {reply!r}"
    figures["digests server CPU s/GiB"] = (server.cpu_seconds() - cpu) / len(_EXPECTED) / (_SIZE / 1024**3)
    client.quit()
    return figures


hashing = Measure(_hash, {**{f"{verb} MiB/s": True for verb in _EXPECTED}, "digests server CPU s/GiB": False}, leaves_out=_UNABLE)
