"""Buffers of a thread, which no other thread sees."""

from __future__ import annotations

import threading
from typing import Any

from ftpd.transfer.scratch import scratch


def test_thread_uses_the_same_buffers_again() -> None:
    assert scratch.wire is scratch.wire
    assert scratch.plain is scratch.plain


def test_buffers_hold_the_largest_step() -> None:
    assert (len(scratch.wire), len(scratch.plain)) == (1024 * 1024, 1024 * 1024)


def test_buffers_do_not_overlap() -> None:
    scratch.wire[:4] = b"wire"
    scratch.plain[:4] = b"text"
    assert bytes(scratch.wire[:4]) == b"wire"


def test_threads_have_buffers_of_their_own() -> None:
    scratch.wire[:4] = scratch.plain[:4] = b"mine"
    seen: list[Any] = []

    def look() -> None:
        seen.extend([bytes(scratch.wire[:4]), bytes(scratch.plain[:4])])
        scratch.wire[:4] = scratch.plain[:4] = b"his "

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [bytes(4), bytes(4)]
    assert (bytes(scratch.wire[:4]), bytes(scratch.plain[:4])) == (b"mine", b"mine")
