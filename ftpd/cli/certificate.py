"""What `ftpd cert` does: make a self-signed certificate, and say where it is and how it is used.

Apart from the command, which is imported for help and completion too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence

from ftpd.schema import FilePath
from ftpd.tls.identity import load_identity
from ftpd.tls.self_signed import DEFAULT_DAYS, default_names, write_self_signed
from ftpd.tls.settings import CertificateSettings

__all__ = ["make_certificate"]


def make_certificate(os_paths: Sequence[str], names: Sequence[str], days: int | None, *, overwrite: bool) -> Iterator[str]:
    """Write a certificate and yield the lines that the user is told.

    *os_paths* is a directory, or the files of certificate and key.  Raises `OSError`, and `ValueError` in words for the user.
    """
    certificate_path, key_path = _files(os_paths)
    write_self_signed(certificate_path, key_path, names or default_names(), days or DEFAULT_DAYS, overwrite=overwrite)
    identity = load_identity(CertificateSettings(chain=FilePath(certificate_path), key=FilePath(key_path)))
    yield f"Certificate  {certificate_path}"
    yield f"Key          {key_path}"
    yield f"Names        {', '.join(identity.names)}"
    yield f"Expires      {identity.expires:%Y-%m-%d}"
    yield f"SHA-256      {identity.fingerprint}"
    yield ""
    yield "[[tls.certificates]]"
    yield f"chain = {_toml(certificate_path)}"
    yield f"key = {_toml(key_path)}"


def _files(os_paths: Sequence[str]) -> tuple[str, str]:
    """Return the absolute paths of certificate and key."""
    if len(os_paths) == 1:
        if not os.path.isdir(os_paths[0]):
            raise ValueError(f"{os_paths[0]} is not a directory; to name files give two, the certificate's and the key's")
        folder = os.path.abspath(os_paths[0])
        return os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    if len(os_paths) > 2:
        raise ValueError("give a directory, or two files: the certificate's and the key's")
    certificate_path, key_path = map(os.path.abspath, os_paths)
    if certificate_path == key_path:
        raise ValueError("certificate and key are two files")
    return certificate_path, key_path


def _toml(text: str) -> str:
    # What JSON escapes, TOML's basic strings escape alike; U+007F is the one character that only TOML does.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
