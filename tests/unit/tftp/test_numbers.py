"""Numbers of blocks: what comes behind 65535, and which block a number means."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftpd.tftp.numbers import LARGEST_WINDOW, nearest, wire_number


@pytest.mark.parametrize(
    ("block", "zero", "one"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (65535, 65535, 65535),
        (65536, 0, 1),
        (65537, 1, 2),
        (131070, 65534, 65535),
        (131071, 65535, 1),
        (131072, 0, 2),
    ],
)
def test_behind_65535_comes_what_the_rollover_says(block, zero, one):
    assert (wire_number(block, 0), wire_number(block, 1)) == (zero, one)


@given(st.integers(-1, 300_000), st.integers(-LARGEST_WINDOW, LARGEST_WINDOW), st.sampled_from([0, 1]))
@example(0, 1, 0)
@example(65535, 1, 1)
@example(-1, 1, 1)
def test_a_number_means_the_block_nearest(reference, away, rollover):
    block = max(reference + away, 0)
    assert nearest(wire_number(block, rollover), reference, rollover) == block


@given(st.integers(0, 65535), st.integers(-1, 300_000), st.sampled_from([0, 1]))
def test_what_a_number_means_has_that_number(wire, reference, rollover):
    block = nearest(wire, reference, rollover)
    assert block is None or (wire_number(block, rollover) == wire and abs(block - reference) <= 32768)


@pytest.mark.parametrize(
    ("wire", "reference", "rollover"),
    [
        (65535, 0, 0),  # would be block -1
        (65535, 0, 1),  # is block 65535, which is far ahead, and not another 0
        (65535, -1, 1),
        (0, 65535, 1),  # comes never again
        (0, 65534, 1),
        (0, 131070, 1),
    ],
)
def test_a_number_that_no_block_near_has_means_none(wire, reference, rollover):
    assert nearest(wire, reference, rollover) is None
