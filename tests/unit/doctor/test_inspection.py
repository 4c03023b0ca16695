"""What the doctor says of a configuration on a machine."""

from __future__ import annotations

import attrs
import pytest

from ftpd.config.tree import Config, ListenSettings, StorageSettings
from ftpd.doctor.finding import Weight
from ftpd.doctor.inspection import inspect, resolved
from ftpd.doctor.machine import Machine
from ftpd.ftp.settings import FTPSettings, PassiveNetworkSettings, PassiveSettings
from ftpd.processes.settings import ProcessSettings

LAN = Machine(addresses=("10.0.0.2", "fe80::1"), gateway="10.0.0.1")
PUBLIC = Machine(addresses=("198.51.100.1",))
CONTAINER = Machine(addresses=("172.17.0.2",), container="Docker", gateway="172.17.0.1")
EVERYWHERE = (ListenSettings(address="0.0.0.0", port=21),)
FAULT, WARNING, NOTE, GOOD = Weight.FAULT, Weight.WARNING, Weight.NOTE, Weight.GOOD


def config(*, listen=EVERYWHERE, workers=0, **passive):
    return Config(
        listen=listen,
        storage=StorageSettings(kind="local"),
        ftp=FTPSettings(passive=PassiveSettings(**passive)),
        process=ProcessSettings(workers=workers),
    )


def found(settings, machine, names=()):
    return list(inspect(settings, machine, lambda name: dict(names).get(name, [])))


def bad(settings, machine, names=()):
    """What is wrong, by weight, as far as the first words tell it."""
    return [(one.weight, one.text) for one in found(settings, machine, names) if one.weight in (FAULT, WARNING)]


def test_a_machine_with_a_public_address_needs_nothing():
    assert bad(config(), PUBLIC) == []
    assert found(config(), PUBLIC)[-1].text == (
        "listen[0] (0.0.0.0:21): PASV tells the address that the client has reached (198.51.100.1)"
    )


def test_private_addresses_without_an_external_one_are_a_warning_with_the_key():
    finding = found(config(), LAN)[-1]
    assert finding.weight is WARNING
    assert finding.text == "listen[0] (0.0.0.0:21): PASV tells 10.0.0.2: private, so clients on the internet cannot connect to it"
    assert finding.cure.startswith("set ftp.passive.external_address to the public address or name")


def test_a_container_without_an_external_address_is_a_fault():
    assert bad(config(ports=(50000, 50099)), CONTAINER) == [
        (FAULT, "listen[0] (0.0.0.0:21): PASV tells 172.17.0.2, which nobody outside of this host reaches")
    ]


def test_a_container_is_told_with_its_way_out():
    assert "this is a container (Docker), its way out is 172.17.0.1" in [one.text for one in found(config(), CONTAINER)]


def test_a_container_with_an_external_address_is_well():
    assert bad(config(ports=(50000, 50099), external_address="198.51.100.1"), CONTAINER) == []


def test_the_external_address_of_the_listener_counts():
    listen = (attrs.evolve(EVERYWHERE[0], external_address="198.51.100.1"),)
    assert bad(config(listen=listen), LAN) == []


def test_many_published_ports_are_a_warning():
    assert bad(config(external_address="198.51.100.1"), CONTAINER) == [
        (WARNING, "a container that publishes 16383 ports takes long to start, with one proxy process for each")
    ]


def test_bridges_to_containers_are_told():
    texts = [one.text for one in found(config(), attrs.evolve(PUBLIC, bridges=("docker0",)))]
    assert "this machine has containers behind docker0: clients that come from there are told its address" in texts


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ({}, [(FAULT, "ftp.passive.external_address: ftp.example.org has no IPv4 address, so PASV is answered with 425")]),
        (
            {"ftp.example.org": ["10.1.1.1"]},
            [
                (
                    WARNING,
                    "ftp.passive.external_address: ftp.example.org, now 10.1.1.1, is private: clients elsewhere cannot connect to it",
                )
            ],
        ),
        ({"ftp.example.org": ["198.51.100.1"]}, []),
    ],
)
def test_an_external_name_is_asked_for(names, wrong):
    assert bad(config(external_address="ftp.example.org"), LAN, names) == wrong


