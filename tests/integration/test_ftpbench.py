"""ftpbench, the load client of pyftpdlib: uploads and downloads alone, beside idle sessions, and several at a time.

Apart from pyftpdlib's own tests, which it is installed with, because it measures and judges nothing: here it has to come to its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Running
from tests.integration.live import PASSWORD, ConfiguredServer

SECONDS = 60
MEASURED = [
    "STOR (client -> server)",
    "RETR (server -> client)",
    "8 concurrent clients (connect, login)",
    "STOR (1 file with 8 idle clients)",
    "RETR (1 file with 8 idle clients)",
    "8 concurrent clients (RETR 1.0M file)",
    "8 concurrent clients (STOR 1.0M file)",
    "8 concurrent clients (QUIT)",
]


@pytest.fixture(scope="module")
def bench_server(running: Running) -> Iterator[ConfiguredServer]:
    """A server for clients that end uploads without the end of TLS; the rate keeps what is uploaded for a second from filling the disk."""
    with running({"ftp": {"tls": {"eof": "tolerate"}}, "rates": {"transfer_upload": "20 MiB"}}) as server:
        yield server


@pytest.mark.parametrize("options", [(), ("--ssl",)], ids=["in clear", "over TLS"])
def test_ftpbench_comes_to_its_end_and_leaves_nothing(bench_server: ConfiguredServer, options: tuple[str, ...]) -> None:
    guest = bench_server.add(f"bench{len(options)}")
    login = ("-u", guest.name, "-p", PASSWORD, "-H", guest.host, "-P", str(guest.port), "-t", str(SECONDS))
    run = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            Path(sys.executable).with_name("ftpbench"),
            *login,
            "-b",
            "all",
            "-n",
            "8",
            "-s",
            "1M",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert [line[:50].rstrip() for line in run.stdout.splitlines()] == MEASURED
    assert os.listdir(guest.home) == []
