"""The row that stands for one session in `ftpd who`: a `SessionRow`, made anew only where it would say something else.

Apart from the session, which knows no wall clock: nothing here runs before somebody asks.
"""

from __future__ import annotations

from functools import lru_cache

from ftpd.ftp.devices import shown_faults
from ftpd.ftp.session import Session
from ftpd.values import SessionRow, TLSFacts

__all__ = ["describe"]


def describe(session: Session, heard: float, ahead: float) -> SessionRow:
    """Return the row of *session*, the same object as last time where nothing has changed, whatever the wall clock did since.

    *heard* is when its client last said something or its last command ended, in the reactor's seconds; *ahead* is what the wall clock has
    and the reactor's has not.
    """
    transfer = session.transfer
    running = None if transfer is None else (transfer.started, transfer.path, transfer.moved)  # no transfer: it would keep its pump
    facts = (heard, running, session.peer, session.account, session.client)
    row = session.row
    if row is None or session.row_facts != facts:
        row = session.row = _row(session, heard, ahead)
        session.row_facts = facts
    return row


def _row(session: Session, heard: float, ahead: float) -> SessionRow:
    peer, account, transfer = session.peer, session.account, session.transfer
    return SessionRow(
        session=peer.session,
        address=peer.address,
        port=peer.port,
        listener=peer.listener,
        protocol=peer.protocol,
        since=session.opened + ahead,
        heard=heard + ahead,
        account="" if account is None else account.name,
        is_anonymous=account is not None and account.is_anonymous,
        host=peer.host,
        client="" if account is None else session.client,  # what is said before the login may be a password
        tls=_protection(peer.tls),
        command="" if transfer is None else transfer.command,
        direction="" if transfer is None else transfer.direction,
        path="" if transfer is None else str(transfer.path),
        size=None if transfer is None else transfer.size,
        moved=0 if transfer is None else transfer.moved,
        transfer_since=None if transfer is None else transfer.started + ahead,
        device=session.device.name,
        tolerated=shown_faults(session.faults) if session.faults else "",
    )


def _protection(tls: TLSFacts | None) -> str:
    if tls is None:
        return ""
    return _named(tls.version, tls.cipher) if tls.version else "TLS of the endpoint"


@lru_cache(maxsize=64)  # one text for all sessions that have the same
def _named(version: str, cipher: str) -> str:
    return f"{version} {cipher}"
