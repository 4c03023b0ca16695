"""Parts: which ports for data connections each worker has."""

from __future__ import annotations

import attrs
import pytest

from ftpd.config.tree import Config
from ftpd.ftp.settings import FTPSettings, PassiveSettings
from ftpd.processes.parts import part_of, with_own_ports


@pytest.mark.parametrize(
    ("ports", "places", "parts"),
    [
        ((50000, 50009), 1, [(50000, 50009)]),
        ((50000, 50009), 2, [(50000, 50004), (50005, 50009)]),
        ((50000, 50010), 3, [(50000, 50003), (50004, 50007), (50008, 50010)]),
        ((50000, 50003), 4, [(50000, 50000), (50001, 50001), (50002, 50002), (50003, 50003)]),
    ],
)
def test_parts_are_equal_and_leave_nothing_out(ports, places, parts):
    assert [part_of(ports, slot, places) for slot in range(places)] == parts


def test_a_worker_has_its_own_ports_and_all_other_settings():
    config = Config(
        ftp=FTPSettings(greeting="Hello.", passive=PassiveSettings(ports=(50000, 50003), external_address="198.51.100.1"))
    )
    passive = attrs.evolve(config.ftp.passive, ports=(50002, 50003))
    assert with_own_ports(config, 1, 2) == attrs.evolve(config, ftp=attrs.evolve(config.ftp, passive=passive))


def test_without_passive_mode_the_range_stays_as_it_is():
    config = Config(ftp=FTPSettings(passive=PassiveSettings(enabled=False, ports=(50000, 50000))))
    assert with_own_ports(config, 3, 4) == config
