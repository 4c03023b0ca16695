"""Checks on FEAT and OPTS: their form, and whether they tell the truth (RFC 2389)."""

from __future__ import annotations

import re

from ftpd.conformance.check import Start, check
from ftpd.conformance.conversation import is_unknown, shown
from ftpd.conformance.finding import demand, lacking, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE

_BASIC = frozenset(
    {
        "USER", "PASS", "ACCT", "CWD", "CDUP", "SMNT", "QUIT", "REIN", "PORT", "PASV", "TYPE", "STRU", "RETR", "STOR", "STOU", "APPE",
        "ALLO", "RNFR", "RNTO", "ABOR", "DELE", "RMD", "MKD", "PWD", "LIST", "NLST", "SYST", "STAT", "HELP", "NOOP",
    }
)  # fmt: skip
# A feature, and a line that has to be understood in clear where FEAT has it, whatever is answered.
_PROOFS = {
    "SIZE": "SIZE missing-8c1d",
    "MDTM": "MDTM missing-8c1d",
    "MLST": "MLST",
    "REST": "REST 0",
    "EPSV": "EPSV",
    "EPRT": "EPRT |9|1.2.3.4|4000|",
    "LANG": "LANG",
    "MFMT": "MFMT 20200101000000 missing-8c1d",
    "MFCT": "MFCT 20200101000000 missing-8c1d",
    "MFF": "MFF Modify=20200101000000; missing-8c1d",
    "CLNT": "CLNT conformance",
    "CSID": "CSID Name=conformance;",
    "HASH": "HASH missing-8c1d",
    "XCRC": "XCRC missing-8c1d",
    "XMD5": "XMD5 missing-8c1d",
    "XSHA": "XSHA missing-8c1d",
    "XSHA1": "XSHA1 missing-8c1d",
    "XSHA256": "XSHA256 missing-8c1d",
    "XSHA512": "XSHA512 missing-8c1d",
    "AVBL": "AVBL",
    "DSIZ": "DSIZ missing-8c1d",
    "RANG": "RANG 1 0",
    "PRET": "PRET RETR missing-8c1d",
}
# Extensions that FEAT has to have if they are served, and what proves that they are.
_SERVED = {"SIZE": (f"SIZE {FIXTURE}", 213), "MDTM": (f"MDTM {FIXTURE}", 213), "MLST": ("MLST", 250), "EPSV": ("EPSV", 229)}


def rows(probe: Probe) -> list[str]:
    """Return FEAT's lines, each stripped; :class:`Lacking` where there is no FEAT."""
    heard = probe.offered("FEAT")
    if heard.code != 211:
        lacking(f"FEAT is answered by {heard.code}")
    return [line.decode("latin-1").strip() for line in heard.lines[1:-1]]


@check(2389, "3.2")
def feat_is_211(probe: Probe) -> None:
    """FEAT is answered by 211."""
    probe.tells("FEAT", 211)


@check(2389, "3.2")
def feat_lines_begin_with_one_space(probe: Probe) -> None:
    """Each feature stands on a line of its own behind exactly one space."""
    heard = probe.tells("FEAT", 211)
    bad = [line for line in heard.lines[1:-1] if not re.match(rb" [!-~]", line)]
    demand(not bad, f"there is {shown(bad[0]) if bad else ''!r}")


@check(2389, "3.2")
def feat_ends_with_211_end(probe: Probe) -> None:
    """FEAT's last line is 211, a space, the word End and nothing else."""
    heard = probe.tells("FEAT", 211)
    demand(len(heard.lines) == 1 or heard.text.upper() == "END", f"it is {shown(heard.lines[-1])}")


@check(2389, "3", start=Start.STRANGER)
def feat_needs_no_login(probe: Probe) -> None:
    """FEAT is answered before a login (no RFC says so; clients choose UTF8, TLS and HOST by it)."""
    probe.expect_greeting()
    heard = probe.offered("FEAT")
    if heard.code != 211:
        remark(f"it is answered by {heard.code}")


@check(2389, "3")
def feat_has_no_basic_commands(probe: Probe) -> None:
    """FEAT tells extensions, and no commands of RFC 959."""
    basic = [row for row in rows(probe) if row.partition(" ")[0].upper() in _BASIC]
    if basic:
        remark(f"it has {', '.join(basic)[:80]}")


@check(2389, "3.2", is_advice=True)
def feat_has_nothing_twice(probe: Probe) -> None:
    """FEAT has each feature once."""
    found = [row.upper() for row in rows(probe)]
    twice = {row for row in found if found.count(row) > 1}
    demand(not twice, f"{', '.join(sorted(twice))[:80]}: more than once")


@check(2389, "3", start=Start.OWN)
def what_feat_has_is_served(probe: Probe) -> None:
    """FEAT tells of no command that is not there."""
    probe.control.timeout = max(probe.control.timeout, 8.0)
    verbs = [row.partition(" ")[0].upper() for row in rows(probe)]
    broken = [verb for verb in verbs if verb in _PROOFS and is_unknown(probe.final(_PROOFS[verb]))]
    demand(not broken, f"told, and not served: {', '.join(broken)}")


@check(2389, "3.2", start=Start.OWN, writes=True)
def what_is_served_stands_in_feat(probe: Probe) -> None:
    """Extensions that are served stand in FEAT: SIZE, MDTM, MLST, EPSV."""
    told = {row.partition(" ")[0].upper() for row in rows(probe)}
    missing = [verb for verb, (line, code) in _SERVED.items() if verb not in told and probe.final(line).code == code]
    demand(not missing, f"{', '.join(missing)}: served, and not told")


@check(2389, "4", start=Start.OWN)
def opts_of_an_unknown_command_is_501(probe: Probe) -> None:
    """OPTS for what has no options is answered by 501."""
    rows(probe)
    probe.refuses("OPTS QWOP x", 501)


@check(2389, "4", start=Start.OWN)
def opts_without_argument_is_501(probe: Probe) -> None:
    """OPTS alone is answered by 501."""
    rows(probe)
    probe.refuses("OPTS", 501)


@check(3659, "6.2", writes=True)
def tvfs_paths(probe: Probe) -> None:
    """A server that says TVFS takes / between names, and at the beginning for the root."""
    if "TVFS" not in (row.upper() for row in rows(probe)):
        lacking("FEAT has no TVFS")
    probe.final("MKD upper")
    probe.final("MKD upper/lower")
    probe.store("STOR upper/lower/file", b"x")
    for path in (f"{probe.scratch}/upper/lower/file", "upper/lower/file"):
        demand(probe.fetch(f"RETR {path}") == b"x", f"{path} is not the file")


@check(2389, "3.2", start=Start.OWN, is_advice=True)
def feat_is_the_same_twice(probe: Probe) -> None:
    """FEAT tells the same when it is asked again, in any order."""
    demand(sorted(rows(probe)) == sorted(rows(probe)), "the second answer differs")
