"""Checks on FEAT and OPTS: their form, and whether they tell the truth (RFC 2389)."""

from __future__ import annotations

import re

from ftpd.conformance.check import Start, check
from ftpd.conformance.finding import demand, lacking, remark, unclear
from ftpd.conformance.probe import Probe, is_unknown, shown

_BASIC = frozenset(
    {
        "USER", "PASS", "ACCT", "CWD", "CDUP", "SMNT", "QUIT", "REIN", "PORT", "PASV", "TYPE", "STRU", "RETR", "STOR", "STOU", "APPE",
        "ALLO", "RNFR", "RNTO", "ABOR", "DELE", "RMD", "MKD", "PWD", "LIST", "NLST", "SYST", "STAT", "HELP", "NOOP",
    }
)  # fmt: skip
# A feature, and what has to be understood where FEAT has it: a line, and the codes that say so.
_PROOFS = {
    "SIZE": ("SIZE missing-8c1d", (550,)),
    "MDTM": ("MDTM missing-8c1d", (550,)),
    "MLST": ("MLST", (250,)),
    "REST": ("REST 0", (350,)),
    "EPSV": ("EPSV", (229, 522, 425)),
    "EPRT": ("EPRT |9|1.2.3.4|4000|", (522, 501)),
    "LANG": ("LANG", (200,)),
    "MFMT": ("MFMT 20200101000000 missing-8c1d", (550,)),
    "MFCT": ("MFCT 20200101000000 missing-8c1d", (550,)),
    "MFF": ("MFF Modify=20200101000000; missing-8c1d", (550,)),
    "PBSZ": ("PBSZ 0", (200, 503)),
    "PROT": ("PROT C", (200, 503, 534)),
    "CLNT": ("CLNT conformance", (200,)),
    "CSID": ("CSID Name=conformance;", (200,)),
    "HASH": ("HASH missing-8c1d", (550, 501)),
    "XCRC": ("XCRC missing-8c1d", (550,)),
    "XMD5": ("XMD5 missing-8c1d", (550,)),
    "XSHA": ("XSHA missing-8c1d", (550,)),
    "XSHA1": ("XSHA1 missing-8c1d", (550,)),
    "XSHA256": ("XSHA256 missing-8c1d", (550,)),
    "XSHA512": ("XSHA512 missing-8c1d", (550,)),
    "AVBL": ("AVBL", (213,)),
    "DSIZ": ("DSIZ missing-8c1d", (550,)),
    "RANG": ("RANG 1 0", (350,)),
    "PRET": ("PRET RETR missing-8c1d", (200, 550, 450)),
}
_OFTEN_500 = ("EPRT",)  # what a server says of a family that it does not know is another check's matter
# Verbs of extensions that FEAT has to have if they are served (RFC 2389 3.2).
_DEMANDED = {"SIZE": "SIZE", "MDTM": "MDTM", "MLST": "MLST", "EPSV": "EPSV", "EPRT": "EPRT"}


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
def feat_ends_with_211(probe: Probe) -> None:
    """FEAT's last line is 211, a space and END (RFC 2389 has that word; others pass)."""
    heard = probe.tells("FEAT", 211)
    if len(heard.lines) > 1 and heard.text.strip().upper() not in ("END", "END."):
        remark(f"it is {shown(heard.lines[-1])}")


@check(2389, "3.1", start=Start.STRANGER)
def feat_needs_no_login(probe: Probe) -> None:
    """FEAT is answered before a login."""
    probe.expect_greeting()
    heard = probe.offered("FEAT")
    if heard.code != 211:
        remark(f"it is answered by {heard.code}")


@check(2389, "3.2")
def feat_has_no_basic_commands(probe: Probe) -> None:
    """FEAT tells extensions, and no commands of RFC 959."""
    basic = [row for row in rows(probe) if row.partition(" ")[0].upper() in _BASIC]
    if basic:
        remark(f"it has {', '.join(basic)[:80]}")


@check(2389, "3.2")
def feat_has_nothing_twice(probe: Probe) -> None:
    """FEAT has each feature once."""
    found = [row.upper() for row in rows(probe)]
    twice = {row for row in found if found.count(row) > 1}
    demand(not twice, f"{', '.join(sorted(twice))[:80]}: more than once")


@check(2389, "3.2", start=Start.OWN)
def what_feat_has_is_served(probe: Probe) -> None:
    """Every feature that FEAT has works."""
    probe.control.timeout = max(probe.control.timeout, 8.0)
    broken = []
    for row in rows(probe):
        verb = row.partition(" ")[0].upper()
        line, codes = _PROOFS.get(verb, ("", ()))
        heard = probe.final(line) if line else None
        if heard is not None and heard.code not in codes and (verb not in _OFTEN_500 or is_unknown(heard)):
            broken.append(f"{verb} ({line.partition(' ')[0]} does not get {' or '.join(map(str, codes))})")
    demand(not broken, f"told, and not served: {', '.join(broken)}")


@check(2389, "3.2", start=Start.OWN)
def what_is_served_stands_in_feat(probe: Probe) -> None:
    """Extensions that are served stand in FEAT."""
    told = {row.partition(" ")[0].upper() for row in rows(probe)}
    missing = []
    for verb in _DEMANDED:
        line, codes = _PROOFS[verb]
        if verb not in told and probe.final(line).code in codes:
            missing.append(verb)
    if missing:
        remark(f"{', '.join(missing)}: served, and not told")


@check(2389, "4", start=Start.OWN)
def opts_of_an_unknown_command_is_501(probe: Probe) -> None:
    """OPTS for what has no options is answered by 501 (502 where there is no OPTS)."""
    rows(probe)
    probe.refuses("OPTS QWOP x", 501, 502, 504, 500)


@check(2389, "4", start=Start.OWN)
def opts_without_argument_is_501(probe: Probe) -> None:
    """OPTS alone is answered by 501."""
    rows(probe)
    probe.refuses("OPTS", 501, 500)


@check(3659, "6", writes=True)
def tvfs_paths(probe: Probe) -> None:
    """A server that says TVFS takes / between names, at the beginning for the root, and . and .. where it has them."""
    if "TVFS" not in (row.upper() for row in rows(probe)):
        lacking("FEAT has no TVFS")
    probe.final("MKD upper")
    probe.final("MKD upper/lower")
    probe.store("STOR upper/lower/file", b"x")
    for path in (f"{probe.scratch}/upper/lower/file", "upper/lower/file"):
        demand(probe.fetch(f"RETR {path}") == b"x", f"{path} is not the file")


@check(2389, "3.2", start=Start.OWN)
def feat_is_the_same_twice(probe: Probe) -> None:
    """FEAT tells the same when it is asked again."""
    first = rows(probe)
    if not first:
        unclear("it is empty")
    demand(first == rows(probe), "the second answer differs")
