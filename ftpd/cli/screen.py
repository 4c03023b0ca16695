"""Screen: where a display is drawn again and again, in place on a terminal, one below the other elsewhere.

Apart from what is shown, which knows its size and nothing of terminals.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

import click

__all__ = ["Screen", "say"]

_HOME = "\x1b[H"
_TO_END_OF_LINE = "\x1b[K"
_TO_END_OF_SCREEN = "\x1b[J"


def say(lines: Iterable[str]) -> None:
    """Print *lines*; letters that the output's encoding lacks are escaped, so that a name cannot end the command."""
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line}\n" for line in lines)
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), nl=False)


class Screen:
    """Standard output.  `columns` and `lines` are its size, None where it has none."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._is_drawn = self._is_terminal and os.environ.get("TERM", "dumb") != "dumb"
        self._is_used = False

    @property
    def columns(self) -> int | None:
        return shutil.get_terminal_size().columns if self._is_terminal else None

    @property
    def lines(self) -> int | None:
        """How many lines can be drawn at once: one is left for the cursor, or the first would roll away."""
        return shutil.get_terminal_size().lines - 1 if self._is_drawn else None

    def draw(self, lines: Iterable[str]) -> None:
        """Show *lines* in the place of those before."""
        if self._is_drawn:
            if not self._is_used:
                click.clear()
            click.echo(_HOME, nl=False)
            say(line + _TO_END_OF_LINE for line in lines)
            click.echo(_TO_END_OF_SCREEN, nl=False)
        else:
            if self._is_used:
                click.echo()
            say(lines)
        self._is_used = True
        sys.stdout.flush()
