"""A path between client and server that loses packets, doubles them and lets others overtake them, by random generators with a seed.

Apart from the tests: it knows nothing of TFTP but that a server answers from a port of its own choice, which the path shows to the client as
another port.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import os
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

__all__ = ["CLEAR", "LossyPath", "Weather"]

_HELD_SECONDS: Final = 0.004  # how long a packet is held that others shall overtake
_LARGEST: Final = 65536
_BUFFER_BYTES: Final = 8 * 1024 * 1024
Address = tuple[str, int]
_Taker = Callable[[bytes, Address], None]


class Weather(NamedTuple):
    """What becomes of the packets of one direction: which part of them is lost, comes twice, is overtaken."""

    lost: float = 0.0
    doubled: float = 0.0
    overtaken: float = 0.0


CLEAR: Final = Weather()


class _Direction:
    """The weather of one direction, and what became of packets until now."""

    def __init__(self, weather: Weather, seed: str) -> None:
        self.weather = weather
        self.lost = self.doubled = self.overtaken = 0
        self._random = random.Random(seed)

    def delays(self) -> list[float]:
        """Return after how many seconds the next packet arrives, once for each time that it does."""
        if self._random.random() < self.weather.lost:
            self.lost += 1
            return []
        delays = [0.0]
        if self._random.random() < self.weather.overtaken:
            self.overtaken += 1
            delays = [_HELD_SECONDS]
        if self._random.random() < self.weather.doubled:
            self.doubled += 1
            delays *= 2
        return delays


class LossyPath:
    """A path to the *server*, which clients find at `address`; it runs in a thread of its own as long as the `with` lasts."""

    def __init__(self, server: Address, up: Weather, down: Weather, seed: int) -> None:
        self.up, self.down = _Direction(up, f"{seed} up"), _Direction(down, f"{seed} down")
        self._server = server
        self._selector = selectors.DefaultSelector()
        self._backs: dict[Address, socket.socket] = {}  # by client: where the server sees it
        self._faces: dict[
            tuple[Address, Address], socket.socket
        ] = {}  # by client and the server's port: where the client sees that
        self._held: list[tuple[float, int, socket.socket, Address, bytes]] = []
        self._order = itertools.count()
        self._ending, self._end = os.pipe()
        self._selector.register(self._ending, selectors.EVENT_READ)
        self._front = self._opened(self._ask)
        self.address: Address = self._front.getsockname()[:2]
        self._thread = threading.Thread(target=self._carry)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._end)
        self._thread.join()
        os.close(self._ending)
        for opened in (self._front, *self._backs.values(), *self._faces.values()):
            opened.close()
        self._selector.close()

    def _carry(self) -> None:
        while True:
            wait = max(0.0, self._held[0][0] - time.monotonic()) if self._held else None
            for key, _ in self._selector.select(wait):
                if key.fd == self._ending:
                    return
                datagram, address = key.fileobj.recvfrom(_LARGEST)  # type: ignore[union-attr]
                key.data(datagram, address[:2])
            self._release()

    # From a client to the server's port for requests; from the server to that client; from the client to the port that has answered.

    def _ask(self, datagram: bytes, client: Address) -> None:
        self._send(self.up, self._back(client), self._server, datagram)

    def _answer(self, client: Address, datagram: bytes, port: Address) -> None:
        self._send(self.down, self._front if port == self._server else self._face(client, port), client, datagram)

    def _go_on(self, port: Address, datagram: bytes, client: Address) -> None:
        self._send(self.up, self._back(client), port, datagram)

    def _back(self, client: Address) -> socket.socket:
        if client not in self._backs:
            self._backs[client] = self._opened(functools.partial(self._answer, client))
        return self._backs[client]

    def _face(self, client: Address, port: Address) -> socket.socket:
        if (client, port) not in self._faces:
            self._faces[client, port] = self._opened(functools.partial(self._go_on, port))
        return self._faces[client, port]

    def _opened(self, take: _Taker) -> socket.socket:
        opened = socket.socket(socket.AF_INET6 if ":" in self._server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        opened.bind((self._server[0], 0))
        self._selector.register(opened, selectors.EVENT_READ, take)
        return opened

    def _send(self, direction: _Direction, outlet: socket.socket, target: Address, datagram: bytes) -> None:
        for delay in direction.delays():
            if delay:
                heapq.heappush(self._held, (time.monotonic() + delay, next(self._order), outlet, target, datagram))
            else:
                outlet.sendto(datagram, target)

    def _release(self) -> None:
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            _, _, outlet, target, datagram = heapq.heappop(self._held)
            outlet.sendto(datagram, target)
