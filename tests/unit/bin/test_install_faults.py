"""Each cause that pip reports in its own words becomes one sentence that says what to do."""

from __future__ import annotations

import shutil
import sys

import pytest
from install_faults import explain_pip, explain_venv, missing_module

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
FOLLOWS = "\nERROR: No matching distribution found for twisted>=24.11\n"


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(': Failed to establish a new connection: "
            "[Errno -3] Temporary failure in name resolution')'" + FOLLOWS,
            "the package index cannot be reached: its name does not resolve (no network, or no DNS); only the first start needs it.",
        ),
        (
            "[Errno 101] Network is unreachable" + FOLLOWS,
            "the package index cannot be reached: this machine has no route to it; only the first start needs it.",
        ),
        (
            "[Errno 111] Connection refused" + FOLLOWS,
            "the package index cannot be reached: it refuses connections; see pip's index-url.",
        ),
        (
            "connection broken by 'ConnectTimeoutError('...timed out. (connect timeout=15)'" + FOLLOWS,
            "the package index cannot be reached: it does not answer in time; only the first start needs it.",
        ),
        (
            "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))" + FOLLOWS,
            "the package index cannot be reached: the proxy refuses; see HTTPS_PROXY.",
        ),
        (
            "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed')" + FOLLOWS,
            "the package index cannot be reached: its certificate is not trusted; see PIP_CERT.",
        ),
        (
            "ERROR: HTTP error 401 while getting x\nERROR: 401 Client Error: Unauthorized for url: x",
            "the package index refuses: it wants a login; see pip's index-url.",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full."),
        (
            "ERROR: Could not find a version that satisfies the requirement twisted>=24.11 (from versions: none)" + FOLLOWS,
            f"the package index cannot be reached, or has no twisted>=24.11 for Python {PYTHON}.",
        ),
        (FOLLOWS, f"the package index has no twisted>=24.11 for Python {PYTHON}."),
        ("Collecting x\nERROR: something new\nmore\n", "pip failed: ERROR: something new"),
        ("", "pip failed: it said nothing."),
    ],
)
def test_failure_of_pip_is_one_sentence(output: str, sentence: str) -> None:
    assert explain_pip(output) == sentence


def test_missing_module_names_the_debian_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", {"apt-get": "/usr/bin/apt-get"}.get)
    assert missing_module("ensurepip") == f"Python's ensurepip module is missing: apt-get install python{PYTHON}-venv"


def test_missing_module_elsewhere_names_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", {}.get)
    assert missing_module("venv") == "Python's venv module is missing: install your system's package of it"


def test_venv_that_fails_in_ensurepip_names_the_module() -> None:
    output = "Error: Command '['/x/bin/python', '-m', 'ensurepip', '--upgrade']' returned non-zero exit status 1."
    assert explain_venv(output) == missing_module("ensurepip")


def test_other_failure_of_venv_is_quoted() -> None:
    assert (
        explain_venv("Error: [Errno 13] Permission denied: '/x'\n")
        == "Python's venv failed: Error: [Errno 13] Permission denied: '/x'"
    )
