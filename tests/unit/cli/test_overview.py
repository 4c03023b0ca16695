"""The state of a server as lines."""

from __future__ import annotations

from datetime import UTC

import attrs

from ftpd.cli.overview import overview
from ftpd.cli.sessions import View
from ftpd.processes.status import ListenerStatus
from tests.fake_operator import SINCE, FakeOperator

VIEW = View(SINCE + 7384, zone=UTC)


def test_a_server_and_its_workers():
    assert overview(FakeOperator().status(), VIEW) == [
        "Server         ftpd 0.1.0, process 1234",
        "Since          08:00 (2 h 3 min)",
        "Configuration  /etc/ftpd/ftpd.toml",
        "Listens        0.0.0.0 port 21",
        "Listens        :: port 990 (implicit TLS)",
        "Locked         no",
        "Serves         13 sessions, 3 transfers",
        "",
        "WORKER  PROCESS  STATE     SINCE  GENERATION  SESSIONS  TRANSFERS  RESTARTS",
        "     0     1235  ready     08:01           2        12          3         0",
        "     0     1199  draining  08:00           1         1          0         4",
    ]


def test_a_lock_is_shown_with_its_message():
    locked = attrs.evolve(FakeOperator().status(), locked="Back at noon.\x1b[2J")
    assert "Locked         Back at noon.\\x1b[2J" in overview(locked, VIEW)


def test_a_port_of_another_protocol_says_so():
    listeners = (ListenerStatus("0.0.0.0", 69, protocol="tftp"),)
    status = attrs.evolve(FakeOperator().status(), listeners=listeners)
    assert "Listens        0.0.0.0 port 69 (TFTP)" in overview(status, VIEW)
