"""Machine: what this machine says of its network: its addresses, whether it is a container, which ports its own connections take.

Apart from the judgement, which a test can then make of any machine.  Everything is read from /proc and its like (Linux); elsewhere nothing is
known, and nothing said.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import Final

import attrs

__all__ = ["Machine", "look_around"]

_LOCAL: Final = re.compile(r"\|-- ([0-9.]+)\n\s+/32 host LOCAL")  # of fib_trie, which has every address of the machine
_CONTAINED: Final = re.compile(r"docker|kubepods|containerd|libpod|lxc")
_DOCKERS_OWN: Final = ipaddress.ip_network("172.17.0.0/16")  # the network of its bridge, unless an operator has chosen another
_BRIDGES: Final = re.compile(
    r"docker\d+|br-[0-9a-f]{12}|cni\d+|cbr\d+|podman\d+|lxcbr\d+|lxdbr\d+"
)  # names that their makers give them


@attrs.frozen
class Machine:
    """Addresses without loopback, IPv4 first; `container` is what it is one of, "" for none; `bridges` lead to containers of its own.

    `gateway` is the default route's, "" for none; `outgoing` are first and last port of its own connections, None where unknown, without
    the `reserved` ones.
    """

    addresses: tuple[str, ...] = ()
    container: str = ""
    bridges: tuple[str, ...] = ()
    gateway: str = ""
    outgoing: tuple[int, int] | None = None
    reserved: tuple[tuple[int, int], ...] = ()


def look_around(root: Path = Path("/")) -> Machine:
    """Return what is known of this machine, whose files are below *root*."""
    addresses = [*_IPv4(root), *_IPv6(root)]
    return Machine(
        addresses=tuple(address for address in addresses if not ipaddress.ip_address(address).is_loopback),
        container=_container(root),
        bridges=tuple(sorted(filter(_BRIDGES.fullmatch, _interfaces(root)))),
        gateway=_gateway(root),
        outgoing=_outgoing(root),
        reserved=_reserved(root),
    )


def _IPv4(root: Path) -> list[str]:
    return list(dict.fromkeys(_LOCAL.findall(_text(root / "proc/net/fib_trie"))))


def _IPv6(root: Path) -> list[str]:
    rows = [line.split() for line in _text(root / "proc/net/if_inet6").splitlines()]
    return [str(ipaddress.IPv6Address(bytes.fromhex(row[0]))) for row in rows if row]


def _interfaces(root: Path) -> list[str]:
    """Not from /sys, which shows the network that it was mounted in."""
    return [line.partition(":")[0].strip() for line in _text(root / "proc/net/dev").splitlines()[2:]]


def _container(root: Path) -> str:
    """Docker and Podman leave a file, Kubernetes mounts a secret; else the first process's control group may have a name, or the way out."""
    if (root / "run/secrets/kubernetes.io").exists():
        return "Kubernetes"
    if (root / ".dockerenv").exists():
        return "Docker"
    if (root / "run/.containerenv").exists():
        return "Podman"
    found = _CONTAINED.search(_text(root / "proc/1/cgroup"))
    if found is None and ipaddress.ip_address(_gateway(root) or "0.0.0.0") in _DOCKERS_OWN:
        return "Docker"
    return found[0] if found else ""


def _gateway(root: Path) -> str:
    """Return the gateway of the first route to 0.0.0.0 with mask 0; addresses are hexadecimal there, in the machine's own byte order."""
    for row in map(str.split, _text(root / "proc/net/route").splitlines()[1:]):
        if len(row) > 7 and row[1] == row[7] == "00000000" and row[2] != "00000000":
            return socket.inet_ntoa(int(row[2], 16).to_bytes(4, "little" if _is_little_endian() else "big"))
    return ""


def _is_little_endian() -> bool:
    return socket.htons(1) != 1


def _outgoing(root: Path) -> tuple[int, int] | None:
    numbers = _text(root / "proc/sys/net/ipv4/ip_local_port_range").split()
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None


def _reserved(root: Path) -> tuple[tuple[int, int], ...]:
    """Read `8080,50000-50100`."""
    parts = [part.split("-") for part in _text(root / "proc/sys/net/ipv4/ip_local_reserved_ports").strip().split(",") if part]
    return tuple((int(part[0]), int(part[-1])) for part in parts)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
