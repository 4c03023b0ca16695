"""Checks on data connections: PASV, PORT and whom the server connects to (RFC 959 4.1.2, RFC 1123 4.1.2.6, RFC 2577)."""

from __future__ import annotations

import re
import socket
from itertools import pairwise

from ftpd.conformance.check import Start, check
from ftpd.conformance.conversation import shown
from ftpd.conformance.finding import Violated, demand, lacking, remark, unclear
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE, TEXT
from ftpd.dialogue import Broken, Heard, announced, port_line

_ELSEWHERE = "PORT 192,0,2,1,200,10"  # TEST-NET-1: nobody is there (RFC 5737)


def _passive(probe: Probe) -> tuple[str | None, int]:
    _demand_ipv4(probe)
    heard = probe.tells("PASV", 227)
    try:
        return announced(heard)
    except Broken as error:
        raise Violated(str(error)) from error


def _demand_ipv4(probe: Probe) -> None:
    if ":" in probe.control.peer[0]:
        lacking("PASV and PORT are for IPv4, and this connection is IPv6")


@check(959, "4.1.2")
def pasv_tells_an_address(probe: Probe) -> None:
    """PASV is answered by 227 and six numbers."""
    _passive(probe)


@check(1123, "4.1.2.6")
def pasv_is_in_parentheses(probe: Probe) -> None:
    """The six numbers of a 227 stand in parentheses on one line, as every client looks for them."""
    _demand_ipv4(probe)
    heard = probe.tells("PASV", 227)
    if len(heard.lines) > 1:
        remark(f"it has {len(heard.lines)} lines")
    if not re.search(rb"\(\d+,\d+,\d+,\d+,\d+,\d+\)", heard.lines[0]):
        remark(f"it is {shown(heard.lines[0])}")


@check(959, "4.1.2")
def pasv_tells_where_we_are_connected(probe: Probe) -> None:
    """The address of a 227 is one that this client can reach: that of the control connection."""
    address, _ = _passive(probe)
    if address != probe.control.peer[0]:
        remark(f"it is {address}, and the control connection goes to {probe.control.peer[0]}: right behind NAT only")


@check(959, "4.1.2")
def pasv_is_answered_before_anybody_connects(probe: Probe) -> None:
    """PASV is answered at once, and what follows it too: the server does not wait for the data connection."""
    _passive(probe)
    demand(probe.say("NOOP").code == 200, "NOOP after PASV is not answered by 200")


@check(1123, "4.1.2.6", writes=True)
def pasv_before_each_transfer(probe: Probe) -> None:
    """A PASV before each of two transfers gives two good data connections."""
    _demand_ipv4(probe)
    for _ in range(2):
        with probe.data(extended=False) as plain:
            demand(probe.say(f"RETR {FIXTURE}").is_preliminary, "RETR is refused")
            demand(probe.take(plain) == TEXT, "the file is not whole")
        demand(probe.hear().code in (226, 250), "RETR does not end with 226")


@check(959, "3.2", writes=True)
def a_second_pasv_counts(probe: Probe) -> None:
    """The last PASV counts; what an earlier one has announced is forgotten."""
    _passive(probe)
    with probe.data() as plain:
        demand(probe.say(f"RETR {FIXTURE}").is_preliminary, "RETR is refused")
        demand(probe.take(plain) == TEXT, "the file is not whole")
    demand(probe.hear().code in (226, 250), "RETR does not end with 226")


@check(959, "3.3", writes=True, is_advice=True)
def port_after_pasv_counts(probe: Probe) -> None:
    """PORT after PASV makes the server connect (3.3 lets both stand together, and nobody does so)."""
    _demand_ipv4(probe)
    _passive(probe)
    _fetch_actively(probe, extended=False)


@check(959, "4.1.2", writes=True)
def port_makes_the_server_connect(probe: Probe) -> None:
    """After PORT the server connects, and the file is whole."""
    _demand_ipv4(probe)
    _fetch_actively(probe, extended=False)


@check(959, "3.2", writes=True)
def port_alone_connects_nobody(probe: Probe) -> None:
    """The server connects when the transfer command comes and not with the PORT."""
    _demand_ipv4(probe)
    with probe.listener() as listener:
        listener.settimeout(0.5)
        try:
            listener.accept()[0].close()
        except TimeoutError:
            return
    raise Violated("it has connected with the PORT alone")


@check(959, "5.3.2")
def port_with_too_few_numbers(probe: Probe) -> None:
    """PORT with less than six numbers is answered by 501."""
    probe.refuses("PORT 127,0,0,1,20", 501, 500)


@check(959, "5.3.2")
def port_with_too_large_a_number(probe: Probe) -> None:
    """PORT with a number above 255 is answered by 501."""
    probe.refuses("PORT 127,0,0,1,300,1", 501, 500)


@check(2577, "3")
def port_to_somebody_else(probe: Probe) -> None:
    """PORT to another host is refused, so that nobody is attacked from here (a matter of security)."""
    _demand_ipv4(probe)
    heard = probe.final(_ELSEWHERE)
    if heard.code < 400:
        remark("PORT to another host is taken; whether the server connects there was not tried")


@check(2577, "3")
def port_to_a_low_port(probe: Probe) -> None:
    """PORT to a port below 1024 is refused: services stand there (a matter of security)."""
    _demand_ipv4(probe)
    heard = probe.final(f"PORT {probe.control.local[0].replace('.', ',')},0,25")
    if heard.code < 400:
        remark("PORT to port 25 is taken")


