"""The virtual environment of a checkout: where it lies, whether it is whole, and how it is made.

Apart from `bin/ftpd` and `bin/test`, which both begin here, and from the package, whose dependencies this installs: nothing but the
standard library.  The package itself is not copied into the environment: a `.pth` line names the checkout, so that `git pull` is
all that an upgrade needs, and a checkout that cannot be written is no obstacle.

An environment is whole when its stamp is there and says what `setup.cfg` says.  The stamp is written last and removed first, so
what was killed in the middle has none and is made again from nothing.  The lock file is the mark that a directory is ours to empty.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from install_faults import explain_pip, explain_venv, missing_module

__all__ = ["CHECKOUT", "Environment", "EnvironmentFault", "find_or_make"]

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK_WAIT_SECONDS = 900  # longer than a first start on a slow line; a lock left by a dead process is free at once (flock)
_LOCK, _STAMP, _LOG = "ftpd.lock", "ftpd.complete", "ftpd-install.log"


class EnvironmentFault(Exception):
    """The environment cannot be made; the message is one sentence for the user."""


class Environment:
    """A directory, and the requirements that it shall hold, as `setup.cfg` spells them."""

    # Not a dataclass: importing that costs every start 10 ms.
    def __init__(self, directory: Path, requirements: tuple[str, ...]) -> None:
        self.directory = directory
        self.requirements = requirements

    @property
    def python(self) -> Path:
        return self.directory / "bin" / "python"

    @property
    def is_complete(self) -> bool:
        """Whether it was made to the end, for these requirements, by an interpreter that is still there."""
        return self._stamp() == self._stamp_wanted()

    @property
    def is_ours(self) -> bool:
        """Whether we may empty it: it bears our lock, or there is nothing yet."""
        if (self.directory / _LOCK).exists() or not self.directory.exists():
            return True
        return self.directory.is_dir() and not any(self.directory.iterdir())

    @property
    def can_be_made(self) -> bool:
        nearest = next(folder for folder in (self.directory, *self.directory.parents) if folder.exists())
        return self.is_ours and os.access(nearest, os.W_OK | os.X_OK)

    def command_line(self, module: str, arguments: Sequence[str]) -> list[str]:
        """The command that runs *module* in it."""
        # -P: or a `click.py` in the current directory, perhaps one that is served, would be imported.
        options = ["-P"]
        if not (self.directory.is_relative_to(CHECKOUT) or sys.dont_write_bytecode):
            # The checkout cannot keep its byte code; without any, each start would compile it again.
            options += ["-X", f"pycache_prefix={self.directory / 'pycache'}"]
        return [str(self.python), *options, "-m", module, *arguments]

    def make(self) -> None:
        """Make it, or bring it up to the requirements; whoever comes second waits for the first.  Raises EnvironmentFault."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with _locked(self.directory / _LOCK) as lock:
            if not self.is_complete:
                self._build(lock)

    def _build(self, lock: int) -> None:
        (self.directory / _LOG).unlink(missing_ok=True)
        old_stamp = self._stamp()
        if old_stamp.startswith(self._python_line()):
            self._update(old_stamp, lock)
        else:
            self._make_anew(lock)
        self._point_at_checkout()
        # A user who may only read the environment could not write Twisted's plugin cache at each start of twistd.
        find_plugins = "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"
        self._run([self.python, "-I", "-c", find_plugins], lock, explain_venv)
        self._write_stamp(self._stamp_wanted())
        _say("the environment is ready")

    def _update(self, old_stamp: str, lock: int) -> None:
        """Let pip change what differs, which needs no network where nothing does."""
        (self.directory / _STAMP).unlink()
        try:
            self._install(lock)
        except EnvironmentFault:
            self._write_stamp(old_stamp)  # pip undoes what it began: the old requirements are still met
            raise

    def _make_anew(self, lock: int) -> None:
        for module in ("venv", "ensurepip"):
            if importlib.util.find_spec(module) is None:
                raise EnvironmentFault(missing_module(module))
        _say(f"first start: making a Python environment in {self.directory} (once; a minute or so)")
        for entry in self.directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name not in (_LOCK, _LOG):
                entry.unlink()
        # By its real name (python3.11, not python3), so that it is missed, not mistaken, when the system moves to the next Python.
        self._run([Path(sys.executable).resolve(), "-I", "-m", "venv", self.directory], lock, explain_venv)
        self._install(lock)

    def _install(self, lock: int) -> None:
        _say(f"installing {len(self.requirements)} packages and what they need:")
        pip: list[str | Path] = [self.python, "-I", "-u", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        self._run([*pip, *self.requirements], lock, explain_pip)

    def _point_at_checkout(self) -> None:
        [packages] = self.directory.glob("lib/python3*/site-packages")
        # Relative within the checkout, so that one that is moved or copied with its environment finds itself, not the old place.
        is_inside = self.directory.is_relative_to(CHECKOUT)
        line = os.path.relpath(CHECKOUT, packages) if is_inside else str(CHECKOUT)
        (packages / "ftpd-checkout.pth").write_bytes(os.fsencode(line) + b"\n")

    def _run(self, command: Sequence[str | Path], lock: int, explain: Callable[[str], str]) -> None:
        """Run *command*, its output into the log and, in short, to the user; *explain* makes a sentence of a failure's output."""
        said: list[str] = []
        # The child holds the lock too: were we killed alone, nobody may empty the directory under a pip that still writes.
        with (
            (self.directory / _LOG).open("a", errors="replace") as log,
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=[lock],
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                said.append(line)
                _show_progress(line)
        if process.returncode:
            raise EnvironmentFault(f"{explain(''.join(said))} (details: {self.directory / _LOG})")

    def _write_stamp(self, text: str) -> None:
        unfinished = self.directory / f"{_STAMP}.new"
        unfinished.write_text(text)
        unfinished.replace(self.directory / _STAMP)

    def _stamp(self) -> str:
        try:
            return (self.directory / _STAMP).read_text()
        except OSError:
            return ""

    def _stamp_wanted(self) -> str:
        return self._python_line() + "".join(f"{requirement}\n" for requirement in self.requirements)

    def _python_line(self) -> str:
        return f"{self.python.resolve()}\n" if os.access(self.python, os.X_OK) else "no interpreter\n"


def find_or_make(name: str, extra: str | None = None) -> Environment:
    """Return the environment called *name* with the dependencies of `setup.cfg`, those of its *extra* included; make it if need be.

    In the checkout, or in the user's cache folder where the checkout cannot be written (or holds a directory of that name that is
    not ours).  One that is whole is taken wherever it lies: root may make it, a service account use it.  Raises EnvironmentFault.
    """
    requirements = _requirements(CHECKOUT / "setup.cfg", extra)
    places = [Environment(folder / name, requirements) for folder in (CHECKOUT, *_cache_folders())]
    for environment in places:
        if environment.is_complete:
            return environment
    for environment in places:
        if environment.can_be_made:
            try:
                environment.make()
            except OSError as error:
                raise EnvironmentFault(f"cannot make the environment: {error}.") from error
            return environment
    tried = " nor ".join(str(environment.directory) for environment in places)
    raise EnvironmentFault(f"cannot write {tried}; set XDG_CACHE_HOME to a folder that can be written.")


def _requirements(setup: Path, extra: str | None) -> tuple[str, ...]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(setup.read_text(encoding="utf-8"), str(setup))
    lists = [parser["options"]["install_requires"]]
    if extra is not None:
        lists.append(parser["options.extras_require"][extra])
    return tuple(line for text in lists for line in text.split("\n") if line)


def _cache_folders() -> list[Path]:
    """The user's folder for this checkout, told apart from other checkouts by its path; none for a user without a home."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # the XDG specification: one that is not absolute is ignored
    base = named if named.is_absolute() else Path(os.path.expanduser("~"), ".cache")
    return [base / "ftpd" / hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:16]] if base.is_absolute() else []


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
