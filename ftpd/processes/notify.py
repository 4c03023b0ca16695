"""Notify: what systemd is told of the service (sd_notify(3)); nothing where nobody asked.

Apart from the fleet, which knows when to tell it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Final

__all__ = ["Notify"]

_STEP_SECONDS: Final = 90  # systemd's own DefaultTimeoutStartSec


class Notify:
    """The notify socket and the watchdog of *environ*, whose variables are taken out: workers do not speak for the service.

    `watchdog_seconds` is the time within which `watchdog` has to be called, 0.0 where it has not.
    """

    def __init__(self, environ: MutableMapping[str, str], pid: int) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        microseconds, watched = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self.watchdog_seconds = int(microseconds) / 1e6 if microseconds.isdecimal() and watched in ("", str(pid)) else 0.0
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self) -> None:
        """The service serves, or serves again after a reload."""
        self._tell("READY=1")

    def starting(self, text: str) -> None:
        """The service gets on with its start, which may take another minute and a half (as systemd grants from the first), and is at *text*."""
        self._tell(f"STATUS={text}\nEXTEND_TIMEOUT_USEC={_STEP_SECONDS * 1_000_000}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it.  The time is what Type=notify-reload asks for."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The service ends."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """Say *text*, one line, in `systemctl status`."""
        self._tell(f"STATUS={text}")

    def watchdog(self) -> None:
        """The service is alive."""
        self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if self._address:
            # Not kept: systemd may be started anew.  Not waited for: who does not read is not worth a stopped reactor.
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as teller:
                teller.setblocking(False)
                teller.sendto(text.encode(), self._address)
