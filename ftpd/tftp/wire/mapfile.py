"""MapFile: rules that change the names that clients ask for, in the form of tftp-hpa's map files; docs/tftp-maps.md is their page.

Apart from `rule`, which reads a line, and from `ftpd.tftp.names`, which makes a path of the name that comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ftpd.paths import decode_name, encode_name
from ftpd.schema import ConfigError, Problem
from ftpd.tftp.wire.rule import GET, IPV4, IPV6, PUT, BadRule, Label, Rule, read_line

__all__ = ["ENDLESS", "NO_LABEL", "MapFile", "Mapped", "Step"]

_STEPS: Final = 4096  # rules that are tried for one name, besides each once: what tftp-hpa 5.4 allows
_LONGEST: Final = 4096  # bytes of a name, Linux's PATH_MAX: rules can double a name with every step
ENDLESS: Final = "The rules for names come to no end"
NO_LABEL: Final = "The rules for names lead nowhere"


class Step(NamedTuple):
    """A rule that matched, and the name before and after it."""

    rule: Rule
    before: str
    after: str


class Mapped(NamedTuple):
    """What the rules made of a name: `name`, or None where they refuse it, with words for the client in `refusal` (empty: none)."""

    name: str | None
    refusal: str
    steps: Sequence[Step]


class _Endless(Exception):
    """The rules go on for too long, or the name gets too long."""


class MapFile:
    """The rules of one file, in their order.  Immutable."""

    __slots__ = ("_labels", "_rules")

    def __init__(self, rules: Sequence[Rule], labels: Mapping[bytes, int]) -> None:
        self._rules = rules
        self._labels = labels  # -> index of the rule behind it

    @classmethod
    def parse(cls, text: str, file: str = "") -> MapFile:
        """Read the *text* of a *file* (bytes that are not UTF-8: as `decode_name` gives them).

        Raises `ConfigError` with all problems, whose `path` is the line.
        """
        rules: list[Rule] = []
        labels: dict[bytes, int] = {}
        problems: list[Problem] = []
        for line, raw in enumerate(_lines(text), 1):
            try:
                entry = read_line(raw, line)
            except BadRule as error:
                problems.append(Problem(file, f"line {line}", error.found, error.allowed))
                continue
            if isinstance(entry, Rule):
                rules.append(entry)
            elif isinstance(entry, Label):
                labels.setdefault(entry.name, len(rules))  # the first of a name counts
        problems += (
            Problem(file, f"line {rule.line}", f"label {decode_name(rule.replacement.literal)!r}", "no line has it")
            for rule in rules
            if rule.jumps and rule.replacement.literal is not None and rule.replacement.literal not in labels
        )
        if problems:
            raise ConfigError(sorted(problems, key=lambda problem: int(problem.path.removeprefix("line "))))
        return cls(tuple(rules), labels)

    def apply(self, name: str, *, is_write: bool, address: str) -> Mapped:
        """Return what becomes of *name*, without NUL, in a request from the IP *address*."""
        return _Walk(self._rules, self._labels, address).through(encode_name(name), is_write=is_write)


def _lines(text: str) -> Sequence[bytes]:
    # A carriage return is no part of a line, as in tftp-hpa 5.4; of a NUL regcomp(3) would make the end.
    return encode_name(text).translate(None, b"\r\0").split(b"\n")


class _Walk:
    """One name on its way through the rules."""

    __slots__ = ("_address", "_labels", "_left", "_rules", "_steps")

    def __init__(self, rules: Sequence[Rule], labels: Mapping[bytes, int], address: str) -> None:
        self._rules = rules
        self._labels = labels
        self._address = address
        self._left = _STEPS + len(rules)
        self._steps: list[Step] = []

    def through(self, name: bytes, *, is_write: bool) -> Mapped:
        """Return where *name* ends."""
        others = (GET if is_write else PUT) | (IPV4 if ":" in self._address else IPV6)
        at = 0
        try:
            while at < len(self._rules):
                rule = self._rules[at]
                at += 1
                if rule.only & others:
                    continue
                offsets = self._search(rule, name)
                if (offsets is None) is not rule.is_inverse:
                    continue
                if rule.refuses:
                    self._note(rule, name, name)
                    return self._refused(decode_name(rule.replacement.fill(name, offsets, self._address)))
                name = self._after(rule, name, offsets)
                if rule.ends:
                    break
                if rule.restarts:
                    at = 0
                elif rule.jumps:
                    at = self._labels[rule.replacement.fill(name, offsets, self._address)]
        except _Endless:
            return self._refused(ENDLESS)
        except KeyError:
            return self._refused(NO_LABEL)
        return Mapped(decode_name(name), "", self._steps)

    def _after(self, rule: Rule, before: bytes, found: Sequence[int] | None) -> bytes:
        """Return what *rule*, which has matched, makes of the name."""
        name, offsets = before, found if rule.rewrites else None
        try:
            while offsets is not None:
                head = name[: offsets[0]] + rule.replacement.fill(name, offsets, self._address)
                name = head + name[offsets[1] :]
                offsets = self._again(rule, name, len(head)) if rule.repeats else None
        finally:
            self._note(rule, before, name)
        return name

    def _again(self, rule: Rule, name: bytes, done: int) -> Sequence[int] | None:
        """Search for what `g` finds in the *name* that it has made, for `gg` only behind what is *done*."""
        if len(name) > _LONGEST:
            raise _Endless
        if not rule.moves_on:
            return self._search(rule, name)
        return self._search(rule, name, done) if done < len(name) else None

    def _search(self, rule: Rule, name: bytes, start: int = 0) -> Sequence[int] | None:
        if not self._left:
            raise _Endless
        self._left -= 1
        return rule.expression.search(name, start)

    def _note(self, rule: Rule, before: bytes, after: bytes) -> None:
        self._steps.append(Step(rule, decode_name(before), decode_name(after)))

    def _refused(self, words: str) -> Mapped:
        return Mapped(None, words, self._steps)
