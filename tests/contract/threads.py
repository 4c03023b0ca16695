"""OnThreads: what a store's contract is inherited with, to run over real threads, with results that really have to be waited for."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from twisted.internet.epollreactor import EPollReactor

from ftpd.testing.filesystem_contract.trial import FilesystemTrial
from ftpd.testing.reactors import spin
from ftpd.threads import Pool

T = TypeVar("T")


class OnThreads(FilesystemTrial):
    """`pool` is for `make_store`."""

    @pytest.fixture(autouse=True)
    def _threads(self, reactor: EPollReactor) -> Iterator[None]:
        self.reactor = reactor
        self.pool = Pool(reactor, "contract", 4)
        yield
        self.close_all()
        self.pool.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return spin(self.reactor, coroutine)
