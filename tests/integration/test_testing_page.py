"""The tests of docs/testing.md are run, as those of a program that stands on ftpd.testing."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import sys

import pytest

import ftpd.testing
from tests.integration.live import CHECKOUT

PAGE = (CHECKOUT / "docs" / "testing.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NAMES = ["a dialogue", "two dialogues", "a store", "a login source", "a pump", "a shared state"]
SECONDS = 300.0


def modules() -> set[str]:
    """Return the names of the modules and packages in `ftpd.testing`."""
    return {module.name for module in pkgutil.iter_modules(ftpd.testing.__path__)}


@pytest.mark.parametrize("block", BLOCKS, ids=NAMES)
def test_the_tests_of_the_page_pass(block, tmp_path):
    (tmp_path / "test_of_theirs.py").write_text(block)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_of_theirs.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^\d+ passed", run.stdout, re.MULTILINE), run.stdout


def test_every_module_of_the_package_is_on_the_page():
    assert modules() <= set(re.findall(r"`([a-z_]+)`", PAGE))


def test_every_module_of_the_package_is_in_its_tour():
    assert modules() <= set(re.findall(r"`([a-z_]+)`", ftpd.testing.__doc__))


def test_only_the_pump_kit_needs_hypothesis():
    others = sorted(modules() - {"pump_contract"})
    code = "import importlib, sys; sys.modules['hypothesis'] = None\nfor name in sys.argv[1:]: importlib.import_module('ftpd.testing.' + name)"
    subprocess.run([sys.executable, "-c", code, *others], cwd=CHECKOUT, check=True, timeout=SECONDS)
