"""Rules of TFTP between its settings and those of accounts: what is wrong, and what is allowed but worth a warning.

Apart from the other rules, which are about connections and passwords: here there are neither.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from ftpd.accounts.settings import PERMISSIONS, AccountSettings, AnonymousSettings
from ftpd.config.addresses import collide, ip_address, is_loopback
from ftpd.config.tree import Config
from ftpd.errors import BadName
from ftpd.paths import VirtualPath
from ftpd.schema import Problem
from ftpd.tftp.settings import TFTPListenSettings, TFTPSettings
from ftpd.values import Permission

__all__ = ["tftp_problems", "tftp_warnings"]

_STORING: Final = {
    "existing": Permission.OVERWRITE,
    "create": Permission.CREATE,
    "any": Permission.OVERWRITE | Permission.CREATE,
}
"""Of `write`: the permissions of which the account needs one, at least."""


def tftp_problems(config: Config) -> Iterator[Problem]:
    """Yield everything in `[tftp]` that contradicts itself or the rest of *config*."""
    for index, listener in enumerate(config.tftp.listeners):
        path = f"tftp.listeners[{index}]"
        if ip_address(listener.address) is None:
            yield Problem("", f"{path}.address", f"found {listener.address!r}", "it must be an IP address")
        yield from _account(config, listener, f"{path}.account")
        yield from _roots(listener, path)
        yield from _ports(config.tftp.listeners, listener, path)
    yield from _pairs(config.tftp.listeners)
    yield from _times(config.tftp)
    groups = config.tftp.multicast.addresses
    if groups.version != 4 or not groups.is_multicast:
        yield Problem("", "tftp.multicast.addresses", f"found {groups}", "an IPv4 network of multicast groups, as in 239.0.0.0/8")


def tftp_warnings(config: Config) -> Iterator[str]:
    """Yield a sentence for each setting of TFTP that is allowed, and dangerous or of no use."""
    open_ones = [listener for listener in config.tftp.listeners if not is_loopback(listener.address)]
    if open_ones:
        where = ", ".join(listener.label for listener in open_ones)
        yield f"TFTP has no passwords and no encryption: whoever reaches {where} is let in, and what is sent there can be read on the way"
    for index, listener in enumerate(config.tftp.listeners):
        path = f"tftp.listeners[{index}]"
        if listener.account and listener.account not in config.accounts:
            yield f"{listener.label} is {listener.account!r} without a password, and there is no [accounts.{listener.account}]: it may what [account] allows"
        if listener.write in _STORING and not _may_store(config, listener):
            yield f"nobody can store anything on {listener.label}: its account may not, whatever {path}.write says"
        yield from _port_warnings(config.tftp, listener, path)


def _account(config: Config, listener: TFTPListenSettings, path: str) -> Iterator[Problem]:
    account = _settings_of(config, listener)
    if not listener.account:
        if not config.anonymous.enabled:
            found = "empty, which is the anonymous account, and there is none"
            yield Problem("", path, found, "name an account, or set anonymous.enabled = true")
    elif listener.account.lower() in {"anonymous", *map(str.lower, config.anonymous.names)} and config.anonymous.enabled:
        yield Problem("", path, f"{listener.account!r} logs in anonymously", "leave it empty, and use the [anonymous] table")
    elif isinstance(account, AccountSettings) and account.tls == "required":
        yield Problem("", path, f"{listener.account!r} needs TLS, which TFTP does not have", "an account with tls = 'allowed'")


def _settings_of(config: Config, listener: TFTPListenSettings) -> AccountSettings | AnonymousSettings:
    if not listener.account:
        return config.anonymous
    return config.accounts.get(listener.account, config.account)


def _roots(listener: TFTPListenSettings, path: str) -> Iterator[Problem]:
    roots = [(path, listener.root), *((f"{path}.networks[{index}]", own.root) for index, own in enumerate(listener.networks))]
    for where, root in roots:
        try:
            VirtualPath.parse(root)
        except BadName as error:
            yield Problem("", f"{where}.root", f"found {root!r}", str(error))
    for index, own in enumerate(listener.networks):
        if not own.networks:
            yield Problem("", f"{path}.networks[{index}].networks", "found none", "the networks that this root is for")


def _ports(listeners: Iterable[TFTPListenSettings], listener: TFTPListenSettings, path: str) -> Iterator[Problem]:
    first, last = listener.ports
    if not last:
        return
    if listener.single_port:
        yield Problem("", f"{path}.ports", f"found {first}-{last} although single_port is set", "leave one of them out")
    if not 0 < first <= last:
        yield Problem("", f"{path}.ports", f"found {first}-{last}", "0-0, or a range from 1 on, the lower port first")
    for index, other in enumerate(listeners):
        if first <= other.port <= last:
            found = f"the range contains port {other.port} of tftp.listeners[{index}]"
            yield Problem("", f"{path}.ports", found, "keep them apart")


def _pairs(listeners: Iterable[TFTPListenSettings]) -> Iterator[Problem]:
    for (first, one), (second, other) in itertools.combinations(enumerate(listeners), 2):
        if collide(one, other):
            found = f"{other.label} is taken by tftp.listeners[{first}]"
            yield Problem("", f"tftp.listeners[{second}]", found, "each needs its own address and port")
        if one.name and one.name == other.name:
            found = f"{other.name!r} is the name of tftp.listeners[{first}] too"
            yield Problem("", f"tftp.listeners[{second}].name", found, "names differ")


def _times(settings: TFTPSettings) -> Iterator[Problem]:
    times = settings.timeouts
    if times.first > times.longest:
        found = f"{times.first:g} s, and tftp.timeouts.longest is {times.longest:g} s"
        yield Problem("", "tftp.timeouts.first", found, "at most as long as the longest")
    if times.give_up <= times.first:
        found = f"{times.give_up:g} s, and tftp.timeouts.first is {times.first:g} s: nothing would ever be sent again"
        yield Problem("", "tftp.timeouts.give_up", found, "longer than the first")


def _may_store(config: Config, listener: TFTPListenSettings) -> bool:
    """Whether the account of *listener* has a permission, anywhere, that its `write` makes use of."""
    account = _settings_of(config, listener)
    names = set(account.permissions)
    if isinstance(account, AnonymousSettings):
        names |= {"create"} if account.incoming else set()
    else:
        names |= {name for rule in account.rules for name in rule.permissions}
    allowed = any(PERMISSIONS.get(name, Permission.NONE) & _STORING[listener.write] for name in names)
    return allowed and not config.storage.read_only


def _port_warnings(settings: TFTPSettings, listener: TFTPListenSettings, path: str) -> Iterator[str]:
    first, last = listener.ports
    if not last or listener.single_port:
        return
    count = last - first + 1
    if count < settings.sessions_per_address:
        yield (
            f"{path}.ports has {count} ports, one for each transfer of all processes together: a single client, with up to"
            f" {settings.sessions_per_address} (tftp.sessions_per_address), can take them all"
        )
    if first < 1024:
        yield f"{path}.ports begins below 1024: a server that has given up its privileges cannot answer from there"
