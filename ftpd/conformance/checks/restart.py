"""Checks on REST (RFC 3659 5.3, 5.4)."""

from __future__ import annotations

from ftpd.conformance.check import check
from ftpd.conformance.finding import demand, lacking, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE, TEXT

_MORE_THAN_32_BITS = 5_000_000_000


def _rest(probe: Probe, offset: int) -> None:
    heard = probe.offered(f"REST {offset}")
    if heard.code >= 400:
        lacking(f"REST is answered by {heard.code}")


@check(3659, "5.3")
def rest_is_350(probe: Probe) -> None:
    """REST is answered by 350."""
    probe.wants("REST 5", 350)


@check(3659, "5.3", is_advice=True)
def rest_of_no_number_is_501(probe: Probe) -> None:
    """REST with anything but digits is answered by 501 (in MODE S)."""
    _rest(probe, 0)
    probe.refuses("REST five", 501)


@check(3659, "5.3", is_advice=True)
def rest_of_a_negative_number_is_501(probe: Probe) -> None:
    """REST with a negative number is answered by 501."""
    _rest(probe, 0)
    probe.refuses("REST -1", 501)


@check(3659, "5.3")
def rest_beyond_32_bits(probe: Probe) -> None:
    """REST takes offsets beyond 4 GiB."""
    probe.wants(f"REST {_MORE_THAN_32_BITS}", 350)


@check(3659, "5.3", writes=True)
def retr_from_an_offset(probe: Probe) -> None:
    """RETR after REST sends what is behind the offset."""
    with probe.data() as plain:
        _rest(probe, 4)
        demand(probe.say(f"RETR {FIXTURE}").is_preliminary, "RETR is refused")
        content = probe.take(plain)
    demand(probe.hear().code in (226, 250), "RETR does not end with 226")
    demand(content == TEXT[4:], f"it sends {content[:40]!a}")


@check(3659, "5.3", writes=True)
def stor_from_an_offset(probe: Probe) -> None:
    """STOR after REST at the end of a file that was cut short writes on there."""
    probe.store("STOR resumed", b"01234")
    with probe.data() as plain:
        _rest(probe, 5)
        begun = probe.say("STOR resumed")
        if not begun.is_preliminary:
            lacking(f"STOR after REST is answered by {begun.code}")
        probe.give(plain, b"abcde")
    demand(probe.hear().code in (226, 250), "STOR does not end with 226")
    content = probe.fetch("RETR resumed")
    demand(content == b"01234abcde", f"the file is {content[:40]!a}")


@check(3659, "5.3", writes=True)
def rest_is_for_one_transfer(probe: Probe) -> None:
    """An offset is forgotten after the transfer that it was for."""
    with probe.data() as plain:
        _rest(probe, 4)
        demand(probe.say(f"RETR {FIXTURE}").is_preliminary, "RETR is refused")
        probe.take(plain)
    probe.hear()
    content = probe.fetch(f"RETR {FIXTURE}")
    demand(content == TEXT, f"the next RETR sends {content[:40]!a}")


@check(3659, "5.3", writes=True)
def rest_stands_before_its_transfer(probe: Probe) -> None:
    """REST counts for the command that follows it and for no later one (what else happens is undefined)."""
    with probe.data() as plain:
        _rest(probe, 4)
        probe.final("CWD .")
        demand(probe.say(f"RETR {FIXTURE}").is_preliminary, "RETR is refused")
        content = probe.take(plain)
    probe.hear()
    if content != TEXT:
        remark("an offset survives other commands: a transfer that was meant to be whole may not be")


@check(3659, "5.3", writes=True, is_advice=True)
def rest_before_pasv_counts(probe: Probe) -> None:
    """REST counts through a PASV or EPSV, as many clients have it (what happens is undefined)."""
    _rest(probe, 4)
    content = probe.fetch(f"RETR {FIXTURE}")
    demand(content == TEXT[4:], f"RETR sends {content[:40]!a}")


@check(3659, "5.3", writes=True)
def rest_behind_the_end(probe: Probe) -> None:
    """RETR from behind the end of the file is refused (with 554, RFC 1123 4.1.3.4), or sends nothing."""
    with probe.data() as plain:
        _rest(probe, 1000)
        begun = probe.say(f"RETR {FIXTURE}")
        if begun.is_preliminary:
            content = probe.take(plain)
            probe.hear()
            demand(not content, f"it sends {content[:40]!a}")
            return
    demand(begun.code >= 400, f"it is answered by {begun.code}")


@check(3659, "5.3", writes=True)
def rest_at_the_end(probe: Probe) -> None:
    """RETR from the very end sends nothing, and succeeds."""
    with probe.data() as plain:
        _rest(probe, len(TEXT))
        begun = probe.say(f"RETR {FIXTURE}")
        if not begun.is_preliminary:
            remark(f"it is refused with {begun.code}")
        demand(not probe.take(plain), "it sends something")
    demand(probe.hear().code in (226, 250), "RETR does not end with 226")


@check(3659, "5.4")
def feat_tells_rest_stream(probe: Probe) -> None:
    """A server that takes REST in MODE S says REST STREAM in FEAT."""
    _rest(probe, 0)
    rows = {line.strip().upper() for line in probe.offered("FEAT").lines[1:-1]}
    demand(b"REST STREAM" in rows, "FEAT does not have it")
