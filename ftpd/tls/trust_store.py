"""Trusted certificates and revocation lists in OpenSSL's form, made once and lent to every context.

Apart from verification (`clients`), because lending takes names that pyOpenSSL does not publish: this is the one place of the room that uses
them, and the one that can do without.
"""

from __future__ import annotations

from typing import Any, Final

from OpenSSL import SSL, crypto

from ftpd.tls.trust import Trust

__all__ = ["TrustStore", "can_lend"]

_lib: Final[Any] = getattr(SSL, "_lib", None)
_LENDING: Final = ("SSL_CTX_add_client_CA", "SSL_CTX_set_cert_store", "X509_STORE_up_ref")


def can_lend() -> bool:
    """Whether contexts can share one store; else each gets a copy, which takes 5 ms and 0.7 MB for 10,000 revoked certificates."""
    return all(hasattr(_lib, name) for name in _LENDING)


class TrustStore:
    """The store of one :class:`Trust`.  It does not change: new files make a new one, and contexts keep theirs."""

    def __init__(self, trust: Trust) -> None:
        """Convert *trust*; takes milliseconds for a long revocation list."""
        self._trust = trust
        self._authorities = [crypto.X509.from_cryptography(authority) for authority in trust.authorities]
        self._store = crypto.X509Store()
        self._fill(self._store)

    def lend(self, context: SSL.Context) -> None:
        """Let *context* verify against this store, and name its authorities to clients, so that they can choose a certificate."""
        if can_lend():
            self._share(context)
        else:
            self._copy(context)

    def _share(self, context: Any) -> None:
        _lib.X509_STORE_up_ref(self._store._store)  # SSL_CTX_set_cert_store takes a reference over
        _lib.SSL_CTX_set_cert_store(context._context, self._store._store)
        for authority in self._authorities:
            # The public `add_client_ca` converts the certificate again each time: 25 us instead of 1.
            _lib.SSL_CTX_add_client_CA(context._context, authority._x509)

    def _copy(self, context: SSL.Context) -> None:
        store = context.get_cert_store()
        if store is None:
            raise RuntimeError("a context without a certificate store")
        self._fill(store)
        for authority in self._trust.authorities:
            context.add_client_ca(authority)

    def _fill(self, store: crypto.X509Store) -> None:
        for authority in self._authorities:
            store.add_cert(authority)
        for listed in self._trust.lists:
            store.add_crl(listed)
        # An authority that is listed is trusted, whether it is a root or has one above it: its root's other clients were not meant.
        flags = crypto.X509StoreFlags.PARTIAL_CHAIN
        if self._trust.lists:
            flags |= crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL
        store.set_flags(flags)
