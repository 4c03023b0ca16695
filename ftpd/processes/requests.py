"""Requests: what a line on the control socket asks for, and which call of the operator that is.

Apart from the connection, so that everything a client can say wrong is in one place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from ftpd import __version__
from ftpd.accounts.choice import FIELDS, read_network
from ftpd.logs.visible import visible
from ftpd.processes.language import PROTOCOL, Message, read_line, written_row, written_status
from ftpd.processes.operator import Operator

__all__ = ["Answer", "BadRequest", "Wish", "read_wish"]

_KINDS: Final = MappingProxyType({str: "text", bool: "true or false", int: "a whole number"})
_MOST_RATE: Final = 2**63 - 1  # bytes a second
_MOST_MESSAGE: Final = 400  # letters of one reply line; clients are known to take 512 bytes


class BadRequest(Exception):
    """The request makes no sense; `kind` is "request", or "protocol" where another release of ftpd might understand it."""

    def __init__(self, message: str, kind: str = "request") -> None:
        self.kind = kind
        super().__init__(message)


@attrs.frozen
class Answer:
    """*parts* are sent one by one, then *done*."""

    done: Any = None
    parts: Iterable[Message] = ()


@attrs.frozen
class Wish:
    """What a client wants.  *words* say it in the log, where it changes something; empty: it does not."""

    grant: Callable[[Operator], Awaitable[Answer]]
    words: str = ""


def read_wish(line: bytes) -> Wish:
    """Return what *line* asks for.  Raises `BadRequest`."""
    try:
        message = dict(read_line(line))
    except ValueError as error:
        raise BadRequest(f"a request is a JSON object on one line ({error})") from error
    protocol = message.pop("protocol", None)
    if protocol != PROTOCOL:
        raise BadRequest(f"this is ftpd {__version__}, which speaks version {PROTOCOL} of the control protocol", "protocol")
    name = message.pop("do", None)
    if not isinstance(name, str) or name not in _WISHES:
        raise BadRequest(f"nothing is called that; there are {', '.join(_WISHES)}")
    wish, fields = _WISHES[name]
    if message.keys() != fields.keys():
        raise BadRequest(f"{name} takes {', '.join(fields) or 'nothing more'}")
    for field, kind in fields.items():
        if type(message[field]) is not kind:
            raise BadRequest(f"{field} of {name} is not {_KINDS[kind]}")
    return wish(**message)


def _who() -> Wish:
    async def grant(operator: Operator) -> Answer:
        rows = await operator.who()
        return Answer(len(rows), map(written_row, rows))

    return Wish(grant)


def _kick(field: str, value: str) -> Wish:
    value = _chosen(field, value)

    async def grant(operator: Operator) -> Answer:
        return Answer(await operator.kick(field, value))

    return Wish(grant, f"kick {field} {visible(value)}")


def _slow(field: str, value: str, rate: int) -> Wish:
    value = _chosen(field, value)
    if not 0 <= rate <= _MOST_RATE:
        raise BadRequest("a rate is bytes a second, 0 or more")

    async def grant(operator: Operator) -> Answer:
        return Answer(await operator.slow(field, value, rate))

    return Wish(grant, f"slow {field} {visible(value)} {rate}")


def _chosen(field: str, value: str) -> str:
    """Return *value* as the workers take it."""
    if field not in FIELDS:
        raise BadRequest(f"sessions are chosen by {', '.join(FIELDS)}")
    if not value:
        raise BadRequest(f"no {field} is empty")  # sessions without an account are those before their login
    return _network(value) if field == "address" else value


def _network(text: str) -> str:
    try:
        network = read_network(text)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return str(network.network_address if network.num_addresses == 1 else network)


def _lock(message: str) -> Wish:
    if len(message) > _MOST_MESSAGE or not message.isprintable():
        raise BadRequest(f"the message is one line of {_MOST_MESSAGE} letters at most")

    async def grant(operator: Operator) -> Answer:
        operator.lock(message)
        return Answer()

    return Wish(grant, f"lock {message}".strip())


def _unlock() -> Wish:
    async def grant(operator: Operator) -> Answer:
        operator.unlock()
        return Answer()

    return Wish(grant, "unlock")


def _reload() -> Wish:
    async def grant(operator: Operator) -> Answer:
        await operator.reload()
        return Answer()

    return Wish(grant, "reload")


def _stop(now: bool) -> Wish:
    async def grant(operator: Operator) -> Answer:
        return Answer(operator.stop(now))

    return Wish(grant, "stop now" if now else "stop")


def _status() -> Wish:
    async def grant(operator: Operator) -> Answer:
        return Answer(written_status(operator.status()))

    return Wish(grant)


# What may be asked, and which fields go with it.
_WISHES: Final[Mapping[str, tuple[Callable[..., Wish], Mapping[str, type]]]] = MappingProxyType(
    {
        "who": (_who, {}),
        "kick": (_kick, {"field": str, "value": str}),
        "slow": (_slow, {"field": str, "value": str, "rate": int}),
        "lock": (_lock, {"message": str}),
        "unlock": (_unlock, {}),
        "reload": (_reload, {}),
        "stop": (_stop, {"now": bool}),
        "status": (_status, {}),
    }
)
