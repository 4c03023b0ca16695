"""Settings of TLS: which certificates, which parameters, what is asked of clients.

When TLS is wanted is a protocol's setting (`ftp.tls`); these are the same for all protocols and listeners.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from ftpd.schema import FilePath, Seconds, setting

__all__ = ["CertificateSettings", "ClientSettings", "TLSSettings"]


@attrs.frozen
class CertificateSettings:
    """One `[[tls.certificates]]` table.  Repeat it for a second kind of key: RSA beside ECDSA."""

    chain: FilePath = setting(FilePath(""), help="PEM file: the server's certificate first, then those that lead towards its root.")
    key: FilePath = setting(FilePath(""), help="PEM file of the private key; empty: it is in the chain file.")
    passphrase_file: FilePath = setting(FilePath(""), help="File whose first line is the key's passphrase.")
    passphrase_command: tuple[str, ...] = setting(
        (), help="Program and arguments that print the key's passphrase; run whenever the key is read."
    )


@attrs.frozen
class ClientSettings:
    """The `[tls.clients]` table: certificates of clients."""

    certificates: str = setting(
        "off",
        help="Whether clients are asked for a certificate: off, requested (one that is sent must be good), or required to connect.",
        choices=("off", "requested", "required"),
    )
    authorities: FilePath = setting(
        FilePath(""),
        help="PEM file of the authorities whose client certificates are good; only with account = 'fingerprint' it may be empty.",
    )
    revoked: FilePath = setting(
        FilePath(""), help="PEM file of revocation lists, one for each authority; empty: none is looked at."
    )
    account: str = setting(
        "common_name",
        help="What names the account: the subject's common_name, a SAN email (whole, its domain in lower case), or the fingerprint.",
        choices=("common_name", "email", "fingerprint"),
    )
    proves: str = setting(
        "second_factor",
        help="second_factor: a password counts only beside a certificate of its account; login: either of them is enough.",
        choices=("second_factor", "login"),
    )
    fingerprints: Mapping[str, str] = setting(
        factory=dict,
        help="Accounts by the SHA-256 of their certificate, in hex with or without colons; without authorities these alone are good.",
    )


@attrs.frozen
class TLSSettings:
    """The `[tls]` table."""

    certificates: tuple[CertificateSettings, ...] = setting((), help="The server's certificates; none: TLS is not offered.")
    minimum: str = setting("1.2", help="Oldest TLS version taken.", choices=("1.2", "1.3"))
    ciphers: str = setting("", help="OpenSSL cipher list for TLS 1.2; empty: forward secrecy and authenticated encryption only.")
    ciphersuites: str = setting(
        "", help="Cipher suites of TLS 1.3, separated by colons; empty: AES with 128 bits, with 256, then ChaCha20."
    )
    groups: str = setting(
        "",
        help="Key exchange groups, separated by / in order of preference and by : where the client may choose; empty: OpenSSL's own, with a post-quantum hybrid where it has one.",
    )
    recheck: Seconds = setting(Seconds(60), help="How often certificate files are looked at for a change.", unit="s", minimum=1)
    warn_before: Seconds = setting(
        Seconds(30 * 86400), help="How long before a certificate expires the log says so, once a day.", unit="s", minimum=0
    )
    clients: ClientSettings = setting(factory=ClientSettings, help="Certificates of clients.")
