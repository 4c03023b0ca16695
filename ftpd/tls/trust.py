"""Whom clients' certificates are verified against: authorities and revocation lists, read and found to fit together.

Apart from verification (`clients`), which uses what is found here: everything that can be wrong with the files is said here, in words for
who has to mend them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from ftpd.regular import open_regular
from ftpd.schema import ConfigError, Problem
from ftpd.tls.settings import ClientSettings

__all__ = ["Trust", "read_trust"]

_T = TypeVar("_T")

_MOST_BYTES: Final = 64 * 1024 * 1024  # of a PEM file; a list of a million certificates is 50 MB
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_DER_START: Final = b"\x30"  # an ASN.1 SEQUENCE: what certificates and lists are in binary


@attrs.frozen(eq=False)
class Trust:
    """The authorities, and a list of each where revocation is looked at at all."""

    authorities: tuple[x509.Certificate, ...] = ()
    lists: tuple[x509.CertificateRevocationList, ...] = ()

    def remarks(self, moment: datetime, until: datetime) -> Iterator[str]:
        """Yield a sentence for each authority that expires before *until*, and for each list that is out of date at *moment*.

        Lists live for days only, so that one of them would always be about to end.
        """
        for authority in self.authorities:
            if authority.not_valid_after_utc < until:
                verb = "has expired" if authority.not_valid_after_utc < moment else "expires"
                yield f"the authority of clients {_called(authority.subject)} {verb} on {authority.not_valid_after_utc:%Y-%m-%d}"
        for listed in _outdated(self, moment):
            since = f"{listed.next_update_utc:%Y-%m-%d %H:%M} UTC"
            yield f"the revocation list of {_called(listed.issuer)} is out of date since {since}: its clients are refused"


def read_trust(settings: ClientSettings, now: datetime | None = None) -> Trust:
    """Read the files that *settings* name.  Blocks; raises `ConfigError` with everything that is wrong, its paths relative to the table.

    One expired authority beside others is no error, as it stands there while its successor takes over.  *now* is for tests.
    """
    moment = now or datetime.now(UTC)
    problems: list[Problem] = []
    trust = Trust(
        _read(settings.authorities, "authorities", "certificate", _certificate, problems),
        _read(settings.revoked, "revoked", "revocation list", _revocation_list, problems),
    )
    problems += _unfit_authorities(settings, trust.authorities, moment)
    if trust.authorities:
        problems += _unfit_lists(settings, trust, moment)
    if problems:
        raise ConfigError(problems)
    return trust


def _read(
    os_path: str, setting: str, noun: str, parse: Callable[[bytes, bytes], _T | None], problems: list[Problem]
) -> tuple[_T, ...]:
    """Return what *parse* makes of the PEM blocks of a file; it is given label and block, and returns None for those of another kind."""
    if not os_path:
        return ()
    try:
        with open_regular(os_path) as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        problems.append(Problem("", setting, f"cannot read {os_path}: {error.strerror}", ""))
        return ()
    blocks = [] if len(content) > _MOST_BYTES else list(_BLOCK.finditer(content))
    if not blocks:
        problems.append(Problem("", setting, f"{os_path} is not PEM", _pem_advice(content, noun)))
        return ()
    try:
        found = tuple(item for block in blocks if (item := parse(block[1], block[0])) is not None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        problems.append(Problem("", setting, f"a {noun} in {os_path} is damaged", ""))
        return ()
    if not found:
        problems.append(Problem("", setting, f"there is no {noun} in {os_path}", ""))
    return found


def _pem_advice(content: bytes, noun: str) -> str:
    if content.startswith(_DER_START):  # what authorities offer for download is mostly binary
        tool = "crl" if noun == "revocation list" else "x509"
        return f"it is binary (DER): openssl {tool} -inform DER -in FILE -out FILE.pem turns it into PEM"
    return "it must have lines of the form -----BEGIN …-----"


def _certificate(label: bytes, block: bytes) -> x509.Certificate | None:
    if label not in (b"CERTIFICATE", b"X509 CERTIFICATE"):
        return None
    certificate = x509.load_pem_x509_certificate(block)
    certificate.public_key()  # the rest is parsed only when it is asked for, and shall not fail later
    list(certificate.extensions)
    return certificate


def _revocation_list(label: bytes, block: bytes) -> x509.CertificateRevocationList | None:
    if label != b"X509 CRL":
        return None
    listed = x509.load_pem_x509_crl(block)
    list(listed.extensions)
    return listed


def _unfit_authorities(settings: ClientSettings, authorities: Sequence[x509.Certificate], moment: datetime) -> Iterator[Problem]:
    for certificate in authorities:
        if not _may_sign(certificate):
            found = f"{_called(certificate.subject)} in {settings.authorities} is not an authority's certificate"
            allowed = "single certificates are listed in fingerprints, with account = 'fingerprint'"
            yield Problem("", "authorities", found, allowed)
        elif certificate.not_valid_before_utc > moment:
            since = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            yield Problem(
                "", "authorities", f"{_called(certificate.subject)} in {settings.authorities} is not valid before {since}", ""
            )
    if authorities and all(certificate.not_valid_after_utc < moment for certificate in authorities):
        last = max(authorities, key=lambda certificate: certificate.not_valid_after_utc)
        found = f"{_called(last.subject)} in {settings.authorities} has expired on {last.not_valid_after_utc:%Y-%m-%d}"
        yield Problem("", "authorities", found, "at least one authority must be valid")


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        return certificate.version is x509.Version.v1 and certificate.subject == certificate.issuer  # a root from before extensions
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _unfit_lists(settings: ClientSettings, trust: Trust, moment: datetime) -> Iterator[Problem]:
    for listed in trust.lists:
        if complaint := _complaint(listed, trust.authorities, moment):
            yield Problem("", "revoked", f"the list of {_called(listed.issuer)} in {settings.revoked} {complaint}", "")
    for listed in _outdated(trust, moment):
        since = f"{listed.next_update_utc:%Y-%m-%d %H:%M} UTC"
        found = f"the list of {_called(listed.issuer)} in {settings.revoked} is out of date since {since}"
        yield Problem("", "revoked", found, "without a current list every client of that authority would be refused")
    if trust.lists:
        yield from _without_list(settings, trust, moment)


def _complaint(listed: x509.CertificateRevocationList, authorities: Sequence[x509.Certificate], moment: datetime) -> str:
    if any(isinstance(extension.value, x509.DeltaCRLIndicator) for extension in listed.extensions):
        return "has only what changed since another one (a delta list); a complete one is needed"
    if listed.last_update_utc > moment:
        return f"is not valid before {listed.last_update_utc:%Y-%m-%d %H:%M} UTC"
    issuers = [authority for authority in authorities if authority.subject == listed.issuer]
    if not issuers:
        return "is of nobody whose certificate is among the authorities"
    return "" if any(_is_signed_by(listed, issuer) for issuer in issuers) else "is not signed by that authority"


def _is_signed_by(listed: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return listed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # the TypeError is for keys that cannot sign
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False


def _without_list(settings: ClientSettings, trust: Trust, moment: datetime) -> Iterator[Problem]:
    issuers = {listed.issuer for listed in trust.lists}
    for name in _valid_names(trust, moment):
        if name not in issuers:
            found = f"there is no list of {_called(name)} in {settings.revoked}"
            yield Problem("", "revoked", found, "one for each authority, or all its clients would be refused")


def _outdated(trust: Trust, moment: datetime) -> Iterator[x509.CertificateRevocationList]:
    """Yield the last list of each valid authority that is out of date.

    A file to which lists are appended has older ones too, and they do no harm; nor does that of an authority that has expired.
    """
    last = {listed.issuer: listed for listed in sorted(trust.lists, key=lambda listed: listed.last_update_utc)}
    for name in _valid_names(trust, moment):
        listed = last.get(name)
        if listed is not None and listed.next_update_utc is not None and listed.next_update_utc < moment:
            yield listed


def _valid_names(trust: Trust, moment: datetime) -> list[x509.Name]:
    """Return the subjects of the authorities that have not expired, each once: a renewed one has the name of the old."""
    return list(dict.fromkeys(authority.subject for authority in trust.authorities if authority.not_valid_after_utc >= moment))


def _called(name: x509.Name) -> str:
    return name.rfc4514_string() or "without a subject"
