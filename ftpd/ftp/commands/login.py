"""USER, PASS, ACCT, REIN, QUIT: who is it (RFC 959 4.1.1).

Every name is answered alike and in the same time, so that nobody learns which names exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.cred.error import LoginDenied
from twisted.cred.error import LoginFailed as CredentialsRefused
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.logger import Logger

from ftpd.errors import FileTransferError, NotLoggedIn, OutOfOrder, TooManySessions
from ftpd.events import LoggedIn, LoggedOut, LoginFailed
from ftpd.ftp.command import command, nothing, text
from ftpd.ftp.session import Session
from ftpd.ftp.shell.logins import granted, password_credentials
from ftpd.ftp.wire.replies import Reply
from ftpd.interfaces import IAvatar
from ftpd.login.certificate import CertificateCredentials, ICertificate
from ftpd.login.credentials import AnonymousCredentials, WrongPassword
from ftpd.paths import encode_name
from ftpd.values import Account

_log = Logger()
_REFUSED: Final = "Login incorrect."
_UNKNOWN_NAME: Final = "(name not known)"


def _raw(session: Session, argument: str) -> bytes:
    return encode_name(argument)


@command("USER", takes=text, rfc="RFC 959 4.1.1", syntax="USER name")
async def user(session: Session, name: str) -> Reply:
    """Say who you are; a login that stands is given back first."""
    leave(session)
    if session.policy.login == "required" and session.peer.tls is None:
        raise NotLoggedIn("A login needs TLS here: send AUTH TLS first")
    if session.is_anonymous(name):
        session.user = encode_name(name)
        return Reply(331, "Anonymous login: send your e-mail address as the password.")
    if not _may_send_password(session):
        hint = ": send AUTH TLS first" if session.factory.contexts is not None and session.policy.login != "off" else ""
        raise NotLoggedIn(f"Passwords are not taken over an unprotected connection here{hint}")
    if session.peer.tls is not None and await _logged_in_by_certificate(session, encode_name(name)):
        return Reply(232, "Logged in by certificate; no password is needed.")
    session.user = encode_name(name)
    return Reply(331, "Password required.")


@command("PASS", takes=_raw, rfc="RFC 959 4.1.1", syntax="PASS password", is_secret=True)
async def pass_(session: Session, password: bytes) -> Reply:
    """Prove it."""
    name = session.user
    if name is None:
        raise OutOfOrder("Send USER first")
    session.user = None
    await session.visit.admit(name)
    try:
        account = await _log_in(session, name, _credentials(session, name, password))
    except LoginDenied as denial:
        raise _homeless(session, name, denial) from denial
    except CredentialsRefused as refusal:
        return await _refuse(session, name, refusal)
    _tell_login(session, account)
    return Reply(230, "Logged in.")


@command("ACCT", takes=text, rfc="RFC 959 4.1.1", syntax="ACCT account", is_secret=True)
async def acct(session: Session, account: str) -> Reply:
    """Name an account to charge; none is needed here."""
    return Reply(202, "No account is needed.")


@command("REIN", takes=nothing, rfc="RFC 959 4.1.1, RFC 4217 13")
async def rein(session: Session, _: None) -> Reply:
    """Start over as after connecting; TLS that AUTH has put on the control connection is taken off, and what is implicit stays."""
    leave(session)
    is_taken_off = session.peer.tls is not None and not session.factory.is_implicit and session.channel.take_off_tls()
    if is_taken_off or session.protection.was_cleared:  # by CCC before: else nobody could begin TLS again
        session.forget_tls()
    session.forget_host()
    session.reset_parameters()
    return Reply(220, session.greeting)


@command("QUIT", takes=nothing, rfc="RFC 959 4.1.1")
async def quit_(session: Session, _: None) -> Reply:
    """Say goodbye; a transfer under way is finished first, since commands are answered in order."""
    session.channel.close_after_reply()
    return Reply(221, "Goodbye.")


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def leave(session: Session) -> None:
    """Give back a login that stands: USER, REIN and AUTH begin anew."""
    account = session.account_name
    session.log_out()
    session.visit.logged_out()
    if account is not None:
        session.publish(LoggedOut(peer=session.peer, account=account))


def _may_send_password(session: Session) -> bool:
    return session.peer.is_loopback or session.peer.tls is not None or session.factory.settings.plaintext_passwords


def _tell_login(session: Session, account: Account) -> None:
    session.publish(LoggedIn(peer=session.peer, account=account.name, is_anonymous=account.is_anonymous))


def _homeless(session: Session, name: bytes, denial: LoginDenied) -> NotLoggedIn:
    """Somebody is proven, but there is no place to go: that does not count against the address."""
    session.publish(LoginFailed(peer=session.peer, account=_shown(name), reason=str(denial)))
    return NotLoggedIn("Your home directory is not available; the operator's log tells more")


async def _logged_in_by_certificate(session: Session, name: bytes) -> bool:
    """Log in whom the certificate of the connection names, where that is enough; otherwise the password is asked for as ever."""
    portal, tls = session.portal, session.peer.tls
    if portal is None or tls is None or tls.client is None or ICertificate not in portal.listCredentialsInterfaces():
        return False
    await session.visit.admit(name)
    try:
        account = await _log_in(session, name, CertificateCredentials(name, tls.client, session.peer))
    except LoginDenied as denial:
        raise _homeless(session, name, denial) from denial
    except CredentialsRefused as refusal:
        _log.info("[{session}] not logged in by certificate: {reason}", session=session.peer.session, reason=str(refusal))
        return False
    _tell_login(session, account)
    return True


def _credentials(session: Session, name: bytes, password: bytes) -> Any:
    portal = session.portal
    if portal is None:
        raise CredentialsRefused("no portal")
    if session.is_anonymous(_shown(name)):
        return AnonymousCredentials(password, session.peer)
    return password_credentials(portal, name, password, session.peer, session.factory.text_credentials)


async def _log_in(session: Session, name: bytes, credentials: Any) -> Account:
    """Ask the portal; whatever a foreign checker raises beside a refusal is logged and refused."""
    peer, portal = session.peer, session.portal
    if portal is None:
        raise CredentialsRefused("no portal")
    try:
        interface, avatar, logout = await granted(portal, credentials, peer)
    except (CancelledError, CredentialsRefused):
        raise
    except FileTransferError as error:  # overload must not count as a wrong password, or it would ban honest clients
        _log.warn("a login cannot be checked now: {error} (session {session})", error=error, session=peer.session)
        raise TooManySessions("Logins cannot be checked now; try again later") from error
    except Exception as error:
        _log.failure("checking a login failed (session {session})", session=peer.session)
        raise CredentialsRefused(f"the check failed: {type(error).__name__}") from error
    return await _take_up(session, name, interface, avatar, logout)


async def _take_up(session: Session, name: bytes, interface: Any, avatar: Any, logout: Callable[[], object]) -> Account:
    """Enter the session with what the portal gave; if the limits forbid it, or the client leaves meanwhile, give it back."""
    account: Account
    if interface is IAvatar:
        account, files = avatar.account, avatar.files
    else:
        from ftpd.ftp.shell.avatars import files_of_shell  # not before it is needed: see `shell_logins`

        account, files = files_of_shell(name, avatar, session.is_anonymous(_shown(name)))
    try:
        await session.visit.succeeded(account)
    except BaseException:
        logout()
        raise
    session.log_in(account, files, logout)
    return account


async def _refuse(session: Session, name: bytes, refusal: CredentialsRefused) -> Reply:
    """Count the failure and answer late; a name is told to the log only if it exists, for it may be a password typed too early."""
    told = _shown(name) if isinstance(refusal, WrongPassword) else _UNKNOWN_NAME
    session.publish(LoginFailed(peer=session.peer, account=told, reason=str(refusal) or type(refusal).__name__))
    delay = await session.visit.failed(name)
    if delay > 0:
        await deferLater(session.factory.reactor, delay)  # type: ignore[arg-type]  # spi.Reactor is an IReactorTime
    if session.visit.is_exhausted:
        return Reply(421, "Too many failed logins; closing.")
    return Reply(530, _REFUSED)
