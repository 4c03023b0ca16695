"""Whom a client's certificate names: its subject as a value, and the account that it may log in to.

Apart from verification (`clients`), because a certificate that is good may still name nobody here, and because the settings of this part are
wrong or right without any file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from ftpd.schema import Problem
from ftpd.tls.settings import ClientSettings
from ftpd.values import ClientCertificate

__all__ = ["ClientNames", "describe", "fingerprint_problems"]

_SHA256_DIGITS: Final = 64
_SHA1_DIGITS: Final = 40
_HEX: Final = re.compile(r"[0-9a-f]+")


def describe(certificate: x509.Certificate) -> ClientCertificate:
    """Return whom *certificate* names.  Raises `ValueError` where its names are not well-formed.

    A subject with several common names has none: which of them counts differs between readers.
    """
    common_names = [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return ClientCertificate(
        subject=certificate.subject.rfc4514_string(),
        common_name=str(common_names[0]) if len(common_names) == 1 else "",
        emails=_emails(certificate),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
    )


def _emails(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.RFC822Name))


class ClientNames:
    """Which accounts a certificate may log in to, by `account` of the settings.

    A common name and the part of an address before its @ count letter for letter.  A domain has no case (RFC 5280 7.5), and an
    account has one name: the domain is in lower case there, however the certificate spells it.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._fingerprints = {_plain(fingerprint): account for fingerprint, account in settings.fingerprints.items()}
        self._names = {"common_name": self._common_name, "email": self._addresses, "fingerprint": self._listed}[settings.account]

    @property
    def fingerprints(self) -> frozenset[str]:
        """The certificates that the settings list: SHA-256, lower-case hex without colons."""
        return frozenset(self._fingerprints)

    def accounts_of(self, certificate: ClientCertificate) -> tuple[str, ...]:
        """Return the names of the accounts that *certificate* stands for; none is an ordinary answer."""
        # What does not print is in no account's name, and would only deceive whoever reads the log.
        return tuple(name for name in self._names(certificate) if name and name.isprintable())

    def _common_name(self, certificate: ClientCertificate) -> Iterator[str]:
        yield certificate.common_name

    def _addresses(self, certificate: ClientCertificate) -> Iterator[str]:
        for email in dict.fromkeys(certificate.emails):
            local_part, _, domain = email.rpartition("@")
            if local_part and domain:
                yield f"{local_part}@{domain.lower()}"

    def _listed(self, certificate: ClientCertificate) -> Iterator[str]:
        yield self._fingerprints.get(certificate.fingerprint, "")


def fingerprint_problems(settings: ClientSettings) -> Iterator[Problem]:
    """Yield what is wrong with the `fingerprints` of *settings*; paths are relative to the table."""
    if settings.fingerprints and settings.account != "fingerprint":
        yield Problem(
            "", "fingerprints", f"found some, but account is {settings.account!r}", "they count with account = 'fingerprint'"
        )
    accounts: dict[str, str] = {}
    for fingerprint, account in settings.fingerprints.items():
        path, plain = f"fingerprints.{fingerprint}", _plain(fingerprint)
        if complaint := _complaint(plain):
            yield Problem("", path, complaint, "64 hex digits: openssl x509 -noout -fingerprint -sha256 -in FILE")
        elif not account:
            yield Problem("", path, "found no account", "the name of the account that this certificate logs in to")
        elif accounts.setdefault(plain, account) != account:
            yield Problem("", path, f"the same certificate is {accounts[plain]!r} as well", "a certificate has one account")


def _complaint(plain: str) -> str:
    if not _HEX.fullmatch(plain):
        return "found something else than hex digits and colons"
    if len(plain) == _SHA1_DIGITS:
        return "found a SHA-1 fingerprint"
    return "" if len(plain) == _SHA256_DIGITS else f"found {len(plain)} hex digits"


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").strip().lower()
