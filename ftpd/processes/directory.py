"""RuntimeDirectory: where the control socket and the shared state are, for as long as the server runs.

Apart from what lies there.  Whoever may write to it could put a socket or a database there in the server's place: so nobody else may.
"""

from __future__ import annotations

import fcntl
import os
import stat
from typing import Final

from ftpd.processes.identity import Identity, name_of_user
from ftpd.schema import ConfigError, Problem

__all__ = ["RuntimeDirectory", "control_path", "directory_path"]

_MODE: Final = 0o750  # the group may reach the control socket
_OPEN_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_LOCK: Final = (
    os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
)  # not inherited: workers outlive a parent that was killed, its lock does not


class RuntimeDirectory:
    """The directory that `process.directory` names, "" for the usual place, of the *identity* that the server will have.

    `control` and `state` are the paths of what is in it.
    """

    def __init__(self, setting: str, identity: Identity) -> None:
        self.path = directory_path(setting)
        self.control = control_path(setting)
        self.state = os.path.join(self.path, "state.db")
        self._identity = identity
        self._lock: int | None = None

    def open(self) -> None:
        """Make it where it is not there, and take it for this server alone; while there is the right to, before privileges are dropped.

        Raises `ConfigError` where that cannot be, where somebody else owns it or may write to it, and where another server has taken it.
        """
        try:
            is_new = self._make()
            directory = os.open(self.path, _OPEN_DIRECTORY)
            try:
                if is_new:
                    os.fchmod(directory, _MODE)  # whatever the umask
                self._require_ours(directory)
                self._take(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise _refused(
                f"{self.path} cannot be used: {error.strerror}", "a directory that the server may make, or that is its own"
            ) from error

    def close(self) -> None:
        """Let another server have it; may be called twice."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _make(self) -> bool:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        try:
            os.mkdir(self.path, _MODE)
        except FileExistsError:
            return False
        return True

    def _require_ours(self, directory: int) -> None:
        status = os.fstat(directory)
        owner = name_of_user(self._identity.user)
        if status.st_uid != self._identity.user:
            # Made just now, or by systemd for a unit that starts root.  Not where anything is: it could be /run itself.
            if os.geteuid() != 0 or status.st_uid != 0 or os.listdir(directory):
                raise _refused(
                    f"{self.path} belongs to {name_of_user(status.st_uid)!r}", f"it must be the server's, who is {owner!r}"
                )
            os.fchown(directory, self._identity.user, self._identity.group)
        if stat.S_IMODE(status.st_mode) & 0o022:
            raise _refused(f"others than {owner!r} may write to {self.path}", "chmod go-w")

    def _take(self, directory: int) -> None:
        lock = os.open("lock", _OPEN_LOCK, 0o600, dir_fd=directory)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._require_plain(lock)
            os.fchown(lock, self._identity.user, self._identity.group)  # its next start may not be root's
        except BlockingIOError:
            os.close(lock)
            raise _refused(f"another ftpd is using {self.path}", "each needs its own") from None
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def _require_plain(self, lock: int) -> None:
        """The server, once broken into, may link what it likes there; root would give it away."""
        status = os.fstat(lock)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise _refused(f"{self.path}/lock is no plain file of the server's", "remove it and see who has put it there")


def directory_path(setting: str) -> str:
    """Return the runtime directory that `process.directory` means, to the server itself: in its environment, before it drops privileges."""
    if setting:
        return os.path.abspath(setting)
    if given := os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]:
        return given
    if os.geteuid() == 0:
        return "/run/ftpd"
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    return os.path.join(base, "ftpd") if base else f"/tmp/ftpd-{os.geteuid()}"


def control_path(setting: str) -> str:
    """Return where the control socket of a server with that `process.directory` is."""
    return os.path.join(directory_path(setting), "control")


def _refused(found: str, allowed: str) -> ConfigError:
    return ConfigError([Problem("", "process.directory", found, allowed)])
