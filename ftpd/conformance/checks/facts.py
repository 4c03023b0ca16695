"""Checks on SIZE, MDTM, MLST, MLSD (RFC 3659 2.2.2, 2.3, 3, 4, 7)."""

from __future__ import annotations

import calendar
import re
import time
from typing import Final

from ftpd.conformance.check import Start, check
from ftpd.conformance.conversation import shown
from ftpd.conformance.finding import demand, lacking, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE, TEXT

_TIME: Final = re.compile(r"[0-9]{14}(\.[0-9]+)?")
_FACTS: Final = re.compile(r"(?:[!-:<-~]+?=[^;\r\n]*;)*")
_SKEW_SECONDS: Final = 60  # that clocks may differ without hiding a time zone, which is so many quarters of an hour
_ZONE_QUARTERS: Final = 14 * 4


def _seconds(stamp: str) -> float:
    return calendar.timegm(time.strptime(stamp[:14], "%Y%m%d%H%M%S"))


def _facts(row: str) -> tuple[dict[str, str], str]:
    """Cut one line of facts and name, its grammar demanded (RFC 3659 7.2)."""
    facts, space, name = row.partition(" ")
    demand(space, f"no facts, space and name: {row[:120]!a}")
    demand(_FACTS.fullmatch(facts), f"each fact is NAME=VALUE; and nothing else: {facts[:120]!a}")
    pairs = (fact.partition("=") for fact in facts.split(";")[:-1])
    return {key.lower(): value for key, _, value in pairs}, name


def _mlst(probe: Probe, path: str = "") -> tuple[dict[str, str], str]:
    heard = probe.tells(f"MLST {path}".rstrip(), 250)
    demand(len(heard.lines) == 3, f"it has {len(heard.lines)} lines, not three")
    row = heard.lines[1].decode("utf-8", "surrogateescape")
    demand(row.startswith(" "), f"the line of facts begins with no space: {row[:80]!a}")
    return _facts(row[1:])


def _mlsd(probe: Probe, path: str = "") -> dict[str, dict[str, str]]:
    content = probe.fetch(f"MLSD {path}".rstrip()).decode("utf-8", "surrogateescape")
    demand(not content or content.endswith("\r\n"), "the last line has no CR LF")
    found = {}
    for row in content.split("\r\n")[:-1]:
        facts, name = _facts(row)
        demand(name, f"a line has no name: {row[:120]!a}")
        found[name] = facts
    return found


@check(3659, "4", writes=True)
def size_counts_what_retr_sends(probe: Probe) -> None:
    """In TYPE I, SIZE is what RETR sends, told as 213 and digits."""
    heard = probe.tells(f"SIZE {FIXTURE}", 213)
    demand(heard.text == str(len(TEXT)), f"it is {shown(heard.lines[-1])}, and {len(TEXT)} bytes are sent")


@check(3659, "4", writes=True)
def size_counts_in_the_type_that_is_set(probe: Probe) -> None:
    """In TYPE A, SIZE is what RETR sends there, line ends of two bytes included, or is refused."""
    probe.needs("TYPE A", 200)
    heard = probe.offered(f"SIZE {FIXTURE}")
    if heard.code >= 400:
        remark(f"it is refused with {heard.code}, as servers may that would have to read the file")
    sent = len(probe.fetch(f"RETR {FIXTURE}"))
    demand(heard.text == str(sent), f"it is {shown(heard.lines[-1])}, and {sent} bytes are sent")


@check(3659, "4.2")
def size_of_what_is_missing_is_550(probe: Probe) -> None:
    """SIZE of what is not there is refused with 550."""
    probe.offered("SIZE x")
    probe.refuses("SIZE missing-8c1d", 550)


@check(3659, "4.2", writes=True)
def size_of_a_directory_is_550(probe: Probe) -> None:
    """SIZE of a directory is refused with 550."""
    probe.final("MKD folder")
    probe.offered("SIZE folder")
    probe.refuses("SIZE folder", 550)


@check(3659, "3.1", writes=True)
def mdtm_is_fourteen_digits(probe: Probe) -> None:
    """MDTM tells YYYYMMDDhhmmss, with a fraction or without."""
    heard = probe.tells(f"MDTM {FIXTURE}", 213)
    demand(_TIME.fullmatch(heard.text), f"it is {shown(heard.lines[-1])}")


