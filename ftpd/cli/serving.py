"""What `ftpd serve` does: from its arguments to a configuration, from that to a running process.

Apart from the command, which is imported for help and completion too.
"""

from __future__ import annotations

import gc
import ipaddress
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import click
from twisted.logger import globalLogBeginner

from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.config.rules import warnings_of
from ftpd.config.tree import Config, ListenSettings, StorageSettings
from ftpd.listening import CannotListen
from ftpd.logs.settings import TargetSettings
from ftpd.paths import encode_name
from ftpd.schema import FilePath, Unfit
from ftpd.service import Server, make_service
from ftpd.tls.own import OwnCertificate, own_certificate, own_directory
from ftpd.tls.settings import TLSSettings

__all__ = ["Overrides", "serve_directory", "serve_file"]


@attrs.frozen
class Overrides:
    """What the command line says on top of a configuration; empty and None leave it as it is."""

    listen: tuple[str, ...] = ()
    plaintext_passwords: bool = False
    read_only: bool = False
    log_level: str | None = None

    def over(self, config: Config) -> Config:
        """Return *config* as changed by these.  Raises `click.UsageError` for an address that is none."""
        if self.listen:
            config = attrs.evolve(config, listen=tuple(map(_listener, self.listen)))
        if self.plaintext_passwords:
            config = attrs.evolve(config, ftp=attrs.evolve(config.ftp, plaintext_passwords=True))
        if self.read_only:
            hosts = tuple(attrs.evolve(host, storage=host.storage and _read_only(host.storage)) for host in config.hosts)
            config = attrs.evolve(config, storage=_read_only(config.storage), hosts=hosts)
        return attrs.evolve(config, log=attrs.evolve(config.log, targets=self._targets(config.log.targets)))

    def _targets(self, targets: tuple[TargetSettings, ...]) -> tuple[TargetSettings, ...]:
        targets = targets or (TargetSettings(),)
        return tuple(attrs.evolve(target, level=self.log_level or target.level) for target in targets)


def serve_file(file: str, overrides: Overrides) -> int:
    """Serve what *file* says until a signal; return the exit code.  Raises `ConfigError`."""
    from ftpd.config.load import load_config  # with cattrs: not for `serve DIRECTORY`

    return _run(overrides.over(load_config(file)))


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
    config = overrides.over(config)
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


def _run(
    config: Config, checkers: Iterable[Any] = (), ready: Callable[[Server], None] | None = None, *, has_late_tls: bool = False
) -> int:
    """Run the server in this process until SIGTERM or SIGINT.  Raises `ConfigError`."""
    reactor = _reactor()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    server = make_service(config, reactor, checkers=checkers, has_late_tls=has_late_tls)
    for warning in warnings_of(config):
        click.echo(f"ftpd: warning: {warning}", err=True)
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(server.reopen_logs))
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(server.reload_certificates))
    try:
        server.startService()
    except CannotListen as error:
        click.echo(f"ftpd: {error}", err=True)
        return 1
    if ready is not None:
        reactor.callWhenRunning(ready, server)
    gc.freeze()  # no collection has to walk what stays anyway (12 ms each time); 0.6 MB of it are garbage, which is not worth one
    gc.enable()
    reactor.run()
    return 0


def _reactor() -> Any:
    """Return the process's reactor: ours, where there is epoll and nobody has chosen another."""
    if "twisted.internet.reactor" not in sys.modules and hasattr(select, "epoll"):
        from ftpd.reactor import install

        install()
    from twisted.internet import reactor

    return reactor


def _announce(server: Server, config: Config, user: str, password: str, fingerprint: str) -> None:
    """Tell on standard output what a user needs, once; the password stands nowhere else."""
    for listener in server.listeners:
        host, port = listener.address
        click.echo(f"URL       ftp://{_host_for_url(host)}:{port}/  (anonymous: read only)")
    click.echo(f"Account   {user}  ({'read only' if config.storage.read_only else 'may write'})")
    click.echo(f"Password  {password}  (for this run)")
    if fingerprint:
        click.echo(f"TLS       explicit (AUTH TLS), certificate SHA-256 {fingerprint}")
    if not config.ftp.plaintext_passwords and not all(_is_loopback(listener.address[0]) for listener in server.listeners):
        where = "Other machines log in to the account over TLS" if fingerprint else "The account works from this machine only"
        click.echo(f"{where}; --plaintext-passwords lets them send the password in clear.")
    sys.stdout.flush()


def _read_only(storage: StorageSettings) -> StorageSettings:
    return attrs.evolve(storage, read_only=True)


def _listener(text: str) -> ListenSettings:
    try:
        return ListenSettings.parse(text)
    except Unfit as error:
        raise click.UsageError(f"--listen {text}: it must be {error}.") from error


def _host_for_url(address: str) -> str:
    parsed = ipaddress.ip_address(address)
    if parsed.is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if parsed.version == 6 else address


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
