"""What `ftpd conformance` does: judge a server, and print what was found.

Apart from the command line, and from `ftpd.conformance`, which asks and prints nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator

import click

from ftpd.cli.screen import say
from ftpd.conformance.checks import all_checks
from ftpd.conformance.finding import Finding, Unclear, Verdict
from ftpd.conformance.report import as_json, summary, table
from ftpd.conformance.run import judge
from ftpd.conformance.target import Protection, Target

__all__ = ["Cannot", "Target", "judged", "protection", "rfcs"]


class Cannot(Exception):
    """There is nothing to judge; the message says why."""


def protection(word: str) -> Protection:
    """Return the value of --tls as the type that it is; click lets no other words through."""
    return "explicit" if word == "explicit" else "implicit" if word == "implicit" else "none"


def rfcs(wanted: Collection[int]) -> set[int]:
    """Return the RFCs that are judged by; `ValueError` names those that there are, where one of *wanted* is none of them."""
    known = {check.rfc for check in all_checks()}
    if not set(wanted) <= known:
        raise ValueError(f"there are checks for {', '.join(map(str, sorted(known)))}")
    return set(wanted) or known


def judged(target: Target, wanted: Collection[int], *, is_json: bool, is_verbose: bool) -> bool:
    """Judge *target* by the RFCs *wanted* and print the findings; whether no rule is violated.  Raises :class:`Cannot`."""
    chosen = [check for check in all_checks() if check.rfc in wanted]
    findings: list[Finding] = []
    try:
        for finding in judge(target, chosen):
            findings.append(finding)
            if is_json:
                say([as_json(finding)])
            else:
                click.echo(_progress(len(findings), len(chosen)), nl=False, err=True)
    except Unclear as error:
        raise Cannot(str(error)) from error
    if not is_json:
        click.echo(_progress(0, 0), nl=False, err=True)
        say(_lines(findings, is_verbose))
    return not any(finding.verdict is Verdict.VIOLATES for finding in findings)


def _lines(findings: list[Finding], is_verbose: bool) -> Iterator[str]:
    yield from table(findings, with_dialogue=is_verbose)
    yield from summary(findings)


def _progress(done: int, count: int) -> str:
    """Return how far it is, for a terminal to draw over; nothing elsewhere."""
    if not sys.stderr.isatty():
        return ""
    return f"\r{done} of {count} checks" if count else "\r\x1b[K"
