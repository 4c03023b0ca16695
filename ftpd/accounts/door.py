"""Door: whether anybody is let in now, and when those inside have to go: locked by an operator, or drained before a restart or a stop.

Apart from `limits`, which count, and from the protocols, whose sessions know when they are at rest.
"""

from __future__ import annotations

from typing import Final

__all__ = ["RESTARTING", "Door", "one_line"]

RESTARTING: Final = "The server is restarting; please connect again."
_LOCKED: Final = "The server lets nobody in now; try again later."
_MOST_CHARACTERS: Final = 400  # with code and line end it stays below 512 bytes, a whole reply in SMTP (RFC 5321 4.5.3.1.5)


class Door:
    """The door of one listener: open until it is locked or drained.  Locking can be taken back, draining cannot."""

    __slots__ = ("_message", "quiet_seconds", "words")

    def __init__(self) -> None:
        self.quiet_seconds: float | None = None
        """How long a session that goes on may be silent while the door is drained; None: it is not."""
        self.words = ""
        """What a session that is ended by draining is told."""
        self._message: str | None = None

    @property
    def refusal(self) -> str | None:
        """What whoever comes now is told instead of being let in; None: they are let in."""
        return self.words if self.quiet_seconds == 0 else self._message

    def lock(self, message: str | None) -> None:
        """Let nobody in, and tell them *message*; None: let them in again."""
        self._message = None if message is None else one_line(message) or _LOCKED

    def drain(self, quiet_seconds: float, words: str) -> None:
        """Ask sessions to go once they are silent for so long; what was asked before stands where it is sooner."""
        if self.quiet_seconds is None or quiet_seconds <= self.quiet_seconds:
            self.quiet_seconds = max(0.0, quiet_seconds)
            self.words = one_line(words) or RESTARTING

    def sends_away(self, silent_seconds: float) -> bool:
        """Whether a session at rest that has been silent for so long has to go."""
        return self.quiet_seconds is not None and silent_seconds >= self.quiet_seconds


def one_line(text: str) -> str:
    """Return *text*, which may have come from anywhere, as one line that a reply can carry: `?` for what does not print."""
    words = " ".join(text.split())
    return "".join(letter if letter.isprintable() else "?" for letter in words)[:_MOST_CHARACTERS]
