"""docs/representations.md: what it shows of the wire is what is sent, and what is stored of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ftpd.ftp.wire.conversion import incoming, outgoing
from ftpd.ftp.wire.ebcdic import CODE_PAGES
from ftpd.ftp.wire.form import Form, Mode, Representation, Structure

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "representations.md").read_text(encoding="utf-8")
FILE = b"Hi\n    !"
ROWS = re.findall(r"^\| ([AEI]) \| ([FR]) \| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)
SHOWN = [
    (Form(Representation(type_), Structure(structure), mode), bytes.fromhex(wire))
    for type_, structure, *wires in ROWS
    for mode, wire in zip((Mode.STREAM, Mode.BLOCK, Mode.COMPRESSED), wires, strict=True)
]


def test_each_combination_is_shown() -> None:
    assert len({form for form, _ in SHOWN}) == 18


@pytest.mark.parametrize(("form", "wire"), SHOWN)
def test_the_file_is_sent_as_shown(form: Form, wire: bytes) -> None:
    conversion = outgoing(form, 0)
    assert wire == (b"".join([*conversion.convert(FILE), *conversion.end()]) if conversion else FILE)


@pytest.mark.parametrize(("form", "wire"), SHOWN)
def test_what_is_shown_is_stored_as_the_file(form: Form, wire: bytes) -> None:
    conversion = incoming(form)
    if conversion is None:
        assert wire == FILE
        return
    parts = list(conversion.convert(wire))
    if not conversion.is_complete:
        parts += conversion.end()
    assert b"".join([part for part in parts if isinstance(part, bytes)]) == FILE


def test_each_code_page_is_told() -> None:
    assert tuple(re.findall(r"^\| `(cp[0-9]+)`", PAGE, re.MULTILINE)) == CODE_PAGES
