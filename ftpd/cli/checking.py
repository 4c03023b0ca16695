"""What `ftpd check` looks at: the file, the rules, and whether the store, the login sources and the certificates it names can be used.

Apart from the command, which only prints.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from ftpd.checking import inspected
from ftpd.config.load import load_config
from ftpd.config.tree import Config
from ftpd.schema import Problem

__all__ = ["checked"]


def checked(file: str) -> tuple[Config, list[str], list[Problem]]:
    """Return the configuration, its warnings, and what cannot be used.  Raises `ConfigError` where the file itself is wrong."""
    from twisted.internet import reactor

    config = load_config(file)
    found: list[tuple[list[Problem], list[str]]] = []
    Deferred.fromCoroutine(inspected(config, reactor)).addCallback(found.append)  # nothing in it waits
    [(problems, warnings)] = found
    return config, warnings, [attrs.evolve(problem, file=file) for problem in problems]
