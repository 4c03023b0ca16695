"""Checks on ABOR, idle and during a transfer (RFC 959 4.1, 4.1.3)."""

from __future__ import annotations

import socket
import time

from ftpd.conformance.check import Start, check
from ftpd.conformance.finding import demand, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE, TEXT

_MUCH = 24 * 1024 * 1024  # bytes: more than the socket buffers of both sides take
_IAC_IP_DM = b"\xff\xf4\xff\xf2"


@check(959, "4.1.3")
def abor_without_a_transfer(probe: Probe) -> None:
    """ABOR with nothing to abort is answered by 225 or 226, once."""
    probe.wants("ABOR", 225, 226)
    demand(probe.is_quiet(), "a second reply comes")


@check(959, "4.1.3")
def abor_after_pasv(probe: Probe) -> None:
    """ABOR between PASV and a transfer is answered by 225 or 226."""
    probe.needs("EPSV" if ":" in probe.control.peer[0] else "PASV", 227, 229)
    probe.wants("ABOR", 225, 226)


@check(959, "4.1.3", start=Start.OWN, writes=True)
def abor_of_a_download(probe: Probe) -> None:
    """ABOR during a download: 426 for the transfer, then 226 for ABOR."""
    with _downloading(probe) as data:
        probe.send("ABOR", is_beside=True)
        _demand_pair(probe, data)


@check(959, "4.1", start=Start.OWN, writes=True, is_advice=True)
def abor_with_telnet_signals(probe: Probe) -> None:
    """ABOR behind the Telnet signals IP and Synch is the same."""
    with _downloading(probe) as data:
        probe.send_raw(_IAC_IP_DM + b"ABOR\r\n", is_beside=True)
        _demand_pair(probe, data)


@check(959, "4.1.3", start=Start.OWN, writes=True)
def abor_of_an_upload(probe: Probe) -> None:
    """ABOR during an upload: 426 for the transfer, then 226 for ABOR."""
    with probe.data() as plain:
        demand(probe.say("STOR aborted").is_preliminary, "STOR is refused")
        with probe.covered(plain) as data:
            data.sendall(b"half of it")
            time.sleep(0.2)  # for the upload to be under way: else there is nothing to abort
            probe.send("ABOR", is_beside=True)
            _demand_pair(probe, data)


@check(959, "4.1.3", start=Start.OWN, writes=True)
def after_abor_the_session_goes_on(probe: Probe) -> None:
    """After ABOR of a transfer the next one is right."""
    with _downloading(probe) as data:
        probe.send("ABOR", is_beside=True)
        _demand_pair(probe, data)
    demand(probe.fetch(f"RETR {FIXTURE}") == TEXT, "the next file is not whole")


def _downloading(probe: Probe) -> socket.socket:
    probe.store("STOR much", b"\0" * _MUCH)
    plain = probe.data()
    demand(probe.say("RETR much").is_preliminary, "RETR is refused")
    data = probe.covered(plain)
    data.recv(1000)
    return data


def _demand_pair(probe: Probe, data: socket.socket) -> None:
    """Hear the two replies; a server that waits for the client to take or close the data connection is told so by closing it."""
    is_waiting = probe.is_late(2.0)
    if is_waiting:
        data.close()
    first, second = probe.hear().code, probe.hear().code
    demand(second in (225, 226), f"ABOR is answered by {second}, behind {first}")
    demand(first >= 200, f"the transfer ends with {first}")
    if is_waiting:
        remark("ABOR is seen once the client closes the data connection, and not before")
