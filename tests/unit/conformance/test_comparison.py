"""Runs over several servers, side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftpd.conformance.comparison import page, read
from ftpd.conformance.finding import Finding, Verdict
from ftpd.conformance.report import as_json

NOOP = Finding("noop_is_200", 959, "4.1.3", "NOOP is answered by 200.", Verdict.CONFORMS)
PROT = Finding("prot_before_pbsz", 2228, "3", "PROT before PBSZ is 503.", Verdict.NOT_OFFERED)
REST = Finding("rest_is_350", 3659, "5.3", "REST is answered by 350.", Verdict.CONFORMS)


def written(folder: Path, name: str, *findings: Finding) -> str:
    file = folder / name
    file.write_text("".join(f"{as_json(finding)}\n" for finding in findings))
    return str(file)


def with_verdict(finding: Finding, verdict: Verdict, words: str = "") -> Finding:
    return Finding(finding.name, finding.rfc, finding.section, finding.title, verdict, words)


def test_servers_stand_side_by_side_where_they_differ(tmp_path: Path) -> None:
    ours = written(tmp_path, "ours", with_verdict(REST, Verdict.REMARK, "it is 351"), NOOP, PROT)
    secure = written(tmp_path, "secure", REST, NOOP, with_verdict(PROT, Verdict.CONFORMS))
    theirs = written(tmp_path, "theirs", NOOP, PROT, with_verdict(REST, Verdict.VIOLATES, "conformance-0123abcd | `x`"))
    their_tls = written(tmp_path, "their-tls", NOOP, with_verdict(PROT, Verdict.VIOLATES, "it is 200"), REST)
    assert list(page([read(f"this server={ours},{secure}"), read(f"other 1.0={theirs},{their_tls}")])) == [
        "| | conforms | violates | remark | not offered | could not tell |",
        "|---|---|---|---|---|---|",
        "| this server | 1 / 3 | 0 / 0 | 1 / 0 | 1 / 0 | 0 / 0 |",
        "| other 1.0 | 1 / 2 | 1 / 1 | 0 / 0 | 1 / 0 | 0 / 0 |",
        "",
        "| RFC | section | rule | this server | other 1.0 |",
        "|---|---|---|---|---|",
        "| 2228 | 3 | PROT before PBSZ is 503. | ok | **violates** |",
        "| 3659 | 5.3 | REST is answered by 350. | remark | **violates** |",
        "",
        "**other 1.0**\n",
        "- RFC 2228 3: PROT before PBSZ is 503. Found: `it is 200`.",
        r"- RFC 3659 5.3: REST is answered by 350. Found: `conformance-xxxxxxxx \| 'x'`.",
        "",
        "**this server**, remarks\n",
        "- RFC 3659 5.3: REST is answered by 350. Found: `it is 351`.",
    ]


def test_a_server_needs_two_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not enough values to unpack"):
        read(f"other={written(tmp_path, 'one', NOOP)}")
