"""Checks on directories, names and renaming: PWD, CWD, CDUP, MKD, RMD, DELE, RNFR, RNTO (RFC 959 4.1.1, 4.1.3, appendix II; RFC 2640 3.1)."""

from __future__ import annotations

import re

from ftpd.conformance.check import check
from ftpd.conformance.checks.features import rows
from ftpd.conformance.conversation import shown
from ftpd.conformance.finding import Violated, demand, lacking, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE
from ftpd.dialogue import Heard

_QUOTED = re.compile(r'257 "((?:[^"]|"")*)"')


def quoted(heard: Heard) -> str:
    """Return the path that a 257 tells, with its quotes undone."""
    match = _QUOTED.match(heard.lines[0].decode("utf-8", "surrogateescape"))
    if match is None:
        raise Violated(f"no path in quotes: {shown(heard.lines[0])}")
    return match[1].replace('""', '"')


@check(959, "appendix II", is_advice=True)
def pwd_is_257_and_quoted(probe: Probe) -> None:
    """PWD tells the directory in double quotes behind 257."""
    quoted(probe.tells("PWD", 257))


@check(959, "appendix II", writes=True, is_advice=True)
def quotes_in_a_name_are_doubled(probe: Probe) -> None:
    """A double quote in a name is doubled in a 257."""
    probe.needs('MKD a"b', 257)
    probe.needs('CWD a"b', 200, 250)
    told = probe.tells("PWD", 257).lines[0]
    demand(b'a""b"' in told, f"PWD tells {shown(told)}")


@check(959, "appendix II", writes=True)
def mkd_tells_the_path(probe: Probe) -> None:
    """MKD tells the absolute path of the new directory, good for a CWD from anywhere."""
    path = quoted(probe.tells("MKD made", 257))
    probe.needs("CDUP", 200, 250)
    demand(probe.final(f"CWD {path}").code in (200, 250), f"CWD to {path!a}, which MKD told, fails")


@check(959, "appendix II", writes=True)
def mkd_of_what_exists_is_550(probe: Probe) -> None:
    """MKD of a directory that is there is refused (521 in the example, 550 in the list of 5.4)."""
    probe.final("MKD twice")
    probe.refuses("MKD twice", 550, 521)


@check(959, "4.1.1", writes=True)
def cwd_is_250(probe: Probe) -> None:
    """CWD to a directory is answered by 250 (200 in the examples of appendix II), and PWD follows."""
    probe.needs("MKD place", 257, 550)
    probe.wants("CWD place", 250, 200)
    demand(quoted(probe.tells("PWD", 257)).endswith("/place"), "PWD tells another directory")


@check(959, "4.1.1")
def cwd_to_what_is_missing_is_550(probe: Probe) -> None:
    """CWD to a directory that is not there is refused with 550."""
    probe.refuses("CWD missing-8c1d", 550)


@check(959, "4.1.1", writes=True)
def cwd_to_a_file_is_550(probe: Probe) -> None:
    """CWD to a file is refused with 550."""
    probe.refuses(f"CWD {FIXTURE}", 550)


@check(959, "4.1.1")
def cdup_is_200_or_250(probe: Probe) -> None:
    """CDUP is answered by 200 (5.4) or 250 (4.1.1: its replies are CWD's)."""
    probe.wants("CDUP", 200, 250)


@check(959, "4.1.1", writes=True)
def cdup_goes_up(probe: Probe) -> None:
    """After CDUP, PWD tells the directory above."""
    before = quoted(probe.tells("PWD", 257))
    probe.needs("CDUP", 200, 250)
    after = quoted(probe.tells("PWD", 257))
    demand(before.startswith(after) and before != after, f"from {before!a} it goes to {after!a}")


@check(959, "4.1.3", writes=True, is_advice=True)
def rmd_of_what_is_not_empty_is_550(probe: Probe) -> None:
    """RMD of a directory that is not empty is refused with 550 (no RFC says so: some servers remove the whole tree)."""
    probe.needs("MKD full", 257, 550)
    probe.needs("MKD full/inner", 257, 550)
    probe.refuses("RMD full", 550)


@check(959, "4.1.3", writes=True)
def rmd_is_250(probe: Probe) -> None:
    """RMD of an empty directory is answered by 250, and it is gone."""
    probe.needs("MKD empty", 257, 550)
    probe.wants("RMD empty", 250)
    demand(probe.final("CWD empty").code >= 400, "CWD to it does not fail")


