"""The identities of one host, kept current while the server runs.

Apart from one identity, since this is about several and about time: which of them count when files change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import attrs

from ftpd.schema import ConfigError, Problem
from ftpd.tls.expiry import expiring
from ftpd.tls.files import Kept
from ftpd.tls.identity import Identity, load_identity
from ftpd.tls.parameters import Parameters
from ftpd.tls.settings import CertificateSettings

__all__ = ["Identities"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Identities(Kept[tuple[Identity, ...]]):
    """The identities of one host: `current`, in the order of the settings, one for each kind of key.

    What does not fit keeps the old ones.  So does a certificate that is expired or not yet valid while the present one is good, since
    somebody has then copied the wrong file.
    """

    def __init__(
        self,
        settings: Sequence[CertificateSettings],
        where: str = "tls.certificates",
        parameters: Parameters | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        """Read them, blocking; raises `ConfigError`.  *where* is the dotted path of the tables; *now* is for tests.

        *parameters* are those that the identities will be used with, the stricter ones where listeners differ: what these do not take
        is a problem here, and none in the middle of a handshake.
        """
        self._settings = tuple(settings)
        self._where = where
        self._parameters = parameters
        self._now = now
        super().__init__([path for one in self._settings for path in (one.chain, one.key, one.passphrase_file)], self._read_all)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about what is allowed with the present ones and likely to make trouble."""
        return tuple(remark for identity in self.current for remark in identity.remarks)

    def _read_all(self) -> tuple[Identity, ...]:
        identities: list[Identity] = []
        problems: list[Problem] = []
        for index, one in enumerate(self._settings):
            try:
                identity = load_identity(one, self._parameters)
                self._compare(identity, identities, index)
            except ConfigError as error:
                problems += (attrs.evolve(problem, path=f"{self._where}[{index}].{problem.path}") for problem in error.problems)
            else:
                identities.append(identity)
        if problems:
            raise ConfigError(problems)
        return tuple(identities)

    def _compare(self, identity: Identity, others: Sequence[Identity], index: int) -> None:
        """Raise `ConfigError` where *identity* would make things worse than they are."""
        for other in others:
            if type(other.key) is type(identity.key):  # OpenSSL keeps one for each kind, whatever the size: the last would win
                raise ConfigError([Problem("", "key", f"found {identity.key_kind} after {other.key_kind}", "one of each kind")])
        before = getattr(self, "current", ())  # nothing yet, while the first ones are read
        now = self._now()
        words = next(expiring([identity], 0, now), "")
        if words and index < len(before) and not any(expiring([before[index]], 0, now)):
            raise ConfigError([Problem("", "chain", words, "the present one is good")])
