"""HOST: which of several servers behind one address is meant (RFC 7151)."""

from __future__ import annotations

from ftpd.errors import BadParameter, OutOfOrder
from ftpd.ftp.command import command, text
from ftpd.ftp.hosts import parse_host
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply


def _name(session: Session, argument: str) -> str:
    return parse_host(text(session, argument).strip())


@command("HOST", takes=_name, rfc="RFC 7151 3", syntax="HOST name", features=("HOST",))
async def host(session: Session, name: str) -> Reply:
    """Name the host, before USER; what TLS was told (SNI) and this have to agree."""
    if session.user is not None or session.is_logged_in:
        raise OutOfOrder("HOST comes before USER")
    factory = session.factory
    virtual = factory.hosts.get(name)
    if virtual is None and not factory.is_called(name, session.peer.local_address):
        raise BadParameter("No such host here")
    if session.peer.tls is not None and session.peer.tls.server_name and virtual is not session.host:
        raise BadParameter("TLS was begun with another host name")
    session.choose_host(virtual)
    session.is_host_named = True
    language = session.language
    session.reset_parameters()
    session.language = language  # it is the client's wish, and nothing of a host's: lftp 4.9.2 sends LANG before HOST
    return Reply(220, session.greeting)
