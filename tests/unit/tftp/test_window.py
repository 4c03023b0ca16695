"""The two window machines, one event at a time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.tftp.window import ACKNOWLEDGE, STORE, Receiver, Sender
from tests.unit.tftp.simulation import timing

ROUND_TRIP = 0.01  # seconds


def sender(window=1, *, last=None, rollover=0, has_oack=False, **times):
    return Sender(window, timing(**times), rollover=rollover, has_oack=has_oack, last=last)


def sending(window, *, last=None, **times):
    """One that has heard the ACK of its OACK, so that a round trip is known, at 1 s."""
    begun = sender(window, last=last, has_oack=True, **times)
    begun.start(1.0 - ROUND_TRIP)
    assert begun.acknowledge(0, 1.0) == (1, window if last is None else min(window, last))
    return begun


def sent_up_to(block, *, window=1, rollover=0):
    """One whose blocks up to this one are acknowledged, at 0 s."""
    begun = sender(window, rollover=rollover)
    begun.start(0.0)
    while begun.base + window <= block:
        begun.acknowledge(begun.wire_number(begun.base + window), 0.0)
    if begun.base < block:
        begun.acknowledge(begun.wire_number(block), 0.0)
    assert begun.base == block
    return begun


def receiver(window=1, *, rollover=0, **times):
    return Receiver(window, timing(**times), rollover=rollover)


def receiving(window=1, *, taken=0, rollover=0, **times):
    """One that has begun at 0 s, and has taken so many blocks."""
    begun = receiver(window, rollover=rollover, **times)
    begun.start(0.0)
    for _ in range(taken):
        assert begun.receive(begun._awaited, False, 0.0) & STORE
    return begun


def answers(receiving, *numbers, now=0.0):
    """What is acknowledged by each of these blocks; None: nothing is."""
    return [receiving.acknowledgement if receiving.receive(number, False, now) & ACKNOWLEDGE else None for number in numbers]


class TestSender:
    def test_oack_leaves_first(self):
        assert sender(4, has_oack=True).start(0.0) == (0, 1)

    def test_without_an_oack_the_first_block_does(self):
        assert sender().start(0.0) == (1, 1)

    def test_acknowledgement_of_the_oack_sends_the_first_window(self):
        begun = sender(4, has_oack=True)
        begun.start(0.0)
        assert begun.acknowledge(0, 0.1) == (1, 4)

    def test_base_tells_the_oack_from_its_acknowledgement(self):
        begun = sender(4, has_oack=True)
        begun.start(0.0)
        before = begun.base
        begun.acknowledge(0, 0.1)
        assert (before, begun.base) == (-1, 0)

    def test_acknowledgement_of_the_window_sends_the_next(self):
        assert sending(4).acknowledge(4, 1.1) == (5, 4)

    def test_last_window_is_as_short_as_the_file(self):
        assert sending(4, last=6).acknowledge(4, 1.1) == (5, 2)

    def test_file_shorter_than_a_window_is_one_window(self):
        assert sender(4, last=2).start(0.0) == (1, 2)

    def test_acknowledgement_of_the_last_block_finishes(self):
        file = sending(4, last=2)
        assert file.acknowledge(2, 1.1) is None
        assert (file.is_finished, file.is_lost, file.deadline) == (True, False, math.inf)

    def test_what_is_under_way_is_no_longer_than_the_file_turns_out_to_be(self):
        file = sending(8)
        file.last = 3
        assert file.next == 4
        assert file.acknowledge(3, 1.1) is None
        assert file.is_finished

    def test_last_block_that_becomes_known_later_ends_the_file(self):
        file = sending(2)
        file.acknowledge(2, 1.1)
        file.last = 5
        assert file.acknowledge(4, 1.2) == (5, 1)

    def test_last_block_is_not_known_at_first(self):
        file = sending(2)
        assert (file.last, file.is_finished) == (None, False)

    @pytest.mark.parametrize("window", [0, -1, 32768, 65535])
    def test_window_that_makes_numbers_ambiguous_is_refused(self, window):
        with pytest.raises(ValueError, match="A window is 1 to 32767 blocks"):
            sender(window)

    # What an ACK does not do.

    def test_in_lock_step_a_second_acknowledgement_sends_nothing(self):
        file = sending(1)
        file.acknowledge(1, 1.1)
        assert [file.acknowledge(1, 1.1 + later) for later in (0.0, 0.1, 10.0)] == [None] * 3

    def test_in_lock_step_not_even_after_a_timeout(self):
        file = sending(1)
        file.acknowledge(1, 1.1)
        file.expire(1.4)
        assert file.acknowledge(1, 5.0) is None

    def test_acknowledgement_of_what_was_not_sent_is_ignored(self):
        file = sending(4)
        assert [file.acknowledge(number, 1.1) for number in (5, 6, 1000, 32767)] == [None] * 4
        assert file.base == 0

    def test_acknowledgement_of_the_past_is_ignored(self):
        file = sending(4)
        file.acknowledge(4, 1.1)
        file.acknowledge(8, 1.2)
        assert [file.acknowledge(number, 1.3) for number in (7, 4, 0, 65535, 40000)] == [None] * 5
        assert file.base == 8

    def test_what_is_ignored_does_not_move_the_deadline(self):
        file = sending(4)
        deadline = file.deadline
        for number in (5, 1000, 65535):
            file.acknowledge(number, 1.15)
        assert file.deadline == deadline

    @pytest.mark.parametrize("window", [1, 4])
    def test_before_the_start_acknowledgements_are_ignored(self, window):
        waiting = sender(window, has_oack=True)
        assert [waiting.acknowledge(number, 0.0) for number in (0, 1, 65535)] == [None] * 3

    @pytest.mark.parametrize("window", [1, 4])
    def test_after_the_end_acknowledgements_are_ignored(self, window):
        file = sending(window, last=1)
        file.acknowledge(1, 1.1)
        assert [file.acknowledge(number, 9.0) for number in (0, 1, 2)] == [None] * 3
        assert file.is_finished

    @pytest.mark.parametrize("window", [1, 4])
    def test_who_was_given_up_is_not_heard_again(self, window):
        file = sending(window)
        while not file.is_lost:
            file.expire(file.deadline)
        assert [file.acknowledge(number, 60.0) for number in (0, 1, 4)] == [None] * 3
        assert (file.base, file.deadline, file.expire(90.0)) == (0, math.inf, None)

    def test_number_before_the_first_is_no_acknowledgement_of_the_oack(self):
        begun = sender(4, has_oack=True)
        begun.start(0.0)
        assert begun.acknowledge(65535, 0.1) is None

    # Gaps.

    def test_acknowledgement_inside_the_window_sends_again_what_is_behind_it(self):
        file = sending(8)
        assert file.acknowledge(3, 1.01) == (4, 8)
        assert file.retransmissions == 5

    def test_next_one_soon_after_sends_only_what_is_new(self):
        file = sending(8)
        file.acknowledge(3, 1.01)
        assert file.acknowledge(5, 1.011) == (12, 2)
        assert file.retransmissions == 5

    def test_silence_after_that_sends_the_window_again_within_a_round_trip(self):
        file = sending(8)
        file.acknowledge(3, 1.01)
        file.acknowledge(5, 1.02)
        assert file.deadline == pytest.approx(1.02 + 3 * ROUND_TRIP)
        assert file.expire(file.deadline) == (6, 8)
        assert file.deadline == pytest.approx(1.05 + 0.2)  # and nobody has backed off

    def test_further_silence_is_a_timeout(self):
        file = sending(8)
        file.acknowledge(3, 1.01)
        file.acknowledge(5, 1.02)
        file.expire(1.05)
        file.expire(1.25)
        assert file.deadline == pytest.approx(1.25 + 0.4)

    def test_news_after_that_dispel_the_doubt(self):
        file = sending(8)
        file.acknowledge(3, 1.01)
        file.acknowledge(5, 1.02)
        assert file.acknowledge(13, 1.03) == (14, 8)
        file.expire(1.23)
        assert file.deadline == pytest.approx(1.23 + 0.4)

    def test_acknowledgement_of_what_was_sent_once_sends_again_at_once(self):
        file = sending(8)
        file.acknowledge(3, 1.01)  # 4..11, of which 4..8 for the second time
        assert file.acknowledge(9, 1.011) == (10, 8)

    def test_at_the_end_of_the_file_there_may_be_nothing_new_to_send(self):
        file = sending(8, last=8)
        file.acknowledge(3, 1.01)
        assert file.acknowledge(5, 1.02) is None
        assert (file.is_finished, file.expire(file.deadline)) == (False, (6, 3))

    def test_first_acknowledgement_of_nothing_new_sends_the_window_again(self):
        file = sending(4)
        assert file.acknowledge(0, 1.01) == (1, 4)

    def test_within_the_timeout_no_other_one_does(self):
        file = sending(4)
        file.acknowledge(0, 1.01)
        assert [file.acknowledge(0, 1.01 + later) for later in (0.0, 0.1, 0.19)] == [None] * 3

    def test_not_even_after_progress(self):
        file = sending(4)
        file.acknowledge(0, 1.01)
        file.acknowledge(4, 1.02)
        assert file.acknowledge(4, 1.03) is None

    def test_not_even_after_a_gap(self):
        file = sending(4)
        file.acknowledge(2, 1.01)
        assert file.acknowledge(2, 1.02) is None

    def test_not_even_after_a_timeout(self):
        file = sending(4)
        file.expire(1.2)
        assert file.acknowledge(0, 1.3) is None

    def test_after_the_timeout_one_does(self):
        file = sending(4)
        file.acknowledge(0, 1.01)
        assert file.acknowledge(0, 1.22) == (1, 4)

    # Time.

    def test_timeout_sends_the_window_again(self):
        file = sending(4)
        file.acknowledge(4, 1.1)
        assert (file.expire(1.3), file.retransmissions) == ((5, 4), 4)

    def test_timeout_sends_the_oack_again(self):
        begun = sender(4, has_oack=True)
        begun.start(0.0)
        assert (begun.expire(1.0), begun.retransmissions) == ((0, 1), 1)

    def test_deadlines_back_off_until_the_client_is_given_up(self):
        begun = sender()
        begun.start(0.0)
        deadlines = []
        while not begun.is_lost:
            deadlines.append(begun.deadline)
            begun.expire(begun.deadline)
        assert deadlines == [1.0, 3.0, 7.0, 15.0, 23.0, 30.0]

    def test_with_an_interval_that_was_agreed_they_do_not_at_first(self):
        begun = sender(give_up=10.0, fixed=1.0)
        begun.start(0.0)
        deadlines = []
        while not begun.is_lost:
            deadlines.append(begun.deadline)
            begun.expire(begun.deadline)
        assert deadlines == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 9.0, 10.0]

    def test_news_begin_the_silence_anew(self):
        file = sending(1)
        for _ in range(4):
            file.expire(file.deadline)
        file.acknowledge(1, 29.0)
        while not file.is_lost:
            at = file.deadline
            file.expire(at)
        assert at == 59.0

    def test_client_that_loses_the_end_of_every_window_is_not_waited_for_longer_each_time(self):
        """Its buffer is smaller than its window (atftp with blocks of 64 KiB): it hears three, and says so when they come again."""
        file = sending(4)
        now = 1.0
        for _ in range(10):
            waited = file.deadline - now
            now = file.deadline
            file.expire(now)
            file.acknowledge(file.base + 3, now + 0.001)
            now = file.deadline  # what is behind the gap is not acknowledged either
            file.expire(now)
            file.acknowledge(file.next - 1, now + 0.001)
            now += 0.001
        assert waited < 0.4

    def test_clock_that_is_set_forward_gives_nobody_up(self):
        file = sending(1)
        assert file.expire(4000.0) == (1, 1)
        while not file.is_lost:
            at = file.deadline
            file.expire(at)
        assert at == pytest.approx(4000.0 + 30.0 - 0.2)

    def test_clock_that_is_set_back_is_no_round_trip(self):
        file = sending(1)
        file.acknowledge(1, -4000.0)
        assert file.deadline == pytest.approx(-4000.0 + 0.2)

    def test_acknowledgements_of_nothing_new_do_not(self):
        file = sending(4)
        now = 1.0
        while not file.is_lost:
            now += 0.1
            file.acknowledge(0, now)
            if now >= file.deadline:
                file.expire(now)
            assert now < 32.0
        assert now == pytest.approx(31.0, abs=0.11)

    def test_what_was_sent_twice_is_not_measured(self):
        file = sending(1)
        file.expire(1.2)
        file.acknowledge(1, 1.5)  # 0.3 s after the one, 0.5 s after the other
        assert file.deadline == pytest.approx(1.5 + 0.4)

    def test_what_is_sent_after_that_is(self):
        file = sending(1)
        file.expire(1.2)
        file.acknowledge(1, 1.5)
        file.acknowledge(2, 1.6)
        # RTTVAR = 3/4 * 0.005 + 1/4 * |0.01 - 0.1| = 0.02625; SRTT = 7/8 * 0.01 + 1/8 * 0.1 = 0.02125
        file.acknowledge(3, 1.6)
        file.expire(file.deadline)
        assert file._timing.round_trip == pytest.approx(0.12625)

    def test_what_was_under_way_when_more_left_is_not_measured_either(self):
        file = sending(8)
        file.acknowledge(3, 1.2)  # 4..11
        file.acknowledge(5, 1.35)  # 12 and 13
        file.acknowledge(9, 1.36)  # which is 0.16 s after it left, not 0.01
        # Of the 0.2 s: RTTVAR = 3/4 * 0.005 + 1/4 * |0.01 - 0.2| = 0.05125; SRTT = 7/8 * 0.01 + 1/8 * 0.2 = 0.03375
        assert file.deadline == pytest.approx(1.36 + 0.23875)

    def test_waiting_for_the_disk_is_no_round_trip(self):
        file = sending(1)
        file.sent(4.0)
        file.acknowledge(1, 4.01)
        assert file.deadline == pytest.approx(4.01 + 0.2)

    def test_waiting_for_the_disk_is_no_silence(self):
        file = sending(1)
        file.sent(101.0)
        assert file.expire(101.2) == (1, 1)
        while not file.is_lost:
            at = file.deadline
            file.expire(at)
        assert at == 131.0

    def test_deadline_begins_when_the_disk_has_answered(self):
        file = sending(1)
        file.sent(4.0)
        assert file.deadline == pytest.approx(4.2)

    def test_before_the_start_and_after_the_end_there_is_no_deadline(self):
        file = sender(1, last=1)
        file.sent(1.0)
        assert (file.deadline, file.expire(2.0)) == (math.inf, None)
        file.start(3.0)
        file.acknowledge(1, 4.0)
        file.sent(5.0)
        assert (file.deadline, file.expire(6.0), file.is_lost) == (math.inf, None, False)

    # Numbers.

    @pytest.mark.parametrize(("rollover", "numbers"), [(0, [65535, 0, 1, 2]), (1, [65535, 1, 2, 3])])
    def test_lock_step_goes_on_behind_65535(self, rollover, numbers):
        file = sent_up_to(65534, rollover=rollover)
        assert [file.acknowledge(number, 0.0) for number in numbers] == [(65536, 1), (65537, 1), (65538, 1), (65539, 1)]

    @pytest.mark.parametrize("rollover", [0, 1])
    @pytest.mark.parametrize("inside", range(1, 6))
    def test_window_across_the_rollover_starts_again_anywhere(self, rollover, inside):
        file = sent_up_to(65532, window=6, rollover=rollover)
        block = 65532 + inside
        assert file.acknowledge(file.wire_number(block), 0.0) == (block + 1, 6)

    def test_where_1_follows_65535_no_0_is_heard_again(self):
        file = sent_up_to(65535, window=4, rollover=1)
        assert (file.acknowledge(0, 0.0), file.base) == (None, 65535)

    def test_where_1_follows_65535_that_is_not_the_0_at_the_start(self):
        begun = sender(4, rollover=1, has_oack=True)
        begun.start(0.0)
        assert (begun.acknowledge(65535, 0.1), begun.base) == (None, -1)

    @pytest.mark.parametrize("rollover", [0, 1])
    def test_largest_window_tells_the_past_from_what_is_under_way(self, rollover):
        file = sent_up_to(3 * 32767, window=32767, rollover=rollover)
        past = [file.wire_number(file.base - back) for back in range(1, 32768)]
        assert all(file.acknowledge(number, 0.0) is None for number in past)
        assert file.base == 3 * 32767

    @given(
        st.integers(1, 5),
        st.sampled_from([1, 2, 8]),
        st.booleans(),
        st.sampled_from([0, 1]),
        st.lists(
            st.tuples(
                st.sampled_from(["acknowledge", "near", "expire", "sent", "last"]),
                st.integers(0, 65535),
                st.sampled_from([0.0, 0.01, 0.3, 9.0]),
            )
        ),
    )
    def test_nothing_that_happens_raises_or_asks_for_the_impossible(self, unknown, window, has_oack, rollover, happens):
        file = sender(window, rollover=rollover, has_oack=has_oack)
        now = 0.0
        ready = file.start(now)
        for event, number, seconds in happens:
            now += seconds
            before = file.base
            if event == "acknowledge":
                ready = file.acknowledge(number, now)
            elif event == "near":
                ready = file.acknowledge(file.wire_number(max(0, file.base + number % 12 - 2)), now)
            elif event == "expire":
                ready = file.expire(now)
            elif event == "sent":
                file.sent(now)
                ready = None
            else:
                file.last = file.base + 1 + unknown if file.last is None else file.last
                ready = None
            if ready is not None:
                first, count = ready
                assert file.base < first < first + count == file.next
                assert (first, count) == (0, 1) or count <= window
            assert before <= file.base < file.next <= max(file.base, 0) + window + 1
            assert file.last is None or file.next <= file.last + 1
            assert (file.deadline < math.inf) == (file.next > file.base + 1)


class TestReceiver:
    def test_in_lock_step_each_block_is_stored_and_acknowledged(self):
        taking = receiving()
        assert [taking.receive(number, False, 0.0) for number in (1, 2, 3)] == [STORE | ACKNOWLEDGE] * 3
        assert (taking.taken, taking.acknowledgement) == (3, 3)

    def test_window_is_acknowledged_with_its_last_block(self):
        assert answers(receiving(3), 1, 2, 3, 4, 5, 6) == [None, None, 3, None, None, 6]

    def test_last_block_is_stored_and_not_acknowledged(self):
        taking = receiving()
        taking.receive(1, False, 0.0)
        assert taking.receive(2, True, 0.0) == STORE
        assert (taking.is_complete, taking.taken, taking.acknowledgement, taking.deadline) == (True, 2, 2, math.inf)

    @pytest.mark.parametrize("window", [1, 4])
    def test_when_complete_nothing_is_taken_or_acknowledged(self, window):
        taking = receiving(window)
        taking.receive(1, True, 0.0)
        assert [taking.receive(number, False, 0.0) for number in (1, 2, 3, 0, 1)] == [0] * 5
        assert (taking.taken, taking.acknowledgement) == (1, 1)

    def test_when_complete_it_does_not_begin_again(self):
        taking = receiving()
        taking.receive(1, True, 0.0)
        taking.start(1.0)
        assert (taking.receive(2, False, 2.0), taking.deadline, taking.expire(3.0)) == (0, math.inf, False)

    @pytest.mark.parametrize("window", [1, 4])
    def test_before_the_start_nothing_is_taken(self, window):
        waiting = receiver(window)
        assert [waiting.receive(number, False, 0.0) for number in (1, 0, 2, 65535)] == [0] * 4

    @pytest.mark.parametrize("window", [0, 32768])
    def test_window_that_makes_numbers_ambiguous_is_refused(self, window):
        with pytest.raises(ValueError, match="A window is 1 to 32767 blocks"):
            receiver(window)

    def test_block_that_comes_again_is_acknowledged_again_in_lock_step(self):
        taking = receiving(taken=3)
        assert answers(taking, 3, 3) == [3, 3]
        assert (taking.taken, taking.duplicates) == (3, 2)

    def test_older_ones_are_not(self):
        assert answers(receiving(taken=3), 2, 1, 0, 65535) == [None] * 4

    def test_block_ahead_in_lock_step_is_dropped(self):
        taking = receiving(taken=3)
        assert answers(taking, 5, 1000, 32768, 40000) == [None] * 4
        assert taking.taken == 3

    def test_gap_is_told_once(self):
        assert answers(receiving(8), 1, 2, 4, 5, 6, 7, 8) == [None, None, 2, None, None, None, None]

    def test_after_a_gap_the_window_counts_from_what_was_acknowledged(self):
        taking = receiving(4)
        assert answers(taking, 1, 3, 4, 2, 3, 4, 5) == [None, 1, None, None, None, None, 5]

    def test_gap_is_told_again_when_the_sender_has_come_back(self):
        taking = receiving(4)
        assert answers(taking, 1, 3, 4, 3, 4, 5) == [None, 1, None, 1, None, None]

    def test_next_gap_is_told(self):
        taking = receiving(8)
        assert answers(taking, 2, 3, 1, 2, 3, 5) == [0, None, None, None, None, 3]

    def test_two_blocks_that_changed_places_are_one_gap(self):
        assert answers(receiving(8), 1, 3, 2, 4, 5, 6) == [None, 1, None, None, None, None]

    def test_window_that_comes_again_is_acknowledged_once_with_its_last_block(self):
        taking = receiving(4, taken=4)
        assert answers(taking, 1, 2, 3, 4) == [None, None, None, 4]
        assert taking.duplicates == 4

    def test_sender_that_goes_back_ends_its_window_sooner(self):
        taking = receiving(4, taken=5)  # 4 was acknowledged, and that was lost: the next one would be 8
        assert answers(taking, 3, 4, 5, 6, 7) == [None, None, None, 6, None]

    def test_block_that_came_twice_is_not_acknowledged_in_a_window(self):
        assert answers(receiving(4), 1, 1, 2, 2, 3, 3, 4) == [None] * 6 + [4]

    def test_block_of_another_age_says_nothing(self):
        taking = receiving(4, taken=20)
        assert answers(taking, 12, 16, 25, 30000, 40000) == [None] * 5
        assert answers(taking, 21, 22, 23, 24) == [None, None, None, 24]

    # Time.

    def test_timeout_sends_the_acknowledgement_again(self):
        taking = receiving(taken=3)
        assert (taking.expire(1.0), taking.acknowledgement) == (True, 3)

    def test_after_that_the_window_counts_from_there(self):
        taking = receiving(4, taken=2)
        taking.expire(1.0)
        assert answers(taking, 3, 4, 5, 6, now=1.1) == [None, None, None, 6]

    def test_deadlines_back_off_until_the_client_is_given_up(self):
        taking = receiving()
        deadlines = [taking.deadline]
        while taking.expire(deadlines[-1]):
            deadlines.append(taking.deadline)
        assert deadlines == [1.0, 3.0, 7.0, 15.0, 23.0, 30.0]
        assert (taking.is_complete, taking.deadline) == (False, math.inf)

    def test_clock_that_is_set_forward_gives_nobody_up(self):
        taking = receiving()
        assert taking.expire(4000.0)
        while taking.expire(taking.deadline):
            at = taking.deadline
        assert at == pytest.approx(4000.0 + 30.0 - 1.0)

    def test_each_block_in_order_moves_the_deadline(self):
        taking = receiving(64)
        taking.receive(1, False, 0.9)  # which is the round trip, too
        assert taking.deadline == pytest.approx(0.9 + 2.7)
        taking.receive(2, False, 1.9)
        assert taking.deadline == pytest.approx(1.9 + 2.7)

    def test_other_blocks_do_not(self):
        taking = receiving(4, taken=4)
        deadline = taking.deadline
        for number in (4, 6, 7, 1000):
            taking.receive(number, False, 0.1)
        assert taking.deadline == deadline

    def test_what_follows_an_acknowledgement_sent_twice_is_not_measured(self):
        taking = receiving()
        taking.receive(1, False, 0.01)
        taking.expire(0.21)
        taking.receive(2, False, 5.0)
        assert taking.deadline == pytest.approx(5.4)

    def test_acknowledgement_that_waited_for_the_disk_is_measured_from_then(self):
        taking = receiving()
        taking.receive(1, False, 0.01)
        taking.start(5.0)
        taking.receive(2, False, 5.01)
        assert taking.deadline == pytest.approx(5.21)

    def test_deadline_begins_when_the_disk_has_answered(self):
        taking = receiving(taken=1)
        taking.start(50.0)
        assert taking.expire(50.2)

    @pytest.mark.parametrize(("fixed", "seconds"), [(None, 8.0), (3.0, 3.0)])
    def test_client_may_repeat_within_its_interval_or_the_longest(self, fixed, seconds):
        assert receiver(fixed=fixed).interval == seconds

    # Numbers.

    @pytest.mark.parametrize(("rollover", "numbers"), [(0, [65535, 0, 1, 2]), (1, [65535, 1, 2, 3])])
    def test_blocks_go_on_behind_65535(self, rollover, numbers):
        taking = receiving(2, taken=65534, rollover=rollover)
        assert answers(taking, *numbers) == [None, numbers[1], None, numbers[3]]
        assert taking.taken == 65538

    def test_where_1_follows_65535_there_is_no_0(self):
        taking = receiving(4, taken=65535, rollover=1)
        assert answers(taking, 0, 1) == [None, 1]
        assert taking.taken == 65536

    def test_block_0_is_none(self):
        assert answers(receiving(4), 0, 65535) == [None, None]

    @given(
        st.sampled_from([1, 2, 8]),
        st.sampled_from([0, 1]),
        st.lists(
            st.tuples(
                st.sampled_from(["receive", "near", "last", "expire", "start"]),
                st.integers(0, 65535),
                st.sampled_from([0.0, 0.01, 0.3, 9.0]),
            )
        ),
    )
    def test_nothing_that_happens_raises_or_is_taken_out_of_order(self, window, rollover, happens):
        taking = receiver(window, rollover=rollover)
        now = 0.0
        for event, number, seconds in happens:
            now += seconds
            before, was_complete = taking.taken, taking.is_complete
            if event == "expire":
                assert not (taking.expire(now) and was_complete)
            elif event == "start":
                taking.start(now)
            else:
                number = number if event == "receive" else max(0, taking.acknowledgement + number % 6 - 2)
                flags = taking.receive(number, event == "last", now)
                assert taking.taken == before + bool(flags & STORE)
                assert not flags & STORE or number == before + 1
                assert not (flags & ACKNOWLEDGE and (taking.is_complete or was_complete))
            assert taking.acknowledgement == taking.taken
