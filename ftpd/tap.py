"""What `twistd ftpd` takes, and the service it gets.

Apart from the `ftpd` command: here Twisted owns the process, its log, its user and its reactor.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
from twisted.application.service import IService, MultiService
from twisted.cred.credentials import IAnonymous
from twisted.cred.strcred import AuthOptionMixin
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python import usage

from ftpd.accounts.settings import AnonymousSettings
from ftpd.config.rules import warnings_of
from ftpd.config.source import Overrides, Source
from ftpd.config.tree import Config, ListenSettings, StorageSettings
from ftpd.listening import CannotListen
from ftpd.login.twisted_plugins import SERVED, foreign_checker
from ftpd.processes.count import worker_count
from ftpd.processes.generation import CannotServe
from ftpd.schema import ConfigError, FilePath, Unfit
from ftpd.service import Server, login_pool, make_service
from ftpd.signals import Signals
from ftpd.storage.local import LocalSettings

if TYPE_CHECKING:
    from ftpd.processes.fleet import Fleet

__all__ = ["CannotStart", "Options", "makeService"]

_log = Logger()


class Options(usage.Options, AuthOptionMixin):
    """The command line behind `twistd ftpd`; `service` is what it comes to."""

    synopsis = "[--config FILE | --root DIR --auth PLUGIN[:ARGUMENT] …]"
    longdesc = "Serve files: what a configuration file says, or one directory to whom the --auth plugins let in."
    supportedInterfaces = SERVED
    optParameters = (
        ["config", "c", None, "Serve what this file says."],
        ["root", "r", None, "Serve this directory."],
        ["port", "p", None, "TCP port for --root; 2121 unless --listen says otherwise."],
    )
    optFlags = (["plaintext-passwords", None, "Take passwords in clear from other machines."],)

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # usage.Options has no annotations
        self._auth: list[str] = []
        self._listen: list[ListenSettings] = []
        self._tftp: list[int] = []

    def opt_auth(self, description: str) -> None:
        """Let in whom this cred plugin lets in, such as file:/etc/ftpd.passwords; repeatable; see --help-auth."""
        self._auth.append(description)

    def opt_listen(self, text: str) -> None:
        """Listen on this ADDRESS[:PORT], such as 0.0.0.0:2121 or [::]; repeatable; 127.0.0.1 if there is none."""
        try:
            self._listen.append(ListenSettings.parse(text))
        except Unfit as error:
            raise usage.UsageError(f"--listen {text}: it must be {error}") from error

    def opt_tftp(self, text: str) -> None:
        """Serve by TFTP too, without a password and read only, on this UDP port of the same addresses; repeatable."""
        if not (text.isdecimal() and text.isascii() and int(text) <= 65535):
            raise usage.UsageError(f"--tftp {text}: it must be a number from 0 to 65535")
        self._tftp.append(int(text))

    def postOptions(self) -> None:
        """Turn everything into a service, so that whatever is wrong is a usage error and not a traceback."""
        from twisted.internet import reactor

        self.reactor: Any = reactor  # chosen by twistd's --reactor before these options are read
        try:
            self.service = self._service()
        except ConfigError as error:
            raise usage.UsageError(str(error)) from error

    def _service(self) -> Server | Fleet:
        if (self["config"] is None) == (self["root"] is None):
            raise usage.UsageError("give either --config FILE or --root DIR")
        overrides = Overrides(tftp=tuple(self._tftp), plaintext_passwords=bool(self["plaintext-passwords"]))
        if self["root"] is not None:
            return self._server(overrides.over(self._root_config()))
        if self._auth or self._listen or self["port"] is not None:
            raise usage.UsageError("--auth, --listen and --port go with --root; with --config the file says it")
        source = Source.read(self["config"], overrides)
        config = source.config()
        try:
            return self._fleet(source, config) if worker_count(config) else self._server(config)
        except ConfigError as error:
            raise error.within(source.file) from error

    def _fleet(self, source: Source, config: Config) -> Fleet:
        from ftpd.processes.fleet import Fleet
        from ftpd.processes.identity import identity

        twistd: Any = self.parent or {}
        if any(twistd.get(name) is not None for name in ("uid", "gid")):
            raise usage.UsageError("process.user says who the server becomes once its ports are open: leave --uid and --gid out")
        identity(config.process.user, config.process.group)  # for a sentence instead of a traceback
        for warning in warnings_of(config):
            _log.warn("{warning}", warning=warning)
        return Fleet(source, config, self.reactor, self._lost, forwards_logs=True)

    def _lost(self, error: Exception) -> None:
        for line in str(error).splitlines():
            _log.critical("{error}", error=line)
        atexit.register(_end_in_failure)  # twistd ends with 0 whatever has stopped its reactor
        with suppress(ReactorNotRunning):
            self.reactor.stop()

    def _server(self, config: Config) -> Server:
        threads = login_pool(self.reactor)
        checkers = [foreign_checker(description, threads) for description in self._auth]
        if any(IAnonymous in checker.credentialInterfaces for checker in checkers):
            config = attrs.evolve(config, anonymous=AnonymousSettings(enabled=True))
        for warning in warnings_of(config, has_other_logins=bool(checkers)):
            _log.warn("{warning}", warning=warning)
        return make_service(config, self.reactor, checkers=checkers, login_threads=threads)

    def _root_config(self) -> Config:
        if not self._auth:
            raise usage.UsageError("nobody could log in: give at least one --auth, such as --auth anonymous")
        if self["port"] is not None and self._listen:
            raise usage.UsageError("give either --port or --listen")
        if not os.path.isdir(self["root"]):
            raise usage.UsageError(f"--root {self['root']}: there is no such directory")
        root = FilePath(os.path.abspath(self["root"]))
        return Config(
            listen=tuple(self._listen) or (self._loopback(),),
            storage=StorageSettings(kind="local", settings=LocalSettings(root=root)),
        )

    def _loopback(self) -> ListenSettings:
        if self["port"] is None:
            return ListenSettings()
        try:
            return ListenSettings.parse(f"127.0.0.1:{self['port']}")
        except Unfit:
            raise usage.UsageError(f"--port {self['port']}: it must be a number from 0 to 65535") from None


def _end_in_failure() -> None:
    """End this process with exit code 1; to be called when the interpreter has nothing else to do."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # None, or nobody reads it, or closed
            stream.flush()
    os._exit(1)