def test_an_external_address_of_a_network_is_judged_as_well():
    own = PassiveNetworkSettings(networks=(), external_address="nowhere.example.org")
    assert bad(config(external_address="198.51.100.1", networks=(own, attrs.evolve(own, external_address="reached"))), LAN) == [
        (
            FAULT,
            "ftp.passive.networks[0].external_address: nowhere.example.org has no IPv4 address, so PASV is answered with 425",
        )
    ]


def test_whose_the_external_address_is_is_told():
    assert "PASV tells 198.51.100.1 this machine's own" in found(config(external_address="198.51.100.1"), PUBLIC)[-1].text
    assert "of a router, host or load balancer" in found(config(external_address="198.51.100.1"), LAN)[-1].text


OUTGOING = attrs.evolve(PUBLIC, outgoing=(32768, 60999))


def test_a_small_range_among_outgoing_ports_is_a_warning():
    finding = next(one for one in found(config(ports=(50000, 50099)), OUTGOING) if one.weight is WARNING)
    assert finding.text == ("100 of these ports may be taken by connections that this machine makes (net.ipv4.ip_local_port_range)")
    assert finding.cure == "sysctl net.ipv4.ip_local_reserved_ports=50000-50099 keeps them free"


def test_a_large_range_among_outgoing_ports_is_a_note():
    assert bad(config(), OUTGOING) == []
    assert any("; others are used then" in one.text for one in found(config(), OUTGOING) if one.weight is NOTE)


def test_ports_that_others_have_reserved_stay_so():
    machine = attrs.evolve(OUTGOING, reserved=((8080, 8080), (40000, 40010)))
    [finding] = [one for one in found(config(ports=(50000, 50099)), machine) if one.weight is WARNING]
    assert finding.cure == "sysctl net.ipv4.ip_local_reserved_ports=8080,40000-40010,50000-50099 keeps them free"


def test_reserved_ports_are_not_counted():
    assert bad(config(ports=(50000, 50099)), attrs.evolve(OUTGOING, reserved=((50000, 50099),))) == []
    [(_, text)] = bad(config(ports=(50000, 50099)), attrs.evolve(OUTGOING, reserved=((40000, 50049), (50060, 50060))))
    assert text.startswith("49 of these ports")


def test_ports_below_those_of_the_system_are_well():
    assert bad(config(ports=(30000, 30099)), OUTGOING) == []


def test_fewer_ports_than_workers_are_a_fault():
    assert bad(config(ports=(30000, 30002), workers=4), PUBLIC) == [
        (FAULT, "ftp.passive.ports: found 30000-30002, 3 for 4 workers (process.workers)")
    ]


def test_few_ports_for_a_worker_are_a_note():
    texts = [one.text for one in found(config(ports=(30000, 30003), workers=2), PUBLIC)]
    assert "data connections use ports 30000-30003: 4, 2 for each of 2 workers" in texts
    assert any(text.startswith("clients of one address can begin 2 transfers at a time with one worker") for text in texts)


def test_a_listener_on_loopback_is_told():
    assert found(config(listen=(ListenSettings(),)), LAN)[-1].text == (
        "listen[0] (127.0.0.1:2121) can be reached from this machine only"
    )


def test_ipv6_needs_no_address():
    assert bad(config(listen=(ListenSettings(address="::"),)), LAN) == []


def test_without_passive_mode_that_is_what_is_wrong():
    assert bad(config(enabled=False), LAN) == [
        (WARNING, "passive mode is off: clients behind NAT and firewalls can transfer nothing")
    ]


def test_without_ftp_there_is_nothing_to_judge():
    assert found(config(listen=()), PUBLIC)[-1].text == "there is no [[listen]]: FTP is not served"


def test_the_system_is_asked_for_names():
    assert resolved("localhost") == ["127.0.0.1"]
    assert resolved("no-such-name.invalid") == []
