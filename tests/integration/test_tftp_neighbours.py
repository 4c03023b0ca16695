"""What a kernel tells of its neighbours, in a network of the test's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.integration.network import CLIENT, SERVER, Network, made

NEIGHBOURS = {CLIENT: "02:00:5e:00:53:07", "fd00:69::2": "02:00:5e:00:53:08", "fe80::5eff:fe00:5307": "02:00:5e:00:53:09"}
ROUTED = "203.0.113.1"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with made(Network) as network:
        for address, mac in NEIGHBOURS.items():
            network.server.run("ip", "neighbour", "replace", address, "lladdr", mac, "dev", "near", "nud", "permanent")
        network.server.run("ip", "route", "add", ROUTED, "via", CLIENT)
        yield network


def mac_of(network: Network, address: str) -> str:
    program = "import sys; from ftpd.tftp.neighbours import Neighbours; print(Neighbours().mac_of(sys.argv[1]))"
    return network.server.run(sys.executable, "-c", program, address).strip()


@pytest.mark.parametrize(("address", "mac"), NEIGHBOURS.items())
def test_mac_address_of_a_neighbour_is_known(network: Network, address: str, mac: str) -> None:
    assert mac_of(network, address) == mac.replace(":", "-")


@pytest.mark.parametrize("address", [ROUTED, SERVER, "10.69.0.99", "198.51.100.1", "2001:db8::1"])
def test_nothing_is_known_of_others(network: Network, address: str) -> None:
    assert mac_of(network, address) == "None"


def test_mac_address_of_a_client_is_known_as_soon_as_its_packet_is_here(network: Network) -> None:
    address, mac = "10.69.0.3", "02:00:5e:00:53:0a"
    network.client.run("ip", "link", "set", "far", "address", mac)
    network.client.run("ip", "address", "add", f"{address}/24", "dev", "far")
    with network.server.socket() as listener, network.client.socket() as sender:
        listener.bind((SERVER, 0))
        listener.settimeout(30)
        sender.bind((address, 0))
        sender.sendto(b"", listener.getsockname())
        listener.recv(1)
        assert mac_of(network, address) == mac.replace(":", "-")
