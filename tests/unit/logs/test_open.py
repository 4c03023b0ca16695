"""The logs of one server, opened together."""

from __future__ import annotations

import os

import pytest
from twisted.logger import Logger, LogLevel

from ftpd.logs.open import OpenLogs
from ftpd.logs.settings import LogSettings, TargetSettings
from ftpd.schema import ConfigError, FilePath


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
