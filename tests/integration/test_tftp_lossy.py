"""Files over a path that loses, doubles and reorders packets: whatever it does, they arrive byte for byte.

Apart from the unit tests of the window machine, which lose each packet of small transfers in turn: here are real sockets, real clocks and both
directions at once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from tests.integration.clients import Program
from tests.integration.lossy import LossyPath, Weather
from tests.integration.tftp_clients import Atftp, Busybox, TftpClient, Wishes
from tests.integration.tftp_server import Shelf
from tests.integration.tftp_wire import TftpWire

RETRY: Final = 0.1  # seconds after which our client sends again
SEED: Final = 1
REAL_SIZE: Final = 50_001
WEATHERS: Final = [
    pytest.param(Weather(lost=0.01, doubled=0.01, overtaken=0.01), id="1%"),
    pytest.param(Weather(lost=0.1, doubled=0.1, overtaken=0.1), id="10%"),
]
# As much as shows something: a lost packet costs a timeout in lock-step, and less in a window.
LOADS: Final = [
    pytest.param({}, 30_001, id="lock-step"),
    pytest.param({"blksize": 1428, "tsize": 0}, 100_001, id="1428"),
    pytest.param({"blksize": 1428, "windowsize": 8}, 200_001, id="1428-window-8"),
    pytest.param({"windowsize": 64}, 100_001, id="512-window-64"),
]


@pytest.mark.parametrize(("options", "size"), LOADS)
@pytest.mark.parametrize("weather", WEATHERS)
def test_our_client_fetches_byte_for_byte(shelf: Shelf, weather: Weather, options: dict[str, int], size: int) -> None:
    content = os.urandom(size)
    remote = shelf.put("file", content)
    with LossyPath(shelf.server.place, weather, weather, SEED) as path, TftpWire(path.address) as client:
        assert client.fetch(remote, options, retry_seconds=RETRY) == content


@pytest.mark.parametrize(("options", "size"), LOADS)
@pytest.mark.parametrize("weather", WEATHERS)
def test_our_client_stores_byte_for_byte(shelf: Shelf, weather: Weather, options: dict[str, int], size: int) -> None:
    content = os.urandom(size)
    options = {name: size if name == "tsize" else value for name, value in options.items()}
    with LossyPath(shelf.server.place, weather, weather, SEED) as path, TftpWire(path.address) as client:
        client.store(shelf.remote("file"), content, options, retry_seconds=RETRY)
        assert path.up.lost + path.up.doubled + path.up.overtaken
    assert shelf.content("file") == content
    assert shelf.names() == ["file"]


# Real clients, as far as they send again within a second.  atftp only fetches: its uploads go on behind a block that was lost (0.8.0).


@pytest.mark.parametrize(
    ("kind", "wishes"),
    [
        pytest.param(Busybox, Wishes(block_size=1428), id="busybox"),
        pytest.param(Atftp, Wishes(block_size=1428, window=16), id="atftp"),
    ],
)
@pytest.mark.parametrize("weather", WEATHERS)
def test_a_real_client_fetches_byte_for_byte(
    program: Program, shelf: Shelf, tmp_path: Path, weather: Weather, kind: type[TftpClient], wishes: Wishes
) -> None:
    content = os.urandom(REAL_SIZE)
    remote = shelf.put("file", content)
    with LossyPath(shelf.server.place, weather, weather, SEED) as path:
        kind(program, shelf.server.guest()._replace(port=path.address[1]), tmp_path).fetch(remote, tmp_path / "fetched", wishes)
    assert (tmp_path / "fetched").read_bytes() == content


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_real_client_stores_byte_for_byte(program: Program, shelf: Shelf, tmp_path: Path, weather: Weather) -> None:
    content = os.urandom(REAL_SIZE)
    (tmp_path / "local").write_bytes(content)
    with LossyPath(shelf.server.place, weather, weather, SEED) as path:
        busybox = Busybox(program, shelf.server.guest()._replace(port=path.address[1]), tmp_path)
        busybox.store(tmp_path / "local", shelf.remote("file"), Wishes(block_size=1428))
    assert shelf.content("file") == content
