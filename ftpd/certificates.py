"""Certificates: everything that TLS needs of files, read at the start and kept current while the server runs.

Apart from the service, which starts and stops it, and from `tls`, which knows neither listeners nor clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ftpd.config.tree import Config, ListenSettings
from ftpd.login.certificate import proved
from ftpd.schema import ConfigError, Problem
from ftpd.spi import Threads
from ftpd.tls.clients import ClientVerification
from ftpd.tls.contexts import Contexts
from ftpd.tls.expiry import expiring, uncovered
from ftpd.tls.files import Kept
from ftpd.tls.parameters import Parameters
from ftpd.tls.store import Identities
from ftpd.transfer.openssl import can_tell_resumption

__all__ = ["Certificates"]

_DAY_SECONDS: Final = 86_400.0


class Certificates:
    """The server's certificates, those of its virtual hosts, and the authorities of its clients, as *config* has them.

    Making it reads the files, and blocks.  Raises `ConfigError` with everything that is wrong with them.
    """

    _log = Logger()

    def __init__(self, config: Config) -> None:
        self._settings = config.tls
        problems: list[Problem] = [*_prefixed(Parameters(config.tls).problems())]
        parameters = None if problems else Parameters(config.tls)  # certificates are tried with what can be used
        if config.ftp.tls.data_resumption == "required" and not can_tell_resumption():
            problems.append(Problem("", "ftp.tls.data_resumption", "this pyOpenSSL cannot tell", "upgrade it, or use log"))
        self._default = _collect(problems, lambda: Identities(config.tls.certificates, parameters=parameters))
        self._hosts = {
            host.names: _collect(
                problems, lambda host=host, index=index: Identities(host.certificates, f"hosts[{index}].certificates", parameters)
            )
            for index, host in enumerate(config.hosts)
            if host.certificates
        }
        self.clients = _collect(problems, lambda: ClientVerification(config.tls.clients))
        if problems:
            raise ConfigError(problems)
        self._is_watching = False
        self._next: IDelayedCall | None = None
        self._warn_at = 0.0

    def contexts(self, listen: ListenSettings) -> Contexts:
        """Return what gives the sessions of one listener their contexts."""
        hosts: Mapping[str, Identities] = {name: identities for names, identities in self._hosts.items() for name in names}
        parameters = Parameters(self._settings, old_devices=listen.old_devices)
        clients = self.clients if self.clients.is_asked else None
        return Contexts(self._default, parameters, hosts=hosts, clients=clients)

    def proved(self, checkers: list[Any]) -> list[Any]:
        """Return *checkers* with what a client certificate proves put around them."""
        if not self.clients.is_asked:
            return checkers
        return proved(checkers, self.clients.account_of, is_enough=self._settings.clients.proves == "login")

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for each thing that is allowed, and wrong or soon to be so."""
        now = datetime.now(UTC)
        for identities in self._identities():
            yield from identities.remarks
            yield from expiring(identities.current, self._settings.warn_before, now)
        for names, identities in self._hosts.items():
            for name in names:
                yield from uncovered(name, identities.current)
        yield from self.clients.remarks(self._settings.warn_before)

    # While the server runs.

    def start(self, clock: Any, threads: Threads) -> None:
        """Begin to look at the files now and then, in *threads*."""
        self._is_watching = True
        self._warn_at = clock.seconds()
        self._watch(clock, threads)

    def stop(self) -> None:
        """Look no more, not even after a look that is under way."""
        self._is_watching = False
        if self._next is not None and self._next.active():
            self._next.cancel()

    async def refresh(self, threads: Threads, *, is_asked_for: bool = False) -> None:
        """Read what has changed, or all of it if an operator asks; what is no good is told, and the old stays."""
        for kept in self._kept():
            look = await threads.run(kept.refresh, is_asked_for=is_asked_for)
            for problem in kept.take(look):
                self._log.error("certificates stay as they are: {problem}", problem=str(problem))
            if look is not None and look.content is not None:
                self._log.info("certificate files were read again: {files}", files=", ".join(kept.os_paths))

    def _watch(self, clock: Any, threads: Threads) -> None:
        if not self._is_watching:
            return
        if clock.seconds() >= self._warn_at:
            self._warn_at = clock.seconds() + _DAY_SECONDS
            for warning in self.warnings():
                self._log.warn("{warning}", warning=warning)
        self._next = clock.callLater(self._settings.recheck, self._look, clock, threads)

    def _look(self, clock: Any, threads: Threads) -> None:
        looking: Deferred[None] = Deferred.fromCoroutine(self.refresh(threads))
        looking.addErrback(self._tell)
        looking.addBoth(lambda _: self._watch(clock, threads))

    def _tell(self, failure: Any) -> None:
        if not failure.check(CancelledError):
            self._log.failure("looking at the certificate files failed", failure=failure)

    def _identities(self) -> Iterator[Identities]:
        yield self._default
        yield from self._hosts.values()

    def _kept(self) -> Iterator[Kept[Any]]:
        """Yield what has files at all."""
        yield from (kept for kept in (*self._identities(), self.clients) if kept.os_paths)


def _prefixed(problems: Iterator[Problem]) -> Iterator[Problem]:
    """The parameters name paths below the `[tls]` table."""
    for problem in problems:
        yield Problem(problem.file, f"tls.{problem.path}", problem.found, problem.allowed)


def _collect(problems: list[Problem], make: Any) -> Any:
    """Return what *make* makes; what it complains of goes to *problems*, so that all of it is named at once."""
    try:
        return make()
    except ConfigError as error:
        problems += error.problems
        return None
