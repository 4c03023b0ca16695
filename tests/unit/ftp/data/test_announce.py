from __future__ import annotations

import ipaddress

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import DNSLookupError
from twisted.internet.task import Clock

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.data.announce import Announcement
from ftpd.ftp.settings import PassiveNetworkSettings, PassiveSettings
from ftpd.testing.fakes import finish
from ftpd.testing.login_contract import recorded_log
from ftpd.values import Peer

OUTSIDE = Peer("203.0.113.1", 40000, "10.0.0.2", 21)
INSIDE = Peer("10.0.0.9", 40000, "10.0.0.2", 21)


class Names:
    """A resolver whose answers the test sets; `asked` counts questions."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = 0

    def __call__(self, name):
        self.asked += 1
        return self.answer if isinstance(self.answer, Deferred) else succeed(self.answer)


def announcement(names, clock=None, **settings):
    return Announcement(PassiveSettings(**settings), names, (clock or Clock()).seconds)


def test_without_a_setting_it_is_the_address_reached():
    assert finish(announcement(Names("")).address_for(OUTSIDE, "10.0.0.2")) == "10.0.0.2"


def test_external_address_is_announced():
    assert finish(announcement(Names(""), external_address="198.51.100.1").address_for(OUTSIDE, "10.0.0.2")) == "198.51.100.1"


def test_clients_of_internal_networks_are_told_the_address_they_reached():
    networks = (ipaddress.ip_network("10.0.0.0/8"),)
    chosen = announcement(Names(""), external_address="198.51.100.1", internal_networks=networks)
    assert finish(chosen.address_for(INSIDE, "10.0.0.2")) == "10.0.0.2"
    assert finish(chosen.address_for(OUTSIDE, "10.0.0.2")) == "198.51.100.1"


def network(text, **settings):
    return PassiveNetworkSettings(networks=(ipaddress.ip_network(text),), **settings)


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("203.0.113.1", "198.51.100.1"),
        ("10.1.0.9", "10.0.0.2"),
        ("10.2.0.9", "10.2.0.1"),
        ("10.3.0.9", "198.51.100.3"),
        ("10.4.0.9", "10.0.0.2"),
        ("2001:db8::1", "198.51.100.1"),
    ],
)
def test_the_first_network_that_has_the_client_counts(client, address):
    chosen = announcement(
        Names("198.51.100.3"),
        external_address="198.51.100.1",
        internal_networks=(ipaddress.ip_network("10.3.0.0/16"), ipaddress.ip_network("10.4.0.0/16")),
        networks=(
            network("10.1.0.0/16"),
            network("10.2.0.0/16", external_address="10.2.0.1"),
            network("10.2.0.0/15", external_address="vpn.example.org"),
        ),
    )
    assert finish(chosen.address_for(OUTSIDE._replace(address=client), "10.0.0.2")) == address


def test_names_of_several_networks_are_resolved_each_for_itself():
    names = {"a.example.org": "198.51.100.1", "b.example.org": "198.51.100.2"}
    chosen = announcement(
        lambda name: succeed(names[name]),
        external_address="a.example.org",
        networks=(network("10.0.0.0/8", external_address="b.example.org"),),
    )
    assert finish(chosen.address_for(OUTSIDE, "10.0.0.2")) == "198.51.100.1"
    assert finish(chosen.address_for(INSIDE, "10.0.0.2")) == "198.51.100.2"


def test_everybody_may_be_told_the_address_reached():
    assert finish(announcement(Names(""), external_address="reached").address_for(OUTSIDE, "10.0.0.2")) == "10.0.0.2"


def test_name_is_resolved_and_remembered_for_a_minute():
    clock, names = Clock(), Names("198.51.100.1")
    chosen = announcement(names, clock, external_address="ftp.example.org")
    for _ in range(3):
        assert finish(chosen.address_for(OUTSIDE, "10.0.0.2")) == "198.51.100.1"
        clock.advance(19)
    assert names.asked == 1


def test_name_that_changed_is_announced_after_a_minute():
    clock, names = Clock(), Names("198.51.100.1")
    chosen = announcement(names, clock, external_address="ftp.example.org")
    finish(chosen.address_for(OUTSIDE, "10.0.0.2"))
    names.answer = "198.51.100.2"
    clock.advance(61)
    assert finish(chosen.address_for(OUTSIDE, "10.0.0.2")) == "198.51.100.2"


def test_nobody_waits_for_a_name_that_is_known():
    clock, names = Clock(), Names("198.51.100.1")
    chosen = announcement(names, clock, external_address="ftp.example.org")
    finish(chosen.address_for(OUTSIDE, "10.0.0.2"))
    names.answer = Deferred()
    clock.advance(61)
    assert finish(chosen.address_for(OUTSIDE, "10.0.0.2")) == "198.51.100.1"


def test_last_address_is_kept_where_the_name_fails():
    clock, names = Clock(), Names("198.51.100.1")
    chosen = announcement(names, clock, external_address="ftp.example.org")
    finish(chosen.address_for(OUTSIDE, "10.0.0.2"))
    names.answer = fail(DNSLookupError())
    clock.advance(61)
    with recorded_log() as log:
        assert finish(chosen.address_for(OUTSIDE, "10.0.0.2")) == "198.51.100.1"
    assert len(log) == 1


def test_name_that_was_never_known_is_425():
    names = Names(fail(DNSLookupError()))
    with recorded_log(), pytest.raises(DataConnectionFailed):
        finish(announcement(names, external_address="ftp.example.org").address_for(OUTSIDE, "10.0.0.2"))


def test_client_that_asks_while_the_first_waits_is_told_the_address_too():
    answers = []

    def resolve(name):
        answers.append(Deferred())
        return answers[-1]

    chosen = announcement(resolve, external_address="ftp.example.org")
    told = []
    for _ in range(2):
        Deferred.fromCoroutine(chosen.address_for(OUTSIDE, "10.0.0.2")).addCallback(told.append)
    for answer in answers:
        answer.callback("198.51.100.1")
    assert told == ["198.51.100.1", "198.51.100.1"]