@check(959, "4.1.3")
def rmd_of_what_is_missing_is_550(probe: Probe) -> None:
    """RMD of what is not there is refused with 550."""
    probe.refuses("RMD missing-8c1d", 550)


@check(1123, "4.1.3.1", writes=True, is_advice=True)
def x_forms_are_taken(probe: Probe) -> None:
    """XPWD, XMKD, XCWD, XCUP and XRMD are served like the verbs without the X."""
    for line in ("XPWD", "XMKD old", "XCWD old", "XCUP", "XRMD old"):
        demand(probe.offered(line).code in (200, 250, 257), f"{line} is refused")


@check(959, "4.1.3", writes=True)
def dele_is_250(probe: Probe) -> None:
    """DELE is answered by 250, and the file is gone."""
    probe.store("STOR doomed", b"x")
    probe.wants("DELE doomed", 250)
    probe.refuses("DELE doomed")


@check(959, "4.1.3")
def dele_of_what_is_missing_is_550(probe: Probe) -> None:
    """DELE of what is not there is refused with 550."""
    probe.refuses("DELE missing-8c1d", 550, 450)


@check(959, "4.1.3", writes=True, is_advice=True)
def dele_of_a_directory_is_550(probe: Probe) -> None:
    """DELE of a directory is refused with 550."""
    probe.needs("MKD folder", 257, 550)
    probe.refuses("DELE folder", 550, 450)


@check(959, "4.1.3", writes=True)
def rename_is_350_and_250(probe: Probe) -> None:
    """RNFR is answered by 350 and RNTO by 250, and the file has its new name."""
    probe.store("STOR before", b"x")
    probe.wants("RNFR before", 350)
    probe.wants("RNTO after", 250)
    demand(probe.fetch("RETR after") == b"x", "the file is not there under its new name")
    demand(probe.final("RNFR before").code >= 400, "it is there under the old name too")


@check(959, "4.1.3")
def rnfr_of_what_is_missing_is_550(probe: Probe) -> None:
    """What is not there cannot be renamed: RNFR is refused with 550, or RNTO is."""
    if probe.final("RNFR missing-8c1d").code == 350:
        probe.refuses("RNTO made-of-nothing")
        remark("RNFR is taken, and RNTO refused")
    probe.refuses("RNFR missing-8c1d", 550, 450)


@check(959, "5.4")
def rnto_before_rnfr_is_503(probe: Probe) -> None:
    """RNTO without RNFR is out of order: 503."""
    probe.refuses("RNTO x", 503)


@check(959, "4.1.3", writes=True)
def a_failed_rnfr_is_not_remembered(probe: Probe) -> None:
    """RNTO after an RNFR that failed renames nothing, not even what an earlier RNFR has named."""
    probe.store("STOR kept", b"x")
    probe.needs("RNFR kept", 350)
    code = probe.final("RNFR missing-8c1d").code
    if code in (350, 501, 503):
        lacking(f"a second RNFR does not fail for what it names: it is answered by {code}")
    probe.refuses("RNTO stolen")


@check(959, "5.3.2", writes=True)
def names_keep_their_spaces(probe: Probe) -> None:
    """A space inside a name is a part of it."""
    _store_and_find(probe, "two words")


@check(2640, "3.1", writes=True)
def names_begin_and_end_with_spaces(probe: Probe) -> None:
    """Spaces behind the first one after the command are a part of the name, and those at its end (who has UTF8 or MLST must do so)."""
    if not {"UTF8", "MLST"} & {row.partition(" ")[0].upper() for row in rows(probe)}:
        lacking("FEAT has neither UTF8 nor MLST, and RFC 959 5.3 lets any number of spaces stand before a name")
    _store_and_find(probe, " leading")
    _store_and_find(probe, "trailing ")


def _store_and_find(probe: Probe, name: str) -> None:
    begun = probe.upload(f"STOR {name}", name.encode()).begun
    if not begun.is_preliminary:
        lacking(f"{name!r} is refused with {begun.code}, as names may be")
    demand(name.encode() in re.split(rb"\r\n|/", probe.fetch("NLST")), f"NLST tells of no name {name!r}")
    demand(probe.fetch(f"RETR {name}") == name.encode(), "the file is not what was stored")
