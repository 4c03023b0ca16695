"""The order of a run: the scratch directory, the connections that checks share, and what a broken one costs.

Apart from the probe: here it is decided when there is a new one.  A server that hangs or closes costs the check that it did so in.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from ftpd.conformance.check import Check, Start
from ftpd.conformance.conversation import Ledger
from ftpd.conformance.finding import Finding, Lacking, Remarkable, Unclear, Verdict, Violated
from ftpd.conformance.probe import Probe
from ftpd.conformance.target import Target

__all__ = ["FIXTURE", "TEXT", "judge"]

CHECK_SECONDS: Final = 30.0  # for one check, whatever it waits for
RUN_SECONDS: Final = 900.0  # for all of them
FIXTURE: Final = "fixture.txt"  # in the scratch directory, for checks that read
TEXT: Final = b"one\ntwo\nthree\n"  # what it holds
_MOST_LEFTOVERS: Final = 200  # names that are cleared away at the end


def judge(target: Target, checks: Iterable[Check]) -> Iterator[Finding]:
    """Yield the finding of each check as it comes; raises :class:`Unclear` where the first login fails: then there is nothing to judge."""
    run = _Run(target)
    try:
        run.begin()
        for check in checks:
            yield run.find(check)
    finally:
        run.end()


class _Run:
    """One run over one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._ledger = Ledger()
        self._shared: Probe | None = None
        self._scratch = ""
        self._ends_at = time.monotonic() + RUN_SECONDS

    def begin(self) -> None:
        """Log in for the first time, and make the scratch directory."""
        probe = self._shared = self._logged_in()
        if self._target.directory:
            probe.needs(f"CWD {self._target.directory}", 200, 250)
        if self._target.may_write:
            self._scratch = _made_directory(probe)
            self._prepare(probe)

    def find(self, check: Check) -> Finding:
        """Ask one question and return the answer."""
        if check.writes and not self._scratch:
            return self._finding(check, Unclear("it stores files, and this run may not"), (), 0.0)
        if time.monotonic() > self._ends_at:
            return self._finding(check, Unclear(f"the run has taken {RUN_SECONDS:.0f} seconds"), (), 0.0)
        began = time.monotonic()
        probe: Probe | None = None
        told: Exception | None = None
        try:
            probe = self._probe_for(check)
            check.ask(probe)
        except (Violated, Remarkable, Lacking, Unclear) as error:
            told = error
        except OSError as error:
            told = Unclear(f"the network failed: {error.strerror or error}")
        lines = tuple(probe.lines) if probe is not None else ()
        self._release(check, probe)
        return self._finding(check, told, lines, time.monotonic() - began)

    def end(self) -> None:
        """Clear the scratch directory away, and say goodbye."""
        with suppress(Violated, Remarkable, Lacking, Unclear, OSError):
            if self._scratch:
                _cleared(self._fresh(), self._scratch)
        if self._shared is not None:
            self._shared.close()

    def _probe_for(self, check: Check) -> Probe:
        if check.start is Start.STRANGER:
            probe = Probe.connect(self._target, self._ledger)
        elif check.start is Start.OWN:
            probe = self._logged_in()
            self._enter(probe)
        else:
            probe = self._fresh()
        probe.ends_at = time.monotonic() + CHECK_SECONDS
        if check.start is not Start.STRANGER:
            probe.lines.clear()  # what every check does first is not worth a line in each
        return probe

    def _fresh(self) -> Probe:
        """Return the shared connection, a new one where the last check has left it in disorder."""
        probe = self._shared
        if probe is not None and not self._is_in_order(probe):
            probe.close()
            probe = None
        if probe is None:
            probe = self._shared = self._logged_in()
        probe.ends_at = time.monotonic() + CHECK_SECONDS
        self._enter(probe)
        return probe

    def _is_in_order(self, probe: Probe) -> bool:
        """Whether what is said is what is answered: a stray reply would be in the place of one of two unlike ones."""
        if probe.is_spoilt:
            return False
        probe.ends_at = time.monotonic() + CHECK_SECONDS
        try:
            return not probe.control.pending and probe.aside("TYPE I").code == 200 and probe.aside("PWD").code == 257
        except Violated:
            return False

    def _logged_in(self) -> Probe:
        probe = Probe.connect(self._target, self._ledger)
        try:
            probe.log_in()
        except Violated as error:  # no check has got as far as its own question
            probe.close()
            raise Unclear(f"no login: {error}") from error
        except BaseException:
            probe.close()
            raise
        probe.ends_at = time.monotonic() + CHECK_SECONDS
        return probe

    def _enter(self, probe: Probe) -> None:
        if self._scratch:
            probe.scratch = self._scratch
            probe.say(f"CWD {self._scratch}")

    def _release(self, check: Check, probe: Probe | None) -> None:
        """Close what was the check's own; whether the shared connection is still good is seen before the next check."""
        if probe is None:
            return
        if check.start is not Start.SHARED:
            probe.close()
        probe.lines = []
        probe.control.timeout = self._target.seconds

    def _prepare(self, probe: Probe) -> None:
        probe.say(f"CWD {self._scratch}")
        probe.scratch = self._scratch
        try:
            probe.store(f"STOR {FIXTURE}", TEXT)
        except (Violated, Lacking, Unclear) as error:
            raise Unclear(f"no file can be stored in the scratch directory: {error}; --no-write does without") from error
        probe.lines = []

    def _finding(self, check: Check, told: Exception | None, lines: tuple[str, ...], seconds: float) -> Finding:
        verdict = told.verdict if isinstance(told, Violated | Remarkable | Lacking | Unclear) else Verdict.CONFORMS
        if verdict is Verdict.VIOLATES and check.is_advice:
            verdict = Verdict.REMARK
        return Finding(check.name, check.rfc, check.section, check.title, verdict, str(told or ""), lines, round(seconds, 3))


