"""Worker: a process that serves on sockets it was given, and does as the parent says.

Apart from the service, which is the same as everywhere else; here is what a worker does beside it: report, drain, and end when the parent is
gone.  Run as `python -m ftpd.processes.worker SLOT`; the number is there for `ps`.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import socket as sockets
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import LogEvent, Logger, globalLogBeginner, globalLogPublisher

from ftpd.config.tree import Config
from ftpd.leaving import leave
from ftpd.logs.targets import text_line
from ftpd.processes.balance import Balance
from ftpd.processes.channel import Message, connect, receive_first, send_last
from ftpd.processes.order import BALANCE, CHANNEL, FIRST_LISTENER, Order
from ftpd.processes.orphan import end_with_parent, outlive_parent
from ftpd.processes.parts import with_own_ports
from ftpd.processes.program import leave_signals_to_parent
from ftpd.processes.reporter import Reporter
from ftpd.reactor import chosen_reactor
from ftpd.schema import ConfigError
from ftpd.service import Server, make_service
from ftpd.signals import Signals
from ftpd.spi import Served
from ftpd.state.sqlite import SQLiteState
from ftpd.values import Request

__all__ = ["main"]

_SECOND: Final = 1.0  # between two reports
_GRACE_SECONDS: Final = 10.0  # for what was cut at the deadline to be over; the parent has more, if it is still there
_MOST_LETTERS: Final = 100_000  # of what is said for the log: a message has its limit
_RESTARTING: Final = "The server is restarting; please connect again."
_STOPPING: Final = "The server is shutting down; closing."
_KICKED: Final = "The operator has ended this session."


class Worker:
    """The running worker: *server*, made from *config*, and the parent at the other end of *socket*."""

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        order: Order,
        config: Config,
        server: Server,
        state: SQLiteState,
        balance: Balance,
        socket: sockets.socket,
    ) -> None:
        self._reactor = reactor
        self._order = order
        self._settings = config.process
        self._server = server
        self._state = state
        self._balance = balance
        self._met = 0  # sessions that requests were for, since the parent was last told
        self._question = 0  # the last that the parent has asked
        self._quiet_seconds = math.inf  # that a session may be, once we drain
        self._ending: Deferred[None] | None = None
        self._deeds: dict[str, Callable[..., object]] = {
            "drain": self.hand_over,
            "answer": self.answer,
            "stop": self.stop,
            "quit": self.quit,
            "lock": self.lock,
            "reopen": server.reopen_logs,
            "look": self.look,
            "sweep": server.sweep,
        }
        server.sweeps_daily = order.slot == 0  # one walk through the files is enough
        self._factories = [listener.factory for listener in server.listeners]
        for listener in server.listeners:
            listener.gives_way = self._gives_way
        for datagrams in server.datagrams:
            datagrams.waits = order.waits
        self._reporter = Reporter(server.served, state, self._obey)
        self._channel = connect(reactor, socket, self._heard, self.drain)  # the parent is gone: nobody else accepts for us
        self._reports = LoopingCall(self._report)
        self._reports.clock = reactor

    def start(self) -> None:
        """Begin to serve, and say so."""
        outlive_parent()  # who has sessions lets them end; that the parent is gone is seen by the channel from here on
        if self._order.forwards_logs:
            globalLogPublisher.addObserver(self._forward)  # type: ignore[arg-type]  # whatever can be called is one
        self.lock(self._order.locked)
        self._balance.join(self._order.slot)
        self._server.startService()
        self._channel.send({"said": "ready"})
        self._reports.start(_SECOND)
        if self._order.succeeds:
            self._server.sweep()

    def answer(self) -> None:
        """Read the datagram sockets: nobody else does any more."""
        for datagrams in self._server.datagrams:
            datagrams.waits = False
            if self._ending is None:
                datagrams.listen()

    def hand_over(self, idle: float, most: float) -> None:
        """Drain, for other workers have our sockets now: two must not read the same datagrams.  Say so: who comes from now on is theirs."""
        for datagrams in self._server.datagrams:
            datagrams.hand_over(_RESTARTING)
        self.drain(idle, most)
        self._channel.send({"said": "drains"})

    def drain(self, idle: float | None = None, most: float | None = None) -> None:
        """Accept nobody more, and end when the sessions have been quiet for *idle* seconds, or after *most*; as the settings say for None."""
        settings = self._settings
        self._end(settings.drain_idle if idle is None else idle, settings.drain if most is None else most, _RESTARTING)

    def stop(self, most: float | None = None) -> None:
        """Let transfers finish, for *most* seconds, then end; as the settings say for None."""
        self._end(0, self._settings.stop if most is None else most, _STOPPING)

    def quit(self) -> None:
        """End now."""
        self._end(0, 0, _STOPPING)

    def _gives_way(self) -> bool:
        """Whether another worker should have the next connection."""
        self._count()
        return self._balance.is_ahead(self._order.slot)

    def _count(self) -> None:
        if self._ending is None:
            sessions = sum(len(factory.channels) for factory in self._factories)
            self._balance.set(self._order.slot, sessions, sum(listener.taken for listener in self._server.listeners))

    def _end(self, quiet_seconds: float, most_seconds: float, words: str) -> None:
        self._balance.leave(self._order.slot)
        self._quiet_seconds = min(self._quiet_seconds, quiet_seconds)  # whoever is in a hurry stays in one
        self._reactor.callLater(most_seconds + _GRACE_SECONDS, self._break_off)
        drained = self._server.drain(self._quiet_seconds, most_seconds, words)
        if self._ending is None:
            self._ending = drained.addCallback(lambda _: Deferred.fromCoroutine(self._close()))
            self._ending.addErrback(lambda failure: self._log.failure("ending failed", failure=failure))
            self._ending.addBoth(lambda _: self._reactor.stop())

    def _break_off(self) -> None:
        """End as if killed, since somebody has to clear away what is left: what was cut is still under way, on a disk that does not answer."""
        self._log.error("ended with what a disk does not let end: {count} sessions", count=self._reporter.sessions)
        signal.raise_signal(signal.SIGKILL)

    async def _close(self) -> None:
        await deferLater(self._reactor, 0)  # whoever has ended the last session has yet to count it
        if self._reports.running:
            self._reports.stop()
        await self._server.stopService()
        await self._state.close()
        if self._met:  # found before the parent has told us to look, and it does not hear of us any more
            self._channel.send({"said": "met", "sessions": self._taken()})

    def _taken(self) -> int:
        """Return the sessions that nobody was told of, who is told of them now."""
        sessions, self._met = self._met, 0
        return sessions

    def _heard(self, message: Message) -> None:
        self._deeds[message.pop("do")](**message)

    def lock(self, message: str | None) -> None:
        """Refuse new sessions with *message*; None: let them in."""
        for served in self._server.served:
            served.lock(message)

    def _obey(self, request: Request) -> None:
        if request.action == "drain":
            self.drain()
        else:
            self._met += sum(len(self._do(request, served)) for served in self._server.served)

    def _do(self, request: Request, served: Served) -> list[str]:
        if request.action == "slow":
            return served.slow(request.field, request.value, request.rate)
        return served.kick(request.field, request.value, _KICKED)

    def look(self, question: int) -> None:
        """See at once what was asked, and tell the parent how many sessions that was for; nothing where it cannot be seen now, or it asks anew."""
        self._question = question

        def looked(is_seen: bool) -> None:
            if is_seen and question == self._question:
                self._channel.send({"said": "looked", "question": question, "sessions": self._taken()})

        self._reporter.report().addCallback(looked)

    def _report(self) -> None:
        self._count()
        self._reporter.look()
        self._channel.send({"said": "alive", "sessions": self._reporter.sessions, "transfers": self._reporter.transfers})

    def _forward(self, event: LogEvent) -> None:
        _, level, text = text_line(event).split(" ", 2)  # the parent's line has a time of its own
        self._channel.send({"said": "log", "level": level, "text": text[:_MOST_LETTERS]})


def main() -> None:
    """Serve as the first message on the channel says, until the parent wants no more, or is no more."""
    end_with_parent(CHANNEL)
    leave_signals_to_parent()  # which passes on what they mean
    socket = _adopted(CHANNEL)
    try:
        order = Order.of_message(receive_first(socket))
    except EOFError:
        sys.exit(1)
    gc.disable()
    reactor = chosen_reactor()
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False)
    try:
        worker = _made(reactor, order, socket)
    except ConfigError as error:
        send_last(socket, {"said": "failed", "problems": [str(problem) for problem in error.within(order.source.file).problems]})
        sys.exit(2)
    reactor.callWhenRunning(worker.start)
    actions = {signal.SIGTERM: worker.stop, signal.SIGQUIT: worker.quit}
    Signals(reactor, actions).startService()
    gc.freeze()
    gc.enable()
    reactor.run(installSignalHandlers=False)
    leave(0)


def _made(reactor: Any, order: Order, socket: sockets.socket) -> Worker:
    config = with_own_ports(order.source.config(), order.slot, order.places)
    os.set_inheritable(BALANCE, False)
    balance = Balance(BALANCE, order.places)
    state = SQLiteState(order.state, order.name, reactor, ahead=order.ahead + time.monotonic() - reactor.seconds())
    streams, datagrams = len(config.listen), len(config.tftp.listeners)
    adopted = [_adopted(FIRST_LISTENER + index) for index in range(streams + datagrams)]
    server = make_service(
        config,
        reactor,
        sockets=adopted[:streams],
        datagram_sockets=adopted[streams:],
        state=state,
        is_tried=order.is_tried,
    )
    return Worker(reactor, order, config, server, state, balance, socket)


def _adopted(descriptor: int) -> sockets.socket:
    os.set_inheritable(descriptor, False)
    return sockets.socket(fileno=descriptor)


if __name__ == "__main__":
    main()
