"""Streams: large files moved by a client that costs next to nothing, so that the server's speed is what shows.

Apart from `client`, whose transfers are small and read.  What is fetched is dropped in the kernel (MSG_TRUNC, tcp(7)), over TLS without
having been deciphered; what is stored goes from memory to the socket by sendfile(2), over TLS ciphered before the clock runs.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from tests.bench.client import Client

__all__ = ["MIB", "fetch", "source", "store"]

MIB: Final = 1024 * 1024
_WINDOW_BYTES: Final = 16 * MIB  # asked for at a time: more than a socket ever holds
_RECORD_BYTES: Final = 16 * 1024  # the most of a TLS record (RFC 8446 5.1) ...
_RECORD_EXTRA_BYTES: Final = 22  # ... and what it adds at least: header, type and tag
_PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.001
_window = memoryview(bytearray(_WINDOW_BYTES))  # never written to


def fetch(client: Client, name: bytes, size: int) -> Iterator[int]:
    """Fetch a file of *size* bytes: yield 0 once its data connection stands, then the bytes of each piece, over TLS with what TLS adds.

    :raises Refused: it was not sent, or not said to be whole.
    """
    with client.data() as data:
        yield 0
        client.command(b"RETR " + name, 125, 150)
        with client.protected(data) as opened:
            opened.settimeout(None)  # the kernel's timeout below costs no poll(2) before each call
            if isinstance(opened, ssl.SSLSocket):
                yield from _dropped(opened, size + size // _RECORD_BYTES * _RECORD_EXTRA_BYTES)
                with suppress(OSError):  # sends close_notify; the server's may be among what was dropped
                    opened.unwrap()
            else:
                yield from _dropped(opened, None)
    client.reply(226)


def _dropped(opened: socket.socket, least: int | None) -> Iterator[int]:
    """Drop what comes, also where it is TLS as it is on the wire, and yield how much; at the end of the connection it is over.

    Some servers do not end it before they have seen close_notify, so that with *least*, the fewest bytes that can be all, a pause after
    these is the end too.
    """
    _limit_wait(opened, _PATIENCE_SECONDS)
    count = 0
    while True:
        try:
            got = socket.socket.recv_into(opened, _window, 0, socket.MSG_TRUNC)
        except BlockingIOError:
            if least is None or count < least:
                raise
            return
        if not got:
            return
        yield got
        if least is not None and count < least <= count + got:
            _limit_wait(opened, _PAUSE_SECONDS)
        count += got


def _limit_wait(opened: socket.socket, seconds: float) -> None:
    whole = int(seconds)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", whole, int((seconds - whole) * 1e6)))


def store(client: Client, name: bytes, file: int) -> Iterator[int]:
    """Store what descriptor *file* holds: yield 0 when nothing but its bytes is left to do, then the bytes of each piece.

    :raises Refused: it was not taken, or not said to be stored.
    """
    with client.data() as data:
        client.command(b"STOR " + name, 125, 150)
        ready = file if client.tls is None else _sealed(client, client.tls, data, file)
        yield 0
        size = os.fstat(ready).st_size
        data.settimeout(None)  # with one the socket would not block, and sendfile would not wait
        sent = 0
        while sent < size:
            count = os.sendfile(data.fileno(), ready, sent, size - sent)
            sent += count
            yield count
        data.shutdown(socket.SHUT_WR)
        data.settimeout(60)
        while data.recv_into(_window, 0, socket.MSG_TRUNC):  # tickets: a close that leaves them unread would be a reset
            pass
    client.reply(226)
    if ready != file:
        os.close(ready)


def source(size: int) -> int:
    """Return the descriptor of *size* bytes in memory, which the caller closes."""
    file = os.memfd_create("source")
    block = os.urandom(MIB)
    for _ in range(size // MIB):
        os.write(file, block)
    return file


def _sealed(client: Client, tls: ssl.SSLContext, data: socket.socket, file: int) -> int:
    """Shake hands over *data*; return a descriptor of all that TLS sends from then on to store *file*."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tunnel = tls.wrap_bio(incoming, outgoing, session=client.session)
    while not _has_shaken_hands(tunnel):
        data.sendall(outgoing.read())
        incoming.write(data.recv(65_536))
    data.sendall(outgoing.read())
    sealed = os.memfd_create("sealed")
    for offset in range(0, os.fstat(file).st_size, MIB):
        tunnel.write(os.pread(file, MIB, offset))
        os.write(sealed, outgoing.read())
    with suppress(ssl.SSLWantReadError):  # close_notify; the server's is not waited for
        tunnel.unwrap()
    os.write(sealed, outgoing.read())
    return sealed


def _has_shaken_hands(tunnel: ssl.SSLObject) -> bool:
    try:
        tunnel.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
