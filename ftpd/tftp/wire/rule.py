"""Rule: one line of a map file, read: whom it is for, what it matches, and what it does then.

Apart from `mapfile`, which walks the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import attrs

from ftpd.paths import decode_name
from ftpd.tftp.wire.expression import Expression
from ftpd.tftp.wire.replacement import Replacement

__all__ = ["GET", "IPV4", "IPV6", "PUT", "BadRule", "Label", "Rule", "read_line"]

# Kinds of request, as bits: what some rules are for only.
GET: Final = 1
PUT: Final = 2
IPV4: Final = 4
IPV6: Final = 8

_ONLY: Final = {"G": GET, "P": PUT, "4": IPV4, "6": IPV6}
_LETTERS: Final = "r g i e s a j G P 4 6 ~"
_APART: Final = ("r~", "rj", "aj", "ej")  # which tftp-hpa does not take together

# A field ends at white space, or at a hash mark, that has no backslash before it.
_FIELD: Final = re.compile(rb"[ \t\v\f]*((?:\\.|\\\Z|[^ \t\v\f#\\])+)")


class BadRule(ValueError):
    """A line is no rule: `found` says what it has, `allowed` what it may have."""

    def __init__(self, found: str, allowed: str) -> None:
        super().__init__(found, allowed)
        self.found = found
        self.allowed = allowed


@attrs.frozen
class Label:
    """A line `:name`, where rules with `j` go on."""

    name: bytes


@attrs.frozen(eq=False)
class Rule:
    """A line with an operation, an expression and, for some, a replacement.

    `line` counts from 1, `text` is the line without its comment.  `only` are the kinds of request it is for: those that have them all.
    """

    line: int
    text: str
    only: int
    expression: Expression
    is_inverse: bool
    replacement: Replacement
    rewrites: bool
    repeats: bool
    moves_on: bool
    refuses: bool
    ends: bool
    restarts: bool
    jumps: bool


def read_line(raw: bytes, line: int) -> Rule | Label | None:
    """Read line number *line* of a map file, without its line end; None: nothing but a comment.  Raises `BadRule`."""
    fields = list(_fields(raw))
    if not fields:
        return None
    if fields[0].startswith(b":"):
        return Label(fields[0][1:] or b"".join(fields[1:2]))
    if len(fields) == 1:
        raise BadRule(f"{decode_name(fields[0])} without a regular expression", "after the operation comes what it is for")
    return _rule(line, decode_name(b" ".join(fields)), _operation(decode_name(fields[0])), fields[1], b"".join(fields[2:]))


def _fields(raw: bytes) -> Iterator[bytes]:
    """Yield the three fields at most of a line; what stands behind them tftp-hpa ignores too."""
    at = 0
    for _ in range(3):
        match = _FIELD.match(raw, at)
        if match is None:
            return
        yield match[1]
        at = match.end()


def _operation(letters: str) -> str:
    if "E" in letters:
        raise BadRule(f"operation {letters!r}", "E of tftp-hpa 5.4 is not done here: the rules do not know which files there are")
    for letter in letters:
        if letter not in _LETTERS.split():
            raise BadRule(f"operation {letter!r}", f"allowed are {_LETTERS}")
    for pair in _APART:
        if set(pair) <= set(letters):
            raise BadRule(f"operation {letters!r}", f"{pair[0]} and {pair[1]} do not go together")
    return letters


def _rule(line: int, text: str, letters: str, expression: bytes, replacement: bytes) -> Rule:
    if "j" in letters and not replacement:
        raise BadRule(f"operation {letters!r} without a label", "after the regular expression comes the label to go on at")
    return Rule(
        line=line,
        text=text,
        only=sum(_ONLY[letter] for letter in set(letters) & _ONLY.keys()),
        expression=_expression(expression, ignore_case="i" in letters),
        is_inverse="~" in letters,
        replacement=Replacement(replacement),
        rewrites="r" in letters,
        repeats="g" in letters,
        moves_on=letters.count("g") > 1,
        refuses="a" in letters,
        ends="e" in letters,
        restarts="s" in letters,
        jumps="j" in letters,
    )


def _expression(source: bytes, *, ignore_case: bool) -> Expression:
    try:
        return Expression(source, ignore_case=ignore_case)
    except ValueError as error:
        raise BadRule(f"regular expression {decode_name(source)}: {error}", "") from None
