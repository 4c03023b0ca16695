"""Rules between settings: what no single value shows to be wrong, and what is allowed but worth a warning.

Apart from reading, so that they hold for a tree that a program built as well.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Final

from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.config.addresses import collide, external_addresses, ip_address, is_loopback
from ftpd.config.tftp_rules import tftp_problems, tftp_warnings
from ftpd.config.tree import Config
from ftpd.errors import BadArgument
from ftpd.ftp.hosts import parse_host
from ftpd.hostnames import canonical_name
from ftpd.schema import Problem

__all__ = ["problems_of", "warnings_of"]

_END_OF_LINE: Final = frozenset("\0\r\n")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")  # what a resolver can be asked for; IDNs as xn--


def problems_of(config: Config) -> Iterator[Problem]:
    """Yield everything in *config* that contradicts itself; `file` is left empty."""
    yield from _listeners(config)
    yield from _data_channels(config)
    yield from _commands(config)
    yield from _targets(config)
    yield from _logins(config)
    yield from _protection(config)
    yield from _hosts(config)
    yield from _devices(config)
    yield from _traces(config)
    yield from tftp_problems(config)
    if "\n" in config.ftp.greeting or "\r" in config.ftp.greeting:
        yield Problem("", "ftp.greeting", "found a line end", "it must be one line")


def warnings_of(config: Config, *, has_other_logins: bool = False) -> Iterator[str]:
    """Yield a sentence for each setting that is allowed and dangerous; *has_other_logins*: the program adds checkers of its own."""
    for listener in config.listen:
        if listener.old_devices:
            yield f"{listener.label} takes TLS 1.0 and weak ciphers: give it to old devices only, on a network of their own (old_devices)"
    if config.offers_tls and not config.tls.certificates:
        yield "clients that name no virtual host (SNI) find no certificate: there is none in [[tls.certificates]]"
    if config.ftp.tls.eof == "tolerate":
        yield "an upload over TLS that somebody cuts off is stored as if it were whole (ftp.tls.eof): set it for the networks of old devices only"
    if config.ftp.plaintext_passwords:
        where = ", ".join(listener.label for listener in config.listen if not is_loopback(listener.address))
        if where:
            yield f"passwords are taken in clear on {where}: whoever can listen in on the way learns them (ftp.plaintext_passwords)"
    if not (config.login or config.anonymous.enabled or has_other_logins):
        yield "nobody can log in: there is no [[login]] and anonymous logins are off"
    yield from tftp_warnings(config)


def _listeners(config: Config) -> Iterator[Problem]:
    if not (config.listen or config.tftp.listeners):
        yield Problem("", "listen", "found none", "there must be at least one [[listen]] or [[tftp.listeners]]")
    for index, listener in enumerate(config.listen):
        if ip_address(listener.address) is None:
            yield Problem("", f"listen[{index}].address", f"found {listener.address!r}", "it must be an IP address")
    for (first, one), (second, other) in itertools.combinations(enumerate(config.listen), 2):
        if collide(one, other):
            yield Problem(
                "", f"listen[{second}]", f"{other.label} is taken by listen[{first}]", "each needs its own address and port"
            )
        if one.name and one.name == other.name:
            yield Problem("", f"listen[{second}].name", f"{other.name!r} is the name of listen[{first}] too", "names differ")


def _protection(config: Config) -> Iterator[Problem]:
    """TLS that is demanded and cannot be had, or had and of no use."""
    rules = config.ftp.tls
    demands = [("ftp.tls.login", rules.login), ("ftp.tls.data", rules.data)]
    for index, own in enumerate(rules.networks):
        if not own.networks:
            yield Problem("", f"ftp.tls.networks[{index}].networks", "found none", "the networks that these rules are for")
        demands += [(f"ftp.tls.networks[{index}].login", own.login), (f"ftp.tls.networks[{index}].data", own.data)]
        yield from _unreachable_data(own.login or rules.login, own.data or rules.data, f"ftp.tls.networks[{index}].data")
    for index, listener in enumerate(config.listen):
        demands += [(f"listen[{index}].tls_login", listener.tls_login), (f"listen[{index}].tls_data", listener.tls_data)]
        login, data = listener.tls_login or rules.login, listener.tls_data or rules.data
        yield from _unreachable_data(login, data, f"listen[{index}].tls_data" if listener.tls_data else "ftp.tls.data")
        if listener.implicit_tls and login == "off":
            yield Problem("", f"listen[{index}].implicit_tls", "set although TLS is off for logins there", "leave one of them out")
    if config.offers_tls:
        yield from _unreachable_accounts(config)
        return
    for path, wish in demands:
        if wish == "required":
            yield Problem("", path, "TLS is required, and there is no certificate", "see tls.certificates and `ftpd cert`")
    for index, listener in enumerate(config.listen):
        if listener.implicit_tls:
            yield Problem("", f"listen[{index}].implicit_tls", "there is no certificate", "see tls.certificates and `ftpd cert`")
    if config.tls.clients.certificates != "off":  # passwords would count without the second factor
        yield Problem(
            "",
            "tls.clients.certificates",
            "clients are asked for one over TLS, and there is no certificate",
            "see tls.certificates",
        )
    for path, account in _accounts(config):
        for field in ("tls", "tls_data"):
            if getattr(account, field) == "required":
                yield Problem("", f"{path}.{field}", "TLS is required, and there is no certificate", "see tls.certificates")


def _devices(config: Config) -> Iterator[Problem]:
    for index, entry in enumerate(config.ftp.devices):
        if not (entry.networks or entry.accounts):
            yield Problem(
                "",
                f"ftp.devices[{index}]",
                "found neither networks nor accounts",
                "say whose it is; 0.0.0.0/0 and ::/0 are everybody",
            )


def _traces(config: Config) -> Iterator[Problem]:
    for index, entry in enumerate(config.ftp.traces):
        if not entry.directory:
            yield Problem("", f"ftp.traces[{index}].directory", "missing", "where the traces are written")
        if not (entry.networks or entry.accounts):
            yield Problem(
                "",
                f"ftp.traces[{index}]",
                "found neither networks nor accounts",
                "say whose sessions; 0.0.0.0/0 and ::/0 are everybody's",
            )


def _accounts(config: Config) -> Iterator[tuple[str, AccountSettings]]:
    """Yield every table of an account and its path, those of virtual hosts included."""
    yield "account", config.account
    yield from ((f"accounts.{name}", account) for name, account in config.accounts.items())
    for index, host in enumerate(config.hosts):
        if host.account is not None:
            yield f"hosts[{index}].account", host.account
        yield from ((f"hosts[{index}].accounts.{name}", account) for name, account in (host.accounts or {}).items())


def _unreachable_data(login: str, data: str, path: str) -> Iterator[Problem]:
    if login == "off" and data == "required":
        yield Problem("", path, "required although TLS is off for the control connection", "PROT P needs AUTH first")


def _unreachable_accounts(config: Config) -> Iterator[Problem]:
    """Accounts that need what nobody can have on any listener, from any network."""
    rules = config.ftp.tls
    for field, wish, names in (("tls", "login", "tls_login"), ("tls_data", "data", "tls_data")):
        wishes = {getattr(listener, names) or getattr(rules, wish) for listener in config.listen}
        wishes |= {getattr(own, wish) for own in rules.networks} - {""}
        if wishes == {"off"}:
            for path, account in _accounts(config):
                if getattr(account, field) == "required":
                    yield Problem("", f"{path}.{field}", f"required although ftp.tls.{wish} is off", "it could never be used")


def _hosts(config: Config) -> Iterator[Problem]:
    taken = {canonical_name(name): "ftp.names" for name in config.ftp.names}
    for index, host in enumerate(config.hosts):
        if not host.names:
            yield Problem("", f"hosts[{index}].names", "found none", "at least one name")
        for name in host.names:
            if not _can_be_said(name):
                yield Problem(
                    "", f"hosts[{index}].names", f"found {name!r}", "write it as DNS has it (xn--...), an IPv6 address in brackets"
                )
        for name in map(canonical_name, host.names):
            if name in taken:
                yield Problem("", f"hosts[{index}].names", f"{name!r} is in {taken[name]} too", "names differ")
            taken[name] = f"hosts[{index}].names"
        if "\n" in host.greeting or "\r" in host.greeting:
            yield Problem("", f"hosts[{index}].greeting", "found a line end", "it must be one line")


def _can_be_said(name: str) -> bool:
    try:
        parse_host(name)
    except BadArgument:
        return False
    return True


def _data_channels(config: Config) -> Iterator[Problem]:
    passive, active = config.ftp.passive, config.ftp.active
    if passive.ports[0] > passive.ports[1]:
        yield Problem("", "ftp.passive.ports", f"found {passive.ports[0]}-{passive.ports[1]}", "the lower port comes first")
    if passive.external_address and not passive.enabled:
        yield Problem("", "ftp.passive.external_address", "set although ftp.passive.enabled is false", "leave one of them out")
    yield from _external_addresses(config)
    if not passive.enabled and not active.enabled:
        yield Problem("", "ftp.active.enabled", "active and passive mode are both off", "no file could ever be moved")
    for index, listener in enumerate(config.listen):
        if passive.enabled and passive.ports[0] <= listener.port <= passive.ports[1]:
            yield Problem("", "ftp.passive.ports", f"the range contains port {listener.port} of listen[{index}]", "keep them apart")


def _external_addresses(config: Config) -> Iterator[Problem]:
    for index, own in enumerate(config.ftp.passive.networks):
        if not own.networks:
            yield Problem("", f"ftp.passive.networks[{index}].networks", "found none", "the networks of the clients")
        if not own.external_address:
            yield Problem("", f"ftp.passive.networks[{index}].external_address", "found none", 'an address, a name, or "reached"')
    for path, text in external_addresses(config).items():
        address = ip_address(text)
        if address is not None and address.version != 4:
            yield Problem("", path, f"found {address}", "PASV can only announce IPv4; EPSV needs no address")
        elif address is not None and (address.is_unspecified or address.is_multicast):
            yield Problem("", path, f"found {address}", "an address that clients can connect to")
        elif address is None and not _NAME.fullmatch(text):
            yield Problem("", path, f"found {text!r}", "an IPv4 address or a DNS name")


def _commands(config: Config) -> Iterator[Problem]:
    denied = {name.upper() for name in config.ftp.deny_commands}
    for name in config.ftp.allow_commands:
        if name.upper() in denied:
            yield Problem("", "ftp.allow_commands", f"{name!r} is in ftp.deny_commands too", "each command is in one list only")


def _logins(config: Config) -> Iterator[Problem]:
    yield from _lost_accounts(config.anonymous, config.accounts, "accounts")
    for index, host in enumerate(config.hosts):
        yield from _lost_accounts(host.anonymous or config.anonymous, host.accounts or {}, f"hosts[{index}].accounts")


def _lost_accounts(anonymous: AnonymousSettings, accounts: Mapping[str, AccountSettings], path: str) -> Iterator[Problem]:
    """Yield accounts that nobody can log in to."""
    for name in accounts:
        if not name or not _END_OF_LINE.isdisjoint(name):
            yield Problem("", f"{path}.{name!r}", "no client can say this name", "it must not be empty, and be one line")
    for name in sorted({"anonymous", *anonymous.names} & accounts.keys() if anonymous.enabled else ()):
        yield Problem("", f"{path}.{name}", "this name logs in anonymously", "use the [anonymous] table")


def _targets(config: Config) -> Iterator[Problem]:
    for index, target in enumerate(config.log.targets):
        if target.format == "syslog" and target.file:
            yield Problem("", f"log.targets[{index}].file", "set although the format is syslog", "syslog has no file")
