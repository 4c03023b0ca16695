from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from ftpd.storage.memory import MemoryStore


class HeldFiles:
    """A filesystem whose operations named in `held` wait until the test lets them go on."""

    def __init__(self, files, store):
        self._files = files
        self._store = store

    @property
    def abilities(self):
        return self._files.abilities

    def __getattr__(self, name):
        function = getattr(self._files, name)

        async def call(*arguments, **named):
            if name in self._store.held:
                waiting = Deferred()
                self._store.waiting.append(waiting)
                await waiting
            return await function(*arguments, **named)

        return call


class HeldStore(MemoryStore):
    def __init__(self):
        super().__init__()
        self.held = set()
        self.waiting = []

    async def open(self, account):
        return HeldFiles(await super().open(account), self)

    def release(self, file=None):
        """Let the oldest waiting operation go on; with an argument it is MemoryStore's own method."""
        if file is not None:
            super().release(file)
            return
        self.waiting.pop(0).callback(None)


@pytest.fixture
def held_store():
    """A store whose operations the test can hold up: `held.add("stat")`, `release()`."""
    return HeldStore()
