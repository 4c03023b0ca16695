"""Checks on HOST (RFC 7151)."""

from __future__ import annotations

from ftpd.conformance.check import Start, check
from ftpd.conformance.checks.features import rows
from ftpd.conformance.finding import demand, lacking, remark, unclear
from ftpd.conformance.probe import Probe


def _demand_host(probe: Probe) -> None:
    """Whether HOST is there is best seen where it may come."""
    heard = probe.final("HOST nobody.invalid")
    if heard.code in (500, 502, 530):
        lacking(f"HOST is answered by {heard.code}")
    if heard.code == 421:
        unclear("a name that is not served costs the connection, as 3.3 lets it")


@check(7151, "3.2", start=Start.STRANGER)
def host_that_is_not_here_is_504(probe: Probe) -> None:
    """HOST with a name that is not served is answered by 504, or by 220 where such clients have a host of their own."""
    probe.expect_greeting()
    _demand_host(probe)
    code = probe.final("HOST nobody.invalid").code
    if code not in (220, 504):
        remark(f"it is answered by {code}")


@check(7151, "3.1", start=Start.STRANGER)
def host_by_address(probe: Probe) -> None:
    """HOST with the address that the client is connected to is taken: 220."""
    probe.expect_greeting()
    _demand_host(probe)
    address = probe.control.peer[0]
    code = probe.final(f"HOST [{address}]" if ":" in address else f"HOST {address}").code
    if code != 220:
        remark(f"it is answered by {code}")


@check(7151, "3.3", start=Start.STRANGER, is_advice=True)
def host_that_is_no_name_is_501(probe: Probe) -> None:
    """HOST with what can be no host name is answered by 501."""
    probe.expect_greeting()
    _demand_host(probe)
    probe.refuses("HOST a b..c", 501)


@check(7151, "3.1", start=Start.STRANGER)
def host_with_a_port_is_501(probe: Probe) -> None:
    """HOST with an address and a port is answered by 501."""
    probe.expect_greeting()
    _demand_host(probe)
    code = probe.final("HOST 192.0.2.1:2112").code
    demand(code == 501, f"it is answered by {code}")


@check(7151, "3.2.2", start=Start.STRANGER, is_advice=True)
def host_after_user_is_503(probe: Probe) -> None:
    """HOST after USER, where clients must not send it, is out of order: 503."""
    probe.expect_greeting()
    _demand_host(probe)
    if probe.final(f"USER {probe.target.user}").code not in (331, 332):
        lacking("USER is not answered by 331")
    probe.refuses("HOST nobody.invalid", 503)


@check(7151, "3.3", start=Start.OWN)
def host_after_the_login_is_503(probe: Probe) -> None:
    """HOST after the login is out of order: 503."""
    with probe.another(logged_in=False) as other:
        other.expect_greeting()
        _demand_host(other)
    code = probe.final("HOST nobody.invalid").code
    demand(code == 503, f"it is answered by {code}")


@check(7151, "3.4")
def feat_tells_host(probe: Probe) -> None:
    """A server that has HOST says so in FEAT."""
    with probe.another(logged_in=False) as other:
        other.expect_greeting()
        _demand_host(other)
        found = [row.upper() for row in rows(other)]
    demand("HOST" in found, "FEAT does not have it")
