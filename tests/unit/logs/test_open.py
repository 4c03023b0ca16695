"""The logs of one server, opened together."""

from __future__ import annotations

import pytest
from twisted.logger import LogLevel

from ftpd.logs.open import OpenLogs
from ftpd.logs.settings import LogSettings, TargetSettings


@pytest.mark.parametrize(
    ("levels", "least"),
    [(("info",), LogLevel.info), (("warn", "debug", "error"), LogLevel.debug), ((), LogLevel.debug)],
)
def test_the_least_weight_is_what_the_most_curious_target_writes_and_everything_without_targets(levels, least):
    logs = OpenLogs(LogSettings(targets=tuple(TargetSettings(level=level) for level in levels)))
    logs.close()
    assert logs.least is least
