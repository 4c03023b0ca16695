"""How the virtual environment of a checkout is made, or brought up to what `setup.cfg` says.

Apart from `environment`, which finds one: only the first start needs this, and what it imports would cost each of the others 15 ms.  Nothing
but the standard library.

The stamp is written last and removed first, so what was killed in the middle has none and is made again from nothing.  The lock file is the
mark that a directory is ours to empty.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from environment import CHECKOUT, STAMP, Environment, EnvironmentFault
from install_faults import explain_pip, explain_venv, missing_module

__all__ = ["make_first"]

LOCK_WAIT_SECONDS = 900  # longer than a first start on a slow line; a lock left by a dead process is free at once (flock)
_LOCK, _LOG = "ftpd.lock", "ftpd-install.log"


def make_first(places: Sequence[Environment]) -> Environment:
    """Make the first of *places* that can be made; whoever comes second waits for the first.  Raises EnvironmentFault."""
    for environment in places:
        if _can_be_made(Path(environment.directory)):
            try:
                _make(environment)
            except OSError as error:
                raise EnvironmentFault(f"cannot make the environment: {error}.") from error
            return environment
    tried = " nor ".join(environment.directory for environment in places)
    raise EnvironmentFault(f"cannot write {tried}; set XDG_CACHE_HOME to a folder that can be written.")


def _can_be_made(directory: Path) -> bool:
    nearest = next(folder for folder in (directory, *directory.parents) if folder.exists())
    return _is_ours(directory) and os.access(nearest, os.W_OK | os.X_OK)


def _is_ours(directory: Path) -> bool:
    """Whether we may empty it: it bears our lock, or there is nothing yet."""
    try:
        entries = os.listdir(directory)  # one look: between two another start may have put its lock there
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not entries or _LOCK in entries


def _make(environment: Environment) -> None:
    directory = Path(environment.directory)
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory / _LOCK) as lock:
        if not environment.is_complete:
            _Making(environment, directory, lock).run()


class _Making:
    """One attempt, by whoever holds *lock*."""

    def __init__(self, environment: Environment, directory: Path, lock: int) -> None:
        self._environment = environment
        self._directory = directory
        self._lock = lock

    def run(self) -> None:
        (self._directory / _LOG).unlink(missing_ok=True)
        old_stamp = self._environment.stamp
        if old_stamp.startswith(self._environment.interpreter_line):
            self._update(old_stamp)
        else:
            self._make_anew()
        self._point_at_checkout()
        self._find_plugins()
        self._compile_checkout()
        self._write_stamp(self._environment.stamp_wanted)
        _say("the environment is ready")

    def _update(self, old_stamp: str) -> None:
        """Let pip change what differs, which needs no network where nothing does."""
        (self._directory / STAMP).unlink()
        try:
            self._install()
        except EnvironmentFault:
            self._write_stamp(old_stamp)  # pip undoes what it began: the old requirements are still met
            raise

    def _make_anew(self) -> None:
        for module in ("venv", "ensurepip"):
            if importlib.util.find_spec(module) is None:
                raise EnvironmentFault(missing_module(module))
        _say(f"first start: making a Python environment in {self._directory} (once; a minute or so)")
        for entry in self._directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name not in (_LOCK, _LOG):
                entry.unlink()
        # By its real name (python3.11, not python3), so that it is missed, not mistaken, when the system moves to the next Python.
        self._run([os.path.realpath(sys.executable), "-I", "-m", "venv", self._environment.directory], explain_venv)
        self._install()

    def _install(self) -> None:
        requirements = self._environment.requirements
        _say(f"installing {len(requirements)} packages and what they need:")
        pip = ["-I", "-u", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        self._run([self._environment.python, *pip, *requirements], explain_pip)

    def _point_at_checkout(self) -> None:
        [packages] = self._directory.glob("lib/python3*/site-packages")
        # Relative within the checkout, so that one that is moved or copied with its environment finds itself, not the old place.
        line = os.path.relpath(CHECKOUT, packages) if self._environment.is_in_checkout else CHECKOUT
        (packages / "ftpd-checkout.pth").write_bytes(os.fsencode(line) + b"\n")

    def _find_plugins(self) -> None:
        """Let Twisted write its plugin cache: a user who may only read the environment would look anew at each start of twistd."""
        find = "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"
        self._run([self._environment.python, "-I", "-c", find], explain_venv)

    def _compile_checkout(self) -> None:
        """Compile the checkout, as pip compiles what it installs.

        A user who may only read it, or a container with PYTHONDONTWRITEBYTECODE set, would compile it at each start: 75 of 330 ms.
        """
        folders = [os.path.join(CHECKOUT, folder) for folder in ("bin", "ftpd")]
        compiler = ["-I", *self._environment.byte_code_options, "-m", "compileall", "-q"]
        with suppress(EnvironmentFault):  # it runs without, only later
            self._run([self._environment.python, *compiler, *folders], explain_venv)

    def _run(self, command: Sequence[str], explain: Callable[[str], str]) -> None:
        """Run *command*, its output into the log and, in short, to the user; *explain* makes a sentence of a failure's output."""
        said: list[str] = []
        # The child holds the lock too: were we killed alone, nobody may empty the directory under a pip that still writes.
        with (
            (self._directory / _LOG).open("a", errors="replace") as log,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=[self._lock],
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                said.append(line)
                _show_progress(line)
        if process.returncode:
            raise EnvironmentFault(f"{explain(''.join(said))} (details: {self._directory / _LOG})")

    def _write_stamp(self, text: str) -> None:
        unfinished = self._directory / f"{STAMP}.new"
        unfinished.write_text(text, encoding="utf-8", errors="surrogateescape")
        unfinished.replace(self._directory / STAMP)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on *path*; raises EnvironmentFault when it is not to be had in time."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait_for_lock(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    is_first_try = True
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EnvironmentFault("another start is still making the environment; try again when it has ended.") from None
        if is_first_try:
            _say("another start is making the environment; waiting for it")
            is_first_try = False
        time.sleep(0.1)


def _say(text: str) -> None:
    print(f"ftpd: {text}", file=sys.stderr, flush=True)


def _show_progress(line: str) -> None:
    """Show of pip's output what tells a user that something happens."""
    if found := re.match(r"Collecting ([\w.-]+)|Processing .*/(\w+)-", line):
        _say(f"  {found[1] or found[2]}")
    elif "Retrying (" in line:
        _say("  the package index does not answer; trying again")
