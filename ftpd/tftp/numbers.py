"""Block numbers: sixteen bits on the wire, without end inside.

Apart, so that the two directions of a transfer read a number in the same way, and nothing else has to know that numbers come again.

Inside, blocks are 1, 2, 3, and so on; 0 is what the transfer begins with, an OACK or the ACK 0 of an upload.  RFC 1350 does not say
what comes behind 65535.  Most go on with 0, some with 1: that is the rollover.
"""

from __future__ import annotations

__all__ = ["LARGEST_WINDOW", "nearest", "wire_number"]

LARGEST_WINDOW = 32767
"""Most blocks that may be under way.  RFC 7440 has windows of up to 65535, but beyond half of all numbers the acknowledgement of a block
under way looks the same as one of the past, and who takes a late one for the other ends a transfer that the client does not have."""


def wire_number(block: int, rollover: int) -> int:
    """The number that block (0 or more) has on the wire."""
    return (block - rollover) % (65536 - rollover) + rollover if block else 0


def nearest(wire: int, reference: int, rollover: int) -> int | None:
    """Return the block nearest to a reference block (-1 or more) that has this number on the wire; None: there is none.

    None is for what never was or will be near: a number below 0, or a 0 that comes again where the rollover is 1.
    """
    period = 65536 - rollover
    ahead = (wire - reference) % period
    block = reference + ahead - (period if ahead > LARGEST_WINDOW else 0)
    return block if block >= 0 and wire_number(block, rollover) == wire else None
