"""Crew: the few threads that carry transfers which outrun the reactor, or whose disk would stop it.

Apart from the pool of threads for single calls: a load stays with its thread as long as its bytes flow, so that a fast transfer costs
one hop in many megabytes, and where more loads wait than there are threads, each is put back after its turn.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from ftpd.disks import Disk
from ftpd.spi import Reactor

__all__ = ["Crew", "Crews", "Load"]

_THREADS: Final = 4  # of one disk: two cores are busy with two, and a disk that hangs holds four
_IDLE_SECONDS: Final = 10.0  # then a thread ends


class Load(Protocol):
    """What a crew carries."""

    def carry(self, crew: Crew) -> None:
        """In a thread: work, and return soon once `crew.is_awaited`.  Must not raise."""

    def carried(self) -> None:
        """On the reactor thread, after each `carry`."""


class Crew:
    """Threads for the transfers of one disk, started when first needed, ended when idle.  Used on the reactor thread.

    They are daemons: one that hangs in a dead disk does not keep the process.
    """

    def __init__(self, reactor: Reactor, name: str, size: int = _THREADS) -> None:
        self._reactor: Any = reactor
        self._name = name
        self._size = size
        self._loads: SimpleQueue[Load] = SimpleQueue()
        self._lock = threading.Lock()  # of the two counts, and of what a thread that leaves must not miss
        self._threads = 0
        self._under_way = 0

    @property
    def is_awaited(self) -> bool:
        """Whether a load waits for a thread; asked in threads."""
        return not self._loads.empty()

    def take(self, load: Load) -> None:
        """Have *load* carried, once.  Raises `RuntimeError` where there is no thread, and none can be started."""
        with self._lock:
            self._under_way += 1
            is_short = self._threads < min(self._under_way, self._size)
            self._threads += is_short
            self._loads.put(load)  # within, or a thread that leaves could miss it
        if is_short:
            try:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            except RuntimeError:  # the machine has no more threads: those that are here carry it
                with self._lock:
                    self._threads -= 1
                    if not self._threads:
                        self._loads.get_nowait()
                        self._under_way -= 1
                        raise

    def _work(self) -> None:
        while (load := self._next()) is not None:
            load.carry(self)
            with self._lock:
                self._under_way -= 1
            self._reactor.callFromThread(load.carried)

    def _next(self) -> Load | None:
        while True:
            try:
                return self._loads.get(timeout=_IDLE_SECONDS)
            except Empty:
                with self._lock:
                    if self._loads.empty():
                        self._threads -= 1
                        return None


class Crews:
    """The crews of a server, one for each disk: a slow one delays its own transfers only."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self._by_disk: dict[Disk, Crew] = {}

    def of(self, disk: Disk) -> Crew:
        """Return the crew of *disk*."""
        crew = self._by_disk.get(disk)
        if crew is None:
            crew = self._by_disk[disk] = Crew(self.reactor, f"ftpd-crew-{len(self._by_disk)}")
        return crew
