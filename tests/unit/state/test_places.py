from __future__ import annotations

from ftpd.state.places import Holdings
from ftpd.values import Place

ALL, ANN = Place("all", 2), Place("account/ann", 1)


def test_what_is_entered_is_counted_and_what_leaves_is_not():
    held = Holdings()
    held.enter("a", (ALL, ANN))
    held.enter("b", (ALL,))
    assert held.counts == {"all": 2, "account/ann": 1}
    assert held.leave("a") == (ALL, ANN)
    assert held.counts == {"all": 1}


def test_who_has_nothing_leaves_nothing():
    held = Holdings()
    assert held.leave("a") == ()
    assert held.counts == {}


def test_the_first_full_place_is_told():
    held = Holdings()
    held.enter("a", (ALL, ANN))
    assert held.full((ALL, ANN)) == ANN
    assert held.full((ALL,)) is None


def test_what_others_have_counts_too():
    held = Holdings()
    held.enter("a", (ALL,))
    assert held.full((ALL,), {"all": 1}) == ALL


def test_a_place_without_a_limit_is_never_full():
    assert Holdings().full((Place("any", None),), {"any": 10**9}) is None


def test_a_list_that_is_changed_later_frees_what_it_had_at_first():
    held = Holdings()
    places = [ALL, ANN]
    held.enter("a", places)
    places.clear()
    held.leave("a")
    assert held.counts == {}