@check(3659, "2.3", writes=True)
def mdtm_is_utc(probe: Probe) -> None:
    """MDTM is in UTC, whatever the clock of the server shows."""
    probe.store("STOR fresh", b"x")
    told = probe.tells("MDTM fresh", 213).text
    demand(_TIME.fullmatch(told), f"it is {told[:40]!a}")
    away = abs(_seconds(told) - time.time())
    quarters = round(away / 900)
    if abs(away - quarters * 900) > _SKEW_SECONDS or quarters > _ZONE_QUARTERS:
        remark(f"the server's clock is {away:.0f} seconds away from this one, so that it cannot be seen")
    demand(quarters == 0, f"a file that was stored now is {quarters / 4} hours away, as in local time")


@check(3659, "3.2")
def mdtm_of_what_is_missing_is_550(probe: Probe) -> None:
    """MDTM of what is not there is refused with 550."""
    probe.offered("MDTM missing-8c1d")
    probe.refuses("MDTM missing-8c1d", 550)


@check(3659, "7.2", writes=True)
def mlst_has_three_lines(probe: Probe) -> None:
    """MLST is answered by 250-, one line of facts behind one space, and 250."""
    facts, name = _mlst(probe, FIXTURE)
    demand(name.endswith(FIXTURE), f"the name is {name[:80]!a}")
    demand(facts, "there is no fact")


@check(3659, "7.3.1", writes=True, is_advice=True)
def mlst_name_is_that_of_the_file(probe: Probe) -> None:
    """The name that MLST tells is the one that was asked for, or the full path."""
    _, name = _mlst(probe, FIXTURE)
    demand(name == FIXTURE or (name.startswith("/") and name.endswith(f"/{FIXTURE}")), f"it is {name[:80]!a}")


@check(3659, "7.5.1", writes=True)
def mlst_type_is_file(probe: Probe) -> None:
    """The type of a file is file, that of a directory dir."""
    demand(_mlst(probe, FIXTURE)[0].get("type", "file").lower() == "file", "a file is told to be something else")
    kind = _mlst(probe)[0].get("type", "dir").lower()
    demand(kind in ("dir", "cdir"), f"a directory is told to be {kind!a}")


@check(3659, "7.5.7", writes=True, is_advice=True)
def mlst_size_is_that_of_size(probe: Probe) -> None:
    """The fact size is the number of bytes in the file."""
    size = _mlst(probe, FIXTURE)[0].get("size")
    if size is None:
        lacking("there is no such fact")
    demand(size == str(len(TEXT)), f"it is {size!a}, of {len(TEXT)} bytes")


@check(3659, "7.5.3", writes=True, is_advice=True)
def mlst_modify_is_that_of_mdtm(probe: Probe) -> None:
    """The fact modify is the time that MDTM tells."""
    modify = _mlst(probe, FIXTURE)[0].get("modify")
    if modify is None:
        lacking("there is no such fact")
    demand(modify[:14] == probe.tells(f"MDTM {FIXTURE}", 213).text[:14], f"it is {modify!a}, and MDTM tells another time")


@check(3659, "7.5.5", writes=True)
def mlst_perm_has_known_letters(probe: Probe) -> None:
    """The fact perm has the letters acdeflmprw and no other, and those that fit the type."""
    perm = _mlst(probe, FIXTURE)[0].get("perm")
    if perm is None:
        lacking("there is no such fact")
    demand(set(perm.lower()) <= set("acdeflmprw"), f"of a file it is {perm!a}")
    if not set(perm.lower()) <= set("adfrw"):
        remark(f"of a file it is {perm!a}, with letters that are for directories")


@check(3659, "7.5.2", writes=True, is_advice=True)
def mlst_unique_is_the_same_twice(probe: Probe) -> None:
    """The fact unique is the same for the same file, and not for two files."""
    probe.store("STOR other", b"x")
    first, again, other = (_mlst(probe, name)[0].get("unique") for name in (FIXTURE, f"./{FIXTURE}", "other"))
    if first is None:
        lacking("there is no such fact")
    demand(first == again, "it changes with the path")
    demand(first != other, "two files have the same")


@check(3659, "7.2.1")
def mlst_of_what_is_missing_is_550(probe: Probe) -> None:
    """MLST of what is not there is refused with 550."""
    probe.offered("MLST missing-8c1d")
    probe.refuses("MLST missing-8c1d", 550)


