"""What the pages say about commands is what the table holds."""

from __future__ import annotations

import re
from pathlib import Path

from ftpd.ftp.manual import commands_page, served_verbs

_TOP = Path(__file__).resolve().parents[3]


def test_the_reference_page_is_current() -> None:
    assert (_TOP / "docs" / "commands.md").read_text(encoding="utf-8") == commands_page()


def test_the_readme_names_every_command_served_and_no_other() -> None:
    table = (_TOP / "README.md").read_text(encoding="utf-8").partition("## Commands served")[2].partition("\n\n`docs")[0]
    cells = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ")]
    named = {verb for cell in cells for verb in re.findall(r"SITE [A-Z]+|[A-Z@][A-Z0-9@]{2,}", re.sub(r"\([^)]*\)", "", cell))}
    assert named - {"TLS"} == set(served_verbs())


def test_every_command_has_a_sentence_and_a_source() -> None:
    page = commands_page()
    sections = page.split("\n## ")[1:-1]
    assert all(section.partition("\n\n")[2].strip() for section in sections)
