"""Checking: whether what a configuration names can be used: the store, the login sources, the extensions, the certificates, the
user that the server becomes.

Apart from the rules between settings, which need no look at the machine.
"""

from __future__ import annotations

from typing import Any

from ftpd.config.rules import warnings_of
from ftpd.config.tree import Config
from ftpd.processes.count import worker_count
from ftpd.processes.identity import unknown_names
from ftpd.schema import ConfigError, Problem
from ftpd.service import unusable_parts

__all__ = ["inspected"]


async def inspected(config: Config, reactor: Any) -> tuple[list[Problem], list[str]]:
    """Return everything that *config* names and that cannot be used, and warnings; nothing is kept open.  The *reactor* need not run."""
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
    problems += await unusable_parts(config, reactor)
    return problems, warnings
