"""Tables of devices and traces in a file: what a slip in them is told."""

from __future__ import annotations

import pytest

from ftpd.config.load import parse_config
from ftpd.schema import ConfigError


def problems(text):
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return [(problem.path, problem.allowed) for problem in caught.value.problems]


def test_an_unknown_device_is_told_which_there_are():
    [(path, allowed)] = problems('[[ftp.devices]]\ndevice = "toaster"\naccounts = ["a"]\n')
    assert path == "ftp.devices[0].device"
    assert "scanner, printer, camera, plc" in allowed


def test_an_unknown_tolerance_is_told_which_there_are():
    [(path, allowed)] = problems('[[ftp.devices]]\ntolerate = ["odd-typo"]\naccounts = ["a"]\n')
    assert path == "ftp.devices[0].tolerate"
    assert "odd-type, no-type" in allowed


def test_a_directory_of_traces_is_relative_to_the_file():
    config = parse_config('[[ftp.traces]]\ndirectory = "traces"\naccounts = ["a"]\n', "x", "/etc/ftpd")
    assert config.ftp.traces[0].directory == "/etc/ftpd/traces"
