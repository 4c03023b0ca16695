"""What the operator is told of data connections that do not come into being, and how often."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from ftpd.events import DataFault, Events
from ftpd.ftp.data.faults import DataFaults, Fault
from ftpd.values import Peer

PEER = Peer("203.0.113.9", 40000, "10.0.0.2", 21, listener="outside", session="s1")


class Told(list):
    """The events, and the clock that decides which there are."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.faults = DataFaults(Events([self.append]), self.clock.seconds)


@pytest.fixture
def told():
    return Told()


def test_a_fault_is_told_with_what_to_change(told):
    told.faults.tell(PEER, Fault.PRIVATE_ANNOUNCED, "10.0.0.2", 50000)
    assert told == [
        DataFault(
            peer=PEER,
            fault="private-announced",
            reason="PASV told the private address 10.0.0.2 to a client with a public one, which cannot reach it",
            advice=(
                "set external_address of its [[listen]], or ftp.passive.external_address, to the address that clients connect to"
            ),
            address="10.0.0.2",
            port=50000,
        )
    ]


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_words_without_gaps(told, fault):
    told.faults.tell(PEER, fault, "10.0.0.2", 50000, "198.51.100.7")
    assert "{" not in told[0].reason + told[0].advice


def test_what_happens_all_the_time_is_told_once_in_ten_minutes_with_its_number(told):
    for _ in range(1000):
        told.faults.tell(PEER, Fault.NOBODY_CONNECTED, "10.0.0.2", 50000)
        told.clock.advance(1)
    assert [(event.fault, event.times) for event in told] == [("nobody-connected", 1), ("nobody-connected", 600)]


def test_faults_of_another_kind_or_listener_are_told_for_themselves(told):
    told.faults.tell(PEER, Fault.NOBODY_CONNECTED)
    told.faults.tell(PEER, Fault.NO_FREE_PORT)
    told.faults.tell(PEER._replace(listener="inside"), Fault.NO_FREE_PORT)
    told.faults.tell(PEER._replace(session="s2"), Fault.NO_FREE_PORT)
    assert [(event.peer.listener, event.fault) for event in told] == [
        ("outside", "nobody-connected"),
        ("outside", "no-free-port"),
        ("inside", "no-free-port"),
    ]
