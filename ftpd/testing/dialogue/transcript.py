"""Transcript: what a dialogue was expected to be and what it was, side by side; and the replies in it.

Apart from the steps of the dialogue, which are many: this is what they are written into, and what a failing one shows.
"""

from __future__ import annotations

import re
from typing import Final

from ftpd.ftp.wire.replies import Reply

__all__ = ["Transcript", "shown"]

_TELNET_ANSWERS: Final = re.compile(rb"\A(?:\xff[\xfc\xfe].)+", re.DOTALL)  # WONT and DONT, before the reply that they come with
_FIRST_LINE: Final = re.compile(r"([1-6][0-9]{2})([ -])(.*)", re.DOTALL)


class Transcript:
    """Two columns of lines, the expected and the heard; `replies` are those of the server, parsed."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self._expected: list[str] = []
        self._heard: list[str] = []
        self._unparsed = b""
        self._begun: Reply | None = None

    def note(self, what: str) -> None:
        """Write down what the client did, in both columns."""
        self._expected.append(what)
        self._heard.append(what)

    def expect(self, what: str) -> None:
        """Write down what the server shall do."""
        self._expected.append(what)

    def hear(self, data: bytes) -> None:
        """Cut what the server wrote into lines and replies."""
        *lines, self._unparsed = (self._unparsed + data).split(b"\r\n")
        for line in lines:
            self._hear_line(_TELNET_ANSWERS.sub(b"", line).decode("utf-8", "surrogateescape"))

    def mismatch(self, what: str) -> AssertionError:
        """Return the error that says *what* is not as expected, and shows both columns."""
        return AssertionError("\n".join([what, "", "expected:", *self._expected, "", "heard:", *self._heard]))

    def _hear_line(self, line: str) -> None:
        self._heard.append(f"S: {line}")
        begun, match = self._begun, _FIRST_LINE.fullmatch(line)
        if begun is None:
            if match is None:
                raise self.mismatch(f"{line!r} is no reply")
            reply = Reply(int(match[1]), match[3])
            if match[2] == "-":
                self._begun = reply
            else:
                self.replies.append(reply)
        elif line.startswith(f"{begun.code} "):
            self.replies.append(begun._replace(last=line[4:]))
            self._begun = None
        else:
            self._begun = begun._replace(lines=(*begun.lines, line))


def shown(reply: Reply) -> str:
    """Return the first line of *reply*, as it stands in a transcript."""
    return f"{reply.code}{'-' if reply.lines else ' '}{reply.text}"
