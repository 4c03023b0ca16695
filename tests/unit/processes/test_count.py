"""Count: how many workers a configuration has."""

from __future__ import annotations

import os

import attrs
import pytest

from ftpd.config.tree import Config, HostSettings, StorageSettings
from ftpd.ftp.settings import FTPSettings, PassiveSettings
from ftpd.processes.count import worker_count
from ftpd.processes.settings import ProcessSettings
from ftpd.schema import ConfigError

MEMORY = StorageSettings(kind="memory")


@pytest.mark.parametrize(("workers", "count"), [(0, 0), (1, 1), (7, 7), (-1, len(os.sched_getaffinity(0)))])
def test_it_is_what_the_settings_say(workers, count):
    assert worker_count(Config(process=ProcessSettings(workers=workers))) == count


def test_a_store_in_memory_is_served_by_one_process():
    assert worker_count(Config(storage=MEMORY)) == 0
    assert worker_count(Config(hosts=(HostSettings(names=("a",), storage=MEMORY),))) == 0


def test_workers_are_refused_for_a_store_in_memory():
    config = Config(storage=MEMORY, process=ProcessSettings(workers=2))
    with pytest.raises(ConfigError) as caught:
        worker_count(config)
    assert str(caught.value) == (
        "process.workers: found 2, and storage is a store that one process has in its memory; it must be 0 for such a store"
    )


@pytest.mark.parametrize("field", ["user", "group"])
@pytest.mark.parametrize("config", [Config(), Config(storage=MEMORY)], ids=["no workers", "a store in memory"])
def test_one_process_alone_becomes_nobody_else(config, field):
    workers = 0 if config.storage.kind == "local" else -1
    config = attrs.evolve(config, process=ProcessSettings(workers=workers, **{field: "nobody"}))
    with pytest.raises(ConfigError) as caught:
        worker_count(config)
    assert str(caught.value) == f"process.{field}: set, and there are no workers; one process alone stays who has started it"


def few_ports(workers, **passive):
    settings = FTPSettings(passive=PassiveSettings(ports=(50000, 50002), **passive))
    return Config(ftp=settings, process=ProcessSettings(workers=workers))


def test_fewer_ports_than_workers_are_refused():
    with pytest.raises(ConfigError) as caught:
        worker_count(few_ports(4))
    assert str(caught.value) == (
        "ftp.passive.ports: found 50000-50002, 3 for 4 workers (process.workers); each worker needs one of its own"
    )


def test_a_port_for_each_worker_is_enough():
    assert worker_count(few_ports(3)) == 3


def test_ports_are_not_counted_where_nobody_uses_them():
    assert worker_count(few_ports(4, enabled=False)) == 4
    assert worker_count(attrs.evolve(few_ports(4), listen=())) == 4
