"""A machine of its own for the units in `etc/`: a real systemd as process 1 of new namespaces, with this checkout as `/usr/local/bin/ftpd`.

Apart from the tests, which say what an operator does on it.  It sees the host's files; what it writes is in memory and gone with it, and its
network is a loopback interface of its own, so that port 21 is free.
"""

from __future__ import annotations

import os
import re
import site
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.integration.live import CHECKOUT, SECONDS

__all__ = ["CannotBoot", "Machine"]

_SYSTEMD: Final = "/lib/systemd/systemd"
_NAMESPACES: Final = ("--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts", "--ipc", "--net", "--cgroup")
_USER: Final = 4721  # ftpd, whom only this machine knows
_POLL_SECONDS: Final = 0.05

# The checkout and its Python stand in /mnt: where they lie, ProtectHome= or PrivateTmp= may hide them from the service.
_BOOT: Final = """
set -e
mount --make-rprivate /
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/checkout /mnt/packages /mnt/python /mnt/etc /mnt/work /mnt/units /mnt/units/ftpd.service.d
mount --bind "$CHECKOUT" /mnt/checkout
mount --bind "$PACKAGES" /mnt/packages
mount --bind "$PYTHON_PREFIX" /mnt/python
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/work overlay /etc
for directory in /var/log /var/lib /srv /usr/local/bin; do
    mount -t tmpfs -o mode=755 tmpfs $directory
done
mount -t cgroup2 cgroup2 /sys/fs/cgroup

echo "ftpd:x:$USER_NUMBER:$USER_NUMBER::/nonexistent:/usr/sbin/nologin" >> /etc/passwd
echo "ftpd:x:$USER_NUMBER:" >> /etc/group
mkdir /etc/ftpd /srv/ftp
chown ftpd:ftpd /srv/ftp
cp "$CHECKOUT/etc/ftpd.service" "$CHECKOUT/etc/ftpd.socket" "$CHECKOUT/etc/ftpd-tftp.socket" /mnt/units
cp "$CHECKOUT/etc/logrotate.d/ftpd" /etc/ftpd.logrotate
printf '[Service]\\nStandardOutput=append:/mnt/log\\nStandardError=inherit\\n' > /mnt/units/ftpd.service.d/log.conf
for target in machine sysinit basic sockets shutdown network-online umount; do
    printf '[Unit]\\nDefaultDependencies=no\\n' > /mnt/units/$target.target
done
cat > /usr/local/bin/ftpd <<END
#!/bin/sh
export PYTHONPATH=/mnt/checkout:/mnt/packages PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/mnt/python/lib
exec /mnt/python/bin/$PYTHON_NAME -P -m ftpd "\\$@"
END
chmod 755 /usr/local/bin/ftpd
exec env -i container=test PATH="$PATH" SYSTEMD_UNIT_PATH=/mnt/units \\
    "$SYSTEMD" --system --unit=machine.target --log-target=console --show-status=no --dump-core=no --crash-shell=no
"""


class CannotBoot(Exception):
    """This host does not let us; the message says why."""


