"""What `ftpd conformance` does: judge a server, and print what was found.

Apart from the command line, and from `ftpd.conformance`, which asks and prints nothing.
"""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Collection, Iterator

import click

from ftpd.cli.screen import say
from ftpd.conformance.checks import all_checks
from ftpd.conformance.finding import Finding, Unclear, Verdict
from ftpd.conformance.report import as_json, summary, table
from ftpd.conformance.run import judge
from ftpd.conformance.target import Protection, Target, unverified_context

__all__ = ["Cannot", "Target", "context_for", "host_and_port", "judged", "protection", "rfcs"]

_PORTS = {"none": 21, "explicit": 21, "implicit": 990}


class Cannot(Exception):
    """There is nothing to judge; the message says why."""


def protection(word: str) -> Protection:
    """Return the value of --tls as the type that it is; click lets no other words through."""
    return "explicit" if word == "explicit" else "implicit" if word == "implicit" else "none"


def host_and_port(text: str, tls: Protection) -> tuple[str, int]:
    """Cut HOST[:PORT], an IPv6 address in brackets; `ValueError` for anything else."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:\[\]\s]+))(?::([0-9]{1,5}))?", text)
    port = int(match[3]) if match and match[3] else _PORTS[tls]
    if match is None or not 0 < port < 65536:
        raise ValueError("it must be a host, or a host and a port, such as ftp.example.org:21 or [::1]:2121")
    return match[1] or match[2], port


def context_for(tls: Protection, authorities: str | None, *, is_trusting: bool) -> ssl.SSLContext | None:
    """Return what TLS is done with: the system's authorities, or those of a file, or whoever answers."""
    if tls == "none":
        return None
    return unverified_context() if is_trusting else ssl.create_default_context(cafile=authorities)


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
