"""Inspection: what a configuration makes impossible on this machine, for clients that are not on it.

Apart from `ftpd check`, for nothing here is wrong in itself: who serves one network need not be told of others.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Final

from ftpd.config.addresses import external_addresses, ip_address, is_loopback
from ftpd.config.tree import Config, ListenSettings
from ftpd.doctor.finding import Finding, fault, good, note, warning
from ftpd.doctor.machine import Machine
from ftpd.private import is_private
from ftpd.processes.count import worker_count
from ftpd.schema import ConfigError, PortRange

__all__ = ["Resolve", "inspect", "resolved"]

Resolve = Callable[[str], list[str]]
_SMALL: Final = 1000  # ports; of more, one that is taken by somebody else is no loss
_TIGHT: Final = 10  # ports of one worker: so many transfers can one address begin at a time
_PROXIED: Final = 200  # ports that Docker publishes in about a second; each may have a process of its own


def inspect(config: Config, machine: Machine, resolve: Resolve) -> Iterator[Finding]:
    """Yield what *config* means on *machine*; *resolve* asks for the IPv4 addresses of a name, and returns none where there is none."""
    if machine.addresses:
        yield note(f"this machine has {', '.join(machine.addresses)}")
    yield from _surroundings(machine)
    if not config.listen:
        yield note("there is no [[listen]]: FTP is not served")
        return
    if not config.ftp.passive.enabled:
        yield warning(
            "passive mode is off: clients behind NAT and firewalls can transfer nothing", "set ftp.passive.enabled = true"
        )
        return
    yield from _ports(config, machine)
    for path, text in external_addresses(config).items():
        yield from _external(path, text, machine, resolve)
    for index, listener in enumerate(config.listen):
        yield from _listener(config, index, listener, machine)


def resolved(name: str) -> list[str]:
    """Ask the system for the IPv4 addresses of *name*."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _surroundings(machine: Machine) -> Iterator[Finding]:
    if machine.container:
        via = f", its way out is {machine.gateway}" if machine.gateway else ""
        yield note(f"this is a container ({machine.container}){via}")
    if machine.bridges:
        yield note(
            f"this machine has containers behind {', '.join(machine.bridges)}: clients that come from there are told its address"
        )


def _ports(config: Config, machine: Machine) -> Iterator[Finding]:
    first, last = ports = config.ftp.passive.ports
    count = last - first + 1
    try:
        workers = worker_count(config)
    except ConfigError as error:
        yield from (fault(f"{problem.path}: {problem.found}", problem.allowed) for problem in error.problems)
        return
    each = count // max(workers, 1)
    yield good(
        f"data connections use ports {first}-{last}: {count}" + (f", {each} for each of {workers} workers" if workers else "")
    )
    if each < _TIGHT:
        yield note(
            f"clients of one address can begin {each} transfers at a time with one worker; further ones wait for up to 10 seconds",
            "make ftp.passive.ports larger, or process.workers smaller, where clients or NATs have many sessions",
        )
    yield from _competition(ports, count, machine)
    if machine.container in ("Docker", "Podman") and count > _PROXIED:
        yield warning(
            f"a container that publishes {count} ports takes long to start, with one proxy process for each",
            'make ftp.passive.ports smaller, such as "50000-50099": a port serves any number of clients, one transfer of each at a time',
        )


def _competition(ports: PortRange, count: int, machine: Machine) -> Iterator[Finding]:
    """Say how many ports outgoing connections of this machine may take."""
    if machine.outgoing is None:
        return
    first, last = max(ports[0], machine.outgoing[0]), min(ports[1], machine.outgoing[1])
    shared = sum(not any(low <= port <= high for low, high in machine.reserved) for port in range(first, last + 1))
    if shared:
        text = f"{shared} of these ports may be taken by connections that this machine makes (net.ipv4.ip_local_port_range)"
        kept = ",".join(f"{low}-{high}" if low != high else f"{low}" for low, high in (*machine.reserved, ports))
        cure = f"sysctl net.ipv4.ip_local_reserved_ports={kept} keeps them free"
        yield warning(text, cure) if count < _SMALL else note(f"{text}; others are used then", cure)


def _external(path: str, text: str, machine: Machine, resolve: Resolve) -> Iterator[Finding]:
    """Say what becomes of one external address."""
    addresses = [text] if ip_address(text) else resolve(text)
    if not addresses:
        yield fault(f"{path}: {text} has no IPv4 address, so PASV is answered with 425", "correct the name, or its DNS record")
        return
    said = text if text in addresses else f"{text}, now {', '.join(addresses)},"
    for address in addresses:
        if is_private(address):
            yield warning(
                f"{path}: {said} is private: clients elsewhere cannot connect to it",
                "set it to the public address of the router or of the load balancer, unless all clients are on that network",
            )
            return
    own = (
        "this machine's own"
        if set(addresses) <= set(machine.addresses)
        else "of a router, host or load balancer, which has to pass the ports on"
    )
    yield good(f"{path}: PASV tells {said} {own}")


def _listener(config: Config, index: int, listener: ListenSettings, machine: Machine) -> Iterator[Finding]:
    """Say whether clients elsewhere are told an address that they can connect to."""
    where = f"listen[{index}] ({listener.label})"
    if is_loopback(listener.address):
        yield note(f"{where} can be reached from this machine only")
        return
    if ":" in listener.address:
        yield good(f"{where} is IPv6: EPSV tells a port only, which works through every NAT that passes the same port on")
        return
    if listener.external_address or config.ftp.passive.external_address:
        return  # told with the address itself
    own = [address for address in machine.addresses if ":" not in address] if listener.address == "0.0.0.0" else [listener.address]
    if machine.container and all(map(is_private, own)):
        yield fault(
            f"{where}: PASV tells {' or '.join(own) or 'an address of the container'}, which nobody outside of this host reaches",
            "set ftp.passive.external_address to the address of the host, and publish ftp.passive.ports under the same numbers",
        )
    elif own and all(map(is_private, own)):
        yield warning(
            f"{where}: PASV tells {' or '.join(own)}: private, so clients on the internet cannot connect to it",
            "set ftp.passive.external_address to the public address or name; [[ftp.passive.networks]] is for clients that come from inside",
        )
    elif own:
        yield good(f"{where}: PASV tells the address that the client has reached ({' or '.join(own)})")
