"""What `ftpd serve` does: from its arguments to a configuration, from that to a running process.

Apart from the command, which is imported for help and completion too.
"""

from __future__ import annotations

import gc
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
from twisted.logger import globalLogBeginner

from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.cli.endings import fail
from ftpd.config.rules import warnings_of
from ftpd.config.source import Overrides, Source
from ftpd.config.tree import Config, StorageSettings
from ftpd.descriptors import TooFewDescriptors, raise_descriptor_limit
from ftpd.listening import CannotListen
from ftpd.paths import encode_name
from ftpd.reactor import chosen_reactor
from ftpd.schema import ConfigError, FilePath, Unfit
from ftpd.service import Server, make_service
from ftpd.signals import Ending, Signals
from ftpd.tls.own import OwnCertificate, own_certificate, own_directory
from ftpd.tls.settings import TLSSettings

__all__ = ["Overrides", "serve_directory", "serve_file"]


def serve_file(file: str, overrides: Overrides) -> int:
    """Serve what *file* says until a signal; return the exit code.  Raises `ConfigError`."""
    from ftpd.processes.count import worker_count

    source = Source.read(file, overrides)
    config = _over(source.config)
    try:
        return _run_fleet(source, config) if worker_count(config) else _run(config)
    except ConfigError as error:
        raise error.within(file) from error


def serve_directory(directory: str, user: str, overrides: Overrides) -> int:
    """Serve *directory* to anonymous readers and to one account with a password of this run; return the exit code."""
    from ftpd.login.hashing import generate_password
    from ftpd.login.memory import MemoryPasswords
    from ftpd.storage.local import LocalSettings

    own = _own_certificate()
    config = Config(
        tls=TLSSettings(certificates=(own.settings,) if own is not None else ()),
        storage=StorageSettings(kind="local", settings=LocalSettings(root=FilePath(os.path.abspath(directory)))),
        anonymous=AnonymousSettings(enabled=True),
        accounts={user: AccountSettings()},
    )
    config = _over(lambda: overrides.over(config))
    password = generate_password()
    checkers = [MemoryPasswords({encode_name(user): encode_name(password)})]
    fingerprint = own.fingerprint if own is not None else ""
    return _run(config, checkers, lambda server: _announce(server, config, user, password, fingerprint), has_late_tls=True)


def _own_certificate() -> OwnCertificate | None:
    """Return the self-signed certificate of this user, made at the first start; without a place for it there is no TLS."""
    try:
        return own_certificate(own_directory())
    except OSError as error:
        click.echo(f"ftpd: warning: no TLS: the certificate cannot be kept in {own_directory()}: {error.strerror}", err=True)
        return None


def _over(change: Callable[[], Config]) -> Config:
    try:
        return change()
    except Unfit as error:
        raise click.UsageError(f"{error}.") from error


def _run_fleet(source: Source, config: Config) -> int:
    """Have workers serve until SIGTERM or SIGINT.  Raises `ConfigError`."""
    from ftpd.processes.fleet import Fleet
    from ftpd.processes.generation import CannotServe

    _raise_descriptor_limit()
    reactor = chosen_reactor()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    _warn(config)
    errors: list[Exception] = []

    def lost(error: Exception) -> None:
        errors.append(error)
        ending.begin()

    fleet = Fleet(source, config, reactor, lost)
    ending = Ending(reactor, fleet.quit)
    reactor.addSystemEventTrigger("before", "shutdown", fleet.stopService)
    actions = {**ending.actions(), signal.SIGHUP: fleet.hang_up, signal.SIGUSR1: fleet.reopen_logs}
    _heed(reactor, actions)
    try:
        fleet.startService()
    except (CannotListen, CannotServe) as error:
        errors.append(error)
    else:
        gc.enable()
        reactor.run()
    return _exit_code(errors)


def _raise_descriptor_limit() -> None:
    try:
        raise_descriptor_limit()
    except TooFewDescriptors as error:
        fail(error)


def _heed(reactor: Any, actions: Mapping[signal.Signals, Callable[[], object]]) -> None:
    """Have signals do what *actions* say, once the reactor runs; one that comes before is not lost, nor does it leave workers behind."""
    signals = Signals(reactor, actions)
    signals.startService()
    reactor.callWhenRunning(signals.startService)  # by then the reactor has put its own in their place


def _exit_code(errors: list[Exception]) -> int:
    """Return the exit code for what has ended the server, if anything.  Raises `ConfigError`."""
    for error in errors:
        if isinstance(error, ConfigError):
            raise error
        click.echo(f"ftpd: {error}", err=True)
    return 1 if errors else 0


def _warn(config: Config) -> None:
    for warning in warnings_of(config):
        click.echo(f"ftpd: warning: {warning}", err=True)


def _run(
    config: Config, checkers: Iterable[Any] = (), ready: Callable[[Server], None] | None = None, *, has_late_tls: bool = False
) -> int:
    """Run the server in this process until SIGTERM or SIGINT.  Raises `ConfigError`."""
    _raise_descriptor_limit()
    reactor = chosen_reactor()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    server = make_service(config, reactor, checkers=checkers, has_late_tls=has_late_tls)
    _warn(config)
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    actions = {signal.SIGUSR1: server.reopen_logs, signal.SIGHUP: server.reload_certificates}
    _heed(reactor, {**Ending(reactor, server.cut).actions(), **actions})
    try:
        server.startService()
    except CannotListen as error:
        return _exit_code([error])
    if ready is not None:
        reactor.callWhenRunning(ready, server)
    gc.freeze()  # no collection has to walk what stays anyway (12 ms each time); 0.6 MB of it are garbage, which is not worth one
    gc.enable()
    reactor.run()
    return 0


def _announce(server: Server, config: Config, user: str, password: str, fingerprint: str) -> None:
    """Tell on standard output what a user needs, once; the password stands nowhere else."""
    for listener in server.listeners:
        host, port = listener.address
        click.echo(f"URL       ftp://{_host_for_url(host)}:{port}/  (anonymous: read only)")
    for datagrams in server.datagrams:
        host, port = datagrams.address
        click.echo(f"URL       tftp://{_host_for_url(host)}:{port}/  (no password: read only)")
    click.echo(f"Account   {user}  ({'read only' if config.storage.read_only else 'may write'})")
    click.echo(f"Password  {password}  (for this run)")
    if fingerprint:
        click.echo(f"TLS       explicit (AUTH TLS), certificate SHA-256 {fingerprint}")
    if not config.ftp.plaintext_passwords and not all(_is_loopback(listener.address[0]) for listener in server.listeners):
        where = "Other machines log in to the account over TLS" if fingerprint else "The account works from this machine only"
        click.echo(f"{where}; --plaintext-passwords lets them send the password in clear.")
    sys.stdout.flush()


def _host_for_url(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    if parsed.is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if parsed.version == 6 else address


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
