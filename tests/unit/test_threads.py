from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.epollreactor import EPollReactor

from ftpd.errors import Unavailable
from ftpd.testing.reactors import retire, spin
from ftpd.threads import Pool


@pytest.fixture
def reactor() -> Iterator[EPollReactor]:
    reactor = EPollReactor()  # type: ignore[no-untyped-call]
    yield reactor
    retire(reactor)


@pytest.fixture
def pool(reactor: EPollReactor) -> Iterator[Pool]:
    pool = Pool(reactor, "test", 2, 1)
    yield pool
    pool.close()


def test_a_call_is_made_in_a_daemon_thread(reactor: EPollReactor, pool: Pool) -> None:
    thread = spin(reactor, pool.run(threading.current_thread))
    assert thread is not threading.current_thread()
    assert thread.daemon


def test_arguments_and_errors_pass(reactor: EPollReactor, pool: Pool) -> None:
    assert spin(reactor, pool.run(int, "ff", base=16)) == 255
    with pytest.raises(ValueError, match="invalid literal"):
        spin(reactor, pool.run(int, "x"))


def test_no_thread_is_started_before_it_is_needed(reactor: EPollReactor) -> None:
    before = threading.active_count()
    Pool(reactor, "idle", 5).close()
    assert threading.active_count() == before


def test_a_full_queue_is_unavailable(reactor: EPollReactor, pool: Pool) -> None:
    gate = threading.Event()
    calls = [pool.run(gate.wait, 30) for _ in range(3)]
    with pytest.raises(Unavailable, match="Too much is waiting"):
        spin(reactor, pool.run(int))
    gate.set()
    assert spin(reactor, gatherResults(calls)) == [True, True, True]
    assert spin(reactor, pool.run(int)) == 0


def test_a_cancelled_call_counts_until_its_thread_ends(reactor: EPollReactor, pool: Pool) -> None:
    gate = threading.Event()
    for _ in range(3):
        call = pool.run(gate.wait, 30)
        call.addErrback(lambda _: None)
        call.cancel()
    with pytest.raises(Unavailable):
        spin(reactor, pool.run(int))
    gate.set()


def test_a_separate_pool_works_while_this_one_hangs(reactor: EPollReactor, pool: Pool) -> None:
    gate = threading.Event()
    calls = [pool.run(gate.wait, 30) for _ in range(3)]
    assert pool.separate("mount") is pool.separate("mount")
    assert spin(reactor, pool.separate("mount").run(int)) == 0
    gate.set()
    spin(reactor, gatherResults(calls))


def test_closing_does_not_wait_for_a_hung_call(reactor: EPollReactor, pool: Pool) -> None:
    gate = threading.Event()
    pool.run(gate.wait, 30)
    pool.close()
    pool.close()
    with pytest.raises(Unavailable, match="stopping"):
        spin(reactor, pool.run(int))
    with pytest.raises(Unavailable, match="stopping"):
        spin(reactor, pool.separate("mount").run(int))
    gate.set()
