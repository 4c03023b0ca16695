"""Versions, ciphers and groups: what a handshake may agree on.

Apart from the contexts that they are applied to, because they can be judged without a certificate, by `ftpd check` and at a start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
from OpenSSL import SSL

from ftpd.schema import Problem
from ftpd.tls.settings import TLSSettings

__all__ = ["Parameters", "can_set_groups"]

# Forward secrecy and authenticated encryption: Mozilla's "intermediate" list without the DHE ciphers, for which pyOpenSSL has no automatic
# parameters.  128 bits come first: nobody breaks them, and they are a little faster.
_CIPHERS: Final = ":".join(
    f"ECDHE-{signature}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for signature in ("ECDSA", "RSA")
)
# Of TLS 1.3 the same in the same order: OpenSSL would put AES-256 first, with SHA-384, for 4 % more of a handshake and 3 % more of each byte.
_CIPHERSUITES: Final = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
# After those, what scanners, cameras and Windows Server 2008 have.  No RC4, no export ciphers, nothing anonymous.
_LEGACY_CIPHERS: Final = "ECDHE+AES:kRSA+AES:ECDHE+3DES:kRSA+3DES:!aNULL:@SECLEVEL=0"

_VERSIONS: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_OPTIONS: Final = SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE
_ENABLE_PARTIAL_WRITE: Final = 1  # SSL_MODE_ENABLE_PARTIAL_WRITE, which pyOpenSSL sets and has no name for


@attrs.frozen
class Parameters:
    """What a handshake may agree on, by the `[tls]` table.

    *old_devices* goes down to TLS 1.0, security level 0 and ciphers without forward secrecy, whatever `minimum` says; whoever asks for it
    says so in the log.
    """

    settings: TLSSettings
    old_devices: bool = False

    def apply(self, context: SSL.Context) -> None:
        """Set them on a new *context*, of either role; raises `SSL.Error` or `ValueError` where :meth:`problems` would have said why."""
        context.set_min_proto_version(SSL.TLS1_VERSION if self.old_devices else _VERSIONS[self.settings.minimum])
        context.set_cipher_list(self._ciphers().encode("ascii"))
        context.set_tls13_ciphersuites((self.settings.ciphersuites or _CIPHERSUITES).encode("ascii"))
        if self.settings.groups:
            _set_groups(context, self.settings.groups)
        context.set_options(_OPTIONS)
        # An idle connection gives back 7 of 31 KiB; one call encrypts a whole piece instead of 16 KiB of it (-15 % CPU).
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.clear_mode(_ENABLE_PARTIAL_WRITE)

    def problems(self) -> Iterator[Problem]:
        """Yield what the library at hand cannot do or does not know; paths are relative to the `[tls]` table."""
        settings = self.settings
        yield from _refused("ciphers", settings.ciphers, SSL.Context.set_cipher_list, is_known=_is_operator)
        yield from _refused("ciphersuites", settings.ciphersuites, SSL.Context.set_tls13_ciphersuites)
        if settings.ciphers and settings.minimum == "1.3" and not self.old_devices:
            yield Problem("", "ciphers", "set although minimum is 1.3", "they are those of TLS 1.2; see ciphersuites")
        if settings.groups and not can_set_groups():
            yield Problem("", "groups", "this pyOpenSSL cannot set them", "leave it empty")
        elif settings.groups:
            yield from _refused(
                "groups", settings.groups, lambda context, name: _set_groups(context, name.decode("ascii")), is_known=_is_optional
            )

    def _ciphers(self) -> str:
        ciphers = self.settings.ciphers or _CIPHERS
        return f"{ciphers}:{_LEGACY_CIPHERS}" if self.old_devices else ciphers


def can_set_groups() -> bool:
    """Whether the groups of key exchange can be chosen; pyOpenSSL has no public name for it."""
    return _groups_setter() is not None


def _groups_setter() -> Callable[[Any, bytes], int] | None:
    library = getattr(SSL, "_lib", None)
    return getattr(library, "SSL_CTX_set1_curves_list", None)


def _set_groups(context: SSL.Context, groups: str) -> None:
    """Let *context* agree on *groups* only, in their order; raises `ValueError` where one is unknown."""
    setter = _groups_setter()
    if setter is None:
        raise ValueError("this pyOpenSSL cannot set groups")
    if setter(context._context, groups.encode("ascii")) != 1:
        SSL._lib.ERR_clear_error()  # type: ignore[attr-defined]  # else the next connection's error would be this one
        raise ValueError(f"OpenSSL knows no such group: {groups}")


def _is_operator(name: str) -> bool:
    """Whether an element of a cipher list takes ciphers away, moves them, or is a command: it need not select any."""
    return name[:1] in "!-+@"


def _is_optional(name: str) -> bool:
    """Whether an element of a list of groups (SSL_CTX_set1_groups_list(3)) may be unknown, or takes one away."""
    return name[:1] in "?-"


def _refused(
    setting: str,
    names: str,
    setter: Callable[[SSL.Context, bytes], object],
    *,
    is_known: Callable[[str], bool] = lambda name: False,
) -> Iterator[Problem]:
    """Yield the elements of the list *names* that *setter* does not take: OpenSSL passes over unknown ciphers in silence."""
    unknown = [name for name in re.split("[:,/ ]+", names) if name and not is_known(name) and not _takes(setter, name)]
    if unknown:
        yield Problem("", setting, f"OpenSSL knows no {', '.join(unknown)}", "")
    elif names and not _takes(setter, names):
        yield Problem("", setting, f"{names!r} selects nothing", "")


def _takes(setter: Callable[[SSL.Context, bytes], object], names: str) -> bool:
    try:
        setter(SSL.Context(SSL.TLS_METHOD), names.encode("ascii"))
    except (SSL.Error, ValueError):  # UnicodeEncodeError is one
        return False
    return True
