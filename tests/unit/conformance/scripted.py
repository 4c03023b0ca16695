"""A scripted server: it answers each verb with what the test has written down, right or wrong, and can hang, close and rave.

Apart from the live server, which does nothing wrong.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping

from ftpd.conformance.target import Target

HANGS = b"(hangs)"
CLOSES = b"(closes)"
USUAL = {
    "USER": b"331 Password.\r\n",
    "PASS": b"230 In.\r\n",
    "TYPE": b"200 Yes.\r\n",
    "NOOP": b"200 Yes.\r\n",
    "PWD": b'257 "/" is it.\r\n',
    "CWD": b"250 There.\r\n",
    "FEAT": b"211-Some:\r\n SIZE\r\n211 End\r\n",
}


class Scripted:
    """`lines` is everything that clients have said, in order."""

    def __init__(self, answers: Mapping[str, bytes], greeting: bytes) -> None:
        self._answers = {**USUAL, **answers}
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lines: list[str] = []
        self.connections = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._listener.close()

    def _serve(self) -> None:
        while not self._ends.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.sendall(self._greeting)
            for raw in connection.makefile("rb"):
                line = raw.decode("latin-1").rstrip("\r\n")
                self.lines.append(line)
                answer = self._answers.get(line.partition(" ")[0].upper(), b"500 Unknown command.\r\n")
                if answer == CLOSES:
                    return
                if answer == HANGS:
                    self._ends.wait(10)
                    return
                connection.sendall(answer)


@contextlib.contextmanager
def scripted(answers: Mapping[str, bytes] | None = None, greeting: bytes = b"220 Hello.\r\n") -> Iterator[Scripted]:
    server = Scripted(answers or {}, greeting)
    try:
        yield server
    finally:
        server.close()


def target(server: Scripted, seconds: float = 0.3) -> Target:
    return Target("127.0.0.1", server.port, "ann", "secret-word", may_write=False, seconds=seconds)
