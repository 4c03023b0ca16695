"""bcrypt: making a hash, and checking a password against one, or against none in the same time.

Apart from the file that holds the hashes: everything here is slow on purpose (a quarter of a second) and must be called in a thread of the
login pool; bcrypt releases the GIL meanwhile.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable
from typing import Final

import bcrypt

from ftpd.login.calls import Calls

__all__ = ["DEFAULT_COST", "LONGEST_PASSWORD", "VerifiedLogins", "cost_of", "generate_password", "hash_password", "verify"]

LONGEST_PASSWORD: Final = 72  # bytes; bcrypt never looked at more, and the bcrypt package refuses more since 5.0
DEFAULT_COST: Final = 12  # 2**12 rounds, about 0.25 s on a core of 2023; what the bcrypt package and most distributions default to
_COSTS: Final = range(4, 21)  # below 4 there is no bcrypt; above 20 one login would hold a thread for minutes
_HASH: Final = re.compile(rb"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without those that look alike in some typeface: i l o 0 1
_GENERATED_LENGTH: Final = 18  # of 31 letters: 89 bits
_checks: Final = Calls()


def cost_of(password_hash: bytes) -> int:
    """Return the base-2 logarithm of the rounds of a bcrypt hash; raises `ValueError`, in words for the operator, for anything else."""
    match = _HASH.fullmatch(password_hash)
    if match is None:
        raise ValueError("not a bcrypt hash ($2y$, $2b$ or $2a$)")
    if int(match[1]) not in _COSTS:
        raise ValueError(f"bcrypt cost {int(match[1])} is not between {_COSTS[0]} and {_COSTS[-1]}")
    return int(match[1])


def hash_password(password: bytes, cost: int = DEFAULT_COST) -> bytes:
    """Return a new salted hash, as `htpasswd -B` writes it ($2y$).

    Raises `ValueError`, in words for the user, for what bcrypt or other readers of the file would cut short: more than 72 bytes, or a NUL;
    and for an empty password or an impossible *cost*.
    """
    if not password:
        raise ValueError("the password is empty")
    if len(password) > LONGEST_PASSWORD:
        raise ValueError(f"the password is {len(password)} bytes long; bcrypt takes at most {LONGEST_PASSWORD} bytes")
    if b"\0" in password:
        raise ValueError("the password contains a NUL byte")
    if cost not in _COSTS:
        raise ValueError(f"the cost must be between {_COSTS[0]} and {_COSTS[-1]}")
    return b"$2y$" + bcrypt.hashpw(password, bcrypt.gensalt(cost)).removeprefix(b"$2b$")


def verify(password: bytes, password_hash: bytes | None, cost: int) -> bool:
    """Whether *password* has *password_hash*; `None` is no, after the work that a hash of *cost* would have taken.

    A password beyond 72 bytes is no as well, after the same work: it cannot be anybody's.
    """
    with _checks:
        is_match = bcrypt.checkpw(password[:LONGEST_PASSWORD], password_hash or b"$2b$%02d$" % cost + b"." * 53)
    return is_match and password_hash is not None and len(password) <= LONGEST_PASSWORD


def generate_password() -> str:
    """Return a random password that is easily read aloud and needs no quoting in a shell or a URL."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_GENERATED_LENGTH))


class VerifiedLogins:
    """Remembers for a few seconds which password a hash was verified with, for clients such as rclone that log in many times at once.

    It holds digests under a key that only this process knows, never a password; the hash is part of what is digested, so that a changed
    password is never taken for the old one.  Only success is remembered.  Safe to use from several threads.
    """

    MOST = 4096  # entries of 32 bytes; the oldest gives way

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._key = secrets.token_bytes(32)
        self._expiries: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def has(self, password: bytes, password_hash: bytes) -> bool:
        """Whether the pair was remembered within the last seconds."""
        expiry = self._expiries.get(self._digest(password, password_hash))
        return expiry is not None and self._now() < expiry

    def remember(self, password: bytes, password_hash: bytes) -> None:
        """Note a success; it lasts from now, whether or not it was noted before."""
        if self._seconds <= 0:
            return
        digest = self._digest(password, password_hash)
        with self._lock:
            self._expiries.pop(digest, None)  # so that the dict stays in the order of expiry
            while len(self._expiries) >= self.MOST:
                del self._expiries[next(iter(self._expiries))]
            self._expiries[digest] = self._now() + self._seconds

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._expiries.clear()

    def _digest(self, password: bytes, password_hash: bytes) -> bytes:
        # The hash has a fixed length and comes first, so no two pairs give the same bytes.
        return hmac.digest(self._key, password_hash + password, hashlib.sha256)
