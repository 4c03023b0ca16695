"""An event observer: finished uploads become lines of JSON in the file that the environment variable `FTPD_UPLOAD_QUEUE` names.

Whoever waits for files, such as a scanner or an importer, reads here which uploads are whole, instead of guessing from sizes in a directory.
It takes the queue by renaming it: the file is opened anew for each line.  Without the variable nothing is observed.
"""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from twisted.logger import Logger
from zope.interface import implementer

from ftpd.events import Event, TransferEnded
from ftpd.interfaces import IEventObserver
from ftpd.values import Outcome

_MOST_WAITING: Final = 10_000  # lines; a disk that hangs for long must not fill the memory


@implementer(IEventObserver)
class UploadQueue:
    """Appends to the file at *os_path*, in a thread of its own: observers are called on the reactor thread.

    An orderly end of the process waits for the lines that are under way.
    """

    _log = Logger()

    def __init__(self, os_path: str, most_waiting: int = _MOST_WAITING) -> None:
        self._os_path = os_path
        self._room = threading.BoundedSemaphore(most_waiting)
        self._writer = ThreadPoolExecutor(1, "upload-queue")

    def __call__(self, event: Event) -> None:
        if isinstance(event, TransferEnded) and event.direction == "upload" and event.outcome is Outcome.FINISHED:
            if self._room.acquire(blocking=False):
                self._writer.submit(self._append, _line(event))
            else:
                self._log.error("upload queue is stuck: {path} of {account} is not in it", path=event.path, account=event.account)

    def close(self) -> None:
        """Wait for the lines under way; may be called twice."""
        self._writer.shutdown()

    def _append(self, line: str) -> None:
        try:
            with open(self._os_path, "a", encoding="ascii", opener=_open_for_group) as file:
                file.write(line)
        except OSError as error:
            self._log.error("upload queue lost a line: {error}: {line}", error=error, line=line)
        finally:
            self._room.release()


def _line(event: TransferEnded) -> str:
    """Return one line, ASCII: a name that is not UTF-8 keeps its bytes as lone surrogates, which JSON escapes."""
    row: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "session": event.peer.session,
        "account": event.account,
        "path": event.path,
        "bytes": event.moved,
    }
    return json.dumps(row) + "\n"


def _open_for_group(os_path: str, flags: int) -> int:
    return os.open(os_path, flags, 0o640)  # names of accounts and files: not for everybody


if os_path := os.environ.get("FTPD_UPLOAD_QUEUE"):
    UPLOAD_QUEUE = UploadQueue(os_path)
