"""What `ftpd check` looks at: the file, the rules, and whether the store, the login sources and the certificates it names can be used.

Apart from the command, which only prints.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from ftpd.certificates import Certificates
from ftpd.config.load import load_config
from ftpd.config.rules import warnings_of
from ftpd.config.tree import Config
from ftpd.schema import ConfigError, Problem
from ftpd.service import unusable_parts

__all__ = ["checked"]


def checked(file: str) -> tuple[Config, list[str], list[Problem]]:
    """Return the configuration, its warnings, and what cannot be used.  Raises `ConfigError` where the file itself is wrong."""
    from twisted.internet import reactor

    config = load_config(file)
    problems: list[Problem] = []
    warnings = list(warnings_of(config))
    try:
        warnings += Certificates(config).warnings()
    except ConfigError as error:
        problems += error.problems
    Deferred.fromCoroutine(unusable_parts(config, reactor)).addCallback(problems.extend)  # nothing in it waits
    return config, warnings, [attrs.evolve(problem, file=file) for problem in problems]
