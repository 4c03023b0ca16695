"""The real TFTP clients, each as one object that fetches and stores single files.

Apart from those of FTP, which log in.  What a client cannot do is said here, once, and the tests go by it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.integration.clients import Client

__all__ = ["ALL", "SIX", "Atftp", "Busybox", "Curl", "TftpClient", "TftpHpa", "Tftpy", "Wishes"]


class Wishes(NamedTuple):
    """What a client shall ask for; 0 and empty: what it asks for by itself."""

    block_size: int = 0
    window: int = 0
    timeout: int = 0
    is_size_asked: bool = False


PLAIN: Final = Wishes()


class TftpClient(Client):
    """A client program; `guest` is where the server's port is, and its files."""

    def fetch(self, remote: str, local: Path, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        raise NotImplementedError

    def store(self, local: Path, remote: str, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        raise NotImplementedError

    @property
    def place(self) -> tuple[str, str]:
        """Address and port, as most programs want them."""
        return self.guest.host, str(self.guest.port)


class Curl(TftpClient):
    """curl asks for tsize, blksize and timeout in any case; it converts no line ends."""

    name = "curl"

    def url(self, remote: str, mode: str = "octet") -> str:
        host = f"[{self.guest.host}]" if ":" in self.guest.host else self.guest.host
        return f"tftp://{host}:{self.guest.port}/{remote};mode={mode}"

    def curl(self, *options: str | Path, wishes: Wishes = PLAIN, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        size = ("--tftp-blksize", str(wishes.block_size)) if wishes.block_size else ()
        return self.run(self._path, "--silent", "--show-error", "--globoff", *size, *options, is_ok=is_ok)

    def fetch(self, remote: str, local: Path, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.curl("--output", local, self.url(remote, mode), wishes=wishes)

    def store(self, local: Path, remote: str, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.curl("--upload-file", local, self.url(remote, mode), wishes=wishes)


class TftpHpa(TftpClient):
    """The client of tftp-hpa has no options, and exits with 0 whatever happens; it converts line ends both ways."""

    name = "tftp"

    def tftp(self, *command: str | Path, mode: str = "octet") -> str:
        """Run *command*; return what it says, which is nothing where all went well."""
        family = "-6" if ":" in self.guest.host else "-4"
        return self.run(self._path, family, "-l", "-m", mode, *self.place, "-c", *command).stdout.decode().strip()

    def fetch(self, remote: str, local: Path, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        assert self.tftp("get", remote, local, mode=mode) == ""

    def store(self, local: Path, remote: str, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        assert self.tftp("put", local, remote, mode=mode) == ""


class Atftp(TftpClient):
    """atftp asks for what it is told to, windows and multicast included; it converts line ends both ways."""

    name = "atftp"

    def atftp(self, *options: str | Path, wishes: Wishes = PLAIN, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        asked = {"blksize": wishes.block_size, "windowsize": wishes.window, "timeout": wishes.timeout}
        words = [f"{name} {value}" for name, value in asked.items() if value] + ["tsize"] * wishes.is_size_asked
        return self.run(
            self._path,
            "--tftp-timeout",
            "1",
            *(part for word in words for part in ("--option", word)),
            *options,
            *self.place,
            is_ok=is_ok,
        )

    def fetch(self, remote: str, local: Path, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.atftp("--get", "--remote-file", remote, "--local-file", local, "--option", f"mode {mode}", wishes=wishes)

    def store(self, local: Path, remote: str, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.atftp("--put", "--remote-file", remote, "--local-file", local, "--option", f"mode {mode}", wishes=wishes)


class Busybox(TftpClient):
    """busybox's tftp asks for tsize, and for a block size if it is told to."""

    name = "busybox"

    def tftp(self, *options: str | Path, wishes: Wishes = PLAIN, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        size = ("-b", str(wishes.block_size)) if wishes.block_size else ()
        return self.run(self._path, "tftp", *size, *options, *self.place, is_ok=is_ok)

    def fetch(self, remote: str, local: Path, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.tftp("-g", "-r", remote, "-l", local, wishes=wishes)

    def store(self, local: Path, remote: str, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.tftp("-p", "-r", remote, "-l", local, wishes=wishes)


_TFTPY: Final = """
import sys, tftpy
host, port, options, what, *names = sys.argv[1:]
client = tftpy.TftpClient(host, int(port), eval(options))
getattr(client, what)(*names)
"""


class Tftpy(TftpClient):
    """Python's tftpy, which has IPv4 only."""

    name = "tftpy"
    needs = sys.executable

    def tftpy(
        self, what: str, *names: str | Path, wishes: Wishes = PLAIN, is_ok: bool = True
    ) -> subprocess.CompletedProcess[bytes]:
        options = {"blksize": wishes.block_size} if wishes.block_size else {}
        if wishes.is_size_asked:
            options["tsize"] = 0
        return self.run(self._path, "-c", _TFTPY, *self.place, repr(options), what, *names, is_ok=is_ok)

    def fetch(self, remote: str, local: Path, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.tftpy("download", remote, local, wishes=wishes)

    def store(self, local: Path, remote: str, wishes: Wishes = PLAIN, mode: str = "octet") -> None:
        self.tftpy("upload", remote, local, wishes=wishes)


ALL: Final = (Curl, TftpHpa, Atftp, Busybox, Tftpy)
SIX: Final = (Curl, TftpHpa, Atftp, Busybox)  # those that have IPv6
