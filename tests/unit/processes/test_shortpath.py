"""Addresses of Unix sockets that lie deep in the tree."""

from __future__ import annotations

import os

import pytest

from ftpd.processes.shortpath import shortened


def test_a_path_that_fits_stays_as_it_is():
    path = "/" + "x" * 106
    with shortened(path) as address:
        assert address == path


@pytest.mark.parametrize("name", ["x" * 108, "\u00e9" * 60], ids=["letters", "bytes"])
def test_a_longer_one_goes_by_way_of_its_directory(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "control").touch()
    with shortened(str(tmp_path / name / "control")) as address:
        assert len(os.fsencode(address)) <= 107
        assert os.path.samefile(address, tmp_path / name / "control")
    assert not os.path.exists(address)


def test_a_directory_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), shortened(str(tmp_path / ("x" * 108) / "control")):
        pass
