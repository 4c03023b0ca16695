"""A verb is a row: what it takes, what it needs, what it advertises, and the coroutine that serves it.

Dispatch, FEAT, HELP, allow and deny lists, the audit and the reference page all read the row, so a new verb is one function
somewhere below `commands/`, in an extension file, or in an embedder's own table.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import attrs

from ftpd.errors import BadArgument
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath

if TYPE_CHECKING:
    from ftpd.ftp.session import Session

__all__ = ["Command", "CommandTable", "Needs", "command", "names_of", "nothing", "optional_path", "path", "table", "text"]

A = TypeVar("A")
Handler: TypeAlias = "Callable[[Session, A], Awaitable[Reply]]"
Feature: TypeAlias = "str | Callable[[Session], str]"
Option: TypeAlias = "Callable[[Session, str], Reply]"


class Needs(enum.Flag):
    """What must stand before a command runs; `answer` tests it against the session in one expression."""

    NOTHING = 0
    LOGIN = enum.auto()  # else 530
    DATA = enum.auto()  # a data port announced or targeted, else 425


@attrs.frozen(eq=False)
class Command(Generic[A]):
    """One row of the command table.

    `takes` turns the argument's text into what `run` wants, or raises a `Misuse`.  `refusal` stands in for 550 where RFC 959 5.4
    gives the command another code, and `codes` has errors with a code of their own here.  A feature that depends on the session is a function; "" is not shown in FEAT.  `beside` may be
    answered while a transfer runs; `keeps_restart` leaves a pending REST alone.  `option` is what OPTS does for the verb, with the rest
    of its argument.
    """

    verb: str
    run: Handler[A]
    takes: Callable[[Session, str], A]
    needs: Needs
    rfc: str
    syntax: str
    aliases: tuple[str, ...]
    features: tuple[Feature, ...]
    refusal: int
    beside: bool
    keeps_restart: bool
    is_secret: bool
    is_abortable: bool  # ABOR stops it, as it does whatever needs a data connection
    codes: Mapping[type[Exception], int]
    option: Option | None
    needs_login: bool = attrs.field(
        init=False
    )  # what `needs` says, as every command asks it: `in` a Flag costs 0.5 us (tests/bench: noop)
    needs_data: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "needs_login", self.needs is not Needs.NOTHING)
        object.__setattr__(self, "needs_data", Needs.DATA in self.needs)
        object.__setattr__(self, "is_abortable", self.is_abortable or self.needs_data)

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring: HELP and the reference page show it."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]


CommandTable: TypeAlias = Mapping[bytes, Command[Any]]


def command(
    verb: str,
    *aliases: str,
    takes: Callable[[Session, str], A],
    rfc: str,
    needs: Needs = Needs.NOTHING,
    syntax: str = "",
    features: tuple[Feature, ...] = (),
    refusal: int = 550,
    beside: bool = False,
    keeps_restart: bool = False,
    is_secret: bool = False,
    is_abortable: bool = False,
    codes: Mapping[type[Exception], int] = MappingProxyType({}),
    option: Option | None = None,
) -> Callable[[Handler[A]], Command[A]]:
    """Make the decorated coroutine function a row; its second parameter is what *takes* returns."""

    def row(run: Handler[A]) -> Command[A]:
        return Command(
            verb=verb,
            run=run,
            takes=takes,
            needs=needs,
            rfc=rfc,
            syntax=syntax,
            aliases=aliases,
            features=features,
            refusal=refusal,
            beside=beside,
            keeps_restart=keeps_restart,
            is_secret=is_secret,
            is_abortable=is_abortable,
            codes=codes,
            option=option,
        )

    return row


def table(rows: Iterable[Command[Any]]) -> CommandTable:
    """Key *rows* by their upper-cased verbs and aliases, read-only; a verb that stands twice is a programming error."""
    result: dict[bytes, Command[Any]] = {}
    for row in rows:
        for verb in (row.verb, *row.aliases):
            if result.setdefault(verb.encode("ascii"), row) is not row:
                raise ValueError(f"two commands are called {verb}")
    return MappingProxyType(result)


def names_of(verb: bytes, row: Command[Any]) -> set[str]:
    """What an operator may call *verb* in a list of commands: itself, the command it is an alias of, `SITE` for all of SITE."""
    return {verb.decode("ascii"), row.verb, row.verb.partition(" ")[0]}


# What commands take.


def nothing(session: Session, argument: str) -> None:
    """Take no argument; one that comes all the same is ignored, as every server of the field does (devices send `NOOP 0`)."""


def text(session: Session, argument: str) -> str:
    """Take the argument as it stands; none is 501."""
    if not argument:
        raise BadArgument("An argument is needed; HELP with the name of the command tells which")
    return argument


def path(session: Session, argument: str) -> VirtualPath:
    """Take a path, relative to the working directory; none is 501.  Every character counts, spaces at the end included."""
    return session.cwd.join(text(session, argument))


def optional_path(session: Session, argument: str) -> VirtualPath:
    """Take a path, the working directory if there is none."""
    return session.cwd.join(argument) if argument else session.cwd
