"""`ftpd doctor`: its arguments and its end."""

from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner

from ftpd.cli import main


def ftpd(*arguments, text=None):
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)], input=text, prog_name="ftpd")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ftpd.toml"
    path.write_text('[storage.local]\nroot = "."\n')
    return path


def test_it_wants_a_configuration_or_a_server():
    result = ftpd()
    assert result.exit_code == 2
    assert "Give --config FILE, HOST, or both." in result.stderr


def test_a_configuration_without_faults_is_0(file):
    result = ftpd("--config", file)
    assert result.exit_code == 0
    assert "can be reached from this machine only" in result.stdout


def test_a_fault_is_1(file):
    file.write_text('process.workers = 2\nstorage.local.root = "."\nftp.passive.ports = "50000-50000"\n')
    result = ftpd("--config", file)
    assert result.exit_code == 1
    assert "fault    ftp.passive.ports: found 50000-50000, 1 for 2 workers (process.workers)" in result.stdout


def test_a_configuration_that_cannot_be_read_is_2(file):
    file.write_text("nonsense = 1\n")
    result = ftpd("--config", file)
    assert result.exit_code == 2
    assert "nonsense: no such table" in result.stderr


def test_a_server_that_is_not_there_is_1():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = ftpd(f"127.0.0.1:{port}")
    assert result.exit_code == 1
    assert "fault    no control connection" in result.stdout


@pytest.mark.parametrize("text", ["", ":21", "a:0", "a:65536", "a:b", "a:", "[]:21"])
def test_what_is_no_place_is_2(text):
    assert ftpd(text).exit_code == 2
