"""What systemd hears, by a socket that stands in for its own."""

from __future__ import annotations

import os
import re
import socket
import time

import pytest

from ftpd.processes.notify import Notify


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """The socket, and its address as systemd writes it into the environment."""
    name = str(tmp_path / "notify") if request.param == "path" else f"\0ftpd-test-{os.getpid()}-{time.monotonic_ns()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(name)
        one.settimeout(5)
        yield one, name.replace("\0", "@")


def said(deed, systemd):
    """Return what systemd hears of *deed*."""
    one, address = systemd
    notify = Notify({"NOTIFY_SOCKET": address}, os.getpid())
    deed(notify)
    return one.recv(4096).decode()


def test_ready(systemd):
    assert said(Notify.ready, systemd) == "READY=1"


def test_reloading_says_when_on_the_clock_that_systemd_reads(systemd):
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    found = re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)", said(Notify.reloading, systemd))
    assert found is not None
    assert before <= int(found[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_stopping(systemd):
    assert said(Notify.stopping, systemd) == "STOPPING=1"


def test_status(systemd):
    assert said(lambda notify: notify.status("3 sessions, 1 transfer"), systemd) == "STATUS=3 sessions, 1 transfer"


def test_starting_asks_for_more_time(systemd):
    words = "STATUS=starting: 3 of 100 workers serve\nEXTEND_TIMEOUT_USEC=90000000"
    assert said(lambda notify: notify.starting("starting: 3 of 100 workers serve"), systemd) == words


def test_watchdog(systemd):
    assert said(Notify.watchdog, systemd) == "WATCHDOG=1"


def test_each_is_a_message_of_its_own(systemd):
    one, address = systemd
    notify = Notify({"NOTIFY_SOCKET": address}, os.getpid())
    notify.ready()
    notify.watchdog()
    assert [one.recv(4096), one.recv(4096)] == [b"READY=1", b"WATCHDOG=1"]


def test_the_variables_are_taken_so_that_no_worker_speaks():
    environ = {"NOTIFY_SOCKET": "/run/none", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "PATH": "/bin"}
    Notify(environ, os.getpid())
    assert environ == {"PATH": "/bin"}


def test_without_a_socket_nothing_is_said(monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    Notify({}, os.getpid()).ready()


def test_systemd_that_is_gone_harms_nobody(tmp_path):
    Notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}, os.getpid()).ready()


def test_systemd_that_does_not_read_is_not_waited_for(tmp_path):
    name = str(tmp_path / "deaf")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(name)
        notify = Notify({"NOTIFY_SOCKET": name}, os.getpid())
        for _ in range(2000):  # more than any queue has (net.unix.max_dgram_qlen)
            notify.watchdog()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "-1"}, 0.0),
        ({"WATCHDOG_USEC": "x"}, 0.0),
    ],
)
def test_the_watchdog_is_the_one_that_is_set_for_us(environ, seconds):
    assert Notify(environ, os.getpid()).watchdog_seconds == seconds
