"""Why an environment could not be made, in one sentence for the user.

Apart from `environment`, which does the work: this is the list of what goes wrong on real machines, and what helps.
"""

from __future__ import annotations

import re
import shutil
import sys

__all__ = ["explain_pip", "explain_venv", "missing_module"]

# The first that matches pip's output wins: the cause stands above the "No matching distribution" that follows from it.
_PIP_CAUSES = (
    (r"No space left on device|Disk quota exceeded", "the disk is full."),
    (
        r"ProxyError|Cannot connect to proxy|Tunnel connection failed",
        "the package index cannot be reached: the proxy refuses; see HTTPS_PROXY.",
    ),
    (
        r"Name or service not known|[Nn]ame resolution|getaddrinfo failed|nodename nor servname",
        "the package index cannot be reached: its name does not resolve (no network, or no DNS); only the first start needs it.",
    ),
    (
        r"Network is unreachable|No route to host",
        "the package index cannot be reached: this machine has no route to it; only the first start needs it.",
    ),
    (r"Connection refused", "the package index cannot be reached: it refuses connections; see pip's index-url."),
    (r"CERTIFICATE_VERIFY_FAILED|SSLError", "the package index cannot be reached: its certificate is not trusted; see PIP_CERT."),
    (r"timed out|Timeout", "the package index cannot be reached: it does not answer in time; only the first start needs it."),
    (r"40[137] (Client )?Error", "the package index refuses: it wants a login; see pip's index-url."),
    (
        r"error: command '.*' failed|Failed building wheel|can't find Rust compiler",
        "a package has no binary for this machine and does not build here.",
    ),
)
_NO_PACKAGE = re.compile(r"No matching distribution found for (.+)")


def explain_pip(output: str) -> str:
    """Turn what a failed pip said into a sentence."""
    for pattern, cause in _PIP_CAUSES:
        if re.search(pattern, output):
            return cause
    if found := _NO_PACKAGE.search(output):
        # Without retries pip does not say that it reached nothing; no version at all is how that looks.
        doubt = "cannot be reached, or " if "(from versions: none)" in output else ""
        return f"the package index {doubt}has no {found[1].strip()} for Python {_version()}."
    return f"pip failed: {_last_line(output)}"


def explain_venv(output: str) -> str:
    """Turn what a failed `python -m venv` said into a sentence."""
    if "No space left on device" in output:
        return "the disk is full."
    if "ensurepip" in output:
        return missing_module("ensurepip")
    return f"Python's venv failed: {_last_line(output)}"


def missing_module(module: str) -> str:
    """Name the package that holds *module*, `venv` or `ensurepip`: Debian and its children ship both apart from Python."""
    debian = f"apt-get install python{_version()}-venv"
    cure = debian if shutil.which("apt-get") else "install your system's package of it"
    return f"Python's {module} module is missing: {cure}"


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "Error:"))]
    return (errors or lines or ["it said nothing."])[-1]
