"""The languages that replies are written in: English, and a catalogue for each other one (RFC 2640).

Apart from the replies, which are made in English everywhere: who asks for another language has them translated where they are encoded.
A language is one file here, `WORDS` from English to its own, and is read when somebody first asks for it.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Final

from ftpd.ftp.languages.catalogue import Catalogue

__all__ = ["DEFAULT", "TAGS", "catalogue", "nearest"]

DEFAULT: Final = "en"
TAGS: Final = (DEFAULT, "de", "fr")
"""The language tags (RFC 5646), in the order in which FEAT tells them."""


@cache
def catalogue(tag: str) -> Catalogue | None:
    """Return what translates into the language *tag*, one of `TAGS`; None for English, in which replies are made."""
    if tag == DEFAULT:
        return None
    return Catalogue(tag, importlib.import_module(f"{__name__}.{tag}").WORDS)


def nearest(wanted: str) -> str | None:
    """Return the tag that serves the language range *wanted*, by lookup (RFC 4647 3.4): `de-AT` is served by `de`; None where nothing does."""
    subtags = wanted.lower().split("-")
    return next((tag for length in range(len(subtags), 0, -1) if (tag := "-".join(subtags[:length])) in TAGS), None)
