"""Host names as they are compared: one rule for HOST, SNI, certificates and the configuration."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

__all__ = ["canonical_name"]


def canonical_name(name: str) -> str:
    """Return *name* as it is compared: lower case, without the root's dot; an IPv6 address without brackets, in its short form."""
    name = name.removesuffix(".").lower()
    if name.startswith("[") and name.endswith("]"):
        with suppress(ValueError):
            return str(ipaddress.IPv6Address(name[1:-1]))
    return name
