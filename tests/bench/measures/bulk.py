"""Measures of large files: one at a time and eight at once, each way, in clear and over TLS, as they are and converted.

The clients cost next to nothing (`stream`), and are processes of their own.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import Final

from tests.bench.crowd import Span, at_once
from tests.bench.measure import Figures, Measure, named
from tests.bench.process import aside
from tests.bench.servers import Server, Shape
from tests.bench.stream import MIB, fetch, source, store
from tests.bench.tree import empty_uploads, need_file, sizes_of_uploads, touch_memory

__all__ = ["ascii_download", "ascii_upload", "deflated_download", "deflated_upload", "disk_upload", "downloads", "uploads"]

_LINE: Final = b"x" * 63 + b"\n"
_ASCII_BYTES: Final = 256 * MIB
_LOG: Final = b"".join(b"%08d a line of a log, %x\n" % (number, number * number) for number in range(25_000))  # some 1 MiB
_LOG_PIECES: Final = 64
_DEFLATED: Final = (b"TYPE I", b"MODE Z")
_NO_DEFLATE: Final = frozenset({"twisted", "pyftpdlib", "vsftpd", "pure-ftpd"})


def _download(server: Server, count: int, size: int, row: str) -> Figures:
    name = f"file-{size // MIB}"
    need_file(server.root, name, size)
    most = 2 * size if server.shape.has_tls else size
    return _figures(server, row, _measured(server, count, lambda _: _fetched(server, [b"TYPE I"], name, size, most)), count * size)


def _download_ascii(server: Server) -> Figures:
    need_file(server.root, "lines", _ASCII_BYTES, _LINE * (MIB // len(_LINE)))
    size = _ASCII_BYTES + _ASCII_BYTES // len(_LINE)  # each LF becomes CRLF
    span = _measured(server, 1, lambda _: _fetched(server, [b"TYPE A"], "lines", size, size))
    return _figures(server, "ASCII download", span, _ASCII_BYTES)


def _download_deflated(server: Server) -> Figures:
    size = len(_LOG) * _LOG_PIECES
    need_file(server.root, "log", size, _LOG)
    span = _measured(server, 1, lambda _: _fetched(server, _DEFLATED, "log", size // 100, size))
    return _figures(server, "MODE Z download", span, size)


def _fetched(server: Server, lines: Iterable[bytes], name: str, size: int, most: int) -> Iterator[None]:
    client = server.client()
    for line in lines:
        client.command(line, 200)
    pieces = fetch(client, name.encode(), size)
    next(pieces)
    yield
    moved = sum(pieces)
    assert size <= moved <= most, f"{server.name} sent {moved} bytes"
    yield
    client.quit()


def _upload(server: Server, count: int, size: int, row: str) -> Figures:
    return _uploaded(server, count, source(size), size, row, [b"TYPE I"])


def _upload_ascii(server: Server) -> Figures:
    return _uploaded(
        server, 1, _memory([_LINE[:-1] + b"\r\n"] * (_ASCII_BYTES // len(_LINE))), _ASCII_BYTES, "ASCII upload", [b"TYPE A"]
    )


def _upload_deflated(server: Server) -> Figures:
    packing = zlib.compressobj(6)
    packed = [*(packing.compress(_LOG) for _ in range(_LOG_PIECES)), packing.flush()]
    return _uploaded(server, 1, _memory(packed), len(_LOG) * _LOG_PIECES, "MODE Z upload", _DEFLATED)


def _memory(pieces: Iterable[bytes]) -> int:
    """Return the descriptor of *pieces* in memory, which the caller closes."""
    file = os.memfd_create("source")
    with open(file, "wb", closefd=False) as buffered:
        buffered.writelines(pieces)
    return file


def _uploaded(server: Server, count: int, file: int, size: int, row: str, lines: Iterable[bytes]) -> Figures:
    """Measure *count* uploads of what *file* holds, which it closes; *size* bytes are stored of each, once *lines* were said."""

    def act(number: int) -> Iterator[None]:
        client = server.client()
        for line in lines:
            client.command(line, 200)
        pieces = store(client, b"up/stored-%d" % number, file)
        next(pieces)
        yield
        sum(pieces)
        yield
        client.quit()

    # On a disk, what was written before is not to be waited for.
    prepare = os.sync if server.shape.is_on_disk else partial(touch_memory, server.root, count * size)
    try:
        span = _measured(server, count, act, prepare)
    finally:
        os.close(file)
    sizes = sizes_of_uploads(server.root)
    assert sizes == [size] * count, f"{server.name} stored {sizes}"
    empty_uploads(server.root)
    return _figures(server, row, span, count * size)


def _measured(
    server: Server, count: int, act: Callable[[int], Iterator[None]], prepare: Callable[[], object] = lambda: None
) -> Span:
    """Let *act* be done; a single client keeps to the last core, since whether it shares the server's by chance would halve the figure."""
    with aside() if count == 1 else nullcontext():
        return at_once(count, act, server.cpu_seconds, prepare)


def _figures(server: Server, row: str, span: Span, size: int) -> Figures:
    figures = {f"{row} MiB/s": size / MIB / span.seconds, f"{row} server CPU s/GiB": span.metered / (size / MIB / 1024)}
    return named(figures, server)


def _rows(row: str) -> dict[str, bool]:
    return {f"{row} MiB/s": True, f"{row} server CPU s/GiB": False}


def downloads(count: int, size: int, row: str) -> Measure:
    """Return the measure of *count* downloads at once, of *size* bytes each."""
    return Measure(partial(_download, count=count, size=size, row=row), _rows(row))


def uploads(count: int, size: int, row: str) -> Measure:
    """Return the measure of *count* uploads at once, of *size* bytes each."""
    return Measure(partial(_upload, count=count, size=size, row=row), _rows(row))


def disk_upload(size: int, durable: str) -> Measure:
    """Return the measure of an upload of *size* bytes to a real disk; *durable* is what ours promises, and no peer does."""
    row = f'disk upload, durable = "{durable}",'
    return Measure(partial(_upload, count=1, size=size, row=row), _rows(row), shape=Shape(is_on_disk=True, durable=durable))


ascii_download = Measure(
    _download_ascii,
    _rows("ASCII download"),
    leaves_out=frozenset({"twisted"}),  # its converting consumer raises TypeError, and the transfer never ends
)
ascii_upload = Measure(
    _upload_ascii,
    _rows("ASCII upload"),
    leaves_out=frozenset({"twisted", "pure-ftpd"}),  # one raises TypeError, the other stores it as it comes
)
deflated_download = Measure(_download_deflated, _rows("MODE Z download"), leaves_out=_NO_DEFLATE)
deflated_upload = Measure(_upload_deflated, _rows("MODE Z upload"), leaves_out=_NO_DEFLATE)
