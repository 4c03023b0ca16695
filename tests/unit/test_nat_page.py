"""docs/nat.md: every configuration in it is one that `ftpd check` takes, and every fault in it is told by that name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpd.cli import main
from ftpd.ftp.data.faults import Fault

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "nat.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_there_are_examples():
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_served(example, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    file = tmp_path / "ftpd.toml"
    file.write_text(f'{example}\n[storage.local]\nroot = "root"\n[anonymous]\nenabled = true\n')
    result = CliRunner().invoke(main, ["check", str(file)], prog_name="ftpd")
    assert (result.exit_code, result.stderr) == (0, "")


def test_the_table_of_faults_is_complete():
    assert re.findall(r"^\| `([a-z]+-[a-z-]+)` \|", PAGE, re.MULTILINE) == [fault.value for fault in Fault]
