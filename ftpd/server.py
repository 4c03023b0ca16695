"""Server: the running service, which listens, drains, sweeps and ends in order.

Apart from `service`, which makes its parts and hands them to it: here nothing is made, and no configuration is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ftpd.accounts.rates import Rates
from ftpd.listening import Listener
from ftpd.logs.open import OpenLogs
from ftpd.spi import Served, Store
from ftpd.threads import Pool

if TYPE_CHECKING:
    from ftpd.certificates import Certificates
    from ftpd.datagrams import DatagramListener

__all__ = ["Server"]

_FIRST_SWEEP_SECONDS = 600.0  # not at once: a start is busy enough, and a server that restarts all day still gets to it
_SWEEP_SECONDS = 86_400.0
_TRACES_SECONDS = 5.0  # for the disk to take what is left of traces
_STOPPING = "The server is shutting down; closing."


class Server(Service):
    """The running server; it is started and stopped once.  `rates` may be changed while it runs.

    `listeners` accept connections, `datagrams` take requests, and `served` are the sessions of both.  `sweeps_daily` may be taken back before it
    starts, where another process looks through the same files once a day.
    """

    name = "ftpd"

    _log = Logger()

    def __init__(
        self,
        listeners: Sequence[Listener],
        stores: Sequence[Store],
        pools: tuple[Pool, Pool],
        logs: OpenLogs,
        clock: Any,
        certificates: Certificates | None,
        rates: Rates,
        stop_seconds: float,
        datagrams: Sequence[DatagramListener] = (),
    ) -> None:
        self.listeners = tuple(listeners)
        self.datagrams = tuple(datagrams)
        self._entrances: tuple[Listener | DatagramListener, ...] = (*self.listeners, *self.datagrams)
        self.served: tuple[Served, ...] = (
            *(listener.factory for listener in self.listeners),
            *(listener.served for listener in self.datagrams),
        )
        self._stores = tuple(stores)
        self._pools = pools
        self._logs = logs
        self._clock = clock
        self._certificates = certificates
        self.rates = rates
        self._stop_seconds = stop_seconds
        self.sweeps_daily = True
        self._next_sweep: IDelayedCall | None = None

    def reopen_logs(self) -> None:
        """Open the log files anew, after logrotate has moved them; to be called on the reactor thread."""
        reopening: Deferred[None] = Deferred.fromCoroutine(self._logs.reopen(self._pools[0].separate("logs")))
        reopening.addErrback(lambda failure: self._log.failure("opening the log files anew failed", failure=failure))

    def reload_certificates(self) -> None:
        """Read the certificate files again because an operator asks for it; to be called on the reactor thread."""
        if self._certificates is not None:
            reading: Deferred[None] = Deferred.fromCoroutine(self._certificates.refresh(self._pools[0], is_asked_for=True))
            reading.addErrback(lambda failure: self._log.failure("reading the certificates again failed", failure=failure))

    def privilegedStartService(self) -> None:
        """Bind while `twistd` still has the right to ports below 1024.  Raises `CannotListen`."""
        self._listen()

    def startService(self) -> None:
        """Bind what is not bound yet.  Raises `CannotListen`."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's services have no annotations
        self._listen()
        if self.sweeps_daily:
            self._next_sweep = self._clock.callLater(_FIRST_SWEEP_SECONDS, self._sweep)
        if self._certificates is not None:
            self._certificates.start(self._clock, self._pools[0])

    def drain(self, quiet_seconds: float, most_seconds: float, words: str) -> Deferred[None]:
        """Stop accepting, and let sessions end by themselves: each that is quiet for *quiet_seconds* is told *words*, with 421.

        After *most_seconds* those that are left are cut.  The Deferred fires when the last is over.  May be called again, to hurry.
        """
        for listener in self._entrances:
            listener.close()
        cut = self._clock.callLater(most_seconds, self.cut, words)

        def over(results: object) -> None:
            if cut.active():
                cut.cancel()

        drained = gatherResults([served.drain(quiet_seconds, words) for served in self.served], consumeErrors=True)
        return drained.addCallback(over)

    def cut(self, words: str = _STOPPING) -> None:
        """End every session now, with 421 and *words*; transfers under way are cancelled."""
        for served in self.served:
            served.close_sessions(words)

    def sweep(self) -> None:
        """Remove what uploads have left behind that nobody ended."""
        for store in self._stores:
            sweeping: Deferred[None] = Deferred.fromCoroutine(store.sweep())
            sweeping.addErrback(lambda failure: self._log.failure("removing outdated parts of uploads failed", failure=failure))

    def stopService(self) -> Deferred[None]:
        """Stop accepting, let transfers finish for a while, end the sessions, then free what they used."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._next_sweep is not None and self._next_sweep.active():
            self._next_sweep.cancel()
        if self._certificates is not None:
            self._certificates.stop()
        return Deferred.fromCoroutine(self._stop())

    def _listen(self) -> None:
        for listener in self._entrances:
            listener.listen()

    def _sweep(self) -> None:
        """Listings tidy what they list; this is for directories that nobody lists, such as an incoming one."""
        self._next_sweep = self._clock.callLater(_SWEEP_SECONDS, self._sweep)
        self.sweep()

    async def _stop(self) -> None:
        try:
            await self.drain(0, self._stop_seconds, _STOPPING)
        finally:
            for listener in self.listeners:
                listener.factory.data_ports.close()
                await listener.factory.traces.flush().addTimeout(_TRACES_SECONDS, self._clock, _given_up)
                listener.factory.traces.close()
                listener.factory.crews.close()
            for store in self._stores:
                await store.close()
            for pool in self._pools:
                pool.close()
            self._logs.close()


def _given_up(result: object, seconds: float) -> None:
    """Leave to itself what takes longer."""
