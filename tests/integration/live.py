"""A real server in a process of its own, on loopback, and the accounts that tests have on it.

Apart from the fixtures, which choose its settings and judge its log at the end.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import bcrypt

CHECKOUT: Final = Path(__file__).resolve().parents[2]
PASSWORD: Final = "correct horse"  # with a space, as passwords may be
SECONDS: Final = 30.0  # the most that anything here is waited for; never waited for in full
TWISTD: Final = ("-c", "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()", "-n", "ftpd")
TWIST: Final = ("-m", "twisted", "--log-format", "text", "ftpd")  # Twisted's newer command for the same plugins
_HASH: Final = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
_LISTENING: Final = r"listening on (\S+) port (\d+)"


def is_readable(descriptor: int, seconds: float = SECONDS) -> bool:
    """Wait until *descriptor* can be read; by poll(2), for a process that has run a thousand tests has numbers beyond select's."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Guest(NamedTuple):
    """An account on a server, and where its files are on this machine's disk."""

    name: str
    home: Path
    port: int
    host: str = "127.0.0.1"

    def url(self, path: str = "") -> str:
        return f"ftp://{self.host}:{self.port}/{path}"


class Server:
    """`ftpd` as a user starts it: *command* follows `python`; everything it prints is in `log`."""

    def __init__(self, command: Sequence[str], *, folder: Path, prefix: Sequence[str] = ()) -> None:
        self.lines: list[str] = []
        self._grown = threading.Condition()
        self._has_ended = False
        self.process = subprocess.Popen(
            [*prefix, sys.executable, *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        with self._grown:
            return "\n".join(self.lines)

    def addresses(self, count: int = 1) -> dict[str, int]:
        """Wait until *count* listeners are open; return port by address."""
        self.wait_for(rf"(?s)(?:{_LISTENING}.*?){{{count}}}")
        return {address: int(port) for address, port in re.findall(_LISTENING, self.log)}

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match of *pattern* in the log, as soon as it is there."""
        with self._grown:
            found = self._grown.wait_for(lambda: re.search(pattern, "\n".join(self.lines)) or self._has_ended, SECONDS)
            match = found if isinstance(found, re.Match) else re.search(pattern, "\n".join(self.lines))
            assert match is not None, f"{pattern!r} is not in the log:\n" + "\n".join(self.lines)
            return match

    def stop(self) -> int:
        """End it as an operator does, by SIGTERM; return the exit code.  May be called twice."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.end()

    def end(self) -> int:
        """Wait for an end that was asked for; a server that does not end is killed and fails the test."""
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(SECONDS)
            assert self.process.stdout is not None
            self.process.stdout.close()

    def is_gone(self) -> bool:
        """Whether neither the process runs any more nor any that it has started; what nobody has waited for does not run."""
        group = str(self.process.pid)
        return not any(
            len(fields) > 2 and fields[2] == group and fields[0] not in "ZX" for fields in map(_stat, os.listdir("/proc"))
        )

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._note(line.rstrip("\n"))
        with self._grown:
            self._has_ended = True
            self._grown.notify_all()

    def _note(self, line: str) -> None:
        with self._grown:
            self.lines.append(line)
            self._grown.notify_all()


class ConfiguredServer(Server):
    """A server with a configuration file of its own in *folder*, which serves `folder/root`; *settings* stand over `defaults`."""

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], *, prefix: Sequence[str] = (), launcher: Sequence[str] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.root = folder / "root"
        self.root.mkdir(exist_ok=True)
        self._passwords = folder / "passwords"
        self._passwords.touch(mode=0o600)
        self.file = folder / "ftpd.toml"
        config = self.configure(settings)
        super().__init__([*(launcher or ("-m", "ftpd", "serve")), "--config", str(self.file)], folder=folder, prefix=prefix)
        self.ports = self.addresses(len(config["listen"]))
        self.port = self.ports["127.0.0.1"]

    def configure(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write the configuration file, *settings* over `defaults`, and return what it says; it counts from the next start or reload on."""
        config = merged(defaults(), settings)
        self.file.write_text(toml(config))
        return config

    def add(self, name: str) -> Guest:
        """Let *name* log in with `PASSWORD`, as `ftpd passwd` would, and give it a home."""
        with self._passwords.open("a") as file:
            file.write(f"{name}:{_HASH}\n")
        home = self.root / name
        home.mkdir(exist_ok=True)
        return Guest(name, home, self.port)


def _stat(process: str) -> list[str]:
    """Return what /proc tells of *process*: state, parent, process group and more (proc_pid_stat(5)); nothing where it is none."""
    try:
        return Path("/proc", process, "stat").read_text().rpartition(")")[2].split() if process.isdecimal() else []
    except (FileNotFoundError, ProcessLookupError):
        return []


def defaults() -> dict[str, Any]:
    """Settings of a test's server: one process, loopback, any port, a home for each account, no wait after a failed login."""
    return {
        "listen": [{"address": "127.0.0.1", "port": 0}],
        "storage": {"local": {"root": "root"}},
        "login": [{"kind": "password_file", "path": "passwords"}],
        "account": {"home": "/{name}"},
        "process": {"workers": 0},
        "limits": {"failure_delay": 0, "failures_per_address": 0, "sessions_per_address": 0},
        "log": {"targets": [{"level": "debug"}]},
    }


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return *under* with the keys of *over* in place; tables are merged, all else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def toml(settings: Mapping[str, Any]) -> str:
    """Write *settings* as TOML, tables inline; JSON's strings, numbers and booleans are TOML's."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in settings.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value)
