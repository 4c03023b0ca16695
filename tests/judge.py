"""Judge: holds what a server replies against the automaton's table, reply by reply.

Apart from the walks, which say things and listen: a judge is told what was said and what was heard, in the order in which the client did both.
While a transfer runs, that order does not tell which command a reply answers: NOOP is answered beside the transfer, or behind it where the
transfer was over before NOOP came, and ABOR passes what waits.  So a judge follows every order that the server may have, as a *world*
of its own; a reply that the table has in no world is a fault.  However many worlds are left, they have as many commands unanswered.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Final

import attrs

from ftpd.ftp.command import Needs
from ftpd.ftp.commands import standard_commands
from ftpd.ftp.wire.automaton import ROWS, START, Axis, State, allowed, key_of, step

__all__ = ["Judge", "Said"]

_UNKNOWN_VERB: Final = frozenset({421, 500, 502, 504, 530})  # 504 and 530: of SITE
_ROWS: Final = {row.verb: row for row in standard_commands().values()}


@attrs.frozen
class Said:
    """A command line, and which one it is in its session; `key` is that of the table, "" for an unknown verb."""

    number: int
    line: str
    key: str

    @property
    def is_beside(self) -> bool:
        """Whether it may be answered while a transfer runs."""
        return self.key in _ROWS and _ROWS[self.key].beside

    @property
    def is_transfer(self) -> bool:
        return self.key in _ROWS and Needs.DATA in _ROWS[self.key].needs

    @property
    def is_abortable(self) -> bool:
        return self.key in _ROWS and _ROWS[self.key].is_abortable

    def may_get(self, code: int, states: frozenset[State]) -> bool:
        return code in (allowed(ROWS[self.key], states) if self.key else _UNKNOWN_VERB)


_NOTHING: Final = Said(0, "", "")


@attrs.frozen
class World:
    """One order of answers that the server may have: its states, and the commands that wait for their final reply, next one first."""

    states: frozenset[State]
    waiting: tuple[Said, ...] = ()

    def answered(self, code: int) -> Said | None:
        """Return what *code* answers here; None where the table does not have it."""
        if not self.waiting:
            return _NOTHING if code == 421 else None  # RFC 959 5.4: at any time
        said = self.waiting[0]
        if code < 200 and all(other.is_beside for other in takewhile(lambda other: not other.is_transfer, self.waiting)):
            said = next((other for other in self.waiting if other.is_transfer), said)
        return said if said.may_get(code, self.states) else None

    def behind(self, said: Said, code: int) -> World:
        """Return what this is once *code* was said to *said*."""
        waiting = tuple(other for other in self.waiting if other is not said) if code >= 200 else self.waiting
        return World(step(self.states, said.key, code), waiting)

    def joined(self, said: Said) -> Iterator[World]:
        """Yield what this may be with *said* to be answered too: in order, and then overtaking a transfer that runs."""
        yield attrs.evolve(self, waiting=(*self.waiting, said))
        if said.key == "ABOR":
            for place, other in enumerate(self.waiting, 1):
                if other.is_abortable:
                    yield attrs.evolve(self, waiting=(*self.waiting[:place], said, *self.waiting[place:]))
        elif said.is_beside and self.waiting and self.waiting[-1].is_abortable:
            yield attrs.evolve(self, waiting=(*self.waiting[:-1], said, self.waiting[-1]))


class Judge:
    """Follow one session from *states* on; raises `AssertionError`, with the whole dialogue, where a reply is none of the table's.

    `transcript` is that dialogue; whoever walks notes there what else is done.
    """

    def __init__(self, states: frozenset[State] = START) -> None:
        self.transcript: list[str] = []
        self._worlds = frozenset({World(states)})
        self._count = 0

    def says(self, line: str, *, overtakes: bool | None = None) -> Said:
        """Note that the client has said *line*; *overtakes*: whether it passes what it may pass, None where nobody knows."""
        self._count += 1
        said = Said(self._count, line, key_of(line))
        self.transcript.append(f"C: {line}")
        self._worlds = frozenset(joined for world in self._worlds for joined in _chosen(list(world.joined(said)), overtakes))
        return said

    def hears(self, code: int) -> frozenset[Said]:
        """Judge a reply, and return what it may have answered; that is one command, unless nobody can tell."""
        self.transcript.append(f"S: {code}")
        answered = [(world, said) for world in self._worlds if (said := world.answered(code)) is not None]
        if not answered:
            raise self.fault(f"{code} is no reply in any of {[_shown(world) for world in self._worlds]}")
        self._worlds = frozenset(world.behind(said, code) for world, said in answered)
        return frozenset(said for _, said in answered if said is not _NOTHING)

    def fault(self, words: str) -> AssertionError:
        return AssertionError("\n".join([words, "", *self.transcript]))

    @property
    def outstanding(self) -> int:
        """How many commands wait for their final reply."""
        return max(len(world.waiting) for world in self._worlds)

    def waits(self, said: Said) -> bool | None:
        """Whether *said* waits for its final reply; None where nobody can tell."""
        return _agreed({said in world.waiting for world in self._worlds})

    def is_in(self, state: State) -> bool | None:
        """Whether the session is in *state*; None where nobody can tell."""
        return _agreed({state in world.states for world in self._worlds})

    @property
    def is_over(self) -> bool:
        return self.is_in(State.CLOSED) is True

    @property
    def is_transferring(self) -> bool:
        """Whether a transfer was announced by 1yz and its final reply is to come, as far as anybody can tell."""
        return self.is_in(State.TRANSFERRING) is not False

    @property
    def security(self) -> State:
        """Whether the control connection is in TLS, and since when."""
        found = {state for world in self._worlds for state in world.states if state.axis is Axis.SECURITY}
        assert len(found) == 1, "AUTH, CCC and REIN are never overtaken"
        return found.pop()


def _chosen(joined: list[World], overtakes: bool | None) -> list[World]:
    if overtakes is None:
        return joined
    return joined[1:] or joined if overtakes else joined[:1]


def _agreed(answers: set[bool]) -> bool | None:
    return answers.pop() if len(answers) == 1 else None


def _shown(world: World) -> str:
    waiting = ", ".join(said.line for said in world.waiting) or "nothing"
    return f"{waiting} in {' '.join(sorted(state.name for state in world.states))}"
