from __future__ import annotations

import pytest

from ftpd.accounts.door import Door, one_line


def test_door_is_open_at_first():
    door = Door()
    assert door.refusal is None
    assert not door.sends_away(10.0**9)


def test_locked_door_tells_its_message():
    door = Door()
    door.lock("Back at noon.")
    assert door.refusal == "Back at noon."
    assert not door.sends_away(10.0**9)


def test_lock_can_be_taken_back():
    door = Door()
    door.lock("Back at noon.")
    door.lock(None)
    assert door.refusal is None


@pytest.mark.parametrize("message", ["", " \r\n "])
def test_lock_without_words_has_some_of_its_own(message):
    door = Door()
    door.lock(message)
    assert door.refusal == "The server lets nobody in now; try again later."


def test_drained_door_lets_in_and_sends_away_who_is_silent():
    door = Door()
    door.drain(60, "Bye.")
    assert door.refusal is None
    assert [door.sends_away(seconds) for seconds in (0.0, 59.9, 60.0)] == [False, False, True]


def test_door_drained_at_once_lets_nobody_in():
    door = Door()
    door.drain(0, "Bye.")
    assert door.refusal == "Bye."
    assert door.sends_away(0.0)


def test_shorter_time_replaces_a_longer_one():
    door = Door()
    door.drain(60, "Restarting.")
    door.drain(0, "Stopping.")
    assert (door.quiet_seconds, door.words) == (0, "Stopping.")


def test_longer_time_does_not_replace_a_shorter_one():
    door = Door()
    door.drain(0, "Stopping.")
    door.drain(60, "Restarting.")
    assert (door.quiet_seconds, door.words) == (0, "Stopping.")


def test_drained_door_may_be_locked_too():
    door = Door()
    door.drain(60, "Bye.")
    door.lock("Back at noon.")
    assert door.refusal == "Back at noon."
    door.lock(None)
    assert door.refusal is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Back at noon.", "Back at noon."),
        ("  Back \r\n at\tnoon. ", "Back at noon."),
        ("\x1b[31mred\0", "?[31mred?"),
        ("zur\u00fcck", "zur\u00fcck"),
        ("\udcff\u202e", "??"),
        ("x" * 500, "x" * 400),
    ],
)
def test_any_text_becomes_one_line_that_prints(text, line):
    assert one_line(text) == line
