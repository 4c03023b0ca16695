"""Holdings: which session has taken which places, and how many of each are taken.

Apart from the states, because each has them: they are all that one in memory knows, and one that is shared has them of its own worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from ftpd.values import Place

__all__ = ["Holdings"]

_NOBODY: Final[Mapping[str, int]] = MappingProxyType({})


class Holdings:
    """Places by session; `counts` has the number taken by key, and no zeros."""

    __slots__ = ("_taken", "counts")

    def __init__(self) -> None:
        self._taken: dict[str, tuple[Place, ...]] = {}
        self.counts: dict[str, int] = {}

    def full(self, places: Sequence[Place], others: Mapping[str, int] = _NOBODY) -> Place | None:
        """Return the first of *places* that has no room; *others* is what others have taken."""
        counts = self.counts
        for place in places:
            if place.most is not None and counts.get(place.key, 0) + others.get(place.key, 0) >= place.most:
                return place
        return None

    def enter(self, session: str, places: Sequence[Place]) -> None:
        """Count one of each of *places* for *session*, which has none."""
        counts = self.counts
        for place in places:
            counts[place.key] = counts.get(place.key, 0) + 1
        self._taken[session] = tuple(places)

    def leave(self, session: str) -> tuple[Place, ...]:
        """Free what *session* has, and return it."""
        places = self._taken.pop(session, ())
        counts = self.counts
        for place in places:
            if counts[place.key] == 1:
                del counts[place.key]
            else:
                counts[place.key] -= 1
        return places

    def clear(self) -> None:
        """Free everything."""
        self._taken.clear()
        self.counts.clear()
