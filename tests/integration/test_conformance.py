"""`ftpd conformance` finds nothing wrong with this server: every check, by the command itself, in clear and under TLS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.integration.live import PASSWORD, Guest

SECONDS = 120


def findings(guest: Guest, *options: str) -> list[dict[str, Any]]:
    host = f"[{guest.host}]" if ":" in guest.host else guest.host
    command = [
        sys.executable,
        "-m",
        "ftpd",
        "conformance",
        f"{host}:{guest.port}",
        "--user",
        guest.name,
        "--password-stdin",
        "--json",
    ]
    run = subprocess.run([*command, *options], input=f"{PASSWORD}\n", capture_output=True, text=True, timeout=SECONDS, check=False)
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert found, run.stderr
    assert run.returncode == any(finding["verdict"] == "violates" for finding in found)
    return found


def wrong(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(finding["name"], finding["words"]) for finding in found if finding["verdict"] in ("violates", "could not tell")]


def test_this_server_violates_nothing(guest: Guest) -> None:
    found = findings(guest)
    assert wrong(found) == []
    assert Counter(finding["verdict"] for finding in found)["conforms"] > 180
    assert list(guest.home.iterdir()) == []


def test_this_server_violates_nothing_over_ipv6(guest6: Guest) -> None:
    assert wrong(findings(guest6, "--only", "2428", "--only", "959")) == []


def test_this_server_violates_nothing_under_tls(secure_guest: Guest) -> None:
    assert wrong(findings(secure_guest, "--tls", "explicit", "--insecure")) == []


@pytest.mark.parametrize("document", ["4217", "2228"])
def test_tls_is_judged_without_tls_for_the_login(secure_guest: Guest, document: str) -> None:
    found = findings(secure_guest, "--only", document)
    assert wrong(found) == []
    assert any(finding["verdict"] == "conforms" for finding in found)


def test_a_run_that_may_not_write_leaves_the_rest_to_be_judged(guest: Guest) -> None:
    found = findings(guest, "--no-write", "--only", "2389")
    assert [finding["name"] for finding in found if finding["verdict"] == "violates"] == []
    assert list(guest.home.iterdir()) == []
