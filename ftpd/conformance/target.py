"""Target: the server that is judged, and who logs in there.

Apart from the connections, which are made from it as often as one is spoilt.
"""

from __future__ import annotations

import ssl
import warnings
from typing import Final, Literal, TypeAlias

import attrs

__all__ = ["DEFAULT_SECONDS", "Protection", "Target", "outdated_context", "unverified_context"]

Protection: TypeAlias = Literal["none", "explicit", "implicit"]

DEFAULT_SECONDS: Final = 5.0  # for one reply; a refused login may be delayed by as much on purpose


@attrs.frozen
class Target:
    """Where to connect and as whom.  `directory` is where the scratch directory is made, "" the one of the login.

    `seconds` is what one reply may take.  `context` verifies the server's certificate, or does not, as the operator wants it.
    """

    host: str
    port: int
    user: str
    password: str = attrs.field(repr=False)
    tls: Protection = "none"
    context: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    directory: str = ""
    may_write: bool = True
    seconds: float = DEFAULT_SECONDS


def unverified_context() -> ssl.SSLContext:
    """Return a context for checks that send no secret: whose certificate it is does not count there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def outdated_context() -> ssl.SSLContext:
    """Return a context that knows no later version than TLS 1.1, to see whether it is refused."""
    context = unverified_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # which is why it is tried
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL 3 has their signatures at this level only
    return context
