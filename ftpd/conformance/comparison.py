"""Comparison: what runs over several servers have found, side by side, as the tables of `docs/conformance.md`.

Apart from the report, which is of one run: this reads what `ftpd conformance --json` has written.  `python -m ftpd.conformance.comparison
"vsftpd 3.0.3=clear.jsonl,tls.jsonl" ...` prints it; the first file of a server is a run in clear, the second one under TLS.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from ftpd.conformance.finding import Finding, Verdict

__all__ = ["Judged", "page", "read"]

_MARKS: Final = {
    Verdict.CONFORMS: "ok",
    Verdict.VIOLATES: "**violates**",
    Verdict.REMARK: "remark",
    Verdict.NOT_OFFERED: "–",
    Verdict.UNCLEAR: "?",
}
_OF_TLS: Final = (2228, 4217, 8996)  # judged by the run under TLS
_SCRATCH: Final = re.compile(r"conformance-[0-9a-f]{8}")


@attrs.frozen
class Judged:
    """One server: its name and version, and what was found in clear and under TLS, by the name of the check."""

    name: str
    clear: dict[str, Finding]
    secure: dict[str, Finding]

    def told(self, check: Finding) -> Finding:
        """Return the finding that counts for the rule of *check*."""
        return (self.secure if check.rfc in _OF_TLS else self.clear)[check.name]


def read(argument: str) -> Judged:
    """Read `NAME=FILE,FILE`; raises `ValueError` and `OSError` for what is none."""
    name, _, files = argument.partition("=")
    clear, secure = (_findings(Path(file)) for file in files.split(","))
    return Judged(name, clear, secure)


def page(servers: Sequence[Judged]) -> Iterator[str]:
    """Yield the lines: numbers, where the servers differ, and what each but the first violates."""
    yield from _numbers(servers)
    yield from _differences(servers)
    for server in servers[1:]:
        yield from _violations(server)
    yield from _remarks(servers[0])


def _findings(file: Path) -> dict[str, Finding]:
    found = {}
    for line in file.read_text().splitlines():
        fields = json.loads(line)
        found[fields["name"]] = Finding(**{**fields, "verdict": Verdict(fields["verdict"])})
    return found


def _numbers(servers: Iterable[Judged]) -> Iterator[str]:
    yield f"| | {' | '.join(verdict.value for verdict in Verdict)} |"
    yield f"|---|{'---|' * len(Verdict)}"
    for server in servers:
        runs = [Counter(finding.verdict for finding in run.values()) for run in (server.clear, server.secure)]
        yield f"| {server.name} | {' | '.join(f'{runs[0][verdict]} / {runs[1][verdict]}' for verdict in Verdict)} |"
    yield ""


def _differences(servers: Sequence[Judged]) -> Iterator[str]:
    yield f"| RFC | section | rule | {' | '.join(server.name for server in servers)} |"
    yield f"|---|---|---|{'---|' * len(servers)}"
    for check in _by_document(servers[0].clear.values()):
        verdicts = [server.told(check).verdict for server in servers]
        if set(verdicts) - {Verdict.CONFORMS, Verdict.NOT_OFFERED}:
            yield f"| {check.rfc} | {check.section} | {check.title} | {' | '.join(_MARKS[verdict] for verdict in verdicts)} |"
    yield ""


def _violations(server: Judged) -> Iterator[str]:
    found = [finding for finding in map(server.told, _by_document(server.clear.values())) if finding.verdict is Verdict.VIOLATES]
    yield f"**{server.name}**\n"
    yield from (f"- RFC {finding.rfc} {finding.section}: {finding.title} Found: `{_quoted(finding)}`." for finding in found)
    yield ""


def _remarks(server: Judged) -> Iterator[str]:
    yield f"**{server.name}**, remarks\n"
    found = map(server.told, _by_document(server.clear.values()))
    yield from (
        f"- RFC {finding.rfc} {finding.section}: {finding.title} Found: `{_quoted(finding)}`."
        for finding in found
        if finding.verdict is Verdict.REMARK
    )


def _by_document(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: finding.rfc)


def _quoted(finding: Finding) -> str:
    """Return the words of a finding; the scratch directory has another name in each run."""
    return _SCRATCH.sub("conformance-xxxxxxxx", finding.words).replace("`", "'").replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in page([read(argument) for argument in sys.argv[1:]]))
