"""The field: the servers that run beside each other, one for each shape that a measure needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.bench.measure import Figures, Measure
from tests.bench.servers import Server, Shape

__all__ = ["Field"]


class Field:
    """The servers called *names*, each started by *begin* when it is first wanted."""

    def __init__(self, names: Sequence[str], begin: Callable[[str, Shape], Server]) -> None:
        self.names = tuple(names)
        self._begin = begin
        self._running: dict[tuple[str, Shape], Server] = {}

    def run(self, measure: Measure, name: str) -> Figures:
        """Measure server *name*: one that runs already, or a new one where it is about memory."""
        if measure.is_of_memory:
            self.drop(measure, name)
        key = name, measure.shape
        if key not in self._running:
            self._running[key] = self._begin(*key)
        return measure.run(self._running[key])

    def drop(self, measure: Measure, name: str) -> None:
        """Stop the server that the measure was taken of, if it runs; the next measure starts another."""
        if (server := self._running.pop((name, measure.shape), None)) is not None:
            server.stop()

    def stop(self) -> None:
        for server in self._running.values():
            server.stop()
