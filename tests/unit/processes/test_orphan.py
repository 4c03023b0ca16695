"""Orphan: the kernel ends a process with its parent, wherever it is stuck, until it has been told not to."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
PARENT = """
import os, subprocess, sys
with subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
    print(child.stdout.readline(), end="", flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), 9)
"""
CHILD = """
import os, signal
from ftpd.processes.orphan import end_with_parent, outlive_parent
end_with_parent(0)
{more}
print(os.getpid(), flush=True)
signal.pause()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="machine: not Linux")
Orphaned = Callable[[str], int]


@pytest.fixture
def orphaned() -> Iterator[Orphaned]:
    """Return what starts a process that does *more*, and kills its parent; it gives a descriptor that tells of the end of the process."""
    descriptors: list[int] = []

    def start(more: str) -> int:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        command = [sys.executable, "-c", PARENT, CHILD.format(more=more)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True) as parent:
            assert parent.stdin is not None
            assert parent.stdout is not None
            descriptors.append(os.pidfd_open(int(parent.stdout.readline())))
            parent.stdin.close()
            assert parent.wait() == -signal.SIGKILL
        return descriptors[-1]

    yield start
    for descriptor in descriptors:
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)


def is_ended_within(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def test_a_process_ends_with_its_parent(orphaned: Orphaned) -> None:
    assert is_ended_within(orphaned(""), 30)


def test_a_process_that_is_to_outlive_its_parent_does(orphaned: Orphaned) -> None:
    assert not is_ended_within(orphaned("outlive_parent()"), 0)


def test_a_process_whose_parent_is_gone_already_ends() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [
        sys.executable,
        "-c",
        "import sys; from ftpd.processes.orphan import end_with_parent; end_with_parent(int(sys.argv[1]))",
    ]
    done = subprocess.run([*command, str(writer)], pass_fds=(writer,), env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, check=False)
    os.close(writer)
    assert done.returncode == 1
