"""Checks on names beyond ASCII, and on LANG (RFC 2640)."""

from __future__ import annotations

import re

from ftpd.conformance.check import Start, check
from ftpd.conformance.checks.features import rows
from ftpd.conformance.conversation import shown
from ftpd.conformance.finding import demand, lacking, remark
from ftpd.conformance.probe import Probe

_NAME = "r\u00e9sum\u00e9-\u65e5\u672c"


def _demand_utf8(probe: Probe) -> None:
    if "UTF8" not in (row.upper() for row in rows(probe)):
        lacking("FEAT has no UTF8")


@check(2640, "3.2")
def utf8_stands_in_feat(probe: Probe) -> None:
    """A server that has UTF-8 names says UTF8 in FEAT."""
    _demand_utf8(probe)


@check(2640, "2.2", writes=True)
def utf8_names_are_kept(probe: Probe) -> None:
    """A name in UTF-8 is stored, listed and fetched as it is."""
    _demand_utf8(probe)
    begun = probe.upload(f"STOR {_NAME}", b"x").begun
    if not begun.is_preliminary:
        lacking(f"the name is refused with {begun.code}, as names may be")
    demand(probe.fetch(f"RETR {_NAME}") == b"x", "it cannot be fetched")
    demand(_NAME.encode() in probe.fetch("NLST"), "NLST tells another name")


@check(2640, "2.2", writes=True)
def utf8_names_in_replies(probe: Probe) -> None:
    """MKD and PWD tell a name in UTF-8 as it is."""
    _demand_utf8(probe)
    probe.final(f"MKD {_NAME}-d")
    probe.needs(f"CWD {_NAME}-d", 200, 250)
    told = probe.tells("PWD", 257).lines[0]
    demand(_NAME.encode() in told, f"PWD tells {shown(told)}")


@check(2640, "3.1", writes=True)
def bytes_that_are_no_utf8_do_no_harm(probe: Probe) -> None:
    """A name that is not UTF-8 is taken or refused, and the session goes on."""
    heard = probe.final(b"MKD latin-\xe9")
    demand(heard.code == 257 or heard.code >= 400, f"it is answered by {heard.code}")
    demand(probe.say("NOOP").code == 200, "NOOP is not answered by 200 afterwards")
    if heard.code == 257:
        probe.final(b"RMD latin-\xe9")


@check(2640, "3.2", start=Start.OWN)
def opts_utf8_is_taken(probe: Probe) -> None:
    """OPTS UTF8 ON, which many clients send, is not refused by who has UTF8 (a draft has it, and no RFC)."""
    _demand_utf8(probe)
    heard = probe.final("OPTS UTF8 ON")
    if heard.code >= 400:
        remark(f"it is answered by {heard.code}")


@check(2640, "3.1", writes=True)
def cr_nul_is_a_cr(probe: Probe) -> None:
    """CR NUL inside a name is a CR, where names may have one."""
    heard = probe.final(b"MKD c\r\0r")
    if heard.code >= 400:
        lacking(f"a name with CR is refused with {heard.code}")
    demand(probe.final(b"RMD c\r\0r").code == 250, "the name is not found again")


@check(2640, "4.2", start=Start.OWN)
def lang_without_argument_is_200(probe: Probe) -> None:
    """LANG alone goes back to the default language: 200."""
    probe.wants("LANG", 200)


@check(2640, "4.2", start=Start.OWN, is_advice=True)
def lang_of_no_language_is_refused(probe: Probe) -> None:
    """LANG with a language that is not there is answered by 504, and one that is none by 501."""
    probe.offered("LANG")
    probe.refuses("LANG qx-nowhere", 504, 501)


@check(2640, "4.3")
def lang_marks_the_one_in_force(probe: Probe) -> None:
    """FEAT has LANG with the tags of the languages, and an asterisk at none but the one in force."""
    found = [row for row in rows(probe) if row.upper().startswith("LANG")]
    if not found:
        lacking("FEAT has no LANG")
    demand(re.fullmatch(r"LANG [A-Za-z0-9*;-]+", found[0], re.IGNORECASE), f"it is {found[0][:80]!a}")
    demand(found[0].count("*") <= 1, f"{found[0].count('*')} languages have an asterisk")


@check(2640, "4.2", start=Start.STRANGER)
def lang_of_each_that_feat_has(probe: Probe) -> None:
    """Each language that FEAT names is taken before a login, where LANG belongs."""
    probe.expect_greeting()
    _demand_languages(probe)


@check(2640, "4.1", start=Start.OWN)
def lang_at_any_time(probe: Probe) -> None:
    """Each language that FEAT names is taken after a login too: LANG may come at any time."""
    _demand_languages(probe)


def _demand_languages(probe: Probe) -> None:
    found = [row for row in rows(probe) if row.upper().startswith("LANG ")]
    if not found:
        lacking("FEAT has no LANG")
    for tag in filter(None, found[0][5:].replace("*", "").split(";")[:8]):
        code = probe.final(f"LANG {tag}").code
        demand(code == 200, f"LANG {tag} is answered by {code}")
