"""The report: what is printed of findings."""

from __future__ import annotations

import json

from ftpd.conformance.finding import Finding, Verdict
from ftpd.conformance.report import as_json, summary, table

FINDINGS = [
    Finding("b", 2428, "3", "EPSV works.", Verdict.CONFORMS),
    Finding("a", 959, "4.1.3", "NOOP is 200.", Verdict.VIOLATES, "it is 250", ("> NOOP", "< 250 Yes.")),
]


def test_the_table_is_grouped_by_document() -> None:
    assert list(table(FINDINGS)) == [
        "RFC 959",
        "  VIOLATES        4.1.3        NOOP is 200.",
        "                               - it is 250",
        "",
        "RFC 2428",
        "  ok              3            EPSV works.",
        "",
    ]


def test_the_dialogue_of_a_violation_is_shown_where_it_is_asked_for() -> None:
    lines = list(table(FINDINGS, with_dialogue=True))
    assert lines[3:5] == ["                                 > NOOP", "                                 < 250 Yes."]


def test_the_summary_names_the_section_of_each_violation() -> None:
    assert list(summary(FINDINGS)) == [
        "2 checks: 1 conforms, 1 violates, 0 remark, 0 not offered, 0 could not tell",
        "violates RFC 959 4.1.3: NOOP is 200.",
    ]


def test_a_finding_as_json() -> None:
    assert json.loads(as_json(FINDINGS[1])) == {
        "name": "a",
        "rfc": 959,
        "section": "4.1.3",
        "title": "NOOP is 200.",
        "verdict": "violates",
        "words": "it is 250",
        "dialogue": ["> NOOP", "< 250 Yes."],
        "seconds": 0.0,
    }
