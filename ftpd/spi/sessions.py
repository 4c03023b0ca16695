"""What sessions have to do with beside files: accounts, what all of them have in common, who serves them, who is told of them.

Apart from files and transfers, since none of it moves a byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ftpd.values import Account, Failures, Place, Request, SessionRow

__all__ = ["Accounts", "Observer", "Served", "State"]


class Accounts(Protocol):
    """ "Who are you here?", apart from "is it you?" (a cred checker)."""

    async def account(self, avatar_id: bytes | tuple[()]) -> Account:
        """Return the account of a proven name, `()` meaning anonymous (cred's ANONYMOUS).  Raises `LookupError` where there is none."""


class State(Protocol):
    """What the sessions of one server have in common, however many processes and machines serve it; each worker opens it for itself.

    A login awaits it, a transfer never does.  Times are seconds of the worker's reactor.  Whatever `async` calls raise beside what they say is
    `Unavailable`: nobody can tell now.
    """

    async def take(self, session: str, places: Sequence[Place]) -> Place | None:
        """Take one of each of *places* for *session*, all in one step; where one is full take none, and return the first that is.

        What the session had taken before counts no more, whether it is let in or not.  Exact, whoever else asks at the same moment.
        After `Unavailable`, or cancelled, it may have taken them all the same: whoever goes on without an answer is counted, and gives back.
        """

    def give_back(self, session: str) -> None:
        """Free what *session* has taken, or is taking yet, soon; nobody waits for it.  Of a state that is closed it does nothing."""

    async def fail(self, address: str, *, window: float, most: int, ban: float) -> Failures:
        """Count a failed login of *address* within *window* seconds since its first; the one that makes *most*, and each after it, bans it for *ban* seconds.

        A *most* of 0 never bans.
        """

    def banned_until(self, address: str) -> float:
        """Return until when *address* is banned, as far as it is known here without asking: others' bans are at most a second late."""

    async def report(self, changed: Sequence[SessionRow], gone: Sequence[str]) -> Sequence[Request]:
        """Tell what this worker's sessions are doing: rows that are new or other than before, and sessions that are over.

        Once a second at most.  Returns what others have asked of this worker since.
        """

    async def share(self, uses: Mapping[str, float]) -> Mapping[str, float]:
        """Tell how much this worker has of what all have together, in the place of what it told before; return the sums over all workers.

        They are there for the keys of *uses* at least.  Amounts are finite and not negative.  A few times a second, while rates hold transfers
        back; what a worker that is closed or forgotten has told counts no more.
        """

    async def sessions(self) -> Sequence[SessionRow]:
        """Return the sessions of all workers as last reported, oldest first, each with its `worker`."""

    async def ask(self, request: Request) -> None:
        """Leave *request* for every worker, to be found with its next report; for one worker where `request.field` is "worker"."""

    async def forget(self, worker: str) -> None:
        """*worker* is dead: free what its sessions had taken, remove their rows and what it was asked."""

    async def close(self) -> None:
        """This worker ends; may be called twice.  What its sessions had taken is freed."""


class Served(Protocol):
    """The sessions of one listener, whatever protocol they speak: each protocol's factory is one.  On the reactor thread only."""

    def drain(self, quiet_seconds: float, words: str = ...) -> Deferred[None]:
        """Let sessions end by themselves; the Deferred fires when the last is over, those that are not logged in and those in mid handshake included.

        One in which nothing is under way, or waits to be answered, is told *words* and ended once its client has said nothing for so long.
        0: at once, or after the last reply, and a login under way is not waited for; transfers are never cut, that is what `close_sessions` is
        for.  May be called again with a shorter time; cannot be taken back.
        """

    def lock(self, message: str | None) -> None:
        """Let no further session in, and tell its client *message*, one line; None: let them in again.  Those inside go on."""

    def kick(self, field: str, value: str, reason: str) -> list[str]:
        """End the sessions whose *field*, "session", "account" or "address", is *value*, and tell them *reason*, one line; return their ids.

        Transfers are cut, as by `close_sessions`.  An address is an IPv4 or IPv6 address, or a network in CIDR form.  Raises `ValueError` for
        what is none, and for another field.
        """

    def slow(self, field: str, value: str, rate: int) -> list[str]:
        """Hold the sessions that `kick` would end to *rate* bytes a second each way, each by itself; 0: no more.  Return their ids.

        It holds at once, for a transfer under way too, beside every other rate, and until the login ends; who is not logged in is left out.
        Raises `ValueError` as `kick` does.
        """

    def rows(self) -> Iterator[SessionRow]:
        """Yield a row for each session; the same object as the last time as long as it would say the same.

        Those are there that there were at the first, and are not over when it is their turn: it may be taken in several turns of the reactor.
        """

    def close_sessions(self, words: str = ...) -> Deferred[None]:
        """Tell every session *words* and end it now, transfers included; the Deferred fires when the last is over."""


class Observer(Protocol):
    """Told of every event: audit, metrics, hooks.  It may not veto; one that raises is logged and the others are still told."""

    def __call__(self, event: Any) -> None: ...
