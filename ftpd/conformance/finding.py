"""Finding: what one check has found, and the exceptions by which a check says so.

Apart from the checks, which raise, and from the report, which counts.
"""

from __future__ import annotations

import enum
from typing import NoReturn

import attrs

__all__ = ["Finding", "Lacking", "Remarkable", "Unclear", "Verdict", "Violated", "demand", "lacking", "remark", "unclear"]


class Verdict(enum.Enum):
    """How a server stands to one rule."""

    CONFORMS = "conforms"
    VIOLATES = "violates"
    REMARK = "remark"  # what no rule forbids and somebody should know: a SHOULD that is not kept, a risk
    NOT_OFFERED = "not offered"
    UNCLEAR = "could not tell"


@attrs.frozen
class Finding:
    """One line of the report.

    `rfc` is a number, `section` that of the document; `words` say why, empty where it conforms; `dialogue` is what was sent and heard, with
    everything that is not printable escaped.
    """

    name: str
    rfc: int
    section: str
    title: str
    verdict: Verdict
    words: str = ""
    dialogue: tuple[str, ...] = ()
    seconds: float = 0.0


class _Told(Exception):
    """A check has come to its verdict; the message is a sentence for the report."""

    verdict: Verdict


class Violated(_Told):
    """The rule is broken."""

    verdict = Verdict.VIOLATES


class Remarkable(_Told):
    """The rule is kept, or none is there; it is worth knowing all the same."""

    verdict = Verdict.REMARK


class Lacking(_Told):
    """The server does not have what the check is about, and need not."""

    verdict = Verdict.NOT_OFFERED


class Unclear(_Told):
    """The check got nowhere, for a reason that need not be the server's."""

    verdict = Verdict.UNCLEAR


def demand(is_kept: object, words: str) -> None:
    """Raise :class:`Violated` with *words* unless *is_kept*."""
    if not is_kept:
        raise Violated(words)


def remark(words: str) -> NoReturn:
    raise Remarkable(words)


def lacking(words: str) -> NoReturn:
    raise Lacking(words)


def unclear(words: str) -> NoReturn:
    raise Unclear(words)
