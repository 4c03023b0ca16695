"""Count: how many workers serve a configuration.

Apart from the settings, because a store may live in the memory of one process, where no other process sees its files.
"""

from __future__ import annotations

from ftpd.config.kinds import store_kind
from ftpd.config.tree import Config
from ftpd.processes.settings import ProcessSettings
from ftpd.schema import ConfigError, Problem

__all__ = ["worker_count"]


def worker_count(config: Config) -> int:
    """Return how many workers serve *config*, 0 for none: then the process that was started serves.

    Raises `ConfigError` where workers are wanted, and a store is in the memory of each; where that one process should become another user;
    and where there are fewer ports for data connections than workers, each of which has some of its own.
    """
    settings = config.process
    lonely = [path for path, kind in _stores(config) if _is_in_memory(kind, config)]
    if lonely and settings.workers > 0:
        found = f"found {settings.workers}, and {lonely[0]} is a store that one process has in its memory"
        raise ConfigError([Problem("", "process.workers", found, "it must be 0 for such a store")])
    count = 0 if lonely else settings.count
    if not count:
        _refuse_identity(settings)
    _refuse_few_ports(config, count)
    return count


def _refuse_few_ports(config: Config, count: int) -> None:
    """Only within one process can sessions share a port."""
    first, last = config.ftp.passive.ports
    ports = last - first + 1
    if config.listen and config.ftp.passive.enabled and ports < count:
        found = f"found {first}-{last}, {ports} for {count} workers (process.workers)"
        raise ConfigError([Problem("", "ftp.passive.ports", found, "each worker needs one of its own")])


def _refuse_identity(settings: ProcessSettings) -> None:
    problems = [
        Problem("", f"process.{field}", "set, and there are no workers", "one process alone stays who has started it")
        for field in ("user", "group")
        if getattr(settings, field)
    ]
    if problems:
        raise ConfigError(problems)


def _stores(config: Config) -> list[tuple[str, str]]:
    hosts = [(f"hosts[{index}].storage", host.storage.kind) for index, host in enumerate(config.hosts) if host.storage is not None]
    return [("storage", config.storage.kind), *hosts]


def _is_in_memory(kind: str, config: Config) -> bool:
    try:
        return bool(getattr(store_kind(kind, config.extensions.directories), "is_in_memory", False))
    except KeyError:  # whoever makes the store will complain
        return False
