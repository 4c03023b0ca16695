"""`bin/ftpd` on machines that are bare, broken or offline.

Apart from the package's own tests: here the package is a stub that prints its arguments, and the package index a folder of tiny
wheels, so that nothing leaves this machine.
"""

from __future__ import annotations

import ast
import base64
import configparser
import hashlib
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SECONDS = 100  # for one start; never waited for in full
STUB = "import sys\nprint('{word}', sys.argv[1:], sys.prefix)\n"
SETUP = "[options]\ninstall_requires =\n    twisted>=1\n"
TANGLED_SETUP = """[metadata]
name = ftpd
[options]
# a comment
python_requires = >=3.11
install_requires =
    one>=1
    # two is needed
    two[extra]>=2,<3
\tthree; python_version < '3.13'

zip_safe = False
[options.extras_require]
other =
    five
test=
    four
"""


class Fresh:
    """A checkout that holds the real `bin` and a stub package, and the folders it finds on its machine."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.environment = self.checkout / ".venv"
        self.cache = folder / "cache"
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(self.cache),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        }

    def require(self, *requirements: str) -> None:
        (self.checkout / "setup.cfg").write_text(SETUP + "".join(f"    {requirement}\n" for requirement in requirements))

    def say(self, word: str) -> None:
        (self.checkout / "ftpd" / "__main__.py").write_text(STUB.format(word=word))

    def begin(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return self.begin_python(str(self.checkout / "bin" / "ftpd"), *arguments, **variables)

    def begin_python(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.variables | variables,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        return outcome(self.begin(*arguments, **variables))

    def run_after(self, preparation: str, **variables: str) -> tuple[int, str, str]:
        """Run bin/ftpd in an interpreter that has executed *preparation*, which takes something away from it."""
        script = self.checkout / "bin" / "ftpd"
        program = (
            f"import os, runpy, sys\nsys.path.insert(0, {str(script.parent)!r})\n{preparation}\nrunpy.run_path({str(script)!r})"
        )
        return outcome(self.begin_python("-c", program, **variables))


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    with process:
        output, errors = process.communicate(timeout=SECONDS)
    return process.returncode, output, errors


def write_wheel(folder: Path, name: str, files: dict[str, str], version: str = "1.0") -> None:
    """Write a wheel that pip installs: PEP 427."""
    details = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{details}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{details}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in content.items())
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in content.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{details}/RECORD", f"{record}{details}/RECORD,,\n")


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    # What bin/ftpd asks of Twisted: to look for plugins once.
    write_wheel(
        folder, "twisted", {"twisted/__init__.py": "", "twisted/plugin.py": "IPlugin = None\ngetPlugins = lambda kind: []\n"}
    )
    write_wheel(folder, "another", {"another.py": "word = 'another is here'\n"})
    return folder


@pytest.fixture
def fresh(tmp_path: Path, wheels: Path) -> Fresh:
    """A checkout that was never started."""
    found = Fresh(tmp_path, wheels)
    shutil.copytree(CHECKOUT / "bin", found.checkout / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    (found.checkout / "ftpd").mkdir()
    found.require()
    found.say("serving")
    return found


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Fresh:
    """A checkout that was started once; `ready` gives each test a copy."""
    found = Fresh(tmp_path_factory.mktemp("started"), wheels)
    shutil.copytree(CHECKOUT / "bin", found.checkout / "bin", ignore=shutil.ignore_patterns("__pycache__"))
    (found.checkout / "ftpd").mkdir()
    found.require()
    found.say("serving")
    status, _, errors = found.run()
    assert status == 0, errors
    return found


@pytest.fixture
def ready(started: Fresh, tmp_path: Path, wheels: Path) -> Fresh:
    shutil.copytree(started.checkout, tmp_path / "checkout", symlinks=True)
    return Fresh(tmp_path, wheels)


@pytest.fixture
def silent_index() -> Iterator[tuple[str, threading.Event]]:
    """A package index that takes requests and never answers: its address, and the event of the first request."""
    asked, is_over = threading.Event(), threading.Event()

    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            is_over.wait(SECONDS)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple", asked
        is_over.set()
        server.shutdown()
        thread.join()


def test_first_start_makes_the_environment_and_runs_the_command(fresh: Fresh) -> None:
    status, output, errors = fresh.run("serve", "a dir")
    assert (status, output) == (0, f"serving ['serve', 'a dir'] {fresh.environment}\n")
    assert errors.splitlines() == [
        f"ftpd: first start: making a Python environment in {fresh.environment} (once; a minute or so)",
        "ftpd: installing 1 packages and what they need:",
        "ftpd:   twisted",
        "ftpd: the environment is ready",
    ]


def test_second_start_needs_no_index_and_says_nothing(ready: Fresh) -> None:
    assert ready.run("serve", PIP_FIND_LINKS="/nowhere") == (0, f"serving ['serve'] {ready.environment}\n", "")


def test_second_start_imports_nothing_but_the_half_that_finds(ready: Fresh) -> None:
    program = (
        f"import os, sys\nsys.path.insert(0, {str(ready.checkout / 'bin')!r})\nbefore = set(sys.modules)\n"
        "import environment\nenvironment.find_or_make('.venv')\nprint(set(sys.modules) - before)"
    )
    # -I -S: a `.pth` file of this machine may have imported anything before us.
    assert outcome(ready.begin_python("-I", "-S", "-c", program)) == (0, "{'environment'}\n", "")


def test_requirements_are_read_as_an_ini_file_is(ready: Fresh) -> None:
    (ready.checkout / "setup.cfg").write_text(TANGLED_SETUP)
    parser = configparser.ConfigParser()
    parser.read_string(TANGLED_SETUP)
    expected = ("one>=1", "two[extra]>=2,<3", "three; python_version < '3.13'", "four")
    program = (
        f"import sys\nsys.path.insert(0, {str(ready.checkout / 'bin')!r})\n"
        "import environment\nprint(environment._requirements(sys.argv[1], 'test'))"
    )
    status, output, errors = outcome(ready.begin_python("-c", program, str(ready.checkout / "setup.cfg")))
    assert (status, output, errors) == (0, f"{expected}\n", "")
    read = [parser["options"]["install_requires"], parser["options.extras_require"]["test"]]
    assert "\n".join(read).split("\n") == ["", *expected[:3], "", *expected[3:]]


def test_start_that_writes_no_byte_code_finds_some(fresh: Fresh) -> None:
    assert fresh.run(PYTHONDONTWRITEBYTECODE="1")[0] == 0
    compiled = {file.name.partition(".")[0] for folder in ("bin", "ftpd") for file in (fresh.checkout / folder).rglob("*.pyc")}
    assert compiled == {"__main__", "checks", "environment", "install_faults", "making"}


def test_checkout_that_does_not_compile_is_no_obstacle(fresh: Fresh) -> None:
    (fresh.checkout / "ftpd" / "unfinished.py").write_text("def")
    assert fresh.run()[:2] == (0, f"serving [] {fresh.environment}\n")


def test_copied_checkout_runs_its_own_code(ready: Fresh) -> None:
    ready.say("serving the copy")
    assert ready.run()[1] == f"serving the copy [] {ready.environment}\n"


def test_new_requirement_is_installed(ready: Fresh) -> None:
    ready.require("another")
    (ready.checkout / "ftpd" / "__main__.py").write_text("import another\nprint(another.word)\n")
    assert ready.run() == (
        0,
        "another is here\n",
        "ftpd: installing 2 packages and what they need:\nftpd:   another\nftpd: the environment is ready\n",
    )


def test_new_requirement_that_is_met_needs_no_index(ready: Fresh) -> None:
    ready.require("twisted<2")
    assert ready.run(PIP_FIND_LINKS="/nowhere")[0] == 0


def test_new_requirement_that_cannot_be_met_is_named(ready: Fresh) -> None:
    ready.require("absent>=3")
    status, output, errors = ready.run()
    assert (status, output) == (1, "")
    log = ready.environment / "ftpd-install.log"
    assert errors.splitlines()[-1] == (
        f"ftpd: the package index cannot be reached, or has no absent>=3 for Python {PYTHON}. (details: {log})"
    )


def test_failed_update_leaves_the_old_environment_whole(ready: Fresh) -> None:
    ready.require("absent>=3")
    ready.run()
    ready.require()
    assert ready.run(PIP_FIND_LINKS="/nowhere") == (0, f"serving [] {ready.environment}\n", "")


def test_half_made_environment_is_made_again(ready: Fresh) -> None:
    (ready.environment / "ftpd.complete").unlink()
    remains = ready.environment / "lib" / "remains"
    remains.write_text("half a package")
    status, output, _ = ready.run()
    assert (status, output, remains.exists()) == (0, f"serving [] {ready.environment}\n", False)


def test_environment_whose_interpreter_is_gone_is_made_again(ready: Fresh) -> None:
    (ready.environment / "bin" / "python").unlink()
    (ready.environment / "bin" / "python").symlink_to("/nowhere/python3.11")
    assert ready.run()[:2] == (0, f"serving [] {ready.environment}\n")


def test_start_after_a_kill_in_the_middle_succeeds(fresh: Fresh, silent_index: tuple[str, threading.Event]) -> None:
    address, asked = silent_index
    killed = fresh.begin(PIP_NO_INDEX="", PIP_INDEX_URL=address, PIP_FIND_LINKS="")
    assert asked.wait(SECONDS)
    os.killpg(killed.pid, signal.SIGKILL)
    assert outcome(killed)[0] == -signal.SIGKILL
    assert fresh.run()[:2] == (0, f"serving [] {fresh.environment}\n")


def test_two_first_starts_make_one_environment(fresh: Fresh) -> None:
    both = [outcome(process) for process in [fresh.begin("one"), fresh.begin("two")]]
    assert [(status, output) for status, output, _ in both] == [
        (0, f"serving ['one'] {fresh.environment}\n"),
        (0, f"serving ['two'] {fresh.environment}\n"),
    ]
    assert "".join(errors for _, _, errors in both).count("first start") == 1


def test_environment_of_somebody_else_is_left_alone(fresh: Fresh) -> None:
    fresh.environment.mkdir()
    (fresh.environment / "pyvenv.cfg").write_text("precious")
    status, output, _ = fresh.run()
    assert (status, (fresh.environment / "pyvenv.cfg").read_text()) == (0, "precious")
    assert output.startswith(f"serving [] {fresh.cache}/ftpd/")


def test_checkout_that_cannot_be_written_uses_the_cache_folder(fresh: Fresh) -> None:
    # A test may run as root, whom no permission bit stops.
    status, output, _ = fresh.run_after(
        f"real = os.access\nos.access = lambda path, mode: not str(path).startswith({str(fresh.checkout)!r}) and real(path, mode)"
    )
    assert (status, fresh.environment.exists()) == (0, False)
    assert output.startswith(f"serving [] {fresh.cache}/ftpd/")


def test_machine_where_nothing_can_be_written_is_told_what_to_set(fresh: Fresh) -> None:
    status, _, errors = fresh.run_after("os.access = lambda path, mode: False")
    assert status == 1
    assert errors.startswith(f"ftpd: cannot write {fresh.environment} nor {fresh.cache}/ftpd/")
    assert errors.endswith("; set XDG_CACHE_HOME to a folder that can be written.\n")


def test_unreachable_index_is_one_sentence_without_a_traceback(fresh: Fresh) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    status, output, errors = fresh.run(
        PIP_NO_INDEX="", PIP_FIND_LINKS="", PIP_INDEX_URL=f"http://127.0.0.1:{port}/simple", PIP_RETRIES="1"
    )
    assert (status, output) == (1, "")
    log = fresh.environment / "ftpd-install.log"
    assert errors.splitlines()[-1] == (
        f"ftpd: the package index cannot be reached: it refuses connections; see pip's index-url. (details: {log})"
    )
    assert "Traceback" not in errors


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_module_is_named(fresh: Fresh, module: str) -> None:
    status, _, errors = fresh.run_after(f"sys.modules[{module!r}] = None")
    assert status == 1
    assert errors.startswith(f"ftpd: Python's {module} module is missing: ")


@pytest.mark.parametrize("script", ["ftpd", "test"])
def test_old_python_gets_a_sentence(fresh: Fresh, script: str) -> None:
    program = f"import runpy, sys\nsys.version_info = (3, 6, 15)\nrunpy.run_path({str(fresh.checkout / 'bin' / script)!r})"
    assert outcome(fresh.begin_python("-c", program)) == (
        1,
        "",
        f"{script}: Python 3.11 or newer is needed; {sys.executable} is 3.6.\n",
    )


@pytest.mark.parametrize("script", ["ftpd", "test"])
def test_old_python_can_read_the_script(script: str) -> None:
    ast.parse((CHECKOUT / "bin" / script).read_text(), feature_version=(3, 4))


def test_module_in_the_current_directory_is_not_imported(ready: Fresh) -> None:
    for name in ("ftpd", "environment"):
        (ready.folder / f"{name}.py").write_text("raise SystemExit('imported from the current directory')\n")
    assert ready.run() == (0, f"serving [] {ready.environment}\n", "")


def test_symlink_to_the_script_finds_the_checkout(ready: Fresh) -> None:
    link = ready.folder / "linked-ftpd"
    link.symlink_to(ready.checkout / "bin" / "ftpd")
    assert outcome(ready.begin_python(str(link))) == (0, f"serving [] {ready.environment}\n", "")
