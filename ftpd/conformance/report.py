"""Report: findings as a table for people, grouped by RFC, and as JSON for programs.

Apart from the command, which prints: here are lines and nothing else.  All that came from the server was escaped before.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import attrs

from ftpd.conformance.finding import Finding, Verdict

__all__ = ["as_json", "summary", "table"]

_MARKS: Final = {
    Verdict.CONFORMS: "ok",
    Verdict.VIOLATES: "VIOLATES",
    Verdict.REMARK: "remark",
    Verdict.NOT_OFFERED: "not offered",
    Verdict.UNCLEAR: "could not tell",
}
_WIDEST: Final = max(map(len, _MARKS.values()))


def table(findings: Iterable[Finding], *, with_dialogue: bool = False) -> Iterator[str]:
    """Yield the lines of the table; under a violation, and a check that could not tell, what was said and heard if *with_dialogue*."""
    ordered = sorted(findings, key=lambda finding: finding.rfc)
    for rfc, group in groupby(ordered, key=lambda finding: finding.rfc):
        yield f"RFC {rfc}"
        for finding in group:
            yield f"  {_MARKS[finding.verdict]:<{_WIDEST}}  {finding.section:<11}  {finding.title}"
            if finding.words:
                yield f"  {'':<{_WIDEST}}  {'':<11}  - {finding.words}"
            if with_dialogue and finding.verdict in (Verdict.VIOLATES, Verdict.UNCLEAR):
                yield from (f"  {'':<{_WIDEST}}  {'':<11}    {line}" for line in finding.dialogue)
        yield ""


def summary(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the numbers, and the section of each violation."""
    numbers = Counter(finding.verdict for finding in findings)
    yield f"{len(findings)} checks: " + ", ".join(f"{numbers[verdict]} {verdict.value}" for verdict in Verdict)
    for finding in findings:
        if finding.verdict is Verdict.VIOLATES:
            yield f"violates RFC {finding.rfc} {finding.section}: {finding.title}"


def as_json(finding: Finding) -> str:
    """Return *finding* as one line of JSON."""
    return json.dumps(attrs.asdict(finding, value_serializer=_plain))


def _plain(instance: Any, attribute: Any, value: Any) -> Any:
    return value.value if isinstance(value, Verdict) else value
