"""Crews: threads come when they are needed and go when they are not, and a disk that hangs holds up its own transfers only."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from ftpd.disks import Disk, disk_of
from ftpd.transfer import crew as crews
from ftpd.transfer.crew import Crew, Crews

SECONDS = 30.0  # the most that anything is waited for; never waited for in full


class Reactor:
    """As much of a reactor as a crew needs: what threads ask for is in `calls`."""

    def __init__(self) -> None:
        self.calls: Queue[Callable[[], None]] = Queue()

    def callFromThread(self, function: Callable[[], None]) -> None:
        self.calls.put(function)

    def next_call(self) -> None:
        """Do what a thread asked for, once one has."""
        self.calls.get(timeout=SECONDS)()


class Load:
    """It is carried until the test releases it."""

    def __init__(self, *, is_released: bool = True) -> None:
        self.began = threading.Event()
        self.released = threading.Event()
        self.thread: threading.Thread | None = None
        self.is_carried = False
        if is_released:
            self.released.set()

    def carry(self, crew: Crew) -> None:
        self.thread = threading.current_thread()
        self.began.set()
        assert self.released.wait(SECONDS)

    def carried(self) -> None:
        self.is_carried = True


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[threading.Thread]]]:
    """Return what gives the threads that the test has started; after it they end, soon."""
    before = set(threading.enumerate())

    def started() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread not in before]

    yield started
    for thread in started():
        thread.join(SECONDS)
    assert started() == []


@pytest.fixture
def crew(reactor: Reactor, brief: None) -> Crew:
    return Crew(reactor, "test-crew", 3)  # type: ignore[arg-type]  # it needs no more of a reactor


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle threads end at once, almost."""
    monkeypatch.setattr(crews, "_IDLE_SECONDS", 0.05)


Started = Callable[[], list[threading.Thread]]


def test_crew_without_a_load_has_no_thread(crew: Crew, threads: Started) -> None:
    assert threads() == []


def test_one_load_starts_one_thread(reactor: Reactor, crew: Crew, threads: Started) -> None:
    load = Load(is_released=False)
    crew.take(load)
    assert load.began.wait(SECONDS)
    assert threads() == [load.thread]
    load.released.set()
    reactor.next_call()


def test_threads_do_not_keep_the_process(reactor: Reactor, crew: Crew) -> None:
    load = Load()
    crew.take(load)
    reactor.next_call()
    assert load.thread is not None
    assert load.thread.daemon


def test_load_is_told_on_the_reactor_thread_that_it_was_carried(reactor: Reactor, crew: Crew) -> None:
    load = Load()
    crew.take(load)
    assert load.began.wait(SECONDS)
    assert not load.is_carried
    reactor.next_call()
    assert load.is_carried


def test_idle_thread_takes_the_next_load(reactor: Reactor, monkeypatch: pytest.MonkeyPatch, threads: Started) -> None:
    monkeypatch.setattr(crews, "_IDLE_SECONDS", 0.5)
    crew = Crew(reactor, "test-crew", 3)  # type: ignore[arg-type]
    loads = [Load() for _ in range(20)]
    for load in loads:
        crew.take(load)
        reactor.next_call()
    assert len({load.thread for load in loads}) == 1


def test_there_are_never_more_threads_than_its_size(reactor: Reactor, crew: Crew, threads: Started) -> None:
    loads = [Load(is_released=False) for _ in range(10)]
    for load in loads:
        crew.take(load)
    for load in loads[:3]:
        assert load.began.wait(SECONDS)
    assert len(threads()) == 3
    assert [load.began.is_set() for load in loads] == [True] * 3 + [False] * 7
    for load in loads:
        load.released.set()
        reactor.next_call()
    assert all(load.is_carried for load in loads)


def test_crew_is_awaited_while_a_load_has_no_thread(reactor: Reactor, crew: Crew) -> None:
    loads = [Load(is_released=False) for _ in range(4)]
    for load in loads[:3]:
        crew.take(load)
    for load in loads[:3]:
        assert load.began.wait(SECONDS)
    assert not crew.is_awaited
    crew.take(loads[3])
    assert crew.is_awaited
    loads[0].released.set()
    assert loads[3].began.wait(SECONDS)
    assert not crew.is_awaited
    for load in loads:
        load.released.set()
        reactor.next_call()


def test_load_without_a_thread_can_be_withdrawn(reactor: Reactor, crew: Crew) -> None:
    loads = [Load(is_released=False) for _ in range(4)]
    for load in loads:
        crew.take(load)
    for load in loads[:3]:
        assert load.began.wait(SECONDS)
    assert crew.withdraw(loads[3])
    assert not crew.is_awaited
    for load in loads[:3]:
        load.released.set()
        reactor.next_call()
    assert not loads[3].began.is_set()
    assert not loads[3].is_carried


def test_load_that_a_thread_has_or_had_cannot_be_withdrawn(reactor: Reactor, crew: Crew) -> None:
    load = Load(is_released=False)
    crew.take(load)
    assert load.began.wait(SECONDS)
    assert not crew.withdraw(load)
    load.released.set()
    reactor.calls.get(timeout=SECONDS)
    assert not crew.withdraw(load)


def test_withdrawn_load_asks_for_no_thread(reactor: Reactor, crew: Crew, threads: Started) -> None:
    loads = [Load(is_released=False) for _ in range(4)]
    for load in loads:
        crew.take(load)
    for load in loads[:3]:
        assert load.began.wait(SECONDS)
    crew.withdraw(loads[3])
    for load in loads[:3]:
        load.released.set()
        reactor.next_call()
    for thread in threads():
        thread.join(SECONDS)
    last = Load(is_released=False)
    crew.take(last)
    assert last.began.wait(SECONDS)
    assert threads() == [last.thread]
    last.released.set()
    reactor.next_call()


