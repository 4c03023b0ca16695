"""The command reference, written from the rows themselves: `python -m ftpd.ftp.manual` prints `docs/commands.md`.

Apart from HELP, which answers one client about one command.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

from ftpd.ftp.command import Command, Needs
from ftpd.ftp.commands import KNOWN_VERBS, standard_commands

__all__ = ["commands_page", "served_verbs"]

_HEAD = """\
# FTP commands

Generated from the command table by `python -m ftpd.ftp.manual`.

*Login*: only after USER and PASS, else 530. *Data*: a data connection has to be announced first (PASV, EPSV, PORT, EPRT), else 425.
*Beside*: answered at once while a transfer runs. Every command can also give 500 or 501 for what cannot be read, and 421 when the
connection is about to close.
"""
_TAIL = """\
## Known and not served

These verbs of RFCs and drafts are answered with 502: {verbs}. Anything else is 500.
"""


def commands_page() -> str:
    """Return the text of `docs/commands.md`."""
    rows = dict.fromkeys(standard_commands().values())
    table = [
        "| command | served as | needs | beside | defined in |",
        "|---|---|---|---|---|",
        *(_table_row(row) for row in rows),
    ]
    sections = (_section(row) for row in rows)
    unserved = sorted(verb.decode("ascii") for verb in KNOWN_VERBS - standard_commands().keys())
    return "\n".join([_HEAD, *table, "", *sections, _TAIL.format(verbs=", ".join(unserved))])


def served_verbs() -> list[str]:
    """Return every verb and alias served, sorted."""
    return sorted(verb.decode("ascii") for verb in standard_commands())


def _table_row(row: Command[Any]) -> str:
    syntax = (row.syntax or row.verb).replace("|", "\\|")
    aliases = f" (also {', '.join(row.aliases)})" if row.aliases else ""
    return f"| {row.verb} | `{syntax}`{aliases} | {_needs(row)} | {'yes' if row.beside else ''} | {row.rfc} |"


def _needs(row: Command[Any]) -> str:
    return ", ".join(words for need, words in ((Needs.LOGIN, "login"), (Needs.DATA, "data")) if need in row.needs)


def _section(row: Command[Any]) -> str:
    return f"## {row.verb}\n\n{inspect.getdoc(row.run) or ''}\n"


if __name__ == "__main__":
    sys.stdout.write(commands_page())
