"""One certificate of the server with its chain and private key, found to fit together.

Apart from `store`, which keeps several of them current, and from `reading`, which gets them out of their files: what is wrong between
chain and key is said here, in words for who has to mend them.
"""

from __future__ import annotations

import itertools
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from typing import Final

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL

from ftpd.schema import ConfigError, Problem
from ftpd.tls.parameters import Parameters
from ftpd.tls.reading import PrivateKey, read_chain, read_key
from ftpd.tls.settings import CertificateSettings

__all__ = ["Identity", "load_identity"]

_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_LEAST_RSA_BITS: Final = 2048  # what OpenSSL takes at its own security level


@attrs.frozen(eq=False, slots=False)
class Identity:
    """A certificate, those that lead from it towards its root, and its private key.

    `os_path` is the chain file.  `remarks` are sentences about what is allowed and likely to make trouble, except for the dates, which
    are a matter of when one asks (`ftpd.tls.expiry`).
    """

    os_path: str
    chain: tuple[x509.Certificate, ...] = attrs.field(repr=False)
    key: PrivateKey = attrs.field(repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def certificate(self) -> x509.Certificate:
        """The server's own certificate."""
        return self.chain[0]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The DNS names and IP addresses that it was made for; the subject's common name counts nowhere any more (RFC 9525)."""
        return _names_of(self.certificate)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER, upper-case hex with colons: what clients show when they ask whether to trust it."""
        return self.certificate.fingerprint(SHA256()).hex(":").upper()

    @property
    def expires(self) -> datetime:
        """The last moment at which it is good, in UTC."""
        return self.certificate.not_valid_after_utc

    @cached_property
    def key_kind(self) -> str:
        """Algorithm and size, such as `ECDSA P-256` or `RSA 2048`."""
        return _kind_of(self.key)

    @property
    def begins(self) -> datetime:
        """The first moment at which it is good, in UTC."""
        return self.certificate.not_valid_before_utc

    def use_in(self, context: SSL.Context) -> None:
        """Make this one of the identities of *context*; raises `SSL.Error` where its security level forbids the key or a signature.

        The chain goes by a file, since only so does pyOpenSSL let each kind of key have its own: `add_extra_chain_cert` is common to
        all certificates of a context, and a client would be sent the issuers of the other one too.
        """
        with _as_file(b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)) as os_path:
            context.use_certificate_chain_file(os_path)
        context.use_privatekey(self.key)


def load_identity(settings: CertificateSettings, parameters: Parameters | None = None) -> Identity:
    """Read what *settings* name.  Blocks; raises `ConfigError` with everything that is wrong, its paths relative to the table.

    *parameters* are those of the contexts that it is for: their security level may refuse what is fine otherwise.

    A certificate that has expired or is not yet valid is no error: to refuse it would turn a warning of some clients into an outage
    for all.
    """
    problems: list[Problem] = []
    chain = read_chain(settings.chain, problems)
    key = read_key(settings, problems)
    if chain and key is not None:
        problems += _mismatches(settings, chain, key)
    problems += _breaks(chain)
    if problems or not chain or key is None:
        raise ConfigError(problems)
    identity = Identity(settings.chain, chain, key, tuple(_remarks(settings, chain[0])))
    _try_out(identity, parameters)
    return identity


def _mismatches(settings: CertificateSettings, chain: Sequence[x509.Certificate], key: PrivateKey) -> Iterator[Problem]:
    public = _spki(key.public_key())
    fitting = [number for number, certificate in enumerate(chain, 1) if _spki_of(certificate) == public]
    if not fitting:
        yield Problem(
            "", "key", f"the key in {settings.key or settings.chain} is not that of the first certificate in {settings.chain}", ""
        )
    elif 1 not in fitting:
        found = f"the server's certificate is number {fitting[0]} in {settings.chain}"
        yield Problem("", "chain", found, "it must come first")


def _breaks(chain: Sequence[x509.Certificate]) -> Iterator[Problem]:
    for number, (certificate, issuer) in enumerate(itertools.pairwise(chain), 1):
        if not _has_issued(issuer, certificate):
            found = f"certificate {number + 1} ({_called(issuer)}) did not issue certificate {number} ({_called(certificate)})"
            yield Problem("", "chain", found, "each must be followed by its issuer")
            return  # those behind a break are out of order all together


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    except UnsupportedAlgorithm:
        return certificate.issuer == issuer.subject  # a signature that cannot be checked here; names are what is left
    return True


def _remarks(settings: CertificateSettings, certificate: x509.Certificate) -> Iterator[str]:
    if certificate.subject == certificate.issuer:
        yield f"the certificate in {settings.chain} is self-signed: clients have to be told its fingerprint"
    if not _names_of(certificate):
        yield f"the certificate in {settings.chain} has no subject alternative name: most clients refuse it"
    os_path = settings.key or settings.chain
    with suppress(FileNotFoundError):  # gone since it was read: the next look says so
        mode = stat.S_IMODE(os.stat(os_path).st_mode)
        if mode & stat.S_IRWXO:
            yield f"the private key in {os_path} is open to everybody on this machine (mode {mode:04o}); 0600 is enough"


def _try_out(identity: Identity, parameters: Parameters | None) -> None:
    """Let OpenSSL judge: its security level refuses keys and signatures that are well-formed and weak."""
    bits = identity.key.key_size if isinstance(identity.key, rsa.RSAPrivateKey) else _LEAST_RSA_BITS
    if bits < _LEAST_RSA_BITS:
        raise ConfigError([Problem("", "key", f"found an RSA key of {bits} bits", f"it must have at least {_LEAST_RSA_BITS}")])
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    if parameters is not None:
        parameters.apply(context)
    try:
        identity.use_in(context)
    except SSL.Error as error:
        reasons = ", ".join(str(entry[-1]) for entry in error.args[0]) if error.args else "no reason given"
        raise ConfigError([Problem("", "chain", f"OpenSSL refuses {identity.os_path}: {reasons}", "")]) from error


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Lend *content* as a file that stands in no directory where the system has such, and is gone afterwards in any case."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with open(os.memfd_create("chain"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as named:
            named.write(content)
            named.flush()
            yield named.name


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return (*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress)))


def _kind_of(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    return "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "Ed448"


def _called(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "without a subject"


def _spki_of(certificate: x509.Certificate) -> bytes:
    try:
        return _spki(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return b""  # a key that cannot be read is not the one at hand


def _spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
