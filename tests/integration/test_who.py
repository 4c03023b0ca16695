"""SITE WHO: sessions of all listeners and workers, as far as an account may know them.

Apart from the unit tests, which have one process: here a worker tells what its sibling has told.
"""

from __future__ import annotations

import contextlib

from tests.integration.conftest import StartFleet
from tests.integration.fleet import wait_until
from tests.integration.wire import Wire


def sessions(wire: Wire) -> list[str]:
    """The accounts that SITE WHO tells."""
    reply = wire.ask("SITE WHO")
    assert reply.code == 211
    return sorted(line.split()[0] for line in reply.text.splitlines()[1:])


def test_sessions_of_every_worker_are_told_to_whom_they_may(fleet: StartFleet) -> None:
    server = fleet({"accounts": {"chief": {"who": "all"}, "ann": {}}})
    ann, chief = server.add("ann"), server.add("chief")
    with contextlib.ExitStack() as exits:
        wires = server.on_each(ann, exits)
        of_chief = exits.enter_context(Wire.of(chief))
        assert len(wires) == 2
        wait_until(lambda: all(sessions(wire) == ["ann", "ann"] for wire in wires.values()), "both of ann's sessions")
        wait_until(lambda: sessions(of_chief) == ["ann", "ann", "chief"], "everybody's sessions")
