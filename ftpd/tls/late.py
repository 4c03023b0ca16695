"""Contexts that are made when the first session wants TLS.

Apart from the contexts, which import cryptography and read files: `ftpd serve DIRECTORY` shall not wait for that at its start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from OpenSSL import SSL

    from ftpd.tls.binding import SessionContext
    from ftpd.tls.contexts import Contexts

__all__ = ["LateContexts"]


class LateContexts:
    """What *make* returns, made once, at the first use; what it raises goes to whoever uses it, and it is tried again."""

    def __init__(self, make: Callable[[], Contexts]) -> None:
        self._make = make
        self._made: Contexts | None = None

    def for_session(self, host: str = "") -> SessionContext:
        return self._contexts().for_session(host)

    def for_client_role(self) -> SSL.Context:
        return self._contexts().for_client_role()

    def _contexts(self) -> Contexts:
        if self._made is None:
            self._made = self._make()
        return self._made
