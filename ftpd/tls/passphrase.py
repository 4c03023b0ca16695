"""The passphrase of a private key: from the first line of a file, or of what a program prints.

Apart from the identity, since nothing of what passes here may reach a log or a traceback's message.
"""

from __future__ import annotations

import subprocess
from typing import Final

from ftpd.regular import open_regular
from ftpd.schema import Problem
from ftpd.tls.settings import CertificateSettings

__all__ = ["NoPassphrase", "passphrase_of"]

_PATIENCE_SECONDS: Final = 10  # for a program that asks an agent or a key service; a start or a reload waits for it
_LONGEST: Final = 1024  # bytes; what OpenSSL's PEM_BUFSIZE takes


class NoPassphrase(Exception):
    """The passphrase cannot be had; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def passphrase_of(settings: CertificateSettings) -> bytes | None:
    """Return the passphrase, None where the settings name no source of one.  Blocks; raises :class:`NoPassphrase`."""
    if settings.passphrase_file:
        return _checked(_from_file(settings.passphrase_file), "passphrase_file", settings.passphrase_file)
    if settings.passphrase_command:
        return _checked(_from_command(settings.passphrase_command), "passphrase_command", settings.passphrase_command[0])
    return None


def _from_file(os_path: str) -> bytes:
    try:
        with open_regular(os_path) as file:
            return file.readline(_LONGEST + 2)
    except OSError as error:
        raise _refusal("passphrase_file", f"cannot read {os_path}: {error.strerror}") from error


def _from_command(command: tuple[str, ...]) -> bytes:
    # No shell: arguments reach the program as they stand.  Its standard error stays the server's, where its own complaints help.
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=_PATIENCE_SECONDS, check=False)
    except OSError as error:
        raise _refusal("passphrase_command", f"cannot run {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        # not chained: the exception carries what was printed so far
        raise _refusal("passphrase_command", f"{command[0]} did not end within {_PATIENCE_SECONDS} seconds") from None
    if done.returncode:
        raise _refusal("passphrase_command", f"{command[0]} ended with {_ending(done.returncode)}")
    return done.stdout.partition(b"\n")[0]


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _checked(line: bytes, setting: str, source: str) -> bytes:
    passphrase = line.rstrip(b"\r\n")
    if not passphrase:
        raise _refusal(setting, f"the first line of {source} is empty")
    if len(passphrase) > _LONGEST:
        raise _refusal(setting, f"the first line of {source} is longer than {_LONGEST} bytes")
    return passphrase


def _refusal(setting: str, found: str) -> NoPassphrase:
    return NoPassphrase(Problem("", setting, found, ""))
