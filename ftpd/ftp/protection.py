"""Protection: what RFC 2228 and RFC 4217 keep of one session, and what is demanded of it.

Apart from the session, most of which knows nothing of TLS, and from the commands, which set here what transfers ask for.
"""

from __future__ import annotations

import ipaddress
import typing
from typing import TYPE_CHECKING, Any

import attrs

from ftpd.errors import NeedsProtection
from ftpd.ftp.settings import ProtectionSettings

if TYPE_CHECKING:
    from ftpd.ftp.session import Session
    from ftpd.values import ClientCertificate

__all__ = ["Policy", "Protection", "SessionContexts", "demand_protection", "policy_for"]


class SessionContexts(typing.Protocol):
    """Where the TLS of sessions comes from: `ftpd.tls.contexts.Contexts`."""

    def for_session(self, host: str = "") -> Any:
        """Return what makes the connections of one control session, for the virtual *host* that HOST has chosen; `Tunnel` takes it."""

    def for_client_role(self) -> Any:
        """Return an `SSL.Context` for data connections on which this server is the TLS client (SSCN, CPSV)."""


@attrs.frozen
class Policy:
    """The rules for one client: `login` and `data` are off, allowed or required."""

    login: str
    data: str
    tolerates_eof: bool


def policy_for(settings: ProtectionSettings, address: str) -> Policy:
    """Return the rules for a client at *address*; a Unix socket, "", is on no network."""
    own = _own_rules(settings, address)
    eof = (own and own.eof) or settings.eof
    return Policy(
        login=(own and own.login) or settings.login,
        data=(own and own.data) or settings.data,
        tolerates_eof=eof == "tolerate",
    )


def _own_rules(settings: ProtectionSettings, address: str) -> Any:
    if not settings.networks or not address:
        return None
    client = ipaddress.ip_address(address)
    return next((rules for rules in settings.networks if any(client in network for network in rules.networks)), None)


class Protection:
    """AUTH, PBSZ, PROT and SSCN of one session.

    `context` is what its control connection and all its data connections are made from, and no other session's: a resumed handshake in
    it is proof that both have one client.
    """

    __slots__ = (
        "cleared_client",
        "context",
        "has_size",
        "is_initially_private",
        "is_private",
        "is_tls_client",
        "is_told",
        "was_cleared",
    )

    def __init__(self) -> None:
        self.context: Any = None
        self.is_initially_private = False  # AUTH SSL, AUTH TLS-P, implicit TLS
        self.was_cleared = False  # by CCC: PBSZ and PROT are over (RFC 4217 5)
        self.cleared_client: ClientCertificate | None = None  # whom the control connection had shown before CCC
        self.is_told = False  # that data connections do not resume
        self.reset()

    def begin(self, context: Any, is_private: bool) -> None:
        """The control connection gets TLS from *context*."""
        self.context = context
        self.is_initially_private = is_private
        self.reset()

    def clear(self, client: ClientCertificate | None) -> None:
        """The control connection goes on in clear (CCC); data connections are still those of *client*."""
        self.was_cleared = True
        self.cleared_client = client

    def reset(self) -> None:
        """Back to what AUTH left (REIN)."""
        self.has_size = self.is_initially_private  # PBSZ 0
        self.is_private = self.is_initially_private  # PROT P
        self.is_tls_client = False  # SSCN ON


def demand_protection(session: Session) -> None:
    """`NeedsProtection` where the next transfer would be in clear and must not be (RFC 4217 10.2: 521 at the transfer command)."""
    account = session.account
    is_demanded = session.policy.data == "required" or (account is not None and account.needs_private_data)
    if is_demanded and not session.protection.is_private:
        raise NeedsProtection("Data connections have to be protected here: send PBSZ 0 and PROT P first")
