"""What every test shares: marks by folder, the size of random tests, and what a skip means.

Apart from the folders' own conftest files, which know servers and stores.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("ftpd.testing")  # the contract kits say what they found, as tests do

TESTS = Path(__file__).parent
KINDS = ("unit", "contract", "integration", "fuzz")
IS_CI = bool(os.environ.get("CI"))
MACHINE_LACKS = "machine: "  # begins the reason of a skip that no installation cures: a kernel without openat2, a host without IPv6

# No deadlines: a busy machine is not a bug.  In CI the examples are the same each time, so that red means the change, not luck.
settings.register_profile("smoke", deadline=None, print_blob=True, derandomize=IS_CI)
settings.register_profile("deep", deadline=None, print_blob=True, max_examples=10_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "smoke"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        kind = item.path.relative_to(TESTS).parts[0]
        if kind in KINDS:
            item.add_marker(kind)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Let go of what a class's test has made, stores and reactors: pytest keeps its object to the end, and the descriptors with it."""
    yield
    instance = getattr(item, "_instance", None)
    if instance is not None:
        vars(instance).clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip is a failure, unless the machine itself lacks something: a test that nobody runs proves nothing."""
    report = yield
    if IS_CI and report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(MACHINE_LACKS):
            report.outcome = "failed"
            report.longrepr = f"skipped where CI is set: {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep the certificate of `ftpd serve DIRECTORY` out of the developer's home: one for all servers of this run."""
    folder = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return a function that finds a real client, such as `program("lftp")`, and skips the test by its name where there is none."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return find
