"""The text of a configuration file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftpd.config.text import read_text
from ftpd.schema import ConfigError


def test_mark_before_the_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "ftpd.toml").write_bytes(b"\xef\xbb\xbf[log]\r\n")
    assert read_text(str(tmp_path / "ftpd.toml")) == "[log]\r\n"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/dev/zero", "/dev/zero: more than 16 MiB; a TOML file of settings"),
        ("/none/x", "/none/x: cannot be read: No such file or directory"),
        ("/", "/: cannot be read: Is a directory"),
    ],
)
def test_what_is_no_configuration_is_a_sentence(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_text(name)
    assert str(caught.value) == words


def test_byte_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "ftpd.toml").write_bytes(b"# \xff\n")
    with pytest.raises(ConfigError, match="byte 2 is not UTF-8; a TOML file is UTF-8"):
        read_text(str(tmp_path / "ftpd.toml"))


def test_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"[log]\n")
    os.close(writing)
    assert read_text(f"/dev/fd/{reading}") == "[log]\n"
    os.close(reading)


def test_fifo_that_nobody_writes_to_is_a_sentence_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError) as caught:
        read_text(str(tmp_path / "fifo"))
    assert str(caught.value) == f"{tmp_path}/fifo: it is a FIFO that nobody writes to; a TOML file of settings"
