"""AUTH, PBSZ, PROT, CCC, SSCN, CPSV: protected connections (RFC 2228 3, RFC 4217)."""

from __future__ import annotations

from typing import Any, Final

from twisted.logger import Logger

from ftpd.errors import BadArgument, BadParameter, OutOfOrder
from ftpd.ftp.command import Needs, command, nothing, text
from ftpd.ftp.commands.login import leave
from ftpd.ftp.commands.passive import announce_passive
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.schema import ConfigError

_log = Logger()
_MECHANISMS: Final = {"TLS": False, "TLS-C": False, "SSL": True, "TLS-P": True}  # and whether data is private at once
_PRIVATE: Final = "P"
_CLEAR: Final = "C"
_UNKNOWN_LEVELS: Final = ("S", "E")  # RFC 2228's, which TLS does not have (RFC 4217 9)
_MOST_DIGITS: Final = 10  # of PBSZ's 32 bits
_NO_CERTIFICATE: Final = Reply(431, "The certificates cannot be read now; the operator's log tells more.")


def _word(session: Session, argument: str) -> str:
    return text(session, argument).strip().upper()


def _auth_feature(session: Session) -> str:
    return "AUTH TLS" if _is_offered(session) and session.peer.tls is None else ""


def _size_feature(session: Session) -> str:
    return "PBSZ" if _is_offered(session) else ""


def _level_feature(session: Session) -> str:
    return "PROT" if _is_offered(session) else ""


def _ccc_feature(session: Session) -> str:
    return "CCC" if _is_offered(session) and session.factory.settings.tls.ccc else ""


def _fxp_feature(session: Session, verb: str) -> str:
    """Only for whom it is: see `_demand_fxp`."""
    may_fxp = session.account is not None and session.account.may_fxp
    return verb if may_fxp and _is_offered(session) and session.factory.settings.tls.data_resumption != "required" else ""


@command("AUTH", takes=_word, rfc="RFC 2228 3, RFC 4217 4", syntax="AUTH TLS", features=(_auth_feature,))
async def auth(session: Session, mechanism: str) -> Reply:
    """Put TLS on the control connection; a login and everything that was set are forgotten."""
    if session.factory.contexts is None or session.policy.login == "off":
        raise BadParameter("No security mechanism is available here")
    if mechanism not in _MECHANISMS:
        raise BadParameter(f"Unknown mechanism; there are {', '.join(_MECHANISMS)}")
    if session.peer.tls is not None:
        raise OutOfOrder("The control connection is protected already")
    if session.protection.was_cleared:
        raise OutOfOrder("The protection was given up with CCC; connect anew")
    context = _new_context(session)
    if context is None:
        return _NO_CERTIFICATE
    leave(session)
    session.protection.begin(context, is_private=_MECHANISMS[mechanism] and session.policy.data != "off")
    session.reset_parameters()
    session.channel.put_on_tls()
    return Reply(234, "Begin the TLS handshake.")


@command("PBSZ", takes=_word, rfc="RFC 2228 3, RFC 4217 9", syntax="PBSZ 0", features=(_size_feature,))
async def pbsz(session: Session, size: str) -> Reply:
    """Say how large protected pieces may be; TLS has its own records, so that it is always 0."""
    _demand_tls(session)
    if not (size.isascii() and size.isdecimal() and len(size) <= _MOST_DIGITS and int(size) < 2**32):
        raise BadArgument("The size is a number of bytes")
    session.protection.has_size = True
    return Reply(200, "PBSZ=0")


@command("PROT", takes=_word, rfc="RFC 2228 3, RFC 4217 9", syntax="PROT P | C", features=(_level_feature,))
async def prot(session: Session, level: str) -> Reply:
    """Choose whether data connections are private or in clear."""
    _demand_tls(session)
    protection = session.protection
    if not protection.has_size:
        raise OutOfOrder("PBSZ has to come first")
    if level in _UNKNOWN_LEVELS:
        return Reply(536, "There are P, private, and C, clear.")
    if level == _PRIVATE:
        return _make_private(session)
    if level != _CLEAR:
        raise BadParameter("There are P, private, and C, clear")
    if session.policy.data == "required":
        return Reply(534, "Data connections have to be protected here.")
    if protection.is_private:
        session.close_data()  # TLS may have begun on it
    protection.is_private = False
    return Reply(200, "Data connections are in clear.")


