"""SITE WHO: who is here, as far as this login may know it (a convention of several servers)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ftpd.ftp.command import Needs, command, nothing
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.logs.visible import visible

if TYPE_CHECKING:
    from ftpd.values import Account, SessionRow


@command("SITE WHO", takes=nothing, needs=Needs.LOGIN, rfc="convention", syntax="SITE WHO", beside=True, keeps_restart=True)
async def who(session: Session, _: None) -> Reply:
    """Tell the sessions of this account, or with the account's `who = "all"` those of everybody on its host, and what they transfer.

    Anonymous clients have one account and are different people: each sees its own session only.
    """
    rows = [
        row for row in await session.factory.all_rows() if session.account is not None and _may_see(session, session.account, row)
    ]
    now = time.time()
    lines = (" ".join(_words(row, now)) for row in sorted(rows, key=lambda row: row.since))
    return Reply(211, f"Sessions: {len(rows)}", tuple(lines), last="End of sessions")


def _may_see(session: Session, account: Account, row: SessionRow) -> bool:
    if row.session == session.peer.session:
        return True
    if account.sees_all_sessions:
        return not session.peer.host or row.host == session.peer.host
    is_same = row.account == account.name and row.host == session.peer.host and not row.is_anonymous
    return is_same and not account.is_anonymous


def _words(row: SessionRow, now: float) -> Iterator[str]:
    """Say who, from where, since when and what; names that others chose shall not steer a terminal."""
    yield visible(row.account) or "(not logged in)"
    yield row.address or "local"
    yield f"for {max(0.0, now - row.since):.0f} s:"
    if not row.command:
        yield f"idle {max(0.0, now - row.heard):.0f} s"
        return
    yield f"{row.command} {visible(row.path)},"
    yield f"{row.moved} bytes" if row.size is None else f"{row.moved} of {row.size} bytes"
