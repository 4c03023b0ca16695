"""Rules between settings: what no single value shows to be wrong, and what is allowed but worth a warning.

Apart from reading, so that they hold for a tree that a program built as well.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator

from ftpd.config.tree import Config, ListenSettings
from ftpd.schema import Problem

__all__ = ["problems_of", "warnings_of"]


def problems_of(config: Config) -> Iterator[Problem]:
    """Yield everything in *config* that contradicts itself; `file` is left empty."""
    yield from _listeners(config)
    yield from _data_channels(config)
    yield from _commands(config)
    yield from _targets(config)
    yield from _logins(config)
    if "\n" in config.ftp.greeting or "\r" in config.ftp.greeting:
        yield Problem("", "ftp.greeting", "found a line end", "it must be one line")


def warnings_of(config: Config, *, has_other_logins: bool = False) -> Iterator[str]:
    """Yield a sentence for each setting that is allowed and dangerous; *has_other_logins*: the program adds checkers of its own."""
    if config.ftp.plaintext_passwords:
        where = ", ".join(listener.label for listener in config.listen if not _is_loopback(listener.address))
        if where:
            yield f"passwords are taken in clear on {where}: whoever can listen in on the way learns them (ftp.plaintext_passwords)"
    if not (config.login or config.anonymous.enabled or has_other_logins):
        yield "nobody can log in: there is no [[login]] and anonymous logins are off"


def _listeners(config: Config) -> Iterator[Problem]:
    if not config.listen:
        yield Problem("", "listen", "found none", "there must be at least one [[listen]]")
    for index, listener in enumerate(config.listen):
        if _ip_address(listener.address) is None:
            yield Problem("", f"listen[{index}].address", f"found {listener.address!r}", "it must be an IP address")
    for (first, one), (second, other) in itertools.combinations(enumerate(config.listen), 2):
        if _collide(one, other):
            yield Problem(
                "", f"listen[{second}]", f"{other.label} is taken by listen[{first}]", "each needs its own address and port"
            )
        if one.name and one.name == other.name:
            yield Problem("", f"listen[{second}].name", f"{other.name!r} is the name of listen[{first}] too", "names differ")


def _collide(one: ListenSettings, other: ListenSettings) -> bool:
    """Whether both would bind one port of one address; every IPv4 address includes each single one."""
    first, second = _ip_address(one.address), _ip_address(other.address)
    if one.port != other.port or one.port == 0 or first is None or second is None or first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified


def _data_channels(config: Config) -> Iterator[Problem]:
    passive, active = config.ftp.passive, config.ftp.active
    if passive.ports[0] > passive.ports[1]:
        yield Problem("", "ftp.passive.ports", f"found {passive.ports[0]}-{passive.ports[1]}", "the lower port comes first")
    if passive.external_address and not passive.enabled:
        yield Problem("", "ftp.passive.external_address", "set although ftp.passive.enabled is false", "leave one of them out")
    external = _ip_address(passive.external_address)
    if external is not None and external.version != 4:
        yield Problem("", "ftp.passive.external_address", f"found {external}", "PASV can only announce IPv4; EPSV needs no address")
    if not passive.enabled and not active.enabled:
        yield Problem("", "ftp.active.enabled", "active and passive mode are both off", "no file could ever be moved")
    for index, listener in enumerate(config.listen):
        if passive.enabled and passive.ports[0] <= listener.port <= passive.ports[1]:
            yield Problem("", "ftp.passive.ports", f"the range contains port {listener.port} of listen[{index}]", "keep them apart")


def _commands(config: Config) -> Iterator[Problem]:
    denied = {name.upper() for name in config.ftp.deny_commands}
    for name in config.ftp.allow_commands:
        if name.upper() in denied:
            yield Problem("", "ftp.allow_commands", f"{name!r} is in ftp.deny_commands too", "each command is in one list only")


def _logins(config: Config) -> Iterator[Problem]:
    for name in sorted({"anonymous", *config.anonymous.names} & config.accounts.keys() if config.anonymous.enabled else ()):
        yield Problem("", f"accounts.{name}", "this name logs in anonymously", "use the [anonymous] table")


def _targets(config: Config) -> Iterator[Problem]:
    for index, target in enumerate(config.log.targets):
        if target.format == "syslog" and target.file:
            yield Problem("", f"log.targets[{index}].file", "set although the format is syslog", "syslog has no file")


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_loopback(text: str) -> bool:
    address = _ip_address(text)
    return address is not None and address.is_loopback
