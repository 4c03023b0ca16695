"""Mirror: many clients of one server that store and fetch without end, each byte compared; a process of its own, beside the test.

`python -m tests.integration.mirror PORT ACCOUNT CLIENTS` says `ready` once each client has moved a file both ways.  A line on its standard input
is answered with `lapped` once each client has done more since; at the end of its input the clients end, and a JSON object tells what they did.
"""

from __future__ import annotations

import ftplib
import io
import json
import random
import sys
import threading
from typing import Final

from tests.integration.live import PASSWORD, SECONDS

_SIZES: Final = (0, 700, 64 * 1024, 300_000)
_LAPS_OF_A_SESSION: Final = 3  # then it logs out, and in again


class Mirror:
    """What all clients have in common: how far each is, and what failed."""

    def __init__(self, port: int, account: str, clients: int) -> None:
        self.port = port
        self.account = account
        self.transfers = 0
        self.sessions = 0
        self.failures: list[str] = []
        self.is_over = False
        self._laps = [0] * clients
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def wait_for_laps(self, more: int) -> bool:
        """Wait until each client has done *more* laps; False where one of them never did."""
        with self._changed:
            wanted = [lap + more for lap in self._laps]
            return self._changed.wait_for(lambda: bool(self.failures) or self._is_reached(wanted), SECONDS)

    def end(self) -> None:
        """Let each client finish its lap and log out."""
        self.is_over = True
        for thread in self._threads:
            thread.join()

    def _is_reached(self, wanted: list[int]) -> bool:
        return all(lap >= want for lap, want in zip(self._laps, wanted, strict=True))

    def _run(self, number: int) -> None:
        try:
            while not self.is_over:
                self._session(number)
        except Exception as error:
            with self._changed:
                self.failures.append(f"client {number}: {type(error).__name__}: {error}")
                self._changed.notify_all()

    def _session(self, number: int) -> None:
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.port, timeout=SECONDS)
            ftp.login(self.account, PASSWORD)
            self.sessions += 1
            for _ in range(_LAPS_OF_A_SESSION):
                self._lap(ftp, number)
                if self.is_over:
                    return

    def _lap(self, ftp: ftplib.FTP, number: int) -> None:
        lap = self._laps[number]
        content = random.Random(number * 1_000_003 + lap).randbytes(_SIZES[(number + lap) % len(_SIZES)])
        name = f"client{number}.{lap % 2}"  # an old one is replaced while it may still be read
        ftp.storbinary(f"STOR {name}", io.BytesIO(content))
        fetched = io.BytesIO()
        ftp.retrbinary(f"RETR {name}", fetched.write)
        if fetched.getvalue() != content:
            raise ValueError(f"{name} has {fetched.tell()} bytes that are not the {len(content)} stored")
        with self._changed:
            self.transfers += 2
            self._laps[number] += 1
            self._changed.notify_all()


def main() -> None:
    port, account, clients = sys.argv[1:]
    mirror = Mirror(int(port), account, int(clients))
    mirror.wait_for_laps(1)
    print("ready", flush=True)
    for _ in sys.stdin:
        mirror.wait_for_laps(2)
        print("lapped", flush=True)
    mirror.end()
    print(json.dumps({"transfers": mirror.transfers, "sessions": mirror.sessions, "failures": mirror.failures}))


if __name__ == "__main__":
    main()
