"""Checks on TLS: AUTH, PBSZ, PROT, and what is said in clear behind AUTH (RFC 2228, RFC 4217, RFC 8996).

Nothing secret is sent under a certificate that was not verified.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

from ftpd.conformance.check import Start, check
from ftpd.conformance.checks.features import rows
from ftpd.conformance.finding import demand, lacking, remark, unclear
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE, TEXT
from ftpd.conformance.target import outdated_context, unverified_context
from ftpd.dialogue import Broken


def _offered(probe: Probe) -> None:
    """See whether AUTH TLS is there, on a connection that does not matter."""
    probe.expect_greeting()
    if probe.target.tls == "implicit":
        lacking("the connection begins with TLS")
    with probe.another(logged_in=False) as other:
        other.expect_greeting()
        code = other.final("AUTH TLS").code
    if code != 234:
        lacking(f"AUTH TLS is answered by {code}")


def _protected(probe: Probe) -> None:
    """Have TLS on the control connection of a stranger."""
    probe.expect_greeting()
    if probe.target.tls != "implicit":
        probe.protect(unverified_context())


@check(4217, "4.2", start=Start.STRANGER)
def auth_tls_is_234(probe: Probe) -> None:
    """AUTH TLS is answered by 234, and the handshake follows."""
    _offered(probe)
    _protected(probe)
    probe.say("NOOP")


@check(8996, "4", start=Start.STRANGER)
def tls_of_yesterday_is_refused(probe: Probe) -> None:
    """TLS 1.0 and 1.1 must not be used: a client that has no other is refused."""
    _offered(probe)
    if not (ssl.HAS_TLSv1 and ssl.HAS_TLSv1_1):
        unclear("this machine's own TLS library has none of them")
    probe.say("AUTH TLS")
    with suppress(Broken):
        probe.control.start_tls(outdated_context())
    demand(probe.control.tls_version is None, f"{probe.control.tls_version} is agreed on")


@check(2228, "3", start=Start.STRANGER)
def auth_of_an_unknown_mechanism_is_504(probe: Probe) -> None:
    """AUTH with a mechanism that nobody knows is answered by 504."""
    _offered(probe)
    probe.refuses("AUTH QWOP", 504)


@check(2228, "3", start=Start.STRANGER)
def a_second_auth_is_refused(probe: Probe) -> None:
    """AUTH under TLS is refused, or begins anew (some servers may allow that; what TLS inside TLS would be is nowhere said)."""
    _protected(probe)
    heard = probe.final("AUTH TLS")
    if heard.code < 400:
        remark(f"it is answered by {heard.code}")


@check(2228, "3", start=Start.STRANGER)
def pbsz_before_auth_is_503(probe: Probe) -> None:
    """PBSZ without a protected connection is out of order: 503."""
    _offered(probe)
    probe.refuses("PBSZ 0", 503)


@check(2228, "3", start=Start.STRANGER)
def prot_before_pbsz_is_503(probe: Probe) -> None:
    """PROT before PBSZ is out of order: 503."""
    if probe.target.tls == "implicit":
        lacking("the connection begins with TLS, of which no RFC tells, and with data that are private at once on many servers")
    _protected(probe)
    heard = probe.final("PROT P")
    if heard.code == 530:
        unclear("it is refused before a login with 530")
    demand(heard.code >= 400, f"it is answered by {heard.code}")
    if heard.code != 503:
        remark(f"it is refused with {heard.code}, not with 503")


@check(4217, "9", start=Start.STRANGER)
def pbsz_0_is_200(probe: Probe) -> None:
    """PBSZ 0 under TLS is answered by 200, also before a login."""
    _protected(probe)
    heard = probe.final("PBSZ 0")
    if heard.code == 530:
        remark("it needs a login")
    demand(heard.code == 200, f"it is answered by {heard.code}")


@check(2228, "3", start=Start.STRANGER)
def pbsz_is_0_whatever_is_asked_for(probe: Probe) -> None:
    """PBSZ with another number is answered by 200, and by PBSZ=0, for there are no buffers in TLS."""
    _protected(probe)
    heard = probe.final("PBSZ 4096")
    if heard.code >= 400:
        remark(f"it is answered by {heard.code}")
    if "PBSZ=0" not in heard.text.replace(" ", ""):
        remark("the reply has no PBSZ=0")


@check(4217, "9", start=Start.STRANGER)
def prot_c_and_p(probe: Probe) -> None:
    """PROT P is taken, and PROT C is taken or refused by policy (534)."""
    _protected(probe)
    probe.needs("PBSZ 0", 200)
    private, clear = probe.final("PROT P").code, probe.final("PROT C").code
    if 530 in (private, clear):
        unclear("it is refused before a login with 530")
    if private != 200:
        remark(f"PROT P is answered by {private}")
    demand(clear == 200 or clear >= 400, f"PROT C is answered by {clear}")
    if clear not in (200, 534):
        remark(f"PROT C is refused with {clear}, not with 534")


@check(2228, "3", start=Start.STRANGER)
def prot_s_and_e_are_536(probe: Probe) -> None:
    """PROT S and PROT E, which TLS does not have, are answered by 536 (504 where they are not known)."""
    _protected(probe)
    probe.needs("PBSZ 0", 200)
    for line in ("PROT S", "PROT E"):
        probe.refuses(line, 536, 504)


@check(2228, "3", start=Start.STRANGER)
def unknown_prot_is_504(probe: Probe) -> None:
    """PROT with a level that nobody knows is answered by 504."""
    _protected(probe)
    probe.needs("PBSZ 0", 200)
    probe.refuses("PROT Q", 504)


@check(4217, "6", start=Start.STRANGER)
def feat_tells_auth_tls(probe: Probe) -> None:
    """A server that has AUTH TLS says so in FEAT, with PBSZ and PROT."""
    _offered(probe)
    found = [row.upper() for row in rows(probe)]
    for verb in ("AUTH", "PBSZ", "PROT"):
        demand(verb in {row.partition(" ")[0] for row in found}, f"FEAT has no {verb}")
    if not any("TLS" in row for row in found if row.startswith("AUTH")):
        remark("AUTH in FEAT does not name TLS")


@check(2228, "3", start=Start.STRANGER)
def what_is_said_in_clear_behind_auth_is_dropped(probe: Probe) -> None:
    """Commands that come in one piece with AUTH TLS are not run under TLS: somebody else could have put them there."""
    _offered(probe)
    probe.send_raw(b"AUTH TLS\r\nQWOP injected\r\n", is_beside=True)
    demand(probe.hear().code == 234, "AUTH TLS is not answered by 234 then")
    try:
        probe.control.start_tls(unverified_context())
    except Broken:
        return  # nothing was run: vsftpd takes the injected bytes for a handshake, and gives up
    probe.send("NOOP", is_beside=True)
    code = probe.hear().code
    demand(probe.is_quiet(), f"NOOP gets two answers, the first of which, {code}, is the injected command's, under TLS")


@check(4217, "13", start=Start.OWN)
def rein_takes_tls_off(probe: Probe) -> None:
    """REIN under TLS clears it: the control connection goes on in clear."""
    if probe.target.tls != "explicit":
        lacking("this run has no TLS that AUTH began (--tls explicit)")
    heard = probe.offered("REIN")
    if heard.code >= 400:
        lacking(f"REIN is answered by {heard.code}")
    try:
        probe.control.stop_tls()
    except Broken as error:
        demand(False, f"TLS stays after REIN: {error}")
    code = probe.final("NOOP").code
    demand(code < 500, f"NOOP in clear is answered by {code}")


@check(4217, "9", start=Start.OWN, writes=True)
def a_private_data_connection(probe: Probe) -> None:
    """After PROT P the data connection is under TLS, and the file is whole."""
    _demand_private(probe)
    demand(probe.fetch(f"RETR {FIXTURE}") == TEXT, "the file is not whole")


@check(4217, "9", start=Start.OWN, writes=True)
def a_private_upload(probe: Probe) -> None:
    """After PROT P an upload is under TLS, and comes back the same."""
    _demand_private(probe)
    probe.store("STOR private", b"x" * 100_000)
    demand(probe.fetch("RETR private") == b"x" * 100_000, "it comes back changed")


@check(4217, "12.7", start=Start.OWN, writes=True)
def a_private_upload_without_its_end(probe: Probe) -> None:
    """An upload that ends without TLS's close_notify may have been cut by anybody: it is not 226."""
    _demand_private(probe)
    with probe.data() as plain:
        demand(probe.say("STOR cut-under-tls").is_preliminary, "STOR is refused")
        with probe.covered(plain) as data:  # closing it sends no close_notify
            data.sendall(b"half of it")
    code = probe.hear().code
    if code in (226, 250):
        remark(f"it is answered by {code}")


def _demand_private(probe: Probe) -> None:
    if not probe.is_private:
        lacking("this run has no TLS (--tls)")
