"""The limit of descriptors is raised as far as it may be, and never lowered."""

from __future__ import annotations

import resource

import pytest

from ftpd.descriptors import TooFewDescriptors, raise_descriptor_limit

ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), [(4096, 4096)]),
        ((1024, ENDLESS), [(1 << 20, ENDLESS)]),
        ((1024, 1 << 30), [(1 << 20, 1 << 30)]),
        ((4096, 4096), []),
        ((1 << 21, 1 << 30), []),
        ((ENDLESS, ENDLESS), []),
    ],
)
def test_limit_becomes_what_the_system_allows_up_to_a_million(monkeypatch, before, after):
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: before)
    monkeypatch.setattr(resource, "setrlimit", lambda which, pair: limits.append(pair))
    raise_descriptor_limit()
    assert limits == after


def test_a_system_that_grants_next_to_nothing_is_told_how_much_is_needed(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (16, 63))
    with pytest.raises(TooFewDescriptors, match=r"^The system lets this process open 63 files; it needs 64 at least"):
        raise_descriptor_limit()
