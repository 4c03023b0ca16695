"""What `ftpd check` looks at: the file, the rules, and whether the store, the login sources and the certificates it names can be used.

Apart from the command, which only prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import provider

from ftpd.checking import inspection
from ftpd.config.load import load_config
from ftpd.config.tree import Config
from ftpd.reactor import chosen_reactor
from ftpd.schema import Problem

__all__ = ["checked"]


def checked(file: str) -> tuple[Config, list[str], list[Problem]]:
    """Return the configuration, its warnings, and what cannot be used.  Raises `ConfigError` where the file itself is wrong.

    What a server would write into its log for the same reasons is a warning too; a traceback goes to standard error by itself.
    """
    with _noted() as noted:
        config = load_config(file)
        problems, warnings = inspection(config, chosen_reactor())
    return config, [*warnings, *dict.fromkeys(noted)], [attrs.evolve(problem, file=problem.file or file) for problem in problems]


@contextmanager
def _noted() -> Iterator[list[str]]:
    """Collect the messages that are logged meanwhile as warnings and errors."""
    noted: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_level") in (LogLevel.warn, LogLevel.error):
            noted.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    try:
        yield noted
    finally:
        globalLogPublisher.removeObserver(observe)
