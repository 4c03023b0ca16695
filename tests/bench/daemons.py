"""Daemons: vsftpd, ProFTPD and Pure-FTPd, set up to do what the others do.

Apart from `servers`: they are processes of root, and log in a user of the system, whom they become.  So they are measured only where
such a user is named.
"""

from __future__ import annotations

import grp
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["NAMES", "command", "has_tls", "installed", "version"]

NAMES: Final = ("vsftpd", "proftpd", "pure-ftpd")

# What is not the default: no limits that the test would run into, no look-ups of names, nothing to syslog; ASCII that is converted.
_VSFTPD: Final = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
ascii_download_enable=YES
idle_session_timeout=3600
max_clients=0
max_per_ip=0
secure_chroot_dir={empty}
"""
_VSFTPD_TLS: Final = """
ssl_enable=YES
force_local_data_ssl=NO
force_local_logins_ssl=NO
ssl_ciphers=HIGH
rsa_cert_file={certificate}
rsa_private_key_file={certificate}
"""
_PROFTPD: Final = """
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
Port {port}
User {user}
Group {group}
MaxInstances none
AuthPAM off
AuthOrder mod_auth_unix.c
RequireValidShell off
AllowOverwrite on
DelayEngine off
WtmpLog off
TransferLog none
SystemLog none
TimeoutIdle 3600
TimeoutNoTransfer 3600
PidFile {empty}/proftpd.pid
ScoreboardFile {empty}/proftpd.score
"""
_PROFTPD_TLS: Final = """
ModulePath {modules}
LoadModule mod_tls.c
TLSEngine on
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {certificate}
TLSECCertificateKeyFile {certificate}
TLSRequired off
TLSLog none
"""
# By module: what it needs to be switched on.  The path of modules may be said twice.
_PROFTPD_EXTRAS: Final = {
    "mod_digest": """
ModulePath {modules}
LoadModule mod_digest.c
DigestEngine on
DigestCache off
""",
    "mod_deflate": """
ModulePath {modules}
LoadModule mod_deflate.c
DeflateEngine on
""",
}
_PURE_FTPD: Final = ("-l", "unix", "-E", "-H", "-c", "20000", "-C", "20000", "-I", "60", "-L", "200000:5", "-f", "none")


def installed(name: str, path: str) -> str | None:
    """Return the program's file, looked for in the directories of *path*, which are separated by colons."""
    return shutil.which(name, path=path)


def has_tls(name: str, path: str) -> bool:
    """Whether the daemon can serve FTPS here: ProFTPD's part for it is a file of its own."""
    program = installed(name, path)
    return program is not None and (name != "proftpd" or (_modules(program) / "mod_tls.so").exists())


def version(name: str, path: str) -> str:
    program = installed(name, path)
    assert program is not None
    option = "--help" if name == "pure-ftpd" else "-v"
    with tempfile.TemporaryFile() as answer:  # vsftpd writes to its standard input, which is a connection where inetd starts it
        subprocess.run([program, option], stdin=answer, stdout=answer, stderr=answer, check=False)
        answer.seek(0)
        words = answer.read().decode().split()
    return " ".join([name, *(word for word in words if word.lstrip("v")[:1].isdigit())][:2])


def command(name: str, path: str, user: str, port: int, scratch: Path, certificate: Path | None) -> list[str]:
    """Return what starts the daemon in the foreground."""
    program = installed(name, path)
    assert program is not None
    if name == "pure-ftpd":
        pid_file = scratch / f"pure-ftpd-{port}.pid"
        tls = ["-Y", "1", "-2", str(certificate)] if certificate is not None else []
        return [program, "-S", f"127.0.0.1,{port}", "-g", str(pid_file), *_PURE_FTPD, *tls]
    empty = scratch / f"{name}-{port}"
    empty.mkdir()
    config = scratch / f"{name}-{port}.conf"
    plain, tls_text = (_VSFTPD, _VSFTPD_TLS) if name == "vsftpd" else (_PROFTPD, _PROFTPD_TLS)
    text = plain + tls_text if certificate is not None else plain
    if name == "proftpd":
        text += "".join(extra for module, extra in _PROFTPD_EXTRAS.items() if (_modules(program) / f"{module}.so").exists())
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    config.write_text(
        text.format(port=port, empty=empty, certificate=certificate, modules=_modules(program), user=user, group=group)
    )
    return [program, str(config)] if name == "vsftpd" else [program, "--nodaemon", "--quiet", "--config", str(config)]


def _modules(program: str) -> Path:
    return Path(program).resolve().parents[1] / "lib" / "proftpd"
