"""Check: one question to a server as a row, with the rule that it is about and what has to stand before it is asked.

Apart from the questions themselves, which are in `checks`, a file for each theme.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from ftpd.conformance.probe import Probe

__all__ = ["Check", "Start", "check"]

Question: TypeAlias = "Callable[[Probe], None]"


class Start(enum.Enum):
    """The connection that a check begins with."""

    SHARED = "logged in, in the scratch directory, and used by other checks before and after"
    OWN = "logged in, in the scratch directory, and closed afterwards: for what would spoil a connection"
    STRANGER = "just greeted, nobody named, and closed afterwards"


@attrs.frozen(eq=False)
class Check:
    """One row: `ask` returns where the rule is kept, and raises one of `finding`'s exceptions otherwise.

    `is_advice`: the document says should, or lets others do otherwise, so that a server that does not keep it violates nothing.
    """

    name: str
    rfc: int
    section: str
    title: str
    ask: Question
    start: Start
    writes: bool
    is_advice: bool = False


def check(
    rfc: int, section: str, *, start: Start = Start.SHARED, writes: bool = False, is_advice: bool = False
) -> Callable[[Question], Check]:
    """Make the decorated function a check; the first line of its docstring is the rule.  *writes*: it needs files of its own there."""

    def row(ask: Question) -> Check:
        title = (ask.__doc__ or "").strip().partition("\n")[0]
        return Check(ask.__name__, rfc, section, title, ask, start, writes, is_advice)

    return row
