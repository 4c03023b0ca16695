"""SessionContext: what makes the TLS connections of one control session, so that they resume each other and nobody else's.

Apart from the contexts because the binding is one thing of OpenSSL's, its session id context: a connection has one, a session remembers the
one that it was made under, and where the two differ OpenSSL does a full handshake, with tickets and without, in TLS 1.2 and 1.3
(SSL_CTX_set_session_id_context(3); `ssl_get_prev_session`).  It takes a name that pyOpenSSL does not publish for a context in use.
"""

from __future__ import annotations

import os
from typing import Any, Final

from OpenSSL import SSL

__all__ = ["NOBODY", "SessionContext", "can_bind"]

NOBODY: Final = b"ftpd"  # the session id context of every `SSL.Context` itself: no session is made or resumed under it
_ID_BYTES: Final = 32  # the most that OpenSSL takes (SSL_MAX_SID_CTX_LENGTH); two sessions of one context never meet in it

_lib: Final[Any] = getattr(SSL, "_lib", None)


def can_bind() -> bool:
    """Whether sessions can share an `SSL.Context`; else each has to have its own, which costs 0.1 ms and 15 KiB."""
    return hasattr(_lib, "SSL_CTX_set_session_id_context")


class SessionContext:
    """The TLS of one control session and its data connections, made from *shared*, and maybe from others' too."""

    __slots__ = ("_id", "_shared")

    def __init__(self, shared: SSL.Context) -> None:
        self._shared = shared
        self._id = os.urandom(_ID_BYTES)

    def connect(self) -> SSL.Connection:
        """Return a new connection over memory.  On the reactor thread only."""
        if not can_bind():
            return SSL.Connection(self._shared, None)
        self._name(self._id)
        try:
            return SSL.Connection(self._shared, None)  # takes the name over
        finally:
            # A connection that has the name of its context is given the one of the host's context by `set_context`, and would be anybody's.
            self._name(NOBODY)

    def _name(self, name: bytes) -> None:
        if _lib.SSL_CTX_set_session_id_context(self._shared._context, name, len(name)) != 1:
            raise RuntimeError("OpenSSL takes no session id context")
