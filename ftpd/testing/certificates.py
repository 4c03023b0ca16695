"""Certificates of tests: an authority of the test's own, and what it signs, as PEM.

Apart from the server's own self-signed certificate (`ftpd.tls`), which is for people: these may be expired, for somebody else, or signed by
nobody, because a test wants them so.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Identity", "make_authority", "make_certificate", "make_revocation_list"]

Kind: TypeAlias = Literal["ecdsa", "rsa"]
_Key: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DAY: Final = datetime.timedelta(days=1)
_RSA_BITS: Final = 2048


class Identity(NamedTuple):
    """A certificate and its private key, both PEM; `key` is PKCS 8, encrypted where a passphrase was asked for."""

    certificate: bytes
    key: bytes

    @property
    def parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate)

    @property
    def pem(self) -> bytes:
        """Certificate and key in one file."""
        return self.certificate + self.key


def make_authority(
    name: str = "Test Authority",
    kind: Kind = "ecdsa",
    *,
    issuer: Identity | None = None,
    not_after: datetime.datetime | None = None,
) -> Identity:
    """Make an authority, a root unless there is an *issuer*; its common name is *name*."""
    key = _make_key(kind)
    subject = _name(name)
    above, signer = (subject, key) if issuer is None else (issuer.parsed.subject, _load_key(issuer))
    until = _now() + 3650 * _DAY if not_after is None else not_after
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(subject, above, key, until, min(_now(), _aware(until)) - _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _pack(builder.sign(signer, hashes.SHA256()), key)


def make_certificate(
    authority: Identity | None = None,
    names: Iterable[str] = ("localhost", "127.0.0.1", "::1"),
    kind: Kind = "ecdsa",
    *,
    common_name: str | None = None,
    emails: Iterable[str] = (),
    not_before: datetime.datetime | None = None,
    not_after: datetime.datetime | None = None,
    passphrase: bytes = b"",
    purposes: Iterable[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
) -> Identity:
    """Make a certificate for *purposes*, servers and clients alike, signed by *authority* (by its own key where there is none).

    *names* are DNS names and IP addresses; the first is the common name, unless *common_name* is given.  Good for a year from yesterday;
    times are aware or UTC.
    """
    names = list(names)
    key = _make_key(kind)
    subject = _name((names or [""])[0] if common_name is None else common_name)
    issuer, signer = (subject, key) if authority is None else (authority.parsed.subject, _load_key(authority))
    alternatives = [_general_name(name) for name in names] + [x509.RFC822Name(email) for email in emails]
    until = _now() + 365 * _DAY if not_after is None else not_after
    since = min(_now(), _aware(until)) - _DAY if not_before is None else not_before
    builder = (
        _builder(subject, issuer, key, until, since)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return _pack(builder.sign(signer, hashes.SHA256()), key, passphrase)


def make_revocation_list(
    authority: Identity, revoked: Iterable[Identity] = (), *, next_update: datetime.datetime | None = None
) -> bytes:
    """Make the PEM of *authority*'s list, in which the certificates *revoked* are."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.parsed.subject)
        .last_update(_now() - 2 * _DAY)
        .next_update(_now() + _DAY if next_update is None else next_update)
    )
    for identity in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(identity.parsed.serial_number).revocation_date(_now() - _DAY).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(_load_key(authority), hashes.SHA256()).public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Key, until: datetime.datetime, since: datetime.datetime | None = None
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _DAY if since is None else since)
        .not_valid_after(until)
    )


def _make_key(kind: Kind) -> _Key:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _load_key(identity: Identity) -> _Key:
    key = load_pem_private_key(identity.key, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError(f"not a key of this factory: {type(key).__name__}")
    return key


def _pack(certificate: x509.Certificate, key: _Key, passphrase: bytes = b"") -> Identity:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return Identity(certificate.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _aware(time: datetime.datetime) -> datetime.datetime:
    return time if time.tzinfo else time.replace(tzinfo=datetime.UTC)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
