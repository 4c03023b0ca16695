"""Trial: what keeps a start from serving, what it only tells of, and what it does not wait for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpd import trial
from ftpd.accounts.settings import AnonymousSettings
from ftpd.config.tree import Config, ExtensionSettings, StorageSettings
from ftpd.schema import ConfigError, FilePath
from ftpd.storage.local import LocalSettings
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp.settings import TFTPListenSettings, TFTPSettings
from ftpd.trial import demand_startable, unreadable_directories


def config(root: Path, tftp_root: str = "/", *directories: Path) -> Config:
    return Config(
        anonymous=AnonymousSettings(enabled=True),
        storage=StorageSettings(kind="local", settings=LocalSettings(root=FilePath(str(root)))),
        tftp=TFTPSettings(listeners=(TFTPListenSettings(root=tftp_root),)),
        extensions=ExtensionSettings(directories=tuple(FilePath(str(directory)) for directory in directories)),
    )


def test_everything_there_is_nothing_to_tell(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    with recorded_log() as lines:
        demand_startable(config(tmp_path, "/boot", tmp_path), Clock())
    assert lines == []


def test_missing_root_of_tftp_keeps_it_from_starting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        demand_startable(config(tmp_path, "/boot"), Clock())
    said = "found '/boot': No such file or directory; a directory in the files of the listener's account"
    assert str(caught.value) == f"tftp.listeners[0].root: {said}"


def test_missing_files_are_told(tmp_path: Path) -> None:
    with recorded_log() as lines:
        demand_startable(config(tmp_path / "later", "/boot"), Clock())
    said = "storage.local: cannot be opened: No such file or directory; until it is there, each login is told so {"
    assert [line.startswith(said) for line in lines] == [True]


def test_missing_directory_of_extensions_keeps_it_from_starting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        demand_startable(config(tmp_path, "/", tmp_path, tmp_path / "none"), Clock())
    said = f"cannot read {tmp_path}/none: No such file or directory; a directory of Python files"
    assert str(caught.value) == f"extensions.directories[1]: {said}"


def test_file_in_the_place_of_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [problem.found for problem in unreadable_directories(config(tmp_path, "/", tmp_path / "file"))] == [
        f"cannot read {tmp_path}/file: Not a directory"
    ]


def test_disk_that_hangs_is_left_to_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    async def hang(*arguments: object) -> list[object]:
        answers.wait()
        return []

    monkeypatch.setattr(trial, "unusable_stores", hang)
    monkeypatch.setattr(trial, "_PATIENCE_SECONDS", 0.0)
    with recorded_log() as lines:
        demand_startable(config(tmp_path, "/boot"), Clock())
    answers.set()
    said = "a disk does not answer: whether all stores are there will be seen by those who log in {"
    assert [line.startswith(said) for line in lines] == [True]


def test_store_that_needs_a_reactor_is_left_to_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(*arguments: object) -> object:
        return await Deferred()

    monkeypatch.setattr(trial, "unusable_stores", wait)
    with recorded_log() as lines:
        demand_startable(config(tmp_path, "/boot"), Clock())
    assert lines == []