def _made_directory(probe: Probe) -> str:
    """Make a directory that nobody else has and return its absolute path."""
    name = f"conformance-{secrets.token_hex(4)}"
    heard = probe.final(f"MKD {name}")
    if heard.code != 257:
        raise Unclear(f"no scratch directory can be made here: MKD is answered by {heard.code}; --no-write does without")
    probe.needs(f"CWD {name}", 200, 250)
    match = re.match(r'257 "((?:[^"]|"")*)"', probe.needs("PWD", 257).lines[-1].decode("utf-8", "surrogateescape"))
    return match[1].replace('""', '"') if match else name


def _cleared(probe: Probe, scratch: str) -> None:
    """Delete what the checks have left, level by level, and then the directory itself."""
    probe.is_private = probe.is_private and probe.control.tls_session is not None
    with suppress(Violated, Unclear):  # what has no listing may be empty
        _delete_below(probe, scratch, depth=3)
    probe.final("CWD /")
    probe.final(f"RMD {scratch}")


def _delete_below(probe: Probe, path: str, depth: int) -> None:
    if not depth or probe.final(f"CWD {path}").code not in (200, 250):
        return
    for name in _names(probe)[:_MOST_LEFTOVERS]:
        if probe.final(f"DELE {name}").code < 400:
            continue
        _delete_below(probe, f"{path.rstrip('/')}/{name}", depth - 1)
        probe.final(f"CWD {path}")
        probe.final(f"RMD {name}")


def _names(probe: Probe) -> list[str]:
    """Return the names in the working directory, by NLST; a hostile one could lead elsewhere, and is not followed."""
    content = probe.download("NLST").content.decode("utf-8", "surrogateescape")
    names = (line.rpartition("/")[2] for line in content.split("\r\n"))
    return [name for name in names if name not in ("", ".", "..") and "\n" not in name and "\r" not in name]