def _make_private(session: Session) -> Reply:
    if session.policy.data == "off":
        return Reply(534, "Protected data connections are switched off here.")
    protection = session.protection
    if protection.context is None:  # behind an endpoint that does TLS itself
        if session.factory.contexts is None:
            return Reply(536, "Data connections cannot be protected on this listener.")
        protection.context = _new_context(session)
        if protection.context is None:
            return _NO_CERTIFICATE
    protection.is_private = True
    return Reply(200, "Data connections are private.")


@command("CCC", takes=nothing, rfc="RFC 2228 3, RFC 4217 5", features=(_ccc_feature,))
async def ccc(session: Session, _: None) -> Reply:
    """Go back to a control connection in clear, for a firewall that wants to read it; data connections stay as they are."""
    if session.peer.tls is None:
        return Reply(533, "The control connection is not protected.")
    if not session.factory.settings.tls.ccc or not session.is_logged_in:
        return Reply(534, "The control connection stays protected here.")
    if not session.channel.take_off_tls():
        return Reply(534, "The TLS of this listener cannot be taken off.")
    session.protection.clear(session.peer.tls.client)
    session.peer = session.peer._replace(tls=None)
    return Reply(200, "The control connection is in clear from now on.")


def _option(session: Session, argument: str) -> str:
    return argument.strip().upper()


@command("SSCN", takes=_option, needs=Needs.LOGIN, rfc="SSCN, client convention", syntax="SSCN [ON | OFF]", features=(lambda session: _fxp_feature(session, "SSCN"),))  # fmt: skip
async def sscn(session: Session, wish: str) -> Reply:
    """Be the TLS client of the next data connections, for a transfer between two servers."""
    if wish not in ("", "ON", "OFF"):
        raise BadArgument("SSCN takes ON or OFF")
    if wish == "ON":
        _demand_fxp(session)
    if wish:
        session.protection.is_tls_client = wish == "ON"
    role = "client" if session.protection.is_tls_client else "server"
    return Reply(200, f"SSCN:{role.upper()} METHOD")


@command(
    "CPSV",
    takes=nothing,
    needs=Needs.LOGIN,
    rfc="CPSV, client convention",
    features=(lambda session: _fxp_feature(session, "CPSV"),),
)
async def cpsv(session: Session, _: None) -> Reply:
    """PASV, and be the TLS client of the connection that comes, for a transfer between two servers."""
    _demand_fxp(session)
    if not session.protection.is_private:
        raise OutOfOrder("PROT P has to come first")
    return await announce_passive(session, is_tls_client=True)


def _new_context(session: Session) -> Any:
    """Return a context for *session*; None where the certificates, read at the first use of TLS, are no good any more."""
    contexts = session.factory.contexts
    assert contexts is not None, "asked for before"
    try:
        return contexts.for_session(session.host.name if session.host is not None else "")
    except ConfigError as error:
        _log.error("[{session}] no TLS: {error}", session=session.peer.session, error="; ".join(map(str, error.problems)))
        return None


def _is_offered(session: Session) -> bool:
    is_possible = session.factory.contexts is not None and session.policy.login != "off"
    return is_possible and not session.protection.was_cleared


def _demand_tls(session: Session) -> None:
    if session.protection.was_cleared:
        raise OutOfOrder("CCC has ended this")
    if session.peer.tls is None:
        raise OutOfOrder("AUTH has to come first")


def _demand_fxp(session: Session) -> None:
    """Only for whom transfers between servers are allowed; never where a data connection has to prove whose it is: a server cannot."""
    if session.account is None or not session.account.may_fxp:
        raise BadParameter("Transfers between servers are not allowed to this account")
    if session.factory.settings.tls.data_resumption == "required":
        raise BadParameter("Data connections must resume this connection's TLS session here, which another server cannot")
    _demand_tls(session)
