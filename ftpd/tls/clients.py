"""Certificates of clients: which are asked for and which are good.

Apart from the server's own (`identity`, `store`), with which they share nothing but the handshake.  Whom a good one may log in as is said by
`client_names`, and whether that is enough by `ftpd.login.certificate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL, crypto

from ftpd.schema import ConfigError, Problem
from ftpd.tls.client_names import ClientNames, describe, fingerprint_problems
from ftpd.tls.files import Kept
from ftpd.tls.refusals import OF_LISTS_ABOVE, OF_UNKNOWN_ISSUER, refusal, shown
from ftpd.tls.settings import ClientSettings
from ftpd.tls.trust import Trust, read_trust
from ftpd.tls.trust_store import TrustStore
from ftpd.values import ClientCertificate

__all__ = ["ClientVerification"]

_MODES: Final = {
    "off": SSL.VERIFY_NONE,
    "requested": SSL.VERIFY_PEER,
    "required": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


@attrs.frozen(eq=False)
class _Judge:
    """Says of each certificate in a client's chain whether it stands; OpenSSL asks, topmost authority first, the client's own last.

    It knows no connection but the one that it is asked about, so that contexts which hold it keep no session alive.
    """

    anchors: frozenset[str]  # SHA-256 of the authorities in the file
    listed: frozenset[str]  # SHA-256 of the clients' own certificates, where no authority stands for them

    def __call__(self, connection: SSL.Connection, certificate: crypto.X509, code: int, depth: int, is_good: int) -> bool:
        reason = self._reason(_parsed(certificate), code, depth, bool(is_good))
        notes: Any = connection.get_app_data()
        if reason and notes is not None:
            notes.refusal = reason  # `transfer.tunnel.Notes`, which this room does not know
        return not reason

    def _reason(self, certificate: x509.Certificate | None, code: int, depth: int, is_good: bool) -> str:
        """Return why the certificate does not stand, "" if it does."""
        if self.anchors:
            is_good = is_good or self._is_about_an_anchor(certificate, code)
        elif depth > 0:
            return ""  # whoever signed it says nothing here: the client's own certificate is listed, or it is not
        elif certificate is not None and _fingerprint(certificate) not in self.listed:
            return (
                f"the client's certificate is not one of those listed ({shown(certificate)}, SHA-256 {_fingerprint(certificate)})"
            )
        else:
            is_good = is_good or code in OF_UNKNOWN_ISSUER
        if not is_good:
            return refusal(code, depth, certificate)
        return "" if depth or _is_describable(certificate) else "the client's certificate is not well-formed"

    def _is_about_an_anchor(self, certificate: x509.Certificate | None, code: int) -> bool:
        return code in OF_LISTS_ABOVE and certificate is not None and _fingerprint(certificate) in self.anchors


@attrs.frozen(eq=False)
class _Verification:
    """All that comes from one reading of the files."""

    trust: Trust
    store: TrustStore
    judge: _Judge


class ClientVerification(Kept[_Verification]):
    """What is asked of clients, kept current while the server runs: a new revocation list needs no restart.

    `refresh` and `take` are those of :class:`Kept`, as for the server's own certificates.  A session keeps what it began with.

    Without authorities, which is for `account = "fingerprint"`, exactly the listed certificates are good: self-signed ones of devices, or
    whoever signed them; only their dates, their purpose and the strength of their key are looked at.
    """

    def __init__(self, settings: ClientSettings, where: str = "tls.clients", now: Callable[[], datetime] = _utc_now) -> None:
        """Read the files, blocking; raises `ConfigError`.  *where* is the dotted path of the table; *now* is for tests."""
        self._settings = settings
        self._where = where
        self._now = now
        self._names = ClientNames(settings)
        super().__init__((settings.authorities, settings.revoked) if self.is_asked else (), self._read_all)

    @property
    def is_asked(self) -> bool:
        """Whether clients are asked for a certificate at all."""
        return self._settings.certificates != "off"

    def apply(self, context: SSL.Context) -> None:
        """Set on *context* whether clients are asked for a certificate, and which are good.

        On the context of a virtual host as well: OpenSSL takes the mode from the context that the connection was made from, and the
        authorities from the one that the server name has chosen.  A refusal is noted as `refusal`, a text, on the connection's app data.
        """
        if not self.is_asked:
            return
        context.set_verify(_MODES[self._settings.certificates], self.current.judge)
        self.current.store.lend(context)

    def account_of(self, certificate: ClientCertificate) -> tuple[str, ...]:
        """Return the names of the accounts that a good *certificate* stands for; several for several e-mail addresses."""
        return self._names.accounts_of(certificate)

    def remarks(self, within_seconds: float = 0) -> tuple[str, ...]:
        """Return a sentence for each authority that expires within so long, and for each revocation list that is out of date."""
        now = self._now()
        return tuple(self.current.trust.remarks(now, now + timedelta(seconds=within_seconds)))

    def _read_all(self) -> _Verification:
        try:
            trust = self._read_trust()
        except ConfigError as error:
            raise ConfigError(attrs.evolve(problem, path=f"{self._where}.{problem.path}") for problem in error.problems) from error
        anchors = frozenset(map(_fingerprint, trust.authorities))
        return _Verification(trust, TrustStore(trust), _Judge(anchors, self._names.fingerprints))

    def _read_trust(self) -> Trust:
        if not self.is_asked:
            return Trust()
        problems = list(_contradictions(self._settings))
        try:
            trust = read_trust(self._settings, self._now())
        except ConfigError as error:
            raise ConfigError([*problems, *error.problems]) from error
        if problems:
            raise ConfigError(problems)
        return trust


def _contradictions(settings: ClientSettings) -> Iterator[Problem]:
    if not settings.authorities and settings.account != "fingerprint":
        found = f"no file is named, but certificates = {settings.certificates!r}"
        yield Problem("", "authorities", found, "a PEM file; only account = 'fingerprint' can do without")
    if settings.revoked and not settings.authorities:
        yield Problem(
            "", "revoked", "found a file, but no authorities", "a listed certificate is revoked by taking it off fingerprints"
        )
    if settings.account == "fingerprint" and not settings.fingerprints:
        yield Problem(
            "", "fingerprints", "found none, but account = 'fingerprint'", "at least one, or no certificate names an account"
        )
    yield from fingerprint_problems(settings)


def _parsed(certificate: crypto.X509) -> x509.Certificate | None:
    try:
        return certificate.to_cryptography()
    except ValueError:  # OpenSSL reads some that `cryptography` does not, such as those with a negative serial number
        return None


def _is_describable(certificate: x509.Certificate | None) -> bool:
    try:
        return certificate is not None and bool(describe(certificate).fingerprint)
    except ValueError:
        return False


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()
