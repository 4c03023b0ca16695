"""The certificate that `ftpd serve DIRECTORY` keeps for itself in the user's state folder.

Apart from making one: a start that finds it good imports no cryptography (60 ms), and so reads the two things it needs, fingerprint and
expiry, from the DER itself.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import attrs

from ftpd.regular import open_regular
from ftpd.schema import FilePath
from ftpd.tls.settings import CertificateSettings

__all__ = ["OwnCertificate", "own_certificate", "own_directory"]

_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_VERSION_TAG: Final = 0xA0
_UTC_TIME_TAG: Final = 0x17
_FOLDER_MODE: Final = 0o700


@attrs.frozen
class OwnCertificate:
    """Where it is, as settings; its SHA-256 as :attr:`ftpd.tls.identity.Identity.fingerprint` has it; and whether it was made just now."""

    settings: CertificateSettings
    fingerprint: str
    is_new: bool


def own_directory(environment: Mapping[str, str] | None = None) -> str:
    """Return the folder of the certificate: below `XDG_STATE_HOME`, else below `~/.local/state`."""
    environment = os.environ if environment is None else environment
    state = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # the XDG specification: a relative one is to be ignored
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "ftpd", "tls")


def own_certificate(directory: str, now: datetime | None = None) -> OwnCertificate:
    """Return the self-signed certificate in *directory*; it is made where there is none, and anew once it has expired.

    Blocks.  Raises `OSError` where the folder cannot be used.  Two servers that start at once get the same.  Certificate and key are one
    file, so that no crash leaves one without the other.
    """
    os_path = os.path.join(directory, "server.pem")
    os.makedirs(directory, _FOLDER_MODE, exist_ok=True)
    with _locked(directory):
        der = _der_in(os_path)
        is_new = _last_moment(der) < (now or datetime.now(UTC))
        if is_new:
            from ftpd.tls.self_signed import default_names, make_self_signed, write_file  # 60 ms, once in two years

            write_file(os_path, b"".join(make_self_signed(default_names())))
            der = _der_in(os_path)
    return OwnCertificate(CertificateSettings(chain=FilePath(os_path)), hashlib.sha256(der).digest().hex(":").upper(), is_new)


@contextmanager
def _locked(directory: str) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _der_in(os_path: str) -> bytes:
    """Return the first certificate of a PEM file, nothing where there is none that can be read."""
    try:
        with open_regular(os_path) as file:
            block = _BLOCK.search(file.read())
        return base64.b64decode(block[1]) if block else b""
    except (FileNotFoundError, ValueError):
        return b""


def _last_moment(der: bytes) -> datetime:
    """Return `notAfter` of a certificate (RFC 5280 4.1); one that cannot be read has expired long ago."""
    try:
        fields = _elements(_content(_content(der)))
        if next(fields)[0] == _VERSION_TAG:
            next(fields)  # the serial number, which comes first where there is no version
        next(fields)  # signature algorithm
        next(fields)  # issuer
        _, (tag, last) = _elements(next(fields)[1])
        text = last.decode("ascii")
        # UTCTime has two digits of the year, and strptime's pivot (69) is not RFC 5280's (50)
        century = ("19" if text >= "50" else "20") if tag == _UTC_TIME_TAG else ""
        return datetime.strptime(century + text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except (ValueError, IndexError, StopIteration):
        return datetime.min.replace(tzinfo=UTC)


def _content(der: bytes) -> bytes:
    return next(_elements(der))[1]


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element in a row of DER elements; raises `IndexError` for one that is cut."""
    at = 0
    while at < len(der):
        tag, length = der[at], der[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[at : at + size])
            at += size
        yield tag, der[at : at + length]
        at += length
