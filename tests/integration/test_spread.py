"""Two workers of one server have as much to do as each other, also where sessions are so short that nobody has more of them than another.

Apart from `test_workers`, which has long sessions, and whose clients come one by one.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from tests.integration.fleet import Fleet, process_of
from tests.integration.live import Guest
from tests.integration.wire import Wire

_CLIENTS = 8
_SESSIONS = 2000


def server_of_a_short_session(guest: Guest) -> int:
    """Log in and quit; return which process it was."""
    with Wire.of(guest) as wire:
        process = process_of(wire)
        assert wire.ask("QUIT").code == 221
        return process


def test_of_2000_short_sessions_of_eight_clients_no_worker_has_more_than_60_percent(shared_fleet: Fleet) -> None:
    guest = shared_fleet.add("hasty")
    with ThreadPoolExecutor(_CLIENTS) as clients:
        counts = Counter(clients.map(server_of_a_short_session, repeat(guest, _SESSIONS)))
    assert len(counts) == 2
    assert max(counts.values()) <= 0.6 * _SESSIONS, counts
