"""The machine and the versions that a table belongs to."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.bench import daemons, tftp_daemons
from tests.bench.servers import OURS, PYTHON, Surroundings

__all__ = ["machine", "versions"]

_PROGRAM: Final = """
import platform
from importlib.metadata import version
from OpenSSL.SSL import OPENSSL_VERSION, OpenSSL_version
tls = ' '.join(OpenSSL_version(OPENSSL_VERSION).decode().split()[:2])
print(', '.join([*(f'{name} {version(name)}' for name in %r), f'Python {platform.python_version()}, {tls}']))
"""


def machine() -> str:
    """Say where the figures were taken; BBR paces on loopback too, which levels bulk figures."""
    cores = len(os.sched_getaffinity(0))
    congestion = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in processors if line.startswith("model name")), platform.machine())
    return f"{cores} cores ({model}), Linux {platform.release()}, TCP congestion control {congestion}"


def versions(names: tuple[str, ...], surroundings: Surroundings) -> str:
    """Say what was measured, as each tells it."""
    told = []
    if OURS in names:
        told.append(_told(sys.executable, ("twisted", "pyopenssl")))
    if peers := tuple(name for name in names if name in PYTHON):
        told.append(_told(surroundings.peer_python, peers))
    told += [daemons.version(name, surroundings.peer_path) for name in names if name in daemons.NAMES]
    told += [tftp_daemons.version(name, surroundings.peer_path) for name in names if name in tftp_daemons.NAMES]
    return "; ".join(told)


def _told(python: str, packages: tuple[str, ...]) -> str:
    done = subprocess.run([python, "-c", _PROGRAM % (packages,)], check=True, capture_output=True, text=True)
    return done.stdout.strip()
