"""The retransmission timeout: RFC 6298, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.tftp.timing import Timing


def timing(*, first=1.0, longest=8.0, give_up=30.0, fixed=None):
    return Timing(first, longest, give_up, fixed)


def backed_off(timing, times):
    timeouts = []
    for _ in range(times):
        timing.back_off()
        timeouts.append(timing.timeout)
    return timeouts


def test_before_a_round_trip_was_measured_the_first_timeout_holds():
    assert timing(first=1.5).timeout == 1.5


def test_timeout_doubles_up_to_the_longest():
    assert backed_off(timing(), 5) == [2.0, 4.0, 8.0, 8.0, 8.0]


def test_first_is_no_longer_than_the_longest():
    assert timing(first=10.0).timeout == 8.0


def test_longest_is_no_longer_than_the_end():
    assert backed_off(timing(give_up=3.0), 3) == [2.0, 3.0, 3.0]


def test_first_sample_makes_three_times_itself():
    measured = timing()
    measured.sample(0.5)
    assert measured.timeout == 1.5  # R + 4 * R/2


def test_later_samples_are_smoothed():
    measured = timing()
    measured.sample(0.4)
    measured.sample(0.8)
    # RTTVAR = 3/4 * 0.2 + 1/4 * |0.4 - 0.8| = 0.25; SRTT = 7/8 * 0.4 + 1/8 * 0.8 = 0.45
    assert measured.timeout == pytest.approx(1.45)


def test_no_timeout_is_below_a_fifth_of_a_second():
    measured = timing()
    measured.sample(0.001)
    assert measured.timeout == 0.2


def test_no_measured_timeout_is_above_the_longest():
    measured = timing()
    measured.sample(6.0)
    assert measured.timeout == 8.0


def test_a_round_trip_is_expected_sooner_than_the_timeout():
    measured = timing()
    measured.sample(0.01)
    assert (measured.round_trip, measured.timeout) == (0.03, 0.2)


def test_no_round_trip_is_expected_sooner_than_a_scheduler_can():
    measured = timing()
    measured.sample(0.0001)
    assert measured.round_trip == 0.02


def test_a_sample_takes_the_back_off_back():
    measured = timing()
    measured.sample(0.1)
    backed_off(measured, 3)
    measured.sample(0.1)
    assert measured.timeout == pytest.approx(0.25)


def test_news_that_answer_what_was_sent_twice_are_waited_for_as_long_as_they_took():
    measured = timing()
    measured.sample(0.1)
    backed_off(measured, 3)
    measured.go_on(0.9)
    assert measured.timeout == pytest.approx(0.91)


@pytest.mark.parametrize(("seconds", "timeout"), [(0.05, 0.3), (100.0, 0.6)])
def test_but_no_shorter_than_the_estimate_and_no_longer_than_without_them(seconds, timeout):
    measured = timing()
    measured.sample(0.1)
    measured.back_off()
    measured.go_on(seconds)
    assert measured.timeout == pytest.approx(timeout)


def test_client_that_answers_each_second_sending_at_once_is_not_waited_for_longer_each_time():
    """Its buffer is smaller than its window (atftp with blocks of 64 KiB), so that the end of each window is lost."""
    measured = timing()
    measured.sample(0.001)
    for _ in range(10):
        waited = measured.timeout
        measured.back_off()
        measured.go_on(waited + 0.001)
    assert measured.timeout < 0.4


def test_client_that_has_become_slow_is_measured_again():
    """All answers come behind the second sending, and are to the first: there has to be one that was sent once."""
    measured, seconds = timing(), 0.31
    measured.sample(0.1)
    assert seconds > measured.timeout
    measured.back_off()
    measured.go_on(seconds)
    assert seconds < measured.timeout


def test_an_interval_that_was_agreed_is_kept_to():
    agreed = timing(fixed=2.0)
    agreed.sample(0.1)
    assert agreed.timeout == 2.0


def test_an_interval_that_was_agreed_holds_from_the_beginning():
    assert timing(fixed=0.05).timeout == 0.05


def test_an_interval_that_was_agreed_does_not_grow_for_six_times():
    assert backed_off(timing(fixed=0.01), 8) == [0.01] * 6 + [0.02, 0.04]


def test_six_times_begin_anew_with_a_sample():
    agreed = timing(fixed=1.0)
    backed_off(agreed, 8)
    agreed.sample(0.1)
    assert backed_off(agreed, 7) == [1.0] * 6 + [2.0]


def test_an_interval_longer_than_the_longest_does_not_grow():
    assert backed_off(timing(fixed=10.0), 8) == [10.0] * 8


def test_a_client_that_asked_for_a_long_interval_gets_three():
    assert timing(fixed=255.0).give_up == 765.0


def test_a_client_that_asked_for_a_short_interval_is_not_given_up_sooner():
    assert timing(fixed=0.01).give_up == 30.0


@pytest.mark.parametrize(("fixed", "seconds"), [(None, 8.0), (5.0, 5.0), (255.0, 255.0)])
def test_repetitions_are_expected_within_what_was_agreed_or_the_longest_timeout(fixed, seconds):
    assert timing(fixed=fixed).repetition == seconds


@given(
    st.lists(st.floats(0, 100) | st.none() | st.just("news"), max_size=50),
    st.floats(0.05, 60),
    st.floats(0.05, 60),
    st.floats(0.1, 600),
    st.none() | st.floats(0.01, 255),
)
def test_whatever_happens_a_timeout_is_above_nothing_and_not_beyond_the_end(happens, first, longest, give_up, fixed):
    measured = Timing(first, longest, give_up, fixed)
    for event in happens:
        if event is None:
            measured.back_off()
        elif event == "news":
            measured.go_on(measured.timeout)
        else:
            measured.sample(event)
        assert 0 < measured.round_trip <= measured.timeout <= measured.give_up
