"""What happened, as frozen values, and the fan-out that tells the observers.

Field names are a stable promise (docs/events.md): logs, xferlog, metrics and hooks all read these.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from twisted.logger import Logger

from ftpd.spi import Observer
from ftpd.values import Outcome, Peer

__all__ = [
    "Event",
    "Events",
    "FileChanged",
    "LoggedIn",
    "LoggedOut",
    "LoginFailed",
    "SessionClosed",
    "SessionOpened",
    "SessionRefused",
    "TransferEnded",
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
    """A client was turned away at the door: too many sessions, or a banned address."""

    reason: str


@attrs.frozen(kw_only=True)
class SessionClosed(Event):
    """A session ended after `seconds`."""

    account: str | None
    seconds: float
    reason: str


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
class FileChanged(Event):
    """The tree changed other than by a transfer.

    `change` is "removed", "renamed", "directory-made", "directory-removed" or "attributes"; `target` the new name of a rename.
    """

    account: str
    change: str
    path: str
    target: str = ""


class Events:
    """The fan-out.  Observers are called at once, in order, on the reactor thread."""

    _log = Logger()

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)

    def add(self, observer: Observer) -> None:
        self._observers.append(observer)

    def remove(self, observer: Observer) -> None:
        self._observers.remove(observer)

    def publish(self, event: Event) -> None:
        """Tell every observer; one that raises is logged and does not stop the others."""
        for observer in tuple(self._observers):
            try:
                observer(event)
            except Exception:
                self._log.failure("event observer {observer!r} failed on {event!r}", observer=observer, event=event)
