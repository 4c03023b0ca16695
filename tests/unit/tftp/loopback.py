"""What tests of lines and ports over real sockets share: a listener that remembers, and turns of the reactor until something has come.

Apart from `exchanges`, whose lines are no sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TURNS = 200


def _nothing() -> None: ...


class Told:
    """A line's listener that remembers; what is set as `on_...` is called next."""

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.errors: list[OSError] = []
        self.faults: list[Exception] = []
        self.rooms = 0
        self.on_datagram: Callable[[], None] = _nothing
        self.on_room: Callable[[], None] = _nothing
        self.on_error: Callable[[], None] = _nothing

    @property
    def error_numbers(self) -> list[int | None]:
        return [error.errno for error in self.errors]

    def received(self, datagram: bytes) -> None:
        self.datagrams.append(datagram)
        self.on_datagram()

    def writable(self) -> None:
        self.rooms += 1
        self.on_room()

    def broken(self, error: OSError) -> None:
        self.errors.append(error)
        self.on_error()

    def fail(self, error: Exception) -> None:
        self.faults.append(error)


def turn_until(reactor: Any, is_done: Callable[[], object]) -> None:
    for _ in range(TURNS):
        if is_done():
            return
        reactor.iterate(0.05)
    raise AssertionError("it did not come to that")
