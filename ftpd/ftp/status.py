"""What STAT tells of a session: who, how, within which limits, and how a transfer gets on.

Apart from the command, since each line is a sentence that catalogues of languages know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftpd.accounts.rates import Way
from ftpd.ftp.devices import NO_DEVICE, shown_faults

if TYPE_CHECKING:
    from ftpd.ftp.session import Session, Transfer
    from ftpd.values import Account

__all__ = ["status"]


def status(session: Session) -> Iterator[str]:
    """Yield the lines of STAT."""
    yield f"Connected from {session.peer.address}" if session.peer.address else "Connected from this machine"
    account = session.account
    yield "Not logged in" if account is None else f"Logged in as {account.name}"
    yield f"TYPE {session.representation.words}, STRU {session.structure.value}, MODE {session.mode.value}"
    yield "Replies are in English"
    yield from _protection(session)
    if account is not None:
        yield from _limits(session, account)
    else:
        left = session.opened + session.factory.settings.timeouts.login - session.factory.reactor.seconds()
        yield f"The login has to be complete within {max(0, left):.0f} seconds"
    yield f"The session ends after {session.idle_seconds:.0f} seconds without a command"
    if session.device is not NO_DEVICE:
        yield f"Taken for the device {session.device.name}"
        if session.faults:
            yield f"Tolerated: {shown_faults(session.faults)}"
    if session.transfer is None:
        yield "No transfer under way"
        if session.restart:
            yield f"The next transfer starts at {session.restart}"
        if session.range is not None:
            yield f"The next transfer is of bytes {session.range[0]} to {session.range[1]}"
    else:
        yield from _progress(session.transfer, session.factory.reactor.seconds())


def _protection(session: Session) -> Iterator[str]:
    tls = session.peer.tls
    if tls is None:
        yield "The control connection is in clear"
    elif tls.version:
        yield f"The control connection is private: {tls.version} {tls.cipher}"
    else:
        yield "The control connection is private"
    yield "Data connections are private" if session.protection.is_private else "Data connections are in clear"


def _limits(session: Session, account: Account) -> Iterator[str]:
    if account.max_file_size is not None:
        yield f"A file may have {account.max_file_size} bytes at most"
    if account.max_sessions is not None:
        yield f"The account may have {account.max_sessions} sessions at a time"
    if rate := _rate(session, account, "download"):
        yield f"Downloads are held to {rate} bytes/s"
    if rate := _rate(session, account, "upload"):
        yield f"Uploads are held to {rate} bytes/s"


def _rate(session: Session, account: Account, way: Way) -> int:
    return session.rates.ceiling(way) if session.rates is not None else session.factory.rates.ceiling(account, way)


def _progress(transfer: Transfer, now: float) -> Iterator[str]:
    """Where it stands, how fast it was within the last seconds, and how long the rest takes at that."""
    moved, size = transfer.moved, transfer.size
    seconds = now - transfer.started
    speed = transfer.speed(now)
    yield f"{transfer.command} {transfer.path}"
    if size is None:
        yield f"{moved} bytes in {seconds:.0f} seconds"
    else:
        yield f"{moved} of {size} bytes in {seconds:.0f} seconds"
    if size is not None and speed > 0:
        yield f"{speed:.0f} bytes/s of late, {max(0, size - moved) / speed:.0f} seconds left"
    else:
        yield f"{speed:.0f} bytes/s of late"
