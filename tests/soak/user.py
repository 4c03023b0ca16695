"""User: one client that works without end, and knows what each of its files has to hold.

Apart from the crowd that it is in.  What a reply refused, or what came back with a wrong byte, is a failure; a connection that ended without a word
is an interruption, which only the death of a worker excuses.
"""

from __future__ import annotations

import contextlib
import ftplib
import io
import random
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from tests.integration.live import PASSWORD
from tests.soak.content import Piece

__all__ = ["SHARED", "User"]

SHARED: Final = {f"shared{number}": Piece(number, size) for number, size in enumerate((1000, 100_000, 2_000_000, 16_000_000))}
_NAMES: Final = tuple(f"file{number}" for number in range(5))
_SIZES: Final = ((0, 2000), (2000, 100_000), (100_000, 1_000_000), (1_000_000, 8_000_000))  # bytes, from and below
_WEIGHTS: Final = (40, 40, 16, 4)  # how often
_MOST_STEPS: Final = 12  # of one session
_PATIENCE_SECONDS: Final = 120.0  # for any reply or any byte; the machine has more to do than it can
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close as a client that crashes does


class Wrong(Exception):
    """What came is not what was stored."""


class User:
    """User *number* of the server at *port*, with a directory of its own in *account*; *is_secure*: over TLS.

    `done` counts what was completed, and `moved` its bytes, by the kind of work; `failures` are sentences, `interruptions` times.
    """

    def __init__(self, port: int, account: str, number: int, *, is_secure: bool) -> None:
        self.done: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()
        self.failures: list[str] = []
        self.interruptions: list[float] = []
        self._port = port
        self._account = account
        self._number = number
        self._is_secure = is_secure
        self._random = random.Random(number)
        self._next_piece = number * 100_000
        self._files: dict[str, set[Piece | None]] = {
            name: {None} for name in _NAMES
        }  # what each may be; two where an upload was cut
        self._step = ""

    def work(self, is_over: Callable[[], bool]) -> None:
        """Have one session after the other until *is_over*."""
        while not is_over():
            try:
                self._session(is_over)
            except (TimeoutError, ftplib.Error, Wrong) as error:
                self.failures.append(f"user {self._number}, {self._step}: {type(error).__name__}: {error}")
            except (EOFError, OSError):
                self.interruptions.append(time.time())

    def _session(self, is_over: Callable[[], bool]) -> None:
        self._step = "login"
        with self._connected() as ftp:
            ftp.login(self._account, PASSWORD)
            if isinstance(ftp, ftplib.FTP_TLS):
                ftp.prot_p()
            ftp.cwd(f"user{self._number}")
            self.done["session"] += 1
            self._settle(ftp)
            for _ in range(self._random.randint(1, _MOST_STEPS)):
                if is_over():
                    break
                step = self._random.choice(
                    (_store, _store, _fetch, _fetch, _fetch_shared, _fetch_rest, _store_in_two, _list, _delete)
                )
                self._step = step.__name__.lstrip("_")
                step(self, ftp)
            self._step = "logout"
            ftp.quit()

    @contextlib.contextmanager
    def _connected(self) -> Iterator[ftplib.FTP]:
        ftp = ftplib.FTP_TLS(context=_trusting()) if self._is_secure else ftplib.FTP()
        try:
            ftp.connect("127.0.0.1", self._port, timeout=_PATIENCE_SECONDS)
            yield ftp
        finally:
            ftp.close()

    def _settle(self, ftp: ftplib.FTP) -> None:
        """Find out what became of a file whose upload was interrupted: it is the old one or the new one, whole."""
        for name, pieces in self._files.items():
            if len(pieces) > 1:
                self._step = f"looking after {name}"
                found = fetched(ftp, name) if name in ftp.nlst() else None
                left = [piece for piece in pieces if (None if piece is None else bytes(piece.data)) == found]
                if not left:
                    raise Wrong(f"{name} is neither what it was nor what was sent")
                self._files[name] = {left[0]}
                self.done["settled"] += 1

    # What the steps use.

    def new_piece(self) -> Piece:
        self._next_piece += 1
        first, last = self._random.choices(_SIZES, _WEIGHTS)[0]
        return Piece(self._next_piece, self._random.randrange(first, last))

    def any_name(self) -> str:
        return self._random.choice(_NAMES)

    def below(self, number: int) -> int:
        return self._random.randrange(number) if number else 0

    def has(self, name: str) -> Piece | None:
        [piece] = self._files[name]
        return piece

    def doubt(self, name: str, piece: Piece | None) -> None:
        """*name* is about to become *piece*."""
        self._files[name].add(piece)

    def know(self, name: str, piece: Piece | None) -> None:
        """*name* is *piece* now."""
        self._files[name] = {piece}

    def files(self) -> dict[str, Piece]:
        return {name: piece for name in _NAMES if (piece := self.has(name)) is not None}

    def count(self, kind: str, size: int) -> None:
        self.done[kind] += 1
        self.moved[kind] += size


