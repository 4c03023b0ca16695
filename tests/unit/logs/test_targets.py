"""Targets: levels, formats, files that are moved away."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import syslog

import pytest
from twisted.logger import Logger, LoggingFile, LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from ftpd.logs.settings import TargetSettings
from ftpd.logs.targets import LogFile, json_line, make_target, text_line


def event(text="{path} gone", level=LogLevel.info, **fields):
    return {"log_format": text, "log_level": level, "log_time": 1_000_000_000.25, "log_namespace": "ftpd.journal", **fields}


def test_a_text_line_has_time_level_and_message():
    assert text_line(event(path="/a")) == "2001-09-09T01:46:40.250Z info /a gone"


def test_a_name_with_a_line_end_cannot_forge_a_text_line():
    line = text_line(event(path="/a\n2001-09-09T01:46:41.000Z info ann logged in"))
    assert line.count("\n") == 0


def test_lines_of_a_traceback_are_indented():
    try:
        raise ValueError("x\nforged line")
    except ValueError:
        failure = Failure()
    first, *rest = text_line(event("broken", log_failure=failure)).split("\n")
    assert first.endswith("broken")
    assert rest
    assert all(line.startswith("    ") for line in rest)


def test_a_json_line_has_the_promised_fields_and_no_others():
    assert json.loads(json_line(event(path="/a", session="s1", bytes=3, log_source=object(), secret="hunter2"))) == {
        "time": "2001-09-09T01:46:40.250Z",
        "level": "info",
        "source": "ftpd.journal",
        "message": "/a gone",
        "session": "s1",
        "path": "/a",
        "bytes": 3,
    }


def test_a_json_line_is_one_line_of_ascii_whatever_a_name_holds():
    line = json_line(event(path="/a\nb caf\udce9 \u2028"))
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["path"] == "/a\nb caf\\xe9 \u2028"


def test_a_format_may_call_what_the_event_carries():
    assert text_line(event("{path()} gone", path=lambda: "/a")).endswith("info /a gone")


def test_a_format_that_fails_still_gives_a_line():
    assert "Unable to format" in text_line(event("{missing.attribute}"))


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("{path} {bytes} bytes {seconds:.3f} s", "/a 3 bytes 0.500 s"),
        ("{seconds:.1f} s for 100 % of {path}, {{as}} %s", "0.5 s for 100 % of /a, {as} %s"),
        ("{path!r} {bytes}", "'/a' 3"),
        ("{bytes:04d}|{path:>4}", "0003|  /a"),
        ("{path.upper()} {bytes}", "/A 3"),
        ("{ends[0]} {ends[1]}", "x y"),
        ("{path}", "/a"),
        ("50 %", "50 %"),
    ],
)
def test_a_format_is_filled_in_as_formats_are_whatever_it_has(form, message):
    assert text_line(event(form, path="/a", bytes=3, seconds=0.5, ends="xy")).endswith(f"info {message}")


def test_a_line_without_a_field_of_its_format_is_told_all_the_same():
    assert "Unable to format" in text_line(event("{path} {bytes} bytes", path="/a"))


def test_a_line_with_words_where_a_number_belongs_is_told_all_the_same():
    assert "Unable to format" in text_line(event("{path} {seconds:.3f} s", path="/a", seconds="soon"))


@pytest.mark.parametrize(("level", "passes"), [("debug", 3), ("info", 2), ("warn", 1), ("error", 0)])
def test_a_target_passes_what_weighs_enough(level, passes):
    stream = io.StringIO()
    target = make_target(TargetSettings(level=level), stream)
    for each in (LogLevel.debug, LogLevel.info, LogLevel.warn):
        target(event(path="/a", level=each))
    assert len(stream.getvalue().splitlines()) == passes


def test_reopening_writes_to_the_new_file_after_a_rename(tmp_path):
    path = tmp_path / "ftpd.log"
    target = make_target(TargetSettings(file=str(path)))
    target(event("one"))
    path.rename(tmp_path / "ftpd.log.1")
    target(event("two"))
    target.reopen()
    target(event("three"))
    target.close()
    assert [line.split()[-1] for line in (tmp_path / "ftpd.log.1").read_text().splitlines()] == ["one", "two"]
    assert [line.split()[-1] for line in path.read_text().splitlines()] == ["three"]


def test_a_file_that_cannot_be_reopened_stays_in_use(tmp_path):
    directory = tmp_path / "logs"
    directory.mkdir()
    file = LogFile(str(directory / "a.log"))
    directory.rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError):
        file.reopen()
    file.write("still here")
    file.close()
    assert (tmp_path / "moved" / "a.log").read_text() == "still here\n"


def test_a_file_that_is_closed_while_its_old_disk_is_waited_for_is_closed_after_that(tmp_path, monkeypatch):
    file = LogFile(str(tmp_path / "a.log"))
    before = set(os.listdir("/proc/self/fd"))
    dup2 = os.dup2

    def slow(*arguments, **more):
        file.close()
        file.write("nobody writes this")
        dup2(*arguments, **more)

    monkeypatch.setattr(os, "dup2", slow)
    file.reopen()
    assert len(before) - len(os.listdir("/proc/self/fd")) == 1
    assert (tmp_path / "a.log").read_text() == ""


def test_a_log_file_opened_anew_is_not_inherited(tmp_path):
    path = tmp_path / "a.log"
    file = LogFile(str(path))
    file.reopen()
    [number] = [number for number in map(int, os.listdir("/proc/self/fd")) if leads_to(number) == str(path)]
    assert not os.get_inheritable(number)
    file.close()


def leads_to(number):
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except FileNotFoundError:  # what listed them
        return ""


def test_a_new_log_file_is_not_for_everybody(tmp_path):
    LogFile(str(tmp_path / "a.log")).close()
    assert stat.S_IMODE((tmp_path / "a.log").stat().st_mode) & 0o007 == 0


def test_a_line_for_standard_error_does_not_come_back_as_a_line_of_a_program_that_logs_that(monkeypatch, capfd):
    """As `twistd` does."""
    monkeypatch.setattr(sys, "stderr", LoggingFile(logger=Logger()))
    target = make_target(TargetSettings())
    globalLogPublisher.addObserver(target)
    Logger().info("a line")
    globalLogPublisher.removeObserver(target)
    assert [line.split(" ", 1)[1] for line in capfd.readouterr().err.splitlines()] == ["info a line"]


def test_writing_after_close_does_nothing(tmp_path):
    file = LogFile(str(tmp_path / "a.log"))
    file.close()
    file.close()
    file.write("late")
    assert (tmp_path / "a.log").read_text() == ""


def test_syslog_gets_priority_and_message_without_time(monkeypatch):
    calls = []
    monkeypatch.setattr(syslog, "openlog", lambda *arguments: None)
    monkeypatch.setattr(syslog, "syslog", lambda *arguments: calls.append(arguments))
    make_target(TargetSettings(format="syslog"))(event(path="/a\nb", level=LogLevel.warn))
    assert calls == [(syslog.LOG_WARNING, "warn /a\\nb gone")]
