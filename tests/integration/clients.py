"""The real clients, each as one object that fetches and stores single files.

Apart from the tests so that one test runs with every client.  Each runs in a folder of its own as its home, so that nobody's ~/.netrc counts.
"""

from __future__ import annotations

import ftplib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.integration.live import PASSWORD, Guest

Program = Callable[[str], str]
RUN_SECONDS: Final = 60


class Client:
    """A client program for *guest*, started with *home* as its home and working directory."""

    name = ""
    needs = ""

    def __init__(self, program: Program, guest: Guest, home: Path) -> None:
        self._path = program(self.needs or self.name)
        self.program = program
        self.guest = guest
        self.home = home

    def run(self, *command: str | Path, is_ok: bool = True, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [os.fspath(part) for part in command],
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), "LC_ALL": "C.UTF-8", "TZ": "UTC", "RCLONE_CONFIG": os.devnull},
            input=input,
            stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True,
            timeout=RUN_SECONDS,
        )
        assert done.returncode == 0 or not is_ok, (command, done.returncode, done.stdout, done.stderr)
        return done

    def fetch(self, remote: str, local: Path) -> None:
        raise NotImplementedError

    def store(self, local: Path, remote: str) -> None:
        raise NotImplementedError


class Curl(Client):
    name = "curl"

    def curl(self, *options: str | Path, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        return self.run(self._path, "-sS", "-u", f"{self.guest.name}:{PASSWORD}", *options, is_ok=is_ok)

    def fetch(self, remote: str, local: Path) -> None:
        self.curl("-o", local, self.guest.url(remote))

    def store(self, local: Path, remote: str) -> None:
        self.curl("-T", local, self.guest.url(remote))


class Lftp(Client):
    name = "lftp"

    def lftp(self, *commands: str, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        settings = (
            "set cmd:fail-exit true; set net:max-retries 1; set net:timeout 20; set xfer:clobber true; set ftp:ssl-allow false"
        )
        login = f"open -u '{self.guest.name},{PASSWORD}' -p {self.guest.port} {self.guest.host}"
        return self.run(self._path, "--norc", "-c", "; ".join((settings, login, *commands)), is_ok=is_ok)

    def fetch(self, remote: str, local: Path) -> None:
        self.lftp(f"get {remote} -o {local}")

    def store(self, local: Path, remote: str) -> None:
        self.lftp(f"put {local} -o {remote}")


class Ncftp(Client):
    name = "ncftp"
    needs = "ncftpget"

    def ncftp(self, tool: str, *options: str | Path, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        login = ("-u", self.guest.name, "-p", PASSWORD, "-P", str(self.guest.port), "-t", "20", "-r", "1")
        return self.run(self.program(tool), *login, *options, is_ok=is_ok)

    def fetch(self, remote: str, local: Path) -> None:
        local.write_bytes(self.ncftp("ncftpget", "-c", self.guest.host, remote).stdout)

    def store(self, local: Path, remote: str) -> None:
        local.rename(self.home / remote)
        self.ncftp("ncftpput", self.guest.host, "/", self.home / remote)


class Tnftp(Client):
    name = "tnftp"

    def tnftp(self, *lines: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[bytes]:
        """Type *lines* after logging in, in image mode."""
        login = (f"open {self.guest.host} {self.guest.port}", f'user "{self.guest.name}" "{PASSWORD}"', "binary")
        script = "\n".join((*login, *lines, "bye", ""))
        return self.run(self._path, "-n", "-v", *options, input=script.encode())

    def fetch(self, remote: str, local: Path) -> None:
        self.tnftp(f"get {remote} {local}")

    def store(self, local: Path, remote: str) -> None:
        self.tnftp(f"put {local} {remote}")


class Wget(Client):
    name = "wget"

    def wget(self, *options: str | Path, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        login = ("-nv", "--tries=1", "--timeout=20", f"--ftp-user={self.guest.name}", f"--ftp-password={PASSWORD}")
        return self.run(self._path, *login, *options, is_ok=is_ok)

    def fetch(self, remote: str, local: Path) -> None:
        self.wget("-O", local, self.guest.url(remote))


class Rclone(Client):
    name = "rclone"

    def remote(self, path: str = "") -> str:
        obscured = self.run(self._path, "obscure", PASSWORD).stdout.decode().strip()
        guest = self.guest
        return f":ftp,host={guest.host},port={guest.port},user={guest.name},pass={obscured}:{path}"

    def rclone(self, *options: str | Path, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        return self.run(self._path, "--retries", "1", "--low-level-retries", "1", *options, is_ok=is_ok)

    def fetch(self, remote: str, local: Path) -> None:
        self.rclone("copyto", self.remote(remote), local)

    def store(self, local: Path, remote: str) -> None:
        self.rclone("copyto", local, self.remote(remote))


class Ftplib(Client):
    name = "ftplib"
    needs = "python3"

    def connect(self) -> ftplib.FTP:
        ftp = ftplib.FTP()
        ftp.connect(self.guest.host, self.guest.port, timeout=RUN_SECONDS)
        ftp.login(self.guest.name, PASSWORD)
        return ftp

    def fetch(self, remote: str, local: Path) -> None:
        with self.connect() as ftp, local.open("wb") as file:
            ftp.retrbinary(f"RETR {remote}", file.write)

    def store(self, local: Path, remote: str) -> None:
        with self.connect() as ftp, local.open("rb") as file:
            ftp.storbinary(f"STOR {remote}", file)


ALL: Final = (Curl, Lftp, Ncftp, Tnftp, Wget, Rclone, Ftplib)
UPLOADERS: Final = tuple(client for client in ALL if client is not Wget)
