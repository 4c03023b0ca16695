"""The catalogues know every text that a reply can have, as the sources have it."""

from __future__ import annotations

import importlib
import re

import pytest

from ftpd.ftp.languages import TAGS, catalogue
from ftpd.ftp.wire.replies import Reply
from tests.unit.ftp.languages.spoken import spoken, texts_of

OTHERS = [tag for tag in TAGS if tag != "en"]
PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
SAMPLES = {"path": "/a b", "old": "/old name", "new": "/new name", "name": "a name", "text": "some text"}

# What no catalogue has: machines read it, or nothing of it is a word.
UNTRANSLATED = {
    "Entering Extended Passive Mode ({})",
    "Entering Long Passive Mode ({})",
    "Entering Passive Mode ({}).",
    "FILE: {}",
    "(not logged in)",
    "for {} s:",
    "idle {} s",
    "local",
    "{} bytes",
    "{} of {} bytes",
    "MARK {} = {}",
    "MODE Z ENGINE ZLIB LEVEL {}.",
    "Name=ftpd; DirSep=/;",
    "Name=ftpd; Version={}; DirSep=/;",
    "PBSZ=0",
    "SSCN:{} METHOD",
    "TYPE {}, STRU {}, MODE {}",
    "UNIX Type: L8",
    "{} {}",
}


# Said by who wires the server together, outside the rooms that are read.
ELSEWHERE = {"The server is shutting down; closing.", "The server is restarting; please connect again."}


def words_of(tag: str) -> dict[str, str]:
    return dict(importlib.import_module(f"ftpd.ftp.languages.{tag}").WORDS)


def bare(template: str) -> str:
    return PLACEHOLDER.sub("{}", template).removesuffix(".")


@pytest.mark.parametrize("tag", OTHERS)
def test_every_text_of_the_sources_is_translated(tag):
    known = {bare(english) for english in words_of(tag)} | {text.removesuffix(".") for text in UNTRANSLATED}
    assert {
        text: place
        for text, place in spoken().items()
        if text.replace('"', "").removesuffix(".") not in {one.replace('"', "") for one in known}
    } == {}


@pytest.mark.parametrize("tag", OTHERS)
def test_nothing_is_translated_that_nobody_says(tag):
    said = {text.replace('"', "").removesuffix(".") for text in {*spoken(), *ELSEWHERE}}
    assert [english for english in words_of(tag) if bare(english).replace('"', "") not in said] == []


@pytest.mark.parametrize("tag", OTHERS)
def test_a_translation_has_the_placeholders_of_its_original(tag):
    assert {
        english: own
        for english, own in words_of(tag).items()
        if sorted(PLACEHOLDER.findall(english)) != sorted(PLACEHOLDER.findall(own))
    } == {}


@pytest.mark.parametrize("tag", OTHERS)
def test_each_template_is_known_by_what_it_makes(tag):
    own = catalogue(tag)
    assert own is not None
    for english, translated in words_of(tag).items():
        values = {name[1:-1]: SAMPLES.get(name[1:-1], "12") for name in PLACEHOLDER.findall(english)}
        assert own.text(english.format_map(values)) == translated.format_map(values)


@pytest.mark.parametrize("tag", OTHERS)
def test_translations_fit_one_line_and_are_not_the_original(tag):
    broken = [own for own in words_of(tag).values() if not own.isprintable()]
    same = [english for english, own in words_of(tag).items() if english == own]
    assert broken == []
    assert set(same) <= {"OK.", "Syntax:"}


@pytest.mark.parametrize("tag", OTHERS)
def test_the_size_in_a_150_stays_as_clients_read_it(tag):
    reply = Reply(150, "Opening BINARY mode data connection for /a (12 bytes).")
    own = catalogue(tag)
    assert own is not None
    assert own.translated(reply) != reply
    assert "(12 bytes)" in own.translated(reply).text


def test_the_sources_are_read_with_conditions_names_and_joins():
    source = """
WORDS = "Wait"
def f(a, b):
    hint = ": now" if a else ""
    if b:
        return Reply(200, f"{WORDS} here{hint}")
    raise BadArgument("Never " + b)
"""
    assert {text for _, text in texts_of(source)} == {"Wait here: now", "Wait here", "Never {}"}
