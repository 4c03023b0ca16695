"""Making a self-signed certificate and its key, and writing them to files.

Apart from reading certificates: nothing of what serves needs this.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["DEFAULT_DAYS", "default_names", "make_self_signed", "write_file", "write_self_signed"]

DEFAULT_DAYS: Final = 825  # Apple's systems refuse server certificates that last longer, also those that the user has trusted
_LONGEST_COMMON_NAME: Final = 64  # characters, RFC 5280 (ub-common-name)
_CLOCK_SKEW: Final = timedelta(hours=1)  # a device whose clock is a little slow takes it at once
_KEY_MODE: Final = 0o600
_CERTIFICATE_MODE: Final = 0o644


def default_names() -> tuple[str, ...]:
    """Return the names that a client of this machine may use: its own, if it is one, and those of the loopback interface."""
    names = dict.fromkeys((socket.gethostname(), "localhost", "127.0.0.1", "::1"))
    return tuple(name for name in names if _is_name(name))  # gethostname() gives what somebody once set, such as "My Mac"


def make_self_signed(names: Sequence[str], days: int = DEFAULT_DAYS, now: datetime | None = None) -> tuple[bytes, bytes]:
    """Return certificate and key as PEM: ECDSA P-256, for DNS names and IP addresses, *days* in all.

    Raises `ValueError`, in words for the user, for no name, a name that is neither, and days that no certificate can last.
    """
    if not names:
        raise ValueError("a certificate needs at least one name")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _builder(names, days, key.public_key(), now or datetime.now(UTC)).sign(key, SHA256())
    return (
        certificate.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def write_self_signed(
    certificate_path: str, key_path: str, names: Sequence[str], days: int = DEFAULT_DAYS, *, overwrite: bool = False
) -> None:
    """Make a certificate and its key and write each in one piece: the key with mode 0600, the certificate with 0644.

    Raises `FileExistsError` where one of the files is there and is not to be overwritten, other `OSError`s, and `ValueError` as
    :func:`make_self_signed` does; what was there before then still is.
    """
    certificate, key = make_self_signed(names, days)
    with contextlib.ExitStack() as undo:
        if not overwrite:
            for os_path in (certificate_path, key_path):
                _claim(os_path)
                undo.callback(os.unlink, os_path)
        # The key first: a server that looks in between finds a key that does not fit, and looks again.
        write_file(key_path, key, _KEY_MODE)
        write_file(certificate_path, certificate, _CERTIFICATE_MODE)
        undo.pop_all()


def _builder(names: Sequence[str], days: int, public: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_LONGEST_COMMON_NAME])])
    try:
        until = now.replace(microsecond=0) - _CLOCK_SKEW + timedelta(days=days)
    except OverflowError:
        raise ValueError(f"{days} days lead beyond the year 9999") from None
    if until <= now:
        raise ValueError("a certificate must last at least one day")
    # Not an authority, so that whoever trusts it trusts this server only; as such Python 3.13's strict verification takes it too.
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(until)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    try:
        ascii_name = name.encode("idna").decode("ascii")  # certificates hold the form with xn--
    except UnicodeError:
        raise ValueError(f"{name!r} is neither a host name nor an IP address") from None
    if not ascii_name or any(letter.isspace() or letter in "/:@" for letter in ascii_name):
        raise ValueError(f"{name!r} is neither a host name nor an IP address")
    return x509.DNSName(ascii_name)


def _is_name(name: str) -> bool:
    with contextlib.suppress(ValueError):
        _general_name(name)
        return True
    return False


def _claim(os_path: str) -> None:
    """Make an empty file of that name; `FileExistsError` where there is one, whoever else tries at the same time."""
    os.close(os.open(os_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _KEY_MODE))


def write_file(os_path: str, content: bytes, mode: int = _KEY_MODE) -> None:
    """Put *content* where *os_path* is, in one piece: a reader sees the old file or the new one.  Raises `OSError`."""
    temporary = f"{os_path}.{secrets.token_hex(8)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _KEY_MODE)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, os_path)
    except BaseException:
        os.unlink(temporary)
        raise
