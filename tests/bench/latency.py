"""Latency: how long a session's NOOPs take, whatever the server does meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Final

import attrs

from tests.bench.client import Client
from tests.bench.process import punctual

__all__ = ["Latency", "Stall", "of_each", "of_noops"]

_GAP_SECONDS: Final = 0.001


@attrs.frozen
class Latency:
    """Percentiles of round trips, in seconds."""

    p50: float
    p99: float
    longest: float


def of_noops(client: Client, seconds: float) -> Latency:
    """Send NOOPs for *seconds*, a millisecond apart."""
    end = time.perf_counter() + seconds
    taken = []
    with punctual():
        while time.perf_counter() < end:
            taken.append(_round_trip(client))
            time.sleep(_GAP_SECONDS)
    return _latency(taken)


def of_each(clients: Iterable[Client], times: int) -> Latency:
    """Send NOOPs without a gap: *times* by one of *clients* after the other."""
    return _latency([_round_trip(client) for client in clients for _ in range(times)])


def _latency(taken: list[float]) -> Latency:
    taken.sort()
    return Latency(taken[len(taken) // 2], taken[len(taken) * 99 // 100], taken[-1])


def _round_trip(client: Client) -> float:
    begun = time.perf_counter()
    client.command(b"NOOP", 200)
    return time.perf_counter() - begun


class Stall:
    """A session that sends NOOPs, a millisecond apart, from a thread of its own."""

    def __init__(self, client: Client) -> None:
        self.longest_seconds = 0.0
        self._client = client
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._is_over.wait(_GAP_SECONDS):
            self.longest_seconds = max(self.longest_seconds, _round_trip(self._client))
