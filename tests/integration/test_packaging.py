"""What `pip install` makes of the checkout, normally and for development.

Apart from the tests of the package: these build it, and ask the result from an empty directory, as an operator would.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = 100
SOURCES = ("ftpd", "twisted", "setup.cfg", "pyproject.toml", "LICENSE", "README.md")
TWISTD = "from twisted.scripts.twistd import run; run()"


class Installation:
    """A virtual environment with the package installed from a copy of the checkout."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.empty = folder / "empty"
        self.empty.mkdir(parents=True)
        self.source = folder / "source"
        self.source.mkdir()
        for name in SOURCES:
            copy(CHECKOUT / name, self.source / name)
        self.python = folder / "venv" / "bin" / "python"
        venv.create(folder / "venv", symlinks=True)
        [self.packages] = (folder / "venv").glob("lib/python3*/site-packages")
        # Dependencies and the build's tools come from the environment of the tests: nothing is fetched.
        (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        install = ("install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", *options, str(self.source))
        self.run(sys.executable, "-m", "pip", "--python", str(self.python), *install)

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.empty, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def evaluate(self, statement: str, *arguments: str) -> str:
        return self.run(str(self.python), "-P", "-c", statement, *arguments)


def copy(source: Path, destination: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
    elif source.exists():
        shutil.copy(source, destination)


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("normal"))


@pytest.fixture(scope="module")
def development(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("development"), "--editable")


@pytest.fixture(params=["normal", "development"])
def installation(request: pytest.FixtureRequest) -> Installation:
    found: Installation = request.getfixturevalue(request.param)
    return found


def test_twistd_lists_ftpd(installation: Installation) -> None:
    listed = [line.split() for line in installation.evaluate(TWISTD, "--help").splitlines()]
    assert ["ftpd", "A", "file", "transfer", "server."] in listed


def test_twistd_shows_the_options_of_ftpd(installation: Installation) -> None:
    assert "--config" in installation.evaluate(TWISTD, "ftpd", "--help")


def test_twisted_itself_is_not_shadowed(installation: Installation) -> None:
    assert installation.evaluate("import twisted.plugins; print(len(twisted.plugins.__path__) > 1)") == "True\n"


def test_command_is_installed(installation: Installation) -> None:
    assert "serve" in installation.run(str(installation.python.parent / "ftpd"), "--help")


def test_module_runs_as_the_command(installation: Installation) -> None:
    command = installation.run(str(installation.python.parent / "ftpd"), "--help")
    assert installation.run(str(installation.python), "-P", "-m", "ftpd", "--help") == command


def test_normal_installation_holds_every_module(normal: Installation) -> None:
    def files(folder: Path) -> list[str]:
        found = [*folder.glob("ftpd/**/*.py"), *folder.glob("ftpd/py.typed"), *folder.glob("twisted/**/*.py")]
        return sorted(str(file.relative_to(folder)) for file in found)

    assert files(normal.packages) == files(normal.source)


def test_development_installation_runs_the_sources(development: Installation) -> None:
    assert development.evaluate("import ftpd; print(ftpd.__file__)") == f"{development.source}/ftpd/__init__.py\n"