def test_idle_threads_end_and_new_ones_come(reactor: Reactor, crew: Crew, threads: Started) -> None:
    for _ in range(3):
        load = Load()
        crew.take(load)
        reactor.next_call()
        for thread in threads():
            thread.join(SECONDS)
        assert threads() == []
        assert load.is_carried


def test_load_that_comes_as_the_last_thread_leaves_is_carried(reactor: Reactor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The idle time of threads is next to nothing, so that they leave all the time; each load has to find one, or make one."""
    monkeypatch.setattr(crews, "_IDLE_SECONDS", 1e-6)
    crew = Crew(reactor, "test-crew", 1)  # type: ignore[arg-type]
    for _ in range(2000):
        load = Load()
        crew.take(load)
        reactor.next_call()
        assert load.is_carried


def test_threads_end_also_where_another_was_quicker(reactor: Reactor, monkeypatch: pytest.MonkeyPatch, threads: Started) -> None:
    """They are woken for loads that others have taken just as their time runs out."""
    monkeypatch.setattr(crews, "_IDLE_SECONDS", 0.001)
    crew = Crew(reactor, "test-crew", 4)  # type: ignore[arg-type]
    for _ in range(500):
        loads = [Load() for _ in range(6)]
        for load in loads:
            crew.take(load)
        for _ in loads:
            reactor.next_call()
        assert all(load.is_carried for load in loads)
    for thread in threads():
        thread.join(SECONDS)
    assert threads() == []


def test_machine_without_threads_refuses_the_load(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patches:
        patches.setattr(threading.Thread, "start", _refused)
        with pytest.raises(RuntimeError):
            crew.take(Load())
    assert not crew.is_awaited  # nobody would ever carry it


def test_machine_that_has_threads_again_carries(reactor: Reactor, crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patches:
        patches.setattr(threading.Thread, "start", _refused)
        for _ in range(5):
            with pytest.raises(RuntimeError):
                crew.take(Load())
    load = Load()
    crew.take(load)
    reactor.next_call()
    assert load.is_carried


def test_machine_without_further_threads_carries_with_those_it_has(
    reactor: Reactor, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Load(is_released=False), Load()
    crew.take(first)
    assert first.began.wait(SECONDS)
    with monkeypatch.context() as patches:
        patches.setattr(threading.Thread, "start", _refused)
        crew.take(second)
    first.released.set()
    reactor.next_call()
    reactor.next_call()
    assert second.is_carried
    assert second.thread is first.thread


def _refused(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


# Crews.


def test_files_of_one_disk_share_a_crew(reactor: Reactor, tmp_path: Path) -> None:
    found = Crews(reactor)  # type: ignore[arg-type]
    with open(tmp_path / "one", "wb") as one, open(tmp_path / "other", "wb") as other:
        assert found.of(disk_of(one.fileno())) is found.of(disk_of(other.fileno()))


def test_disks_have_crews_of_their_own(reactor: Reactor) -> None:
    found = Crews(reactor)  # type: ignore[arg-type]
    assert found.of(Disk(1)) is not found.of(Disk(2))


def test_disk_that_hangs_holds_up_no_other(reactor: Reactor, brief: None) -> None:
    found = Crews(reactor)  # type: ignore[arg-type]
    dead, sound = found.of(Disk(1)), found.of(Disk(2))
    hanging: list[Any] = [Load(is_released=False) for _ in range(20)]
    for load in hanging:
        dead.take(load)
    assert hanging[3].began.wait(SECONDS)
    healthy = Load()
    sound.take(healthy)
    reactor.next_call()
    assert healthy.is_carried
    assert not any(load.is_carried for load in hanging)
    for load in hanging:
        load.released.set()
        reactor.next_call()


def test_idle_threads_of_a_closed_crew_end_at_once(reactor: Reactor) -> None:
    crew = Crew(reactor, "ftpd-crew-closed")  # type: ignore[arg-type]
    load = Load()
    crew.take(load)
    reactor.next_call()
    crew.close()
    crew.close()
    assert load.thread is not None
    load.thread.join(SECONDS)
    assert not load.thread.is_alive()


def test_a_closed_crew_carries_what_waits_before_its_threads_end(reactor: Reactor) -> None:
    crew = Crew(reactor, "ftpd-crew-closed", size=1)  # type: ignore[arg-type]
    first, second = Load(is_released=False), Load()
    crew.take(first)
    crew.take(second)
    assert first.began.wait(SECONDS)
    crew.close()
    first.released.set()
    reactor.next_call()
    reactor.next_call()
    assert (first.is_carried, second.is_carried) == (True, True)
    assert second.thread is not None
    second.thread.join(SECONDS)
    assert not second.thread.is_alive()


def test_crews_that_are_closed_end_their_computing_threads_too(reactor: Reactor) -> None:
    crews_of_all = Crews(reactor)  # type: ignore[arg-type]
    found: list[threading.Thread] = []
    crews_of_all.compute.run(lambda: found.append(threading.current_thread()))
    reactor.next_call()
    crews_of_all.close()
    found[0].join(SECONDS)
    assert not found[0].is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="platform: the nice value is the process's")
def test_its_threads_stand_behind_the_reactors(reactor: Reactor) -> None:
    class Asking(Load):
        def carry(self, crew: Crew) -> None:
            self.nice = os.getpriority(os.PRIO_PROCESS, 0)  # of the calling thread, on Linux
            super().carry(crew)

    before = os.getpriority(os.PRIO_PROCESS, 0)
    load = Asking()
    Crew(reactor, "crew").take(load)
    reactor.next_call()
    assert (load.nice, os.getpriority(os.PRIO_PROCESS, 0)) == (min(before + 5, 19), before)