@check(3659, "2.2.2", writes=True)
def mlst_has_no_wildcards(probe: Probe) -> None:
    """MLST takes * for a letter and not for a pattern."""
    heard = probe.offered("MLST fixture.*")
    demand(heard.code >= 400, f"it is answered by {heard.code}")


@check(3659, "7.2", writes=True)
def mlsd_has_facts_and_names(probe: Probe) -> None:
    """Every line of MLSD is facts, one space and a name."""
    found = _mlsd(probe)
    demand(any(name.rpartition("/")[2] == FIXTURE for name in found), f"{FIXTURE} is not among {list(found)[:5]}")
    if FIXTURE not in found:
        remark("the names have their directory before them, which they should not (7.3.1)")


@check(3659, "7.5.1", writes=True, is_advice=True)
def mlsd_marks_its_own_directory(probe: Probe) -> None:
    """MLSD calls . and .. cdir and pdir, if it tells them at all."""
    found = _mlsd(probe)
    plain = [name for name in (".", "..") if found.get(name, {}).get("type", "").lower() == "dir"]
    demand(not plain, f"{' and '.join(plain)} is told as an ordinary directory, into which clients descend for ever")


@check(3659, "7.2.1", writes=True)
def mlsd_of_a_file_is_501(probe: Probe) -> None:
    """MLSD of a file is refused with 501."""
    moved = probe.download(f"MLSD {FIXTURE}")
    if moved.final.code in (500, 502):
        lacking(f"MLSD is answered by {moved.final.code}")
    demand(moved.final.code >= 400, f"it ends with {moved.final.code}")
    if moved.final.code != 501:
        remark(f"it is refused with {moved.final.code}, not with 501")


@check(3659, "7.2.1")
def mlsd_of_what_is_missing_is_550(probe: Probe) -> None:
    """MLSD of what is not there is refused with 550."""
    moved = probe.download("MLSD missing-8c1d")
    if moved.final.code in (500, 502):
        lacking(f"MLSD is answered by {moved.final.code}")
    demand(moved.final.code >= 400, f"it ends with {moved.final.code}")
    if moved.final.code != 550:
        remark(f"it is refused with {moved.final.code}: a client that hears 501 may give up (rclone 1.60)")


@check(3659, "7.9", start=Start.OWN, writes=True)
def opts_mlst_chooses_facts(probe: Probe) -> None:
    """OPTS MLST size; is answered by 200 and what will be told, and MLST tells no other fact."""
    probe.offered(f"MLST {FIXTURE}")
    heard = probe.tells("OPTS MLST size;", 200)
    demand(re.search(r"MLST OPTS ?(size;)?", heard.text, re.IGNORECASE), f"it is {shown(heard.lines[-1])}")
    facts, _ = _mlst(probe, FIXTURE)
    demand(set(facts) <= {"size"}, f"it goes on to tell {', '.join(sorted(facts))}")


@check(3659, "7.9", start=Start.OWN, writes=True)
def opts_mlst_without_facts(probe: Probe) -> None:
    """OPTS MLST without a fact switches all of them off, and MLST tells the name alone."""
    probe.offered(f"MLST {FIXTURE}")
    probe.tells("OPTS MLST", 200)
    facts, name = _mlst(probe, FIXTURE)
    demand(not facts, f"it goes on to tell {', '.join(sorted(facts))}")
    demand(name.endswith(FIXTURE), f"the name is {name[:80]!a}")


@check(3659, "7.8")
def feat_marks_the_facts_that_are_told(probe: Probe) -> None:
    """FEAT has one line MLST with the facts, those that are told now with an asterisk."""
    rows = [line.decode("latin-1").strip() for line in probe.offered("FEAT").lines[1:-1]]
    mlst = [row for row in rows if row.upper().startswith("MLST")]
    if not mlst:
        lacking("FEAT has no MLST")
    demand(len(mlst) == 1, "FEAT has MLST more than once")
    marked = {fact.strip("*").lower() for fact in mlst[0][5:].split(";") if fact.endswith("*")}
    told = set(_mlst(probe)[0])
    demand(told <= marked, f"told without being marked: {', '.join(sorted(told - marked))}")


@check(3659, "7.8")
def feat_does_not_tell_mlsd(probe: Probe) -> None:
    """MLST in FEAT stands for MLSD too, which is not told by itself."""
    rows = {line.strip().upper() for line in probe.offered("FEAT").lines[1:-1]}
    if b"MLSD" in rows:
        remark("FEAT has MLSD")
