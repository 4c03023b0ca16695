"""What happened, as frozen values, and the fan-out that tells the observers.

Field names are a stable promise (docs/events.md): logs, xferlog, metrics and hooks all read these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import attrs
from twisted.logger import Logger

from ftpd.spi import Observer
from ftpd.values import Outcome, Peer

__all__ = [
    "DataFault",
    "DataNotResumed",
    "DatagramTransferEnded",
    "Event",
    "Events",
    "FaultTolerated",
    "FileChanged",
    "HandshakeFailed",
    "LoggedIn",
    "LoggedOut",
    "LoginFailed",
    "RequestRefused",
    "SessionClosed",
    "SessionOpened",
    "SessionRefused",
    "SizeProbed",
    "TransferEnded",
    "WrongProtocol",
]


@attrs.frozen(kw_only=True)
class Event:
    """Something happened in the session of *peer* (`peer.session` is its id)."""

    peer: Peer


@attrs.frozen(kw_only=True)
class SessionOpened(Event):
    """A client connected."""


@attrs.frozen(kw_only=True)
class SessionRefused(Event):
    """A client was turned away at the door: too many sessions, a banned address, or a server that is locked or ending."""

    reason: str


@attrs.frozen(kw_only=True)
class SessionClosed(Event):
    """A session ended after `seconds`."""

    account: str | None
    seconds: float
    reason: str


@attrs.frozen(kw_only=True)
class WrongProtocol(Event):
    """A client was cut off before a login, since it spoke `protocol`: "HTTP", "RTSP", "SIP", "SMTP", "SSH", "TLS" or "the PROXY protocol"."""

    protocol: str


@attrs.frozen(kw_only=True)
class HandshakeFailed(Event):
    """TLS on the control connection did not come into being; `reason` is for the operator."""

    reason: str


@attrs.frozen(kw_only=True)
class DataNotResumed(Event):
    """A protected data connection did not resume its control connection's TLS session: told once a session, where it is let pass."""

    account: str


@attrs.frozen(kw_only=True)
class DataFault(Event):
    """A data connection did not come into being, or cannot, in a way that an operator can do something about: NAT, a firewall, a small range.

    `fault` is one of the names in docs/events.md, `reason` and `advice` are sentences for the operator; `address` and `port` are where the
    connection should have gone, `other` is who connected instead.  Told once in a while for each listener and fault: `times` is how often it
    has happened since, this time included.
    """

    fault: str
    reason: str
    advice: str
    address: str
    port: int
    other: str = ""
    times: int = 1


@attrs.frozen(kw_only=True)
class FaultTolerated(Event):
    """A client did what is wrong, and was served all the same, since it is known as a `device` that does so.

    `fault` is one of the names in docs/devices.md.  Told when it happens for the first time in a session, and at the session's end where it
    happened again: `times` is how often.
    """

    account: str
    device: str
    fault: str
    times: int


@attrs.frozen(kw_only=True)
class LoggedIn(Event):
    account: str
    is_anonymous: bool = False


@attrs.frozen(kw_only=True)
class LoginFailed(Event):
    """A login was refused; `reason` is for the operator, the client learns less."""

    account: str
    reason: str


@attrs.frozen(kw_only=True)
class LoggedOut(Event):
    account: str


@attrs.frozen(kw_only=True)
class TransferEnded(Event):
    """A file transfer or listing ended.

    `direction` is "download", "upload" or "listing"; `command` the verb; `path` the virtual path; `moved` payload bytes on the wire;
    `seconds` from the 150 to the end; `cause` words for anything but a success; `is_ascii` TYPE A.
    """

    account: str
    is_anonymous: bool
    command: str
    direction: str
    path: str
    moved: int
    seconds: float
    outcome: Outcome
    cause: str = ""
    is_ascii: bool = False


@attrs.frozen(kw_only=True)
class DatagramTransferEnded(TransferEnded):
    """A transfer of a protocol that moves a file in blocks of its own (TFTP) ended.

    `blocks` were acknowledged or stored, `retransmissions` packets sent again; `options` are those granted, as `name=value` with spaces between.
    """

    blocks: int
    retransmissions: int
    options: str = ""


@attrs.frozen(kw_only=True)
class SizeProbed(Event):
    """A client asked for a file, heard its `size` in bytes, and wanted no more of it: what UEFI and PXELINUX do before they fetch it."""

    account: str
    path: str
    size: int


@attrs.frozen(kw_only=True)
class RequestRefused(Event):
    """A request for a file, by a protocol that has nothing but requests, was answered with an error; `is_missing`: there is no such file.

    `command` is its verb, `path` as the client wrote it.
    """

    account: str
    command: str
    path: str
    reason: str
    is_missing: bool = False


@attrs.frozen(kw_only=True)
class FileChanged(Event):
    """The tree changed other than by a transfer.

    `change` is "removed", "renamed", "directory-made", "directory-removed", "attributes", "linked", "copied", "copied-in-part" (what was copied of a
    directory is whole, and more is missing), "combined" (each source that went is "removed"), "tree-removed" or "tree-removed-in-part" (one event
    for all that went).  `target` is the new name of a rename or a copy, and what a link leads to.
    """

    account: str
    change: str
    path: str
    target: str = ""


class Events:
    """The fan-out.  Observers are called at once, in order, on the reactor thread.

    An observer that wants some kinds of events only may name them in an attribute `event_kinds`, a collection of classes.
    """

    _log = Logger()

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)
        self._told = _Audiences(self._observers)

    def add(self, observer: Observer) -> None:
        self._observers.append(observer)
        self._told.clear()

    def remove(self, observer: Observer) -> None:
        self._observers.remove(observer)
        self._told.clear()

    def wants(self, kind: type[Event]) -> bool:
        """Whether anybody is told of *kind*: what nobody hears need not be made (3 us of each of a session's four, tests/bench: login)."""
        return bool(self._told[kind])

    def publish(self, event: Event) -> None:
        """Tell every observer; one that raises is logged and does not stop the others."""
        for observer in self._told[type(event)]:
            try:
                observer(event)
            except Exception:
                self._log.failure("event observer {observer!r} failed on {event!r}", observer=observer, event=event)


class _Audiences(dict[type[Event], tuple[Observer, ...]]):
    """Which of *observers* hear of each kind of event, as far as it was asked for."""

    def __init__(self, observers: list[Observer]) -> None:
        self._observers = observers

    def __missing__(self, kind: type[Event]) -> tuple[Observer, ...]:
        audience = self[kind] = tuple(observer for observer in self._observers if _hears(observer, kind))
        return audience


def _hears(observer: Observer, kind: type[Event]) -> bool:
    kinds: Collection[type[Event]] | None = getattr(observer, "event_kinds", None)
    return kinds is None or issubclass(kind, tuple(kinds))