class CannotStart(SystemExit, Exception):
    """The service cannot start; the message is what an operator reads, a sentence a line.

    An `Exception`, for twistd takes its PID file away at one, and has the process that waits for the daemon tell of it; and a `SystemExit`,
    so that Python ends with exit code 1 and the message, in twistd's log by way of standard error, and no traceback.
    """


class _Started(MultiService):
    """The services of one start: what keeps one of them from it is raised as `CannotStart`."""

    def privilegedStartService(self) -> None:
        with _told():
            super().privilegedStartService()  # type: ignore[no-untyped-call]  # Twisted's services have no annotations

    def startService(self) -> None:
        with _told():
            super().startService()  # type: ignore[no-untyped-call]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (CannotListen, CannotServe, ConfigError) as error:
        raise CannotStart(str(error)) from error


def makeService(options: Options) -> IService:
    """Return the service that *options* came to, which also heeds SIGUSR1 and SIGHUP, beside twistd's own."""
    both: Any = _Started()  # type: ignore[no-untyped-call]
    served = options.service
    served.setServiceParent(both)  # type: ignore[no-untyped-call]
    hang_up = served.reload_certificates if isinstance(served, Server) else served.hang_up
    actions = {signal.SIGUSR1: served.reopen_logs, signal.SIGHUP: hang_up}
    Signals(options.reactor, actions, chains=True).setServiceParent(both)  # type: ignore[no-untyped-call]
    service: IService = both
    return service
