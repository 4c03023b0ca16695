"""A transfer whose thread is held within a call of `os`, and what others do meanwhile with files and connections of their own.

Apart from the promises about threads, which are told with these two.
"""

from __future__ import annotations

import os
import socket as sockets
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from ftpd.testing.gate import Gate
from ftpd.testing.lines import DiskFile, Line, turn
from ftpd.testing.pump_contract.trial import Running
from ftpd.testing.reactors import AT_MOST_SECONDS
from ftpd.values import TransferResult

__all__ = ["Held", "Others"]

_FEW_DESCRIPTORS: Final = 64


class Held:
    """A transfer whose thread is within a call; like a session it closes connection and file when, and only when, it is told the end."""

    def __init__(self, line: Line, os_path: Path, reactor: Any, gate: Gate) -> None:
        self.line = line
        self.os_path = os_path
        self.gate = gate
        self.results: list[TransferResult] = []
        self.reactor = reactor

    def begin(self, running: Running, file: DiskFile, help_on: Callable[[], None]) -> None:
        """Go on until the thread is within the call."""
        self.pump, self.done = running
        self._file = file
        self.done.addCallback(self._ended)
        self._until(lambda: self.gate.is_reached, help_on)

    def turn(self) -> None:
        """Give whatever might happen the time to happen."""
        for _ in range(20):
            turn(self.reactor)

    def wait_until_judged(self) -> None:
        """Go on until the pump has found that nothing moves."""
        pump: Any = self.pump
        with patch.object(pump, "end_stalled", wraps=pump.end_stalled) as judged:
            self._until(lambda: judged.called, lambda: None)

    def finish(self, help_on: Callable[[], None] = lambda: None) -> TransferResult:
        """Let the thread go on, and return the result."""
        self.gate.open()
        self._until(lambda: bool(self.results), help_on)
        [result] = self.results
        return result

    def _ended(self, result: TransferResult) -> None:
        self.results.append(result)
        self.line.connection.close()
        os.close(self._file.descriptor())

    def _until(self, is_over: Callable[[], bool], help_on: Callable[[], None]) -> None:
        end = time.monotonic() + AT_MOST_SECONDS
        while not is_over():
            assert time.monotonic() < end, "it does not come to that"
            help_on()
            turn(self.reactor)


class Others:
    """Files and connections that others use meanwhile, for whatever lands where it should not."""

    _content: Final = b"somebody else's"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closing = ExitStack()
        self._files: list[Path] = []
        self._ends: list[sockets.socket] = []
        self.open_more()

    def open_more(self) -> None:
        for _ in range(_FEW_DESCRIPTORS):
            path = self._folder / f"other{len(self._files)}"
            self._files.append(path)
            file = self._closing.enter_context(path.open("w+b", buffering=0))
            file.write(self._content)
            pair = sockets.socketpair()
            for end in pair:
                end.setblocking(False)
                self._ends.append(self._closing.enter_context(end))

    def check_untouched(self) -> None:
        with self._closing:
            for path in self._files:
                assert path.read_bytes() == self._content
            for end in self._ends:
                with pytest.raises(BlockingIOError):
                    end.recv(1)
