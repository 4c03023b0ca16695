"""Parts: which ports for data connections each worker has, of the range that all have together.

Apart from the data ports themselves, which know one process.  A port is shared by sessions of one worker only; with parts of their own no
worker can take the last port from another, and none is tried that a sibling listens on.
"""

from __future__ import annotations

import attrs

from ftpd.config.tree import Config
from ftpd.schema import PortRange

__all__ = ["part_of", "with_own_ports"]


def part_of(ports: PortRange, slot: int, places: int) -> PortRange:
    """Return the ports of place *slot*, counted from 0, of *places*: as many as the others have, one more for the first ones.

    There are at least as many ports as places (`count.worker_count`).
    """
    first, last = ports
    each, more = divmod(last - first + 1, places)
    start = first + slot * each + min(slot, more)
    return start, start + each - (slot >= more)


def with_own_ports(config: Config, slot: int, places: int) -> Config:
    """Return *config* with the ports of the worker in place *slot* only."""
    passive = config.ftp.passive
    if not passive.enabled:
        return config
    return attrs.evolve(
        config, ftp=attrs.evolve(config.ftp, passive=attrs.evolve(passive, ports=part_of(passive.ports, slot, places)))
    )
