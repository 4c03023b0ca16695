"""The stages of `bin/test`, in order, and the real clients that they need.

Apart from `bin/test` itself, which has to be readable for a Python of any age.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from environment import CHECKOUT, EnvironmentFault, find_or_make

__all__ = ["run"]

# Program, or another file by its path -> the Debian package that holds it.
CLIENTS = {
    "curl": "curl",
    "lftp": "lftp",
    "ncftpget": "ncftp",
    "tnftp": "tnftp",
    "wget": "wget",
    "rclone": "rclone",
    "corelist": "perl",  # with Net::FTP, which perl-base has not
    "/usr/share/perl5/IO/Socket/SSL.pm": "libio-socket-ssl-perl",
    "ip": "iproute2",
    "openssl": "openssl",
    "systemd-analyze": "systemd",
    "logrotate": "logrotate",
    "tftp": "tftp-hpa",
    "atftp": "atftp",
    "busybox": "busybox",
    "qemu-system-x86_64": "qemu-system-x86",
    "/usr/lib/ipxe/qemu/pxe-virtio.rom": "ipxe-qemu",
    "dnsmasq": "dnsmasq-base",
}
# A server to compare with, by its path in the Debian package.  It is unpacked and not installed: that would start it, and displace others of its name.
PEER, PEER_PACKAGE = "usr/sbin/in.tftpd", "tftpd-hpa"
WORKERS = 4  # a test server and its client keep a core busy; more workers than cores only make time run differently
TEST_SECONDS = 120  # per test: a hang is a failure with a name, not a job that never ends


def run(arguments: Sequence[str]) -> int:
    """Run every stage; pytest gets *arguments*.  Returns the exit status: that of the first stage that fails, else 0."""
    try:
        environment = find_or_make(".venv-test", extra="test")
    except EnvironmentFault as fault:
        print(f"test: {fault}", file=sys.stderr)
        return 1
    if not _have_clients():
        return 1
    peers = _unpacked_peer(Path(CHECKOUT, ".venv-test", "peers"))
    os.environ["PATH"] = os.pathsep.join((str(peers), os.environ.get("PATH", os.defpath)))
    processes = min(WORKERS, os.cpu_count() or 1)
    stages = (
        ("lint", "ruff", ("check", ".")),
        ("format", "ruff", ("format", "--check", ".")),
        ("types", "mypy", ("--strict",)),
        ("tests", "pytest", (f"--timeout={TEST_SECONDS}", f"--numprocesses={processes}", "--dist=loadfile", *arguments)),
    )
    for name, module, options in stages:
        print(f"== {name}: {module} {' '.join(options)}", flush=True)
        status = subprocess.run([environment.python, "-P", "-m", module, *options], cwd=CHECKOUT).returncode
        if status:
            print(f"== {name} failed", file=sys.stderr)
            return status
    return 0


def _have_clients() -> bool:
    """Install the clients that are missing, where we may; whether the tests can go on.

    Without one, the tests that need it skip by name; but not where CI is set: there a skipped test is a test nobody runs.
    """
    missing = _missing()
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(sorted(missing.values()))
        missing = _missing()
    if missing:
        print(f"== clients: {', '.join(missing)} not found; Debian: apt-get install {' '.join(missing.values())}", file=sys.stderr)
    return not (missing and os.environ.get("CI"))


def _unpacked_peer(folder: Path) -> Path:
    """Unpack the peer below *folder*, unless it is there, or cannot be had; return the directory that it is in."""
    program = folder / PEER
    if not program.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        with tempfile.TemporaryDirectory() as packages:
            _run("apt-get", "--quiet", "download", PEER_PACKAGE, cwd=packages)
            for package in Path(packages).glob("*.deb"):
                _run("dpkg-deb", "--extract", str(package), str(folder))
    return program.parent


def _run(*command: str, cwd: str | None = None) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(command, cwd=cwd, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _missing() -> dict[str, str]:
    return {
        name: package
        for name, package in CLIENTS.items()
        if not (os.path.exists(name) if os.path.isabs(name) else shutil.which(name))
    }


def _install(packages: Sequence[str]) -> None:
    print(f"== clients: apt-get install {' '.join(packages)}", flush=True)
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        _run("apt-get", "--quiet", *command)
