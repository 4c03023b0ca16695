"""The event of a transfer's end, for tests of those that are told of it: ann's download of 1,000 bytes, unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from ftpd.events import TransferEnded
from ftpd.values import Outcome, Peer

PEER = Peer("192.0.2.7", 40000, "192.0.2.1", 21, listener="outside", session="s1")


def transfer_ended(**facts: Any) -> TransferEnded:
    usual = {
        "peer": PEER,
        "account": "ann",
        "is_anonymous": False,
        "command": "RETR",
        "direction": "download",
        "path": "/a b",
        "moved": 1000,
        "seconds": 0.5,
        "outcome": Outcome.FINISHED,
    }
    return TransferEnded(**(usual | facts))