class Machine:
    """The running machine.  Raises `CannotBoot`."""

    def __init__(self, folder: Path) -> None:
        if os.geteuid() != 0 or not os.path.exists(_SYSTEMD):
            raise CannotBoot("not root" if os.geteuid() else "no systemd")
        self._log = folder / "systemd.log"
        self._group = _new_control_group(f"ftpd-test-{os.getpid()}")
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Turn it off; whatever runs on it ends with its process 1."""
        self._unshare.kill()  # and, by --kill-child, what it has started
        self._unshare.wait()
        _wait_until(self._is_empty)
        for path, directories, _ in os.walk(self._group, topdown=False):
            for name in directories:
                os.rmdir(os.path.join(path, name))
        os.rmdir(self._group)

    def run(self, *command: str, status: int | None = 0) -> str:
        """Run *command* on it as root; return what it prints, errors included.  *status* is its exit code, None for any."""
        finished = subprocess.run(
            ["nsenter", "--target", str(self._first), "--all", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        assert status in (None, finished.returncode), f"{command}: {finished.returncode}, {finished.stdout}\n{self.log}"
        return finished.stdout

    def systemctl(self, *arguments: str, status: int | None = 0) -> str:
        return self.run("systemctl", *arguments, status=status)

    def shows(self, name: str, unit: str = "ftpd.service") -> str:
        """Return a property of *unit*."""
        return self.systemctl("show", "--value", "--property", name, unit).strip()

    def path(self, path: str) -> Path:
        """Return where this process finds a file of its."""
        return Path(f"/proc/{self._first}/root{path}")

    def write(self, path: str, text: str) -> None:
        self.path(path).parent.mkdir(exist_ok=True)
        self.path(path).write_text(text)

    def read(self, path: str) -> str:
        return self.path(path).read_text()

    def exists(self, path: str) -> bool:
        return self.path(path).exists()

    def add_to_unit(self, name: str, text: str) -> None:
        """Give the unit a drop-in, as `systemctl edit` does."""
        self.write(f"/mnt/units/ftpd.service.d/{name}.conf", text)
        self.systemctl("daemon-reload")

    @property
    def log(self) -> str:
        """What systemd and the service have said."""
        service = self.read("/mnt/log") if self.exists("/mnt/log") else ""
        return f"{self._log.read_text()}\n{service}"

    def processes(self) -> list[dict[str, str]]:
        """Return the service's processes, each as the lines of its status in /proc, the parent first."""
        numbers = self.read("/sys/fs/cgroup/system.slice/ftpd.service/cgroup.procs").split()  # as this process calls them
        found = [_status(Path(f"/proc/{number}/status").read_text()) for number in numbers]
        parent = self.shows("MainPID")
        return sorted(found, key=lambda status: status["NSpid"].split()[-1] != parent)

    def _start(self) -> None:
        environment = {
            **os.environ,
            "CHECKOUT": str(CHECKOUT),
            "PACKAGES": site.getsitepackages()[0],
            "PYTHON_PREFIX": sys.base_prefix,
            "PYTHON_NAME": os.path.basename(os.path.realpath(sys.executable)),
            "SYSTEMD": _SYSTEMD,
            "USER_NUMBER": str(_USER),
        }
        enter = f'echo $$ > "{self._group}/cgroup.procs" && exec unshare {" ".join(_NAMESPACES)} bash -c "$BOOT"'
        with self._log.open("w") as log:
            self._unshare = subprocess.Popen(
                ["bash", "-c", enter],
                env={**environment, "BOOT": _BOOT},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._first = 0
        _wait_until(self._has_booted)
        if self._unshare.poll() is not None:
            raise CannotBoot(self._log.read_text().strip())

    def _has_booted(self) -> bool:
        if self._unshare.poll() is not None:
            return True
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text().split()
        self._first = int(children[0]) if children else 0
        return bool(self._first) and self.systemctl("is-active", "machine.target", status=None) == "active\n"

    def _is_empty(self) -> bool:
        return "populated 0" in (Path(self._group) / "cgroup.events").read_text()


def _new_control_group(name: str) -> str:
    """Make a group below our own: process 1 of the machine manages what is in it.  Raises `CannotBoot`."""
    mounts = re.search(r"^\S+ (\S+) cgroup2 ", Path("/proc/self/mounts").read_text(), re.M)
    own = re.search(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(), re.M)
    if mounts is None or own is None:
        raise CannotBoot("no control groups (cgroup2)")
    group = os.path.join(mounts[1], own[1], name)
    try:
        os.mkdir(group)
    except OSError as error:
        raise CannotBoot(f"no control group of its own ({error.strerror})") from error
    return group


def _status(text: str) -> dict[str, str]:
    return {name: " ".join(value.split()) for name, _, value in (line.partition(":") for line in text.splitlines())}


def _wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, is_so
        time.sleep(_POLL_SECONDS)