@check(2577, "8")
def a_passive_port_is_not_the_next_one(probe: Probe) -> None:
    """Passive ports are not handed out one after the other, where a stranger could be there first (a matter of security)."""
    _demand_ipv4(probe)
    ports = [_passive(probe)[1] for _ in range(4)]
    if all(0 < later - earlier <= 2 for earlier, later in pairwise(ports)):
        remark(f"they are {', '.join(map(str, ports))}")


@check(959, "5.4", start=Start.OWN, writes=True)
def a_client_that_is_not_there(probe: Probe) -> None:
    """A transfer whose client does not listen ends with 425 (or 426), and the server goes on."""
    _demand_ipv4(probe)
    with socket.create_server((probe.control.local[0], 0)) as gone:
        line = port_line(gone, extended=False)
    if probe.final(line).code != 200:
        lacking("PORT is not taken")
    probe.control.timeout = max(probe.control.timeout, 20.0)
    heard = probe.final(f"RETR {FIXTURE}")
    demand(heard.code >= 400, f"it ends with {heard.code}")
    demand(probe.say("NOOP").code == 200, "NOOP is not answered by 200 afterwards")


@check(2428, "2", writes=True)
def eprt_makes_the_server_connect(probe: Probe) -> None:
    """After EPRT the server connects, and the file is whole."""
    _fetch_actively(probe, extended=True)


@check(2428, "2")
def eprt_of_an_unknown_family_is_522(probe: Probe) -> None:
    """EPRT with a network protocol that is not served is answered by 522, and the ones that are, in parentheses."""
    with probe.listener(extended=True):
        heard = probe.final("EPRT |9|1.2.3.4|4000|")
    demand(heard.code >= 400, f"it is answered by {heard.code}")
    if heard.code != 522:
        remark(f"it is refused with {heard.code}, not with 522")
    _demand_list(heard)


@check(2428, "2")
def eprt_with_another_delimiter(probe: Probe) -> None:
    """Any printable character may stand between EPRT's parts."""
    with socket.create_server((probe.control.local[0], 0), family=probe.family) as listener:
        line = port_line(listener, extended=True).replace("|", "!")
        probe.wants(line, 200)


@check(2428, "2")
def eprt_that_cannot_be_read_is_501(probe: Probe) -> None:
    """EPRT that is no address is answered by 501."""
    probe.refuses("EPRT |1|not-an-address|x|", 501, 500)


@check(2428, "3")
def epsv_tells_a_port(probe: Probe) -> None:
    """EPSV is answered by 229 and (|||port|)."""
    heard = probe.tells("EPSV", 229)
    demand(re.search(rb"\(([!-~])\1\1[0-9]{1,5}\1\)", heard.lines[-1]), f"it is {shown(heard.lines[-1])}")


@check(2428, "3", writes=True)
def epsv_works(probe: Probe) -> None:
    """A transfer over EPSV is whole."""
    with probe.data(extended=True) as plain:
        demand(probe.say(f"RETR {FIXTURE}").is_preliminary, "RETR is refused")
        demand(probe.take(plain) == TEXT, "the file is not whole")
    demand(probe.hear().code in (226, 250), "RETR does not end with 226")


@check(2428, "3")
def epsv_takes_our_family(probe: Probe) -> None:
    """EPSV with the network protocol of the control connection is the same as EPSV alone."""
    probe.tells(f"EPSV {'2' if ':' in probe.control.peer[0] else '1'}", 229)


@check(2428, "3")
def epsv_of_an_unknown_family_is_522(probe: Probe) -> None:
    """EPSV with a network protocol that is not served is answered by 522, and the ones that are, in parentheses."""
    probe.offered("EPSV")
    heard = probe.final("EPSV 9")
    demand(heard.code == 522, f"it is answered by {heard.code}")
    _demand_list(heard)


@check(2428, "3", start=Start.OWN)
def epsv_all_is_200(probe: Probe) -> None:
    """EPSV ALL is answered by 200 (no RFC says by which 2yz)."""
    probe.wants("EPSV ALL", 200)


@check(2428, "3", start=Start.OWN)
def after_epsv_all_only_epsv_is_taken(probe: Probe) -> None:
    """After EPSV ALL every PORT, PASV and EPRT is refused, and EPSV is taken."""
    heard = probe.offered("EPSV ALL")
    if heard.code >= 300:
        lacking(f"EPSV ALL is answered by {heard.code}")
    lines = ["PASV"]
    with socket.create_server((probe.control.local[0], 0), family=probe.family) as listener:
        lines.append(port_line(listener, extended=True))
        if ":" not in probe.control.peer[0]:
            lines.append(port_line(listener, extended=False))
        taken = [line for line in lines if probe.final(line).code < 400]
    demand(not taken, f"{', '.join(line.partition(' ')[0] for line in taken)}: still taken")
    demand(probe.final("EPSV").code == 229, "EPSV is refused")


def _demand_list(heard: Heard) -> None:
    demand(re.search(r"\([0-9]+(,[0-9]+)*\)", heard.text), f"it names none: {shown(heard.lines[-1])}")


def _fetch_actively(probe: Probe, *, extended: bool) -> None:
    if not probe.scratch:
        unclear("there is no file to fetch")
    with probe.listener(extended=extended) as listener:
        demand(probe.say(f"RETR {FIXTURE}").code in (125, 150), "RETR is refused")
        with probe.accepted(listener) as plain:
            demand(probe.take(plain) == TEXT, "the file is not whole")
    demand(probe.hear().code in (226, 250), "RETR does not end with 226")
