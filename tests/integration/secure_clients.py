"""The real clients with TLS: each verifies the server's certificate by `authority.pem` in its home, but rclone, which only takes it.

Apart from the plain ones, of which each is one with other options.
"""

from __future__ import annotations

import ftplib
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.integration.clients import RUN_SECONDS, Client, Curl, Ftplib, Lftp, Rclone
from tests.integration.live import PASSWORD

AUTHORITY: Final = "authority.pem"


class SecureCurl(Curl):
    name = "curl"
    tls: tuple[str, ...] = ("--ssl-reqd",)
    is_implicit = False

    def curl(self, *options: str | Path, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        return super().curl("--cacert", AUTHORITY, *self.tls, *options, is_ok=is_ok)

    def url(self, path: str = "") -> str:
        return self.guest.url(path).replace("ftp:", "ftps:" if self.is_implicit else "ftp:")

    def fetch(self, remote: str, local: Path) -> None:
        self.curl("-o", local, self.url(remote))

    def store(self, local: Path, remote: str) -> None:
        self.curl("-T", local, self.url(remote))


class SecureCurl12(SecureCurl):
    name = "curl with TLS 1.2"
    needs = "curl"
    tls = ("--ssl-reqd", "--tls-max", "1.2")


class ImplicitCurl(SecureCurl):
    name = "curl, implicit"
    needs = "curl"
    tls = ()
    is_implicit = True


class SecureLftp(Lftp):
    name = "lftp"
    priority = ""
    is_implicit = False

    def lftp(self, *commands: str, is_ok: bool = True) -> subprocess.CompletedProcess[bytes]:
        settings = (
            "set ftp:ssl-allow true; set ftp:ssl-force true; set ftp:ssl-protect-data true; set ftp:ssl-protect-list true; "
            f"set ssl:verify-certificate true; set ssl:ca-file {AUTHORITY}; set ssl:priority '{self.priority}'"
        )
        login = (
            f"open {'ftps://' if self.is_implicit else ''}{self.guest.host} -u '{self.guest.name},{PASSWORD}' -p {self.guest.port}"
        )
        return super().lftp(settings, login, *commands, is_ok=is_ok)


class SecureLftp12(SecureLftp):
    name = "lftp with TLS 1.2"
    needs = "lftp"
    priority = "NORMAL:-VERS-TLS1.3"


class ImplicitLftp(SecureLftp):
    name = "lftp, implicit"
    needs = "lftp"
    is_implicit = True


class SecureRclone(Rclone):
    tls = "explicit_tls=true"

    def remote(self, path: str = "") -> str:
        remote, _, path = super().remote(path).rpartition(":")
        return f"{remote},{self.tls},no_check_certificate=true:{path}"


class ImplicitRclone(SecureRclone):
    name = "rclone, implicit"
    needs = "rclone"
    tls = "tls=true"


class SecureFtplib(Ftplib):
    def connect(self) -> ftplib.FTP_TLS:
        ftp = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=self.home / AUTHORITY))
        ftp.connect(self.guest.host, self.guest.port, timeout=RUN_SECONDS)
        ftp.login(self.guest.name, PASSWORD)
        ftp.prot_p()
        return ftp


EXPLICIT: Final = (SecureCurl, SecureCurl12, SecureLftp, SecureLftp12, SecureRclone, SecureFtplib)
IMPLICIT: Final = (ImplicitCurl, ImplicitLftp, ImplicitRclone)
ALL: Final[tuple[type[Client], ...]] = (*EXPLICIT, *IMPLICIT)
Use = Callable[[type[Any]], Any]
