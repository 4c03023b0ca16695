"""Checks on login and logout: USER, PASS, ACCT, REIN, QUIT (RFC 959 4.1.1, 5.4)."""

from __future__ import annotations

from ftpd.conformance.check import Start, check
from ftpd.conformance.finding import demand, lacking, remark
from ftpd.conformance.probe import Probe

_ANONYMOUS = ("anonymous", "ftp")
_NOBODY = "nobody-has-this-name-d1c9"


@check(959, "5.4", start=Start.STRANGER)
def pass_before_user_is_503(probe: Probe) -> None:
    """PASS without USER is out of order: 503."""
    probe.expect_greeting()
    probe.refuses("PASS x", 503)


@check(959, "5.4", start=Start.STRANGER)
def wrong_password_is_530(probe: Probe) -> None:
    """A wrong password is answered by 530."""
    if probe.target.user.lower() in _ANONYMOUS:
        lacking("an anonymous login has no wrong password")
    heard = _name(probe, probe.target.user)
    if heard != 331:
        lacking(f"no password is asked for: USER is answered by {heard}")
    probe.control.timeout = max(probe.control.timeout, 15.0)  # it may be late on purpose
    probe.refuses("PASS certainly-not-this-one-8c1d", 530, 421)


@check(2577, "7", start=Start.STRANGER)
def unknown_name_is_answered_like_known_ones(probe: Probe) -> None:
    """USER tells nobody which names exist (a matter of security)."""
    code = _name(probe, _NOBODY)
    with probe.another(logged_in=False) as other:
        known = _name(other, probe.target.user)
    if code != known:
        remark(f"a name that exists is answered by {known}, any other by {code}")


@check(959, "5.4", start=Start.STRANGER)
def commands_before_login_are_530(probe: Probe) -> None:
    """What needs a login is refused with 530 before it."""
    probe.expect_greeting()
    for line in ("CWD /", "PASV", "RETR missing-8c1d", "STOR missing-8c1d/x", "LIST", "DELE missing-8c1d", "MKD missing-8c1d/x"):
        code = probe.final(line).code
        if code != 530:
            remark(f"{line} is answered by {code}")  # who needs no login is nowhere told to ask for one


@check(959, "5.4", start=Start.STRANGER)
def noop_needs_no_login(probe: Probe) -> None:
    """NOOP is answered before a login: its list has no 530."""
    _answered_before_login(probe, "NOOP", 200)


@check(959, "5.4", start=Start.STRANGER)
def syst_needs_no_login(probe: Probe) -> None:
    """SYST is answered before a login: its list has no 530."""
    _answered_before_login(probe, "SYST", 215)


@check(959, "5.4", start=Start.STRANGER)
def help_needs_no_login(probe: Probe) -> None:
    """HELP is answered before a login: its list has no 530, and section 4.1.3 wants it allowed before USER."""
    _answered_before_login(probe, "HELP", 211, 214)


@check(959, "5.4", start=Start.STRANGER)
def right_password_is_230(probe: Probe) -> None:
    """The right name and password are answered by 331 and 230."""
    probe.expect_greeting()
    if probe.target.tls == "explicit":
        probe.protect(probe.target.context)
    code = probe.authenticate().code
    demand(code in (202, 230, 232), f"the login ends with {code}")


@check(959, "4.1.1", start=Start.OWN)
def user_again_begins_a_new_login(probe: Probe) -> None:
    """A new USER gives up the login that stands, where it is taken at all."""
    heard = probe.final(f"USER {probe.target.user}")
    if heard.code >= 400:
        lacking(f"a second USER is refused with {heard.code}")
    if heard.code == 331:
        code = probe.final("CWD /").code
        demand(code >= 400, f"CWD between USER and PASS is answered by {code}")


@check(959, "4.1.1", start=Start.OWN)
def acct_is_answered(probe: Probe) -> None:
    """ACCT is answered by 230 or 202, or is refused."""
    code = probe.offered("ACCT x").code
    if code < 400:
        demand(code in (202, 230), f"ACCT is answered by {code}")


@check(959, "4.1.1", start=Start.OWN)
def rein_is_220(probe: Probe) -> None:
    """REIN is answered by 220."""
    probe.wants("REIN", 220)


@check(959, "4.1.1", start=Start.OWN)
def rein_ends_the_login(probe: Probe) -> None:
    """After REIN nobody is logged in."""
    heard = probe.offered("REIN")
    if heard.code >= 400:
        lacking(f"REIN is answered by {heard.code}")
    code = probe.final("CWD /").code
    demand(code >= 400, f"CWD after REIN is answered by {code}")


@check(959, "4.1.1", start=Start.OWN)
def quit_is_221_and_the_end(probe: Probe) -> None:
    """QUIT is answered by 221, and the server closes."""
    demand(probe.say("QUIT").code == 221, "QUIT is not answered by 221")
    demand(probe.is_over(), "the connection stays open")


@check(959, "4.1.1", start=Start.STRANGER)
def quit_needs_no_login(probe: Probe) -> None:
    """QUIT is answered by 221 before a login too."""
    probe.expect_greeting()
    demand(probe.say("QUIT").code == 221, "QUIT is not answered by 221")


def _name(probe: Probe, name: str) -> int:
    probe.expect_greeting()
    return probe.final(f"USER {name}").code


def _answered_before_login(probe: Probe, verb: str, *codes: int) -> None:
    probe.expect_greeting()
    heard = probe.offered(verb)
    if heard.code == 530:
        remark(f"{verb} is answered by 530")
    demand(heard.code in codes, f"{verb} is answered by {heard.code}")
