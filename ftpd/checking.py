"""Checking: whether what a configuration names can be used: the store, the login sources, the extensions, the certificates, the logs, the
user that the server becomes.

Apart from the rules between settings, which need no look at the machine.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpd.config.rules import warnings_of
from ftpd.config.tree import Config
from ftpd.logs.trial import unusable_logs
from ftpd.processes.count import worker_count
from ftpd.processes.identity import unknown_names
from ftpd.schema import ConfigError, Problem
from ftpd.service import unusable_parts

__all__ = ["inspected", "inspection"]


def inspection(config: Config, reactor: Any) -> tuple[list[Problem], list[str]]:
    """Return what `inspected` does; *reactor* runs as long as a store of a program waits for what it opens, and only then."""
    found: list[Any] = []
    inspecting = Deferred.fromCoroutine(inspected(config, reactor)).addBoth(found.append)
    if not found:
        inspecting.addCallback(lambda _: reactor.stop())
        reactor.run(installSignalHandlers=False)
    [result] = found
    if isinstance(result, Failure):
        result.raiseException()
    problems, warnings = result
    return problems, warnings


async def inspected(config: Config, reactor: Any) -> tuple[list[Problem], list[str]]:
    """Return everything that *config* names and that cannot be used, and warnings; nothing is kept open."""
    problems: list[Problem] = []
    warnings = list(warnings_of(config))
    if config.offers_tls:
        from ftpd.certificates import Certificates  # with cryptography: not for a server without TLS

        try:
            warnings += Certificates(config).warnings()
        except ConfigError as error:
            problems += error.problems
    problems += unknown_names(config.process.user, config.process.group)
    try:
        worker_count(config)
    except ConfigError as error:
        problems += error.problems
    problems += unusable_logs(config.log)
    problems += await unusable_parts(config, reactor)
    return problems, warnings
