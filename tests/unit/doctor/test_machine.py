"""What a machine's files say of its network."""

from __future__ import annotations

import pytest

from ftpd.doctor.machine import Machine, look_around

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.0.0.0/24 2 0 2
        |-- 10.0.0.0
           /24 link UNICAST
        |-- 10.0.0.2
           /32 host LOCAL
        |-- 10.0.0.255
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
Local:
        |-- 10.0.0.2
           /32 host LOCAL
        |-- 172.17.0.1
           /32 host LOCAL
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000002 02 40 00 80     eth0
"""
DEVICES = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
  eth0: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
docker0: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
br-0123456789ab: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
br-lan: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0
"""
ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""


@pytest.fixture
def root(tmp_path):
    return tmp_path


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_machine_that_says_nothing_is_nothing_known(root):
    assert look_around(root) == Machine()


def test_everything_is_read(root):
    write(root, proc__net__fib_trie=FIB_TRIE, proc__net__if_inet6=IF_INET6, proc__net__dev=DEVICES, proc__net__route=ROUTES)
    write(root, proc__sys__net__ipv4__ip_local_port_range="32768\t60999\n")
    write(root, proc__sys__net__ipv4__ip_local_reserved_ports="8080,50000-50100\n")
    assert look_around(root) == Machine(
        addresses=("10.0.0.2", "172.17.0.1", "2001:db8::2"),
        bridges=("br-0123456789ab", "docker0"),
        gateway="10.0.0.1",
        outgoing=(32768, 60999),
        reserved=((8080, 8080), (50000, 50100)),
    )


def test_no_reserved_ports_are_none(root):
    write(root, proc__sys__net__ipv4__ip_local_reserved_ports="\n")
    assert look_around(root).reserved == ()


@pytest.mark.parametrize(
    ("file", "text", "container"),
    [
        (".dockerenv", "", "Docker"),
        ("run/.containerenv", "", "Podman"),
        ("run/secrets/kubernetes.io", "", "Kubernetes"),
        ("proc/1/cgroup", "0::/kubepods/burstable/pod1\n", "kubepods"),
        ("proc/1/cgroup", "1:name=systemd:/docker/0123\n", "docker"),
        ("proc/1/cgroup", "0::/init.scope\n", ""),
    ],
)
def test_a_container_is_known_by_what_its_maker_leaves(root, file, text, container):
    write(root, **{file.replace("/", "__"): text})
    assert look_around(root).container == container


def test_a_way_out_by_dockers_bridge_is_that_of_a_container(root):
    write(root, proc__net__route=ROUTES.replace("0100000A", "010011AC"))
    assert (look_around(root).gateway, look_around(root).container) == ("172.17.0.1", "Docker")


def test_this_machine_can_be_looked_at():
    assert isinstance(look_around(), Machine)
