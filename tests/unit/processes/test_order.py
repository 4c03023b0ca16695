"""Order: what a parent sends is what a worker reads."""

from __future__ import annotations

import json

from ftpd.config.source import Overrides, Source
from ftpd.processes.order import Order


def test_order_survives_the_way_to_the_worker():
    source = Source("ftpd.toml", "/etc/ftpd", "[log]\n", Overrides(listen=("[::1]:21",), log_level="debug", tftp=(69,)))
    order = Order(
        source,
        "4711.0.3",
        0,
        2,
        "/run/ftpd/state.db",
        ahead=1.5,
        locked="back at six",
        forwards_logs=True,
        succeeds=True,
        waits=True,
    )
    assert Order.of_message(json.loads(json.dumps(order.as_message()))) == order


def test_source_says_what_the_file_said_when_it_was_read(tmp_path):
    file = tmp_path / "ftpd.toml"
    file.write_text('[storage.local]\nroot = "files"\n')
    source = Source.read(str(file), Overrides(read_only=True))
    file.write_text("broken")
    config = source.config()
    assert (config.storage.settings.root, config.storage.read_only) == (str(tmp_path / "files"), True)
