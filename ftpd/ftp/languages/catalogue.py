"""Catalogue: replies into one language.

Apart from the words, which translators edit.  Replies come as finished English text, with names in it that strangers chose; so the text is
matched against the English templates, and where a name makes it match in two ways the reply stays English: a name is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ftpd.ftp.wire.replies import Reply

__all__ = ["Catalogue", "Template"]

_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
_FREE: Final = frozenset({"name", "new", "old", "path", "text"})  # these may hold anything; any other placeholder is one word
_FROM_ROOT: Final = frozenset({"new", "old", "path"})  # and these begin with a slash, or with the quotation mark before it
# Machine-read, or the operator's own words (220).
_UNTOUCHED: Final = frozenset({213, 215, 220, 227, 228, 229, 251})
_UNIQUE_NAME: Final = "FILE: "  # what STOU stored (RFC 1123 4.1.2.9): whatever follows is its name
_PROSE: Final = "Status:"  # the reply whose further lines are sentences too, and no data
_LONGEST_WORD: Final = 40  # what stands for a placeholder in the cause of an error: a number, an address


class Ambiguous(Exception):
    """A text could mean two things, and is told as it is."""


class Template:
    """One English sentence with placeholders: what stands for them in a text, in time linear to it whatever the text holds."""

    __slots__ = ("_checks", "_first", "_inner", "_last", "_least", "names")

    def __init__(self, words: str) -> None:
        pieces = _PLACEHOLDER.split(words)
        self.names = tuple(pieces[1::2])
        self._first, *self._inner, self._last = pieces[::2]
        self._least = sum(map(len, pieces[::2]))
        self._checks = tuple((name in _FREE, name in _FROM_ROOT) for name in self.names)

    @property
    def is_free(self) -> bool:
        """Whether a placeholder may hold anything, a name for one."""
        return any(is_free for is_free, _ in self._checks)

    @property
    def begins_with_words(self) -> bool:
        """Whether what is fixed stands first."""
        return bool(self._first)

    def match(self, text: str) -> dict[str, str] | None:
        """Return what stands for each placeholder; None where *text* is something else.

        Raises :class:`Ambiguous` where a name in it makes that it could be cut in more than one way.
        """
        if len(text) < self._least or not text.startswith(self._first) or not text.endswith(self._last):
            return None
        values: list[str] = []
        is_ambiguous = False
        start, end = len(self._first), len(text) - len(self._last)
        for literal in self._inner:
            place = text.find(literal, start, end)
            if place < 0:
                return None
            is_ambiguous = is_ambiguous or text.find(literal, place + 1, end) >= 0
            values.append(text[start:place])
            start = place + len(literal)
        values.append(text[start:end])
        if is_ambiguous:
            if self.is_free:
                raise Ambiguous
            return None  # words have no spaces, and the pieces between them have
        return dict(zip(self.names, values, strict=True)) if self._are_plausible(values) else None

    def _are_plausible(self, values: list[str]) -> bool:
        for value, (is_free, is_from_root) in zip(values, self._checks, strict=True):
            if (is_from_root and not value.startswith("/")) or (not is_free and (" " in value or not value)):
                return False
        return True


class Catalogue:
    """Translates replies into the language *tag* by *words*: English templates, and what they are there, with the same placeholders.

    Without a final full stop a template is also known with one: that is how the words of an error end as a reply.
    """

    def __init__(self, tag: str, words: Mapping[str, str]) -> None:
        both = {**{f"{english}.": f"{own}." for english, own in words.items() if not english.endswith((".", ":"))}, **words}
        self.tag = tag
        self._fixed = {english: own for english, own in both.items() if not _PLACEHOLDER.search(english)}
        templates = [(Template(english), own) for english, own in both.items() if english not in self._fixed]
        self._closed = [(template, own) for template, own in templates if not template.is_free]
        self._free = [(template, own) for template, own in templates if template.is_free]
        self._causes = [(template, own) for template, own in templates if template.begins_with_words]
        self._longest_cause = max(map(len, both)) + _LONGEST_WORD

    def translated(self, reply: Reply) -> Reply:
        """Return *reply* in this language: its text, its last line, and further lines where they are sentences; what is data stays as it is."""
        code, text, lines, last = reply
        if code in _UNTOUCHED or text.startswith(_UNIQUE_NAME):
            return reply
        if not lines:
            return Reply(code, self.text(text))
        if text == _PROSE:
            lines = tuple(map(self._sentence, lines))
        return Reply(code, self.text(text), lines, self.text(last))

    def text(self, english: str) -> str:
        """Return *english* in this language, or as it is where it is not known, or could mean two things."""
        return self._one(english, self._meanings(english))

    def _sentence(self, english: str) -> str:
        """Return a line of STAT in this language; one that begins with no words of a template is a verb and its path, and stays."""
        return self._one(english, _matches(self._causes, english))

    def _one(self, english: str, meanings: Iterable[str]) -> str:
        """Return what *english* is, where it has no name in it, or else the only one of its *meanings*."""
        fixed = self._fixed.get(english)
        if fixed is not None:
            return fixed
        try:
            found = set(_matches(self._closed, english)) or set(meanings)
        except Ambiguous:
            return english
        return found.pop() if len(found) == 1 else english

    def _meanings(self, english: str) -> Iterator[str]:
        yield from _matches(self._free, english)
        if english.startswith("/"):
            yield from self._about_path(english)

    def _about_path(self, english: str) -> Iterator[str]:
        """Read `path: cause.`, as the error of a store is told; a path may hold `: ` itself, and no cause is longer than the longest."""
        start = max(1, len(english) - self._longest_cause)
        while (place := english.find(": ", start)) >= 0:
            path, cause = english[: place + 2], english[place + 2 :]
            start = place + 1
            if cause in self._fixed:
                yield path + self._fixed[cause]
            else:
                yield from (path + own for own in _matches(self._causes, cause))


def _matches(templates: Iterable[tuple[Template, str]], english: str) -> Iterator[str]:
    for template, own in templates:
        values = template.match(english)
        if values is not None:
            yield own.format_map(values)
