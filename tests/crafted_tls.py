"""CraftedClient: a TLS 1.3 client whose records are made by hand once the handshake is over.

Apart from the client of the package: no TLS library sends what stands here, and an attacker does.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

from ftpd.testing.tls_client import TLSClient

_SECRET: Final = b"CLIENT_TRAFFIC_SECRET_0 "
_KEY_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 12, 16  # of AES-128-GCM
HANDSHAKE: Final = 22  # content types (RFC 8446 5.1)
DATA: Final = 23
HALF_A_MESSAGE: Final = b"\x18\x00\x00\x01"  # the header of a KeyUpdate, and no more: OpenSSL waits for the rest


class CraftedClient(TLSClient):
    """`feed` goes on to work; what is sent goes by `record`, from the end of the handshake on."""

    def __init__(self) -> None:
        self._log: list[bytes] = []
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        context.set_keylog_callback(lambda _, line: self._log.append(line))
        self._secret = b""
        super().__init__(context=context)

    def record(self, kind: int, content: bytes) -> bytes:
        """Return one record (RFC 8446 5.2)."""
        if not self._secret:
            (line,) = (line for line in self._log if line.startswith(_SECRET))
            self._take(bytes.fromhex(line.split()[2].decode("ascii")))
        header = b"\x17\x03\x03" + (len(content) + 1 + _TAG_BYTES).to_bytes(2)
        nonce = (self._iv ^ self._sequence).to_bytes(_NONCE_BYTES)
        self._sequence += 1
        return header + AESGCM(self._key).encrypt(nonce, content + bytes([kind]), header)

    def key_update(self) -> bytes:
        """Return a KeyUpdate that asks for one in its turn (RFC 8446 4.6.3)."""
        record = self.record(HANDSHAKE, b"\x18\x00\x00\x01\x01")
        self._take(_expanded(self._secret, b"traffic upd", len(self._secret)))
        return record

    def _take(self, secret: bytes) -> None:
        self._secret = secret
        self._key = _expanded(secret, b"key", _KEY_BYTES)
        self._iv = int.from_bytes(_expanded(secret, b"iv", _NONCE_BYTES))
        self._sequence = 0


def _expanded(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF-Expand-Label of SHA-256, for no more than one block (RFC 8446 7.1)."""
    name = b"tls13 " + label
    info = length.to_bytes(2) + bytes([len(name)]) + name + b"\0"
    return hmac.digest(secret, info + b"\x01", hashlib.sha256)[:length]