def _store(user: User, ftp: ftplib.FTP) -> None:
    name, piece = user.any_name(), user.new_piece()
    user.doubt(name, piece)
    ftp.storbinary(f"STOR {name}", io.BytesIO(piece.data))
    user.know(name, piece)
    user.count("store", piece.size)


def _fetch(user: User, ftp: ftplib.FTP) -> None:
    name = user.any_name()
    piece = user.has(name)
    if piece is not None:
        compare(ftp, name, piece)
        user.count("fetch", piece.size)


def _fetch_shared(user: User, ftp: ftplib.FTP) -> None:
    name, piece = list(SHARED.items())[user.below(len(SHARED))]
    compare(ftp, f"../{name}", piece)
    user.count("fetch", piece.size)


def _fetch_rest(user: User, ftp: ftplib.FTP) -> None:
    name = user.any_name()
    piece = user.has(name)
    if piece is not None:
        start = user.below(piece.size)
        compare(ftp, name, piece, start)
        user.count("fetch from an offset", piece.size - start)


def _store_in_two(user: User, ftp: ftplib.FTP) -> None:
    """Cut an upload, and resume it where the server says that it has come to; the name is a new one, and is removed after."""
    piece = user.new_piece()
    name = f"parts{piece.number}"
    data = ftp.transfercmd(f"STOR {name}")
    data.sendall(piece.data[: piece.size // 2])
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    data.close()
    try:
        ftp.voidresp()
    except ftplib.error_temp:
        pass
    else:
        raise Wrong(f"{name} was cut, and the server says it is stored")
    start = size_of(ftp, name)
    if start > piece.size // 2:
        raise Wrong(f"{name} has {start} bytes, more than were sent")
    ftp.storbinary(f"STOR {name}", io.BytesIO(piece.data[start:]), rest=start or None)
    compare(ftp, name, piece)
    ftp.delete(name)
    user.count("store in two goes", piece.size)


def _list(user: User, ftp: ftplib.FTP) -> None:
    rows = {name: int(facts["size"]) for name, facts in ftp.mlsd() if facts["type"] == "file" and name in _NAMES}
    wanted = {name: piece.size for name, piece in user.files().items()}
    if rows != wanted:
        raise Wrong(f"listed {rows}, stored {wanted}")
    user.count("list", 0)


def _delete(user: User, ftp: ftplib.FTP) -> None:
    name = user.any_name()
    if user.has(name) is not None:
        user.doubt(name, None)
        ftp.delete(name)
        user.know(name, None)
        user.count("delete", 0)


def fetched(ftp: ftplib.FTP, name: str) -> bytes:
    found = io.BytesIO()
    ftp.retrbinary(f"RETR {name}", found.write)
    return found.getvalue()


def compare(ftp: ftplib.FTP, name: str, piece: Piece, start: int = 0) -> None:
    """Fetch *name* from *start* on and raise `Wrong` unless it is *piece* to the last byte."""
    wanted, place = piece.data[start:], 0

    def take(data: bytes) -> None:
        nonlocal place
        if wanted[place : place + len(data)] != data:
            raise Wrong(f"{name} differs within {len(data)} bytes from {start + place} on")
        place += len(data)

    ftp.retrbinary(f"RETR {name}", take, blocksize=65536, rest=start or None)
    if place != len(wanted):
        raise Wrong(f"{name} ends after {start + place} of {piece.size} bytes, and the server says it is whole")


def size_of(ftp: ftplib.FTP, name: str) -> int:
    try:
        return ftp.size(name) or 0
    except ftplib.error_perm:
        return 0


def _trusting() -> ssl.SSLContext:
    """A context that takes any certificate: it is not what is tested here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
