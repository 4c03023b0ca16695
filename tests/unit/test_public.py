"""The package's public names."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ftpd


@pytest.mark.parametrize("name", ftpd.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ftpd, name) is not None


def test_public_names_are_where_the_tour_says():
    assert set(ftpd._HOMES) | {"__version__"} == set(ftpd.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ftpd.nothing


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, ftpd; print([name for name in ('twisted', 'attr', 'cattrs', 'click') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
