"""Calls: what a state in a file is asked, as objects that go to its thread and come back with what became of them.

Apart from the thread and from the reactor's side, which both read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred

from ftpd.values import Place, Request, SessionRow

__all__ = ["Ask", "Call", "Close", "Fail", "Forget", "GiveBack", "Report", "Sessions", "Share", "Take"]


@attrs.define(eq=False)
class Call:
    """One call; `result` is the thread's until it has handed the call back.

    `answer` is who has waited for it since `since`, None: nobody; `is_given_up`: not any more.
    """

    answer: Deferred[Any] | None = attrs.field(default=None, init=False)
    since: float = attrs.field(default=0.0, init=False)
    is_given_up: bool = attrs.field(default=False, init=False)
    result: Any = attrs.field(default=None, init=False)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody still waits."""
        return self.answer is not None and not self.is_given_up and not self.answer.called


@attrs.define(eq=False)
class Take(Call):
    """See `spi.State.take`."""

    session: str
    places: Sequence[Place]
    is_attempted: bool = attrs.field(default=False, init=False)  # on the reactor thread, where nobody has to wait for an answer

    @property
    def is_asking(self) -> bool:
        """Whether a full place matters; else somebody has gone on without an answer, or had no question."""
        return self.is_attempted or (self.answer is not None and not self.is_given_up)


@attrs.define(eq=False)
class GiveBack(Call):
    """See `spi.State.give_back`."""

    session: str


@attrs.define(eq=False)
class Fail(Call):
    """See `spi.State.fail`."""

    address: str
    window: float
    most: int
    ban: float


@attrs.define(eq=False)
class Report(Call):
    """See `spi.State.report`."""

    changed: Sequence[SessionRow]
    gone: Sequence[str]
    texts: Mapping[str, str] | None = attrs.field(default=None, init=False)  # what is `changed`, by session, as the file has it


@attrs.define(eq=False)
class Share(Call):
    """See `spi.State.share`."""

    uses: Mapping[str, float]


@attrs.define(eq=False)
class Sessions(Call):
    """See `spi.State.sessions`."""


@attrs.define(eq=False)
class Ask(Call):
    """See `spi.State.ask`."""

    request: Request


@attrs.define(eq=False)
class Forget(Call):
    """See `spi.State.forget`."""

    worker: str


@attrs.define(eq=False)
class Close(Call):
    """See `spi.State.close`; the last one, which the thread waits for."""

    @property
    def is_awaited(self) -> bool:
        return True
