"""Whom: what an operator's word for some sessions is: the id of one, an account, an address or a network.

Apart from `accounts.choice`, which knows who is meant once that is said.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from ftpd.accounts.choice import read_network

__all__ = ["field_of"]

_SESSION: Final = re.compile(r"[0-9a-v]{16}", re.ASCII)  # what accounts.peer.new_session_id makes


def field_of(text: str) -> str:
    """Return which of `accounts.choice.FIELDS` *text* looks like.

    Raises `ValueError` for a network with host bits: nobody knows whether the one address is meant or all.
    """
    if _SESSION.fullmatch(text):
        return "session"
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return "account"
    read_network(text)
    return "address"
