"""The TFTP client of the benchmark: `tftp_load.c`, compiled when it is first wanted and run beside a server.

Apart from the measures, which say what is fetched and what is made of the figures.
"""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path
from typing import Final

import attrs

from tests.bench.servers import Server

__all__ = ["Fetched", "fetch", "need_content"]

_PERIOD_BYTES: Final = 999_983  # a prime: no block that comes at the place of another can look right
_SECONDS: Final = 90.0  # more than the program gives itself
_SOURCE: Final = Path(__file__).with_suffix(".c")


@attrs.frozen
class Fetched:
    """What passed: seconds from the first request to the last byte, and from a request to its answer; CPU seconds of the server meanwhile.

    `failures` counts transfers that did not end well, of which `reason` is how the first failed; `timeouts` the times that a client heard
    nothing for a second, `repeats` the blocks that came twice or out of order.
    """

    seconds: float
    failures: int
    timeouts: int
    repeats: int
    first_p50: float
    first_p99: float
    server_cpu: float
    reason: str


def need_content(root: Path, name: str, size: int) -> None:
    """Make the file of *size* bytes that `fetch` can check, where it is not there yet."""
    file = root / name
    if file.exists():
        return
    block = os.urandom(_PERIOD_BYTES)
    with file.open("xb") as output:
        for offset in range(0, size, _PERIOD_BYTES):
            output.write(block[: size - offset])


def fetch(server: Server, name: str, *, clients: int, requests: int, block: int, window: int) -> Fetched:
    """Let *clients* fetch the file *name* at the same time, again and again until *requests* were made, and check all that comes.

    :raises RuntimeError: the load could not be run, or the server has ended.
    """
    host, port = server.address
    numbers = [str(number) for number in (_PERIOD_BYTES, clients, requests, block, window)]
    command = [str(_compiled(server.root.parent)), host, str(port), name, str(server.root / name), *numbers]
    cpu = server.cpu_seconds()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        load.stdout.readline()  # all has come, and the last of it is not acknowledged yet
        cpu = server.cpu_seconds() - cpu
        told, _ = load.communicate("\n", _SECONDS)
    if load.returncode:
        raise RuntimeError(f"the load ended with {load.returncode}")
    if server.process.poll() is not None:
        raise RuntimeError(f"{server.name} has ended with {server.process.returncode}")
    return _read(told, cpu)


def _read(told: str, server_cpu: float) -> Fetched:
    figures, _, reason = told.partition("\n")
    words = figures.split()
    by_name = {name: float(figure) for name, figure in zip(words[::2], words[1::2], strict=True)}
    return Fetched(
        seconds=by_name["seconds"],
        failures=int(by_name["failures"]),
        timeouts=int(by_name["timeouts"]),
        repeats=int(by_name["repeats"]),
        first_p50=by_name["first_p50"],
        first_p99=by_name["first_p99"],
        server_cpu=server_cpu,
        reason=reason.strip(),
    )


@functools.cache
def _compiled(directory: Path) -> Path:
    """Return the program, compiled into *directory*.

    :raises RuntimeError: there is no C compiler, or it says why not.
    """
    program = directory / "tftp_load"
    try:
        subprocess.run(["cc", "-O2", "-std=gnu11", "-o", str(program), str(_SOURCE)], check=True, capture_output=True, text=True)
    except FileNotFoundError as fault:
        raise RuntimeError("the TFTP measures need a C compiler, cc") from fault
    except subprocess.CalledProcessError as fault:
        raise RuntimeError(f"cc: {fault.stderr}") from fault
    return program
