"""`ftpd doctor` against real servers, in clear, over TLS and over IPv6: what works is said to work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.live import CHECKOUT, PASSWORD, SECONDS, ConfiguredServer, Guest


def doctor(guest: Guest, *options: str, **environment: str) -> tuple[int, list[str]]:
    """Return the exit code, and what it says after the login."""
    host = f"[{guest.host}]" if ":" in guest.host else guest.host
    command = [sys.executable, "-m", "ftpd", "doctor", f"{host}:{guest.port}", "--user", guest.name, "--password-stdin", *options]
    done = subprocess.run(
        command,
        input=f"{PASSWORD}\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment},
        text=True,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout.splitlines()[1:]


def works(*names: str) -> list[str]:
    return [f"ok       {name} works" for name in names]


def test_in_clear(guest: Guest) -> None:
    code, said = doctor(guest)
    assert (code, said[0]) == (0, f"ok       logged in as {guest.name} in clear")
    assert said[1:] == works("EPSV", "PASV", "EPRT")


def test_over_ipv6(guest6: Guest) -> None:
    code, said = doctor(guest6)
    assert (code, said[1:]) == (0, works("EPSV", "EPRT"))


OVER_BOTH = works(*(f"{verb} {how}" for how in ("over TLS", "in clear") for verb in ("EPSV", "PASV", "EPRT")))


def test_over_explicit_tls_with_a_certificate_that_can_be_verified(secure_guest: Guest, home: Path) -> None:
    code, said = doctor(secure_guest, "--tls", "explicit", SSL_CERT_FILE=str(home / "authority.pem"))
    assert (code, said[1:]) == (0, OVER_BOTH)
    assert said[0].startswith(f"ok       logged in as {secure_guest.name} (TLSv1.")


@pytest.mark.parametrize("tls", ["explicit", "implicit"])
def test_where_data_connections_have_to_resume(strict_server: ConfiguredServer, strict_guest: Guest, tls: str) -> None:
    guest = strict_guest
    if tls == "implicit":
        guest = guest._replace(host="127.0.0.2", port=strict_server.ports["127.0.0.2"])
    code, said = doctor(guest, "--tls", tls, "--insecure")
    assert (code, said[1:]) == (0, OVER_BOTH)


def test_no_password_is_sent_to_who_cannot_be_verified(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    before = len(secure_server.lines)
    code, said = doctor(secure_guest, "--tls", "explicit")
    assert code == 1
    assert "certificate verify failed" in said[0]
    assert not any("logged in" in line for line in secure_server.lines[before:])
