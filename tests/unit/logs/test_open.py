"""The logs of one server, opened together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, execute, fail
from twisted.logger import Logger, LogLevel

from ftpd.errors import Unavailable
from ftpd.logs.open import OpenLogs
from ftpd.logs.settings import LogSettings, TargetSettings
from ftpd.schema import ConfigError, FilePath
from ftpd.testing.fakes import HeldThreads, result_of


@pytest.mark.parametrize(
    ("levels", "least"),
    [(("info",), LogLevel.info), (("warn", "debug", "error"), LogLevel.debug), ((), LogLevel.debug)],
)
def test_the_least_weight_is_what_the_most_curious_target_writes_and_everything_without_targets(levels, least):
    logs = OpenLogs(LogSettings(targets=tuple(TargetSettings(level=level) for level in levels)))
    logs.close()
    assert logs.least is least


def test_a_fifo_that_nobody_reads_is_a_problem_and_waits_for_nobody(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError, match=r"^log\.xferlog: cannot open .*/fifo: No such device or address$"):
        OpenLogs(LogSettings(xferlog=FilePath(str(tmp_path / "fifo"))))


def test_a_fifo_that_somebody_reads_is_a_log(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    logs = OpenLogs(LogSettings(targets=(TargetSettings(file=FilePath(str(tmp_path / "fifo"))),)))
    Logger().info("a line")
    logs.close()
    assert b" info a line\n" in os.read(reader, 1000)
    os.close(reader)


# Opened anew.


class World:
    """Logs with a target and an xferlog, both of which logrotate has moved; *threads* open nothing until the test says so."""

    def __init__(self, folder):
        self.files = [folder / "ftpd.log", folder / "xferlog"]
        self.threads = HeldThreads()
        target = TargetSettings(file=FilePath(str(self.files[0])))
        self.logs = OpenLogs(LogSettings(targets=(target,), xferlog=FilePath(str(self.files[1]))))
        self.move(1)

    def move(self, number):
        for file in self.files:
            file.rename(f"{file}.{number}")

    def reopen(self):
        return Deferred.fromCoroutine(self.logs.reopen(self.threads))

    def lines(self, suffix=""):
        lines = Path(f"{self.files[0]}{suffix}").read_text().splitlines()
        return [line.split(" ", 2)[2] for line in lines]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.logs.close()


def test_lines_go_to_the_old_file_until_the_new_one_is_open(world):
    reopened = world.reopen()
    assert not any(file.exists() for file in world.files)  # nothing is opened here
    Logger().info("meanwhile")
    world.threads.finish()
    Logger().info("later")
    world.threads.finish()
    result_of(reopened)
    assert world.lines(".1") == ["meanwhile"]
    assert world.lines() == ["later", "log files opened anew"]
    assert world.files[1].exists()


def test_a_file_whose_disk_hangs_keeps_no_other_from_being_opened_anew(world):
    reopened = world.reopen()
    world.threads.calls.reverse()
    world.threads.finish()
    assert [file.exists() for file in world.files] == [False, True]
    assert not reopened.called


def test_a_file_that_hangs_is_opened_once_more_after_that_however_often_that_is_asked_for(world):
    again = [world.reopen() for _ in range(5)]
    assert len(world.threads.calls) == 2
    for _ in range(2):
        world.threads.finish()
    assert len(world.threads.calls) == 2
    world.move(2)
    for _ in range(2):
        world.threads.finish()
    assert all(file.exists() for file in world.files)
    assert [result_of(reopened) for reopened in again] == [None] * 5


def test_a_file_that_cannot_be_opened_anew_is_told_and_the_old_one_stays(world, tmp_path):
    tmp_path.rename(f"{tmp_path}.moved")
    reopened = world.reopen()
    for _ in range(2):
        call, deferred = world.threads.calls.pop(0)
        execute(call).addBoth(deferred.callback)
    result_of(reopened)
    lines = (tmp_path.parent / f"{tmp_path.name}.moved" / "ftpd.log.1").read_text().splitlines()
    assert [line.split(" ")[1] for line in lines] == ["error", "error", "info"]


def test_logs_that_are_closed_meanwhile_stay_closed(world):
    reopened = world.reopen()
    world.logs.close()
    before = os.listdir("/proc/self/fd")
    for _ in range(2):
        world.threads.finish()
    result_of(reopened)
    assert os.listdir("/proc/self/fd") == before


def test_a_server_that_stops_opens_nothing(world):
    class Stopping:
        def run(self, function):
            return fail(Unavailable(None, "The server is stopping"))

    result_of(Deferred.fromCoroutine(world.logs.reopen(Stopping())))
    assert not any(file.exists() for file in world.files)
