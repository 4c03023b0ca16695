"""A certificate chain and a private key, out of their PEM files.

Apart from the identity that they make, which is about whether they fit together: here each is looked at by itself.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ftpd.regular import open_regular
from ftpd.schema import Problem
from ftpd.tls.passphrase import NoPassphrase, passphrase_of
from ftpd.tls.settings import CertificateSettings

__all__ = ["PrivateKey", "read_chain", "read_key"]

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

_MOST_BYTES: Final = 1024 * 1024  # of a PEM file; a chain of ten is 20 KiB


def read_chain(os_path: str, problems: list[Problem]) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a file in their order; what is wrong is added to *problems*.  Blocks."""
    if not os_path:
        problems.append(Problem("", "chain", "no file is named", "a PEM file with the server's certificate first"))
        return ()
    content = _read_pem(os_path, "chain", problems)
    if not content:
        return ()
    if b"-----BEGIN CERTIFICATE-----" not in content:
        problems.append(Problem("", "chain", f"there is no certificate in {os_path}", ""))
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(content))
    except ValueError:
        problems.append(Problem("", "chain", f"a certificate in {os_path} is damaged", ""))
        return ()


def read_key(settings: CertificateSettings, problems: list[Problem]) -> PrivateKey | None:
    """Return the private key that *settings* name; what is wrong is added to *problems*.  Blocks.

    The chain is read first: a key that is in the chain file is not looked for in a file that has been complained of.
    """
    os_path = settings.key or settings.chain
    if not os_path or (not settings.key and problems):
        return None
    content = _read_pem(os_path, "key", problems)
    if not content:
        return None
    if b"PRIVATE KEY-----" not in content:
        allowed = "" if settings.key else "name the key's file, or put the key into the chain file"
        problems.append(Problem("", "key", f"there is no private key in {os_path}", allowed))
        return None
    try:
        key = _decoded(content, settings)
    except NoPassphrase as error:
        problems.append(error.problem)
        return None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        problems.append(Problem("", "key", f"the private key in {os_path} is damaged or of an unknown kind", ""))
        return None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey):
        problems.append(Problem("", "key", f"the private key in {os_path} is of a kind that TLS has no use for", "RSA or ECDSA"))
        return None
    return key


def _read_pem(os_path: str, setting: str, problems: list[Problem]) -> bytes:
    try:
        with open_regular(os_path) as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        problems.append(Problem("", setting, f"cannot read {os_path}: {error.strerror}", ""))
        return b""
    if len(content) > _MOST_BYTES or b"-----BEGIN " not in content:
        problems.append(Problem("", setting, f"{os_path} is not PEM", "it must have lines of the form -----BEGIN …-----"))
        return b""
    return content


def _decoded(content: bytes, settings: CertificateSettings) -> object:
    """Return the key; a passphrase is fetched only for one that needs it."""
    if not _is_encrypted(content):
        return load_pem_private_key(_key_part(content), None)
    passphrase = passphrase_of(settings)
    os_path = settings.key or settings.chain
    if passphrase is None:
        allowed = "set passphrase_file or passphrase_command"
        raise NoPassphrase(Problem("", "key", f"the private key in {os_path} has a passphrase", allowed))
    try:
        return load_pem_private_key(_key_part(content), passphrase)
    except ValueError:
        setting = "passphrase_file" if settings.passphrase_file else "passphrase_command"
        raise NoPassphrase(Problem("", setting, f"the passphrase is not that of the private key in {os_path}", "")) from None


def _is_encrypted(content: bytes) -> bool:
    # PKCS #8, and the older form that OpenSSL wrote until 1.0
    return b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in content or b"Proc-Type: 4,ENCRYPTED" in content


def _key_part(content: bytes) -> bytes:
    """Cut the private key out: `openssl ecparam -genkey` writes EC PARAMETERS before it, and a combined file has certificates."""
    end = content.index(b"PRIVATE KEY-----")
    start = content.rindex(b"-----BEGIN ", 0, end)
    return content[start:]
