"""The virtual environment of a checkout: where it lies, and whether it is whole.

Apart from `making`, which every start but the first can do without, and from `bin/ftpd` and `bin/test`, which both begin here.  The package
itself is not copied into the environment: a `.pth` line names the checkout, so that `git pull` is all that an upgrade needs, and a checkout
that cannot be written is no obstacle.

An environment is whole when its stamp is there and says what `setup.cfg` says.
"""

# Every start runs this: nothing is imported but what the interpreter has loaded anyway (pathlib, configparser and hashlib take 10 ms).
import os
import sys

__all__ = ["CHECKOUT", "STAMP", "Environment", "EnvironmentFault", "find_or_make"]

CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
STAMP = "ftpd.complete"


class EnvironmentFault(Exception):
    """The environment cannot be made; the message is one sentence for the user."""


class Environment:
    """A directory, and the requirements that it shall hold, as `setup.cfg` spells them."""

    def __init__(self, directory: str, requirements: tuple[str, ...]) -> None:
        self.directory = directory
        self.requirements = requirements

    @property
    def python(self) -> str:
        return os.path.join(self.directory, "bin", "python")

    @property
    def is_complete(self) -> bool:
        """Whether it was made to the end, for these requirements, by an interpreter that is still there."""
        return self.stamp == self.stamp_wanted

    @property
    def is_in_checkout(self) -> bool:
        return os.path.commonpath([CHECKOUT, self.directory]) == CHECKOUT

    @property
    def byte_code_options(self) -> list[str]:
        """The interpreter's options for where the byte code of the checkout lies: an environment apart keeps that too."""
        return [] if self.is_in_checkout else ["-X", f"pycache_prefix={os.path.join(self.directory, 'pycache')}"]

    @property
    def stamp(self) -> str:
        try:
            with open(os.path.join(self.directory, STAMP), encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            return ""

    @property
    def stamp_wanted(self) -> str:
        return self.interpreter_line + "".join(f"{requirement}\n" for requirement in self.requirements)

    @property
    def interpreter_line(self) -> str:
        """The first line of the stamp."""
        return f"{os.path.realpath(self.python)}\n" if os.access(self.python, os.X_OK) else "no interpreter\n"

    def command_line(self, module: str, arguments: list[str]) -> list[str]:
        """The command that runs *module* in it."""
        # Where none may be written, the prefix would only hide the byte code that lies beside the installed packages.
        options = [] if sys.dont_write_bytecode else self.byte_code_options
        # -P: or a `click.py` in the current directory, perhaps one that is served, would be imported.
        return [self.python, "-P", *options, "-m", module, *arguments]


def find_or_make(name: str, extra: str | None = None) -> Environment:
    """Return the environment called *name* with the dependencies of `setup.cfg`, those of its *extra* included; make it if need be.

    In the checkout, or in the user's cache folder where the checkout cannot be written (or holds a directory of that name that is
    not ours).  One that is whole is taken wherever it lies: root may make it, a service account use it.  Raises EnvironmentFault.
    """
    requirements = _requirements(os.path.join(CHECKOUT, "setup.cfg"), extra)
    places = [Environment(os.path.join(CHECKOUT, name), requirements)]
    if places[0].is_complete:
        return places[0]
    places += [Environment(os.path.join(folder, name), requirements) for folder in _cache_folders()]
    for environment in places:
        if environment.is_complete:
            return environment
    from making import make_first

    return make_first(places)


def _requirements(setup: str, extra: str | None) -> tuple[str, ...]:
    lists = _indented_lists(setup)
    found = lists["[options]", "install_requires"]
    if extra is not None:
        found = found + lists["[options.extras_require]", extra]
    return tuple(found)


def _indented_lists(setup: str) -> dict[tuple[str, str], list[str]]:
    """Read the lists of *setup*, by section and key: the indented lines that follow `key =`."""
    lists: dict[tuple[str, str], list[str]] = {}
    section = key = ""
    with open(setup, encoding="utf-8") as lines:
        for line in lines:
            text = line.strip()
            if not text or text.startswith(("#", ";")):
                continue
            if line[0].isspace():
                lists.setdefault((section, key), []).append(text)
            elif text.startswith("["):
                section = text
            else:
                key = text.partition("=")[0].rstrip()
    return lists


def _cache_folders() -> list[str]:
    """The user's folder for this checkout, told apart from other checkouts by its path; none for a user without a home."""
    from hashlib import sha256

    named = os.environ.get("XDG_CACHE_HOME", "")  # the XDG specification: one that is not absolute is ignored
    base = named if os.path.isabs(named) else os.path.join(os.path.expanduser("~"), ".cache")
    return [os.path.join(base, "ftpd", sha256(os.fsencode(CHECKOUT)).hexdigest()[:16])] if os.path.isabs(base) else []
