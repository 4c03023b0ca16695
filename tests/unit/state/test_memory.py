from __future__ import annotations

import subprocess
import sys

from twisted.internet.task import Clock

from ftpd.state import memory as module
from ftpd.state.memory import MemoryState
from ftpd.testing.fakes import finish
from ftpd.values import Failures, Place


def fail(state, address):
    return finish(state.fail(address, window=60.0, most=9, ban=60.0))


def test_of_too_many_addresses_the_one_that_failed_longest_ago_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(module, "_MOST_ADDRESSES", 2)
    state = MemoryState(Clock())
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3"):
        fail(state, address)
    assert fail(state, "192.0.2.1") == Failures(3)
    assert fail(state, "192.0.2.2") == Failures(1)


def test_nothing_is_kept_of_sessions_that_are_over():
    state = MemoryState(Clock())
    finish(state.take("a", [Place("all", 2), Place("account/ann", None)]))
    state.give_back("a")
    assert (state._held.counts, state._held._taken) == ({}, {})


def test_a_server_of_one_process_does_not_load_sqlite():
    code = (
        "import sys, ftpd.service, ftpd.cli.serving, ftpd.tap, ftpd.accounts.limits, ftpd.state.memory\n"
        "print([name for name in sys.modules if 'sqlite' in name])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
