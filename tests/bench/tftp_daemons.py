"""TFTP daemons: tftpd-hpa, atftpd and dnsmasq, set up to do what ours does.

Apart from `daemons`: nobody logs in to them, so that they need no user of this system, but root, for the root directory of two of them
and for port 69 of the third.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["NAMES", "address", "command", "installed", "version", "without_windows"]

NAMES: Final = ("tftpd-hpa", "atftpd", "dnsmasq")

_PROGRAMS: Final = {"tftpd-hpa": "in.tftpd", "atftpd": "atftpd", "dnsmasq": "dnsmasq"}
_ONLY_PORT: Final = ("127.69.0.1", 69)  # dnsmasq has no setting for it; an address of its own keeps clear of who else may be there
_MOST_CLIENTS: Final = 5000
# A thread of atftpd has two descriptors and select(2), which takes none above 1,023: with more threads it dies.
_MOST_THREADS: Final = 250
_NO_ACCOUNT: Final = "nobody"

without_windows: Final = frozenset({"tftpd-hpa", "dnsmasq"})  # RFC 7440 is in atftpd only


def installed(name: str, path: str) -> str | None:
    """Return the program's file, looked for in the directories of *path*, where it can be run as it has to be.

    Debian's atftpd comes as `in.tftpd` too, which is not tftpd-hpa.
    """
    if os.geteuid():
        return None
    for directory in path.split(os.pathsep):
        program = shutil.which(_PROGRAMS[name], path=directory)
        if program is not None and (name != "tftpd-hpa" or _first_line(program, "-V").startswith("tftp-hpa")):
            return program
    return None


def version(name: str, path: str) -> str:
    program = installed(name, path)
    assert program is not None
    words = _first_line(program, "-V" if name == "tftpd-hpa" else "--version").replace("-", " ").replace(",", " ").split()
    return f"{name} {next(word for word in words if word[:1].isdigit())}"


def address(name: str, port: int) -> tuple[str, int]:
    """Return where the daemon will be found: at *port*, if it can be told."""
    return _ONLY_PORT if name == "dnsmasq" else ("127.0.0.1", port)


def command(name: str, path: str, port: int, root: Path, log: Path) -> list[str]:
    """Return what starts the daemon in the foreground; *log* is what it writes its log to, where it does not insist on syslog.

    Beyond the defaults: no limit of clients that the test would run into, and no block size that is refused.
    """
    program = installed(name, path)
    assert program is not None
    host, port = address(name, port)
    if name == "tftpd-hpa":
        return [program, "-L", "-4", "-a", f"{host}:{port}", "-s", "-u", _NO_ACCOUNT, str(root)]
    if name == "atftpd":
        options = ["--daemon", "--no-fork", "--bind-address", host, "--port", str(port), "--maxthread", str(_MOST_THREADS)]
        return [program, *options, "--user", "root", "--group", "root", "--logfile", str(log), str(root)]
    options = ["-k", "-C", "/dev/null", "--port=0", "--pid-file=", "--user=root", f"--log-facility={log}"]
    # The size of its buffer for names, of all things, is the limit of a block too.
    sizes = [f"--tftp-max={_MOST_CLIENTS}", "--tftp-mtu=65535", "--edns-packet-max=65535"]
    return [program, *options, *sizes, "--enable-tftp", f"--listen-address={host}", "--bind-interfaces", f"--tftp-root={root}"]


def _first_line(program: str, option: str) -> str:
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).partition("\n")[0]
