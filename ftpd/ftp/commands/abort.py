"""ABOR: stop the transfer under way (RFC 959 4.1.3).

The channel sees it on arrival, cancels the transfer, whose own reply is 426, and then lets it be answered here: 426 and 226 are the
pair that clients wait for.
"""

from __future__ import annotations

from ftpd.ftp.command import command, nothing
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply


@command("ABOR", takes=nothing, rfc="RFC 959 4.1.3")
async def abor(session: Session, _: None) -> Reply:
    """Stop the transfer under way, and drop a data connection that was prepared."""
    session.close_data()
    return Reply(226, "Abort processed.")
