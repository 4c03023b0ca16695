"""Devices: which client is which, by its address and its account, and what it is forgiven.

Apart from the session, which is told who its client is, and from the commands, which ask it whether a fault may pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Set
from typing import Final

import attrs

from ftpd.ftp.settings import DeviceSettings
from ftpd.ftp.tolerance import KINDS, Tolerance

__all__ = ["NO_DEVICE", "Device", "Devices", "shown_faults"]

_PASSIVE: Final = frozenset({"PASV", "EPSV", "LPSV", "CPSV"})
_ACTIVE: Final = frozenset({"PORT", "EPRT", "LPRT"})
_WITHHELD: Final = {"": frozenset[str](), "active": _PASSIVE, "passive": _ACTIVE}


@attrs.frozen
class Device:
    """What one client is forgiven; `withheld` are the commands that it shall not know of."""

    name: str
    tolerances: frozenset[Tolerance]
    withheld: frozenset[str]

    def tolerates(self, fault: Tolerance) -> bool:
        # Most have none, and to look for an enum costs a call of its own (tests/bench: login).
        return bool(self.tolerances) and fault in self.tolerances

    def withholds(self, names: Set[str]) -> bool:
        """Whether one of the *names* of a command is withheld."""
        return not self.withheld.isdisjoint(names)


NO_DEVICE: Final = Device("", frozenset(), frozenset())


class Devices:
    """The `[[ftp.devices]]` of a factory.  Of several that fit a client the first counts."""

    def __init__(self, settings: Iterable[DeviceSettings]) -> None:
        self._rows = [(entry, _device(entry)) for entry in settings]

    def find(self, address: str, account: str | None) -> Device:
        """Return what the client at *address* is, logged in as *account*; None: not yet.  A Unix socket, "", is on no network."""
        if not self._rows:
            return NO_DEVICE
        client = ipaddress.ip_address(address) if address else None
        for entry, device in self._rows:
            is_there = not entry.networks or (client is not None and any(client in network for network in entry.networks))
            if is_there and (not entry.accounts or account in entry.accounts):
                return device
        return NO_DEVICE


def _device(entry: DeviceSettings) -> Device:
    named = KINDS.get(entry.device, frozenset())
    added, removed = (frozenset(map(Tolerance, names)) for names in (entry.tolerate, entry.refuse))
    withheld = _WITHHELD[entry.data] | {verb.upper() for verb in entry.withhold}
    return Device(entry.device or "device", (named | added) - removed, withheld)


def shown_faults(faults: dict[Tolerance, int]) -> str:
    """Write what was tolerated, the most frequent first: `odd-type 3, windows-path`."""
    ordered = sorted(faults.items(), key=lambda item: -item[1])
    return ", ".join(f"{fault.value} {count}" if count > 1 else fault.value for fault, count in ordered)
