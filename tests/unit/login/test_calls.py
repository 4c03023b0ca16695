"""Calls: the interpreter's end waits for those under way, and lets none begin."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ftpd.login.calls import Calls

CHECKOUT = Path(__file__).resolve().parents[3]


def test_the_end_waits_for_the_call_under_way():
    calls = Calls()
    told = []
    is_in, may_leave = threading.Event(), threading.Event()

    def call():
        with calls:
            is_in.set()
            may_leave.wait(30)
            told.append("call")

    def end():
        calls.end()
        told.append("end")

    threads = [threading.Thread(target=call, daemon=True), threading.Thread(target=end, daemon=True)]
    threads[0].start()
    assert is_in.wait(30)
    threads[1].start()
    may_leave.set()
    for thread in threads:
        thread.join(30)
    assert told == ["call", "end"]


def test_none_begins_after_the_end():
    calls = Calls()
    calls.end()
    with pytest.raises(RuntimeError, match="the interpreter ends"), calls:
        pass


def test_a_child_waits_for_no_call_of_its_parent():
    script = """
import os, threading
from ftpd.login.calls import Calls
calls, begun, may_end = Calls(), threading.Event(), threading.Event()

def call():
    with calls:
        begun.set()
        may_end.wait()

threading.Thread(target=call, daemon=True).start()
begun.wait()
if child := os.fork():
    _, status = os.waitpid(child, 0)
    may_end.set()
    raise SystemExit(status)
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", script], cwd=CHECKOUT, timeout=30).returncode == 0


def test_a_call_that_fails_is_over_too():
    calls = Calls()
    with pytest.raises(ValueError, match="a fault"), calls:
        raise ValueError("a fault")
    calls.end()
