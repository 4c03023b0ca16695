"""Finding extensions: package, directories, broken files."""

from __future__ import annotations

import os

import pytest

from ftpd.extensions import gather, kind, kinds, load_file
from ftpd.interfaces import ILoginKind

KIND = """
from zope.interface import implementer
from ftpd.interfaces import ILoginKind

@implementer(ILoginKind)
class _Kind:
    name = {name!r}
    settings = None
    def make(self, settings, threads): ...

KIND = _Kind()
ALIAS = KIND
"""


@pytest.fixture
def logged():
    from twisted.logger import formatEvent, globalLogPublisher

    lines = []

    def observe(event):
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def test_kinds_of_the_package_are_found_by_name():
    assert {"password_file", "memory"} <= set(kinds(ILoginKind, "ftpd.login"))


def test_a_file_in_a_directory_adds_a_kind(tmp_path):
    (tmp_path / "mine.py").write_text(KIND.format(name="mine"))
    assert "mine" in kinds(ILoginKind, "ftpd.login", [str(tmp_path)])


def test_a_broken_file_is_named_and_the_others_still_load(tmp_path, logged):
    (tmp_path / "a.py").write_text("1/0")
    (tmp_path / "b.py").write_text(KIND.format(name="b"))
    assert "b" in kinds(ILoginKind, "ftpd.login", [str(tmp_path)])
    assert [line for line in logged if "a.py" in line] == [f"extension {tmp_path / 'a.py'} is left out: it fails to load"]


def test_a_file_that_calls_exit_ends_nothing(tmp_path, logged):
    (tmp_path / "script.py").write_text("import sys; sys.exit()")
    assert "password_file" in kinds(ILoginKind, "ftpd.login", [str(tmp_path)])
    assert [line for line in logged if "script.py" in line] == [f"extension {tmp_path / 'script.py'} is left out: it fails to load"]


def test_an_extension_cannot_take_the_name_of_a_part_of_the_server(tmp_path, logged):
    (tmp_path / "fake.py").write_text(KIND.format(name="password_file"))
    found = kinds(ILoginKind, "ftpd.login", [str(tmp_path)])
    assert type(found["password_file"]).__module__ == "ftpd.login.password_file"
    assert "extension 'password_file' is left out: there is one of that name already" in logged


def test_a_fifo_is_named_and_not_waited_for(tmp_path, logged):
    os.mkfifo(tmp_path / "pipe.py")
    assert list(gather(lambda found: True, None, [str(tmp_path)])) == []
    assert logged == [f"extension {tmp_path / 'pipe.py'} is left out: it is a FIFO, not a regular file"]


def test_a_missing_directory_is_named(tmp_path, logged):
    assert list(gather(lambda found: True, None, [str(tmp_path / "none")])) == []
    assert "cannot be read" in logged[0]


def test_hidden_and_underscored_files_are_left_alone(tmp_path):
    (tmp_path / "_draft.py").write_text("1/0")
    (tmp_path / ".mine.py").write_text("1/0")
    assert list(gather(lambda found: True, None, [str(tmp_path)])) == []


def test_a_file_is_loaded_once(tmp_path):
    file = tmp_path / "once.py"
    file.write_text("thing = object()")
    assert load_file(file) is load_file(file)


def test_two_files_of_one_name_are_two_modules(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.py").write_text(f"where = {name!r}")
    assert [load_file(tmp_path / name / "same.py").where for name in ("a", "b")] == ["a", "b"]


def test_a_kind_of_ours_is_found_without_a_look_at_the_others(tmp_path):
    (tmp_path / "broken.py").write_text("1/0")
    assert kind(ILoginKind, "ftpd.login", "password_file", [str(tmp_path)]).name == "password_file"


def test_a_single_kind_may_come_from_a_directory(tmp_path):
    (tmp_path / "alone.py").write_text(KIND.format(name="alone"))
    assert kind(ILoginKind, "ftpd.login", "alone", [str(tmp_path)]).name == "alone"


def test_a_kind_that_there_is_not_is_a_key_error():
    with pytest.raises(KeyError):
        kind(ILoginKind, "ftpd.login", "psychic")
