"""The journal: one log line for each event worth one, with the same field names everywhere.

Apart from the targets: this says what is told, they say where.  Field names are a stable promise (docs/events.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.logger import Logger, LogLevel

from ftpd.events import (
    DataFault,
    DatagramTransferEnded,
    DataNotResumed,
    Event,
    FaultTolerated,
    FileChanged,
    HandshakeFailed,
    LoggedIn,
    LoggedOut,
    LoginFailed,
    RequestRefused,
    SessionClosed,
    SessionOpened,
    SessionRefused,
    SizeProbed,
    TransferEnded,
    WrongProtocol,
)
from ftpd.values import Outcome, TLSFacts

__all__ = ["FIELDS", "Journal"]

FIELDS = (
    "event",
    "session",
    "peer",
    "listener",
    "protocol",
    "account",
    "command",
    "reply",
    "direction",
    "path",
    "target",
    "change",
    "bytes",
    "seconds",
    "result",
    "cause",
    "blocks",
    "retransmissions",
    "options",
    "size",
    "reason",
    "spoken",
    "device",
    "fault",
    "address",
    "port",
    "other",
    "advice",
    "times",
    "client",
    "tls",
    "certificate",
    "host",
    "worker",
    "pid",
)
"""The fields that targets write; any other that a line carries stays inside the process."""

Fields = dict[str, Any]


class Journal:
    """An observer of events that writes to `twisted.logger` what weighs at least *least*.

    What no target wants need not be written: three of a login's four lines are for debugging (tests/bench: login).
    """

    def __init__(self, log: Logger | None = None, *, least: Any = LogLevel.debug) -> None:
        self._log = log or Logger(namespace="ftpd.journal")
        self._heard = frozenset(level for level in LogLevel.iterconstants() if level >= least)
        self.event_kinds = frozenset(kind for kind, row in _ROWS.items() if self._heard & row.weights)

    def __call__(self, event: Event) -> None:
        """Do what `Logger.emit` does with a level that is known to be one: looking for that costs 2 us (tests/bench: login)."""
        row = _ROWS.get(type(event))
        if row is None:  # an extension's own event is its own business
            return
        name, level, text, fields, weigh = row
        if weigh is not None:
            level = weigh(event)
        if level not in self._heard:
            return
        log, peer = self._log, event.peer
        line = {
            "log_logger": log,
            "log_level": level,
            "log_namespace": log.namespace,
            "log_source": log.source,
            "log_format": text,
            "log_time": time.time(),
            "event": name,
            "protocol": peer.protocol,
            "session": peer.session,
            "peer": peer.endpoint,
            "listener": peer.listener,
            **fields(event),
        }
        if peer.host:
            line["host"] = peer.host
        log.observer(line)


class _Row(NamedTuple):
    """How events of one kind are told: their name, how much they weigh, the text, and the fields besides those of their origin.

    `weigh` returns what one event weighs, where they differ: nothing but `level`, debug and warn.
    """

    name: str
    level: Any
    text: str
    fields: Callable[[Any], Fields]
    weigh: Callable[[Any], Any] | None = None

    @property
    def weights(self) -> frozenset[Any]:
        """What lines may weigh."""
        return frozenset({self.level} if self.weigh is None else {self.level, LogLevel.debug, LogLevel.warn})


def _weigh_transfer(event: TransferEnded) -> Any:
    """Listings are many and change nothing: debug, unless one failed by our fault."""
    if event.outcome is Outcome.LOCAL_FAULT:
        return LogLevel.warn
    return LogLevel.debug if event.direction == "listing" else LogLevel.info


def _weigh_refusal(event: RequestRefused) -> Any:
    """Requests for what is not there are many and change nothing."""
    return LogLevel.debug if event.is_missing else LogLevel.info


def _transfer(event: TransferEnded) -> Fields:
    return {
        "account": event.account,
        "command": event.command,
        "direction": event.direction,
        "path": event.path,
        "bytes": event.moved,
        "seconds": event.seconds,
        "result": event.outcome.value,
        "cause": event.cause,
    }


def _datagrams(event: DatagramTransferEnded) -> Fields:
    fields = _transfer(event)
    fields["blocks"] = event.blocks
    fields["retransmissions"] = event.retransmissions
    fields["options"] = event.options
    fields["granted"] = f", {event.options}" if event.options else ""  # for the text: most clients ask for none
    return fields


def _refusal(event: RequestRefused) -> Fields:
    return {"account": event.account, "command": event.command, "path": event.path, "reason": event.reason}


def _change(event: FileChanged) -> Fields:
    return {"account": event.account, "change": event.change, "path": event.path, "target": event.target}


def _fault(event: DataFault) -> Fields:
    return {
        "fault": event.fault,
        "reason": event.reason,
        "advice": event.advice,
        "address": event.address,
        "port": event.port,
        "other": event.other,
        "times": event.times,
        "often": f" ({event.times} times)" if event.times > 1 else "",  # for the text: most are told at once
    }


def _tolerance(event: FaultTolerated) -> Fields:
    return {
        "account": event.account,
        "device": event.device,
        "fault": event.fault,
        "times": event.times,
        "often": f" ({event.times} times)" if event.times > 1 else "",  # for the text
    }


def _closing(event: SessionClosed) -> Fields:
    return {"account": event.account or "", "seconds": event.seconds, "reason": event.reason}


def _login(event: LoggedIn) -> Fields:
    tls = event.peer.tls
    if tls is None:
        return {"account": event.account, "tls": "in clear", "certificate": ""}
    certificate = tls.client.subject if tls.client is not None else ""
    return {"account": event.account, "tls": _protection(tls), "certificate": certificate}


def _protection(tls: TLSFacts) -> str:
    """Version, cipher, group and whether the session was resumed, in one field: `TLSv1.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768 new`."""
    if not tls.version:
        return "TLS of the endpoint"
    return " ".join(part for part in (tls.version, tls.cipher, tls.group, "resumed" if tls.is_resumed else "new") if part)


_ROWS: dict[type[Event], _Row] = {
    SessionOpened: _Row("session-opened", LogLevel.debug, "[{session}] {peer} connected", lambda event: {}),
    SessionRefused: _Row(
        "session-refused",
        LogLevel.warn,
        "[{session}] {peer} turned away: {reason}",
        lambda event: {"reason": event.reason},
    ),
    WrongProtocol: _Row(
        "wrong-protocol",
        LogLevel.info,
        "[{session}] {peer} cut off: it spoke {spoken}, which is not FTP",
        lambda event: {"spoken": event.protocol},
    ),
    SessionClosed: _Row("session-closed", LogLevel.debug, "[{session}] {peer} gone after {seconds:.1f} s: {reason}", _closing),
    HandshakeFailed: _Row(
        "handshake-failed",
        LogLevel.warn,
        "[{session}] {peer} TLS handshake failed: {reason}",
        lambda event: {"reason": event.reason},
    ),
    DataNotResumed: _Row(
        "data-not-resumed",
        LogLevel.warn,
        "[{session}] {account} {peer} data connections do not resume the TLS session: nothing proves that they are the client's",
        lambda event: {"account": event.account},
    ),
    DataFault: _Row("data-fault", LogLevel.warn, "[{session}] {peer} {reason}{often}: {advice}", _fault),
    FaultTolerated: _Row(
        "fault-tolerated",
        LogLevel.info,
        "[{session}] {account} {peer} {fault} tolerated{often}: it is a {device}",
        _tolerance,
    ),
    LoggedIn: _Row("logged-in", LogLevel.info, "[{session}] {peer} logged in as {account} ({tls})", _login),
    LoginFailed: _Row(
        "login-failed",
        LogLevel.warn,
        "[{session}] {peer} failed to log in as {account}: {reason}",
        lambda event: {"account": event.account, "reason": event.reason},
    ),
    LoggedOut: _Row("logged-out", LogLevel.debug, "[{session}] {account} logged out", lambda event: {"account": event.account}),
    TransferEnded: _Row(
        "transfer-ended",
        LogLevel.info,
        "[{session}] {account} {peer} {command} {path} {bytes} bytes {seconds:.3f} s {result} {cause}",
        _transfer,
        _weigh_transfer,
    ),
    DatagramTransferEnded: _Row(
        "transfer-ended",
        LogLevel.info,
        "[{session}] {account} {peer} {command} {path} {bytes} bytes {seconds:.3f} s {result} {cause}"
        " ({blocks} blocks, {retransmissions} sent again{granted})",
        _datagrams,
        _weigh_transfer,
    ),
    RequestRefused: _Row(
        "request-refused",
        LogLevel.info,
        "[{session}] {account} {peer} {command} {path} refused: {reason}",
        _refusal,
        _weigh_refusal,
    ),
    SizeProbed: _Row(
        "size-probed",
        LogLevel.debug,
        "[{session}] {account} {peer} asked for the size of {path}: {size} bytes",
        lambda event: {"account": event.account, "path": event.path, "size": event.size},
    ),
    FileChanged: _Row("file-changed", LogLevel.info, "[{session}] {account} {peer} {change} {path} {target}", _change),
}
