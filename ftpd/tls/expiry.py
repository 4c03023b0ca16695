"""What is to be said of identities in time: those that expire soon, and those made for other names.

Apart from the identities, which are served as they are: this is for `ftpd check` and for the log.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from ftpd.tls.identity import Identity

__all__ = ["expiring", "uncovered"]

_DAY_SECONDS: Final = 86400


def expiring(identities: Iterable[Identity], within_seconds: float, now: datetime) -> Iterator[str]:
    """Yield a sentence for each of *identities* that is not good now or not for so many seconds more; *now* is aware."""
    for identity in identities:
        left = (identity.expires - now).total_seconds()
        if left <= within_seconds:
            yield f"certificate of {_called(identity)} ({identity.os_path}) {_when(left)} on {identity.expires:%Y-%m-%d}"
        elif now < identity.begins:
            yield f"certificate of {_called(identity)} ({identity.os_path}) is not valid before {identity.begins:%Y-%m-%d %H:%M} UTC"


def uncovered(host: str, identities: Iterable[Identity]) -> Iterator[str]:
    """Yield a sentence for each of *identities* that clients would not take for *host* (RFC 9525).

    That is a DNS name or an IP address, an IPv6 address with or without brackets.
    """
    host = host.removeprefix("[").removesuffix("]")
    for identity in identities:
        if not _covers(identity, host):
            yield f"certificate of {_called(identity)} ({identity.os_path}) is not for {host}: clients that verify it refuse it"


def _covers(identity: Identity, host: str) -> bool:
    with contextlib.suppress(VerificationError, CertificateError):
        if _is_address(host):
            verify_certificate_ip_address(identity.certificate, host)
        else:
            verify_certificate_hostname(identity.certificate, host.removesuffix("."))
        return True
    return False


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _called(identity: Identity) -> str:
    return ", ".join(identity.names) or "no name"


def _when(left_seconds: float) -> str:
    days = int(left_seconds // _DAY_SECONDS)
    if left_seconds < 0:
        return "has expired"
    if days == 0:
        return "expires within a day,"
    return f"expires in {days} day{'s' if days > 1 else ''},"
