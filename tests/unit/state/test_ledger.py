from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as some
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpd.state import ledger as module
from ftpd.state.calls import Ask, Close, Fail, Forget, GiveBack, Report, Sessions, Share, Take
from ftpd.state.ledger import Ledger, clear
from ftpd.state.tables import SCHEMA
from ftpd.testing.state_contract import row
from ftpd.values import Failures, Place, Request

ONE, ANY = Place("one", 1), Place("any", None)
KICK = Request("kick", "session", "a")


def new_file(origin="first", sql=None):
    sql = sql or sqlite3.connect(":memory:", isolation_level=None)
    for statement in SCHEMA:
        sql.execute(statement)
    sql.execute("insert into origin (identity) values (?)", (origin,))
    return sql


@pytest.fixture
def files():
    made = []

    def make(origin="first"):
        made.append(new_file(origin))
        return made[-1]

    yield make
    for sql in made:
        sql.close()


@pytest.fixture
def sql(files):
    return files()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    return Ledger("w", clock.seconds)


def asked(call):
    """*call*, as somebody waits for it."""
    call.answer = Deferred()
    return call


def apply(ledger, sql, *calls):
    ledger.apply(sql, calls)
    ledger.committed()
    ledger.read(sql, calls)
    return [call.result for call in calls]


def held(sql):
    return {(worker, key): count for worker, key, count in sql.execute("select worker, key, count from held")}


def statements(sql, work):
    """Return how many statements *work* makes of *sql*."""
    seen = []
    sql.set_trace_callback(seen.append)
    work()
    sql.set_trace_callback(None)
    return len(seen)


class TestPlaces:
    def test_a_batch_is_judged_in_its_order(self, ledger, sql):
        calls = [asked(Take("a", (ONE,))), asked(Take("b", (ONE,))), GiveBack("a"), asked(Take("c", (ONE,)))]
        assert apply(ledger, sql, *calls) == [None, ONE, None, None]

    def test_the_file_has_the_count_of_each_key_and_worker(self, ledger, sql):
        other = Ledger("v", Clock().seconds)
        apply(ledger, sql, asked(Take("a", (ONE, ANY))), asked(Take("b", (ANY,))))
        apply(other, sql, asked(Take("c", (ANY,))))
        assert held(sql) == {("w", "one"): 1, ("w", "any"): 2, ("v", "any"): 1}

    def test_what_nobody_has_is_0_in_the_file_and_soon_not_there(self, ledger, sql, clock):
        apply(ledger, sql, asked(Take("a", (ONE,))), asked(Take("b", (ANY,))))
        apply(ledger, sql, GiveBack("a"))
        assert held(sql) == {("w", "one"): 0, ("w", "any"): 1}
        clock.advance(60)
        apply(ledger, sql)
        assert held(sql) == {("w", "any"): 1}

    def test_a_hundred_takes_cost_as_many_statements_as_one(self, ledger, sql):
        apply(ledger, sql)
        few = [asked(Take("a", (Place("all", 1000), Place("address/0", 9))))]
        many = [asked(Take(str(number), (Place("all", 1000), Place(f"address/{number}", 9)))) for number in range(100)]
        assert statements(sql, lambda: ledger.apply(sql, few)) == statements(sql, lambda: ledger.apply(sql, many)) == 2

    def test_what_was_wrong_in_the_file_is_put_right_by_the_next_write(self, ledger, sql):
        apply(ledger, sql, asked(Take("a", (ANY,))))
        sql.execute("update held set count = 99")
        apply(ledger, sql, asked(Take("b", (ANY,))))
        assert held(sql) == {("w", "any"): 2}

    def test_a_take_that_went_on_without_an_answer_is_counted_beyond_the_limit(self, ledger, sql):
        late = asked(Take("b", (ONE,)))
        late.is_given_up = True
        apply(ledger, sql, asked(Take("a", (ONE,))), late)
        assert held(sql) == {("w", "one"): 2}


class TestAtOnce:
    """In one statement, where there is room for all."""

    @pytest.fixture(autouse=True)
    def _begun(self, ledger, sql):
        apply(ledger, sql)

    @pytest.fixture
    def other(self, sql):
        other = Ledger("v", Clock().seconds)
        apply(other, sql)
        return other

    def test_what_finds_room_is_taken_by_one_statement(self, ledger, sql):
        calls = [asked(Take("a", (Place("two", 2), ANY))), asked(Take("b", (Place("two", 2),)))]
        assert statements(sql, lambda: ledger.enter_at_once(sql, calls)) == 1
        assert [call.result for call in calls] == [None, None]
        assert held(sql) == {("w", "two"): 2, ("w", "any"): 1}

    def test_what_is_given_back_too(self, ledger, sql):
        ledger.enter_at_once(sql, [asked(Take("a", (ONE,)))])
        assert ledger.enter_at_once(sql, [GiveBack("a")])
        assert held(sql) == {("w", "one"): 0}

    def test_one_too_many_for_the_others_is_not_done(self, ledger, other, sql):
        assert other.enter_at_once(sql, [asked(Take("a", (Place("two", 2),)))])
        calls = [asked(Take("b", (ANY, Place("two", 2)))), asked(Take("c", (ANY, Place("two", 2))))]
        assert not ledger.enter_at_once(sql, calls)
        assert held(sql) == {("v", "two"): 1}
        assert apply(ledger, sql, *calls) == [None, Place("two", 2)]
        assert held(sql) == {("v", "two"): 1, ("w", "two"): 1, ("w", "any"): 1}

    def test_one_too_many_within_the_batch_is_not_done(self, ledger, sql):
        calls = [asked(Take(name, (ONE,))) for name in "abc"]
        assert not ledger.enter_at_once(sql, calls)
        assert apply(ledger, sql, *calls) == [None, ONE, ONE]
        assert held(sql) == {("w", "one"): 1}

    def test_a_place_that_is_given_back_before_it_is_taken_again_is_enough_for_two(self, ledger, sql):
        assert ledger.enter_at_once(sql, [asked(Take("a", (ONE,))), GiveBack("a"), asked(Take("b", (ONE,)))])
        assert held(sql) == {("w", "one"): 1}

    def test_one_that_is_given_back_only_afterwards_is_not(self, ledger, sql):
        calls = [asked(Take("a", (ONE,))), asked(Take("b", (ONE,))), GiveBack("a")]
        assert not ledger.enter_at_once(sql, calls)
        assert apply(ledger, sql, *calls) == [None, ONE, None]

    def test_what_is_given_back_beside_one_too_many_is_free_for_the_others(self, ledger, other, sql):
        ledger.enter_at_once(sql, [asked(Take("a", (ONE,)))])
        other.enter_at_once(sql, [asked(Take("z", (Place("two", 1),)))])
        calls = [GiveBack("a"), asked(Take("b", (Place("two", 1),)))]
        assert not ledger.enter_at_once(sql, calls)
        apply(ledger, sql, *calls)
        assert apply(other, sql, asked(Take("y", (ONE,)))) == [None]

    def test_what_is_given_back_while_somebody_else_writes_is_free_for_the_others(self, tmp_path):
        path = tmp_path / "state.db"
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as sql, closing(sqlite3.connect(path)) as writer:
            new_file(sql=sql)
            ledger = Ledger("w", Clock().seconds)
            apply(ledger, sql, asked(Take("a", (ONE,))))
            writer.execute("begin immediate")
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                ledger.enter_at_once(sql, [GiveBack("a")])
            writer.execute("rollback")
            apply(ledger, sql, GiveBack("a"))
            assert held(sql) == {("w", "one"): 0}

    def test_a_session_that_takes_again_needs_no_more_room(self, ledger, sql):
        for _ in range(3):
            assert ledger.enter_at_once(sql, [asked(Take("a", (ONE,)))])
        assert held(sql) == {("w", "one"): 1}

    def test_who_asks_nothing_is_counted_beyond_the_limit(self, ledger, sql):
        assert ledger.enter_at_once(sql, [Take("a", (ONE,)), Take("b", (ONE,))])
        assert held(sql) == {("w", "one"): 2}

    @pytest.mark.parametrize("call", [Report((), ()), Fail("192.0.2.1", 60.0, 1, 1.0), Ask(KICK), Sessions(), Forget("v"), Close()])
    def test_anything_else_is_not_done(self, ledger, sql, call):
        assert not ledger.enter_at_once(sql, [asked(Take("a", (ONE,))), asked(call)])
        assert held(sql) == {}

    def test_a_file_that_was_just_opened_has_to_be_told_everything_first(self, sql):
        assert not Ledger("new", Clock().seconds).enter_at_once(sql, [asked(Take("a", (ONE,)))])


class TestGrantedBefore:
    """Without a statement, where the file has granted as much."""

    @pytest.fixture(autouse=True)
    def _begun(self, ledger, sql):
        apply(ledger, sql)

    @pytest.fixture
    def rival(self, sql):
        rival = Ledger("v", Clock().seconds)
        apply(rival, sql)
        return rival

    def test_who_comes_as_another_leaves_takes_his_place_without_a_statement(self, ledger, sql):
        ledger.take_at_once(sql, [asked(Take("a", (ONE, ANY)))])
        granted = []
        calls = [GiveBack("a"), asked(Take("b", (ONE, ANY)))]
        assert statements(sql, lambda: granted.append(ledger.take_at_once(sql, calls))) == 0
        assert granted == [True]
        assert held(sql) == {("w", "one"): 1, ("w", "any"): 1}

    def test_the_next_one_finds_it_taken(self, ledger, sql):
        ledger.take_at_once(sql, [asked(Take("a", (ONE,)))])
        ledger.take_at_once(sql, [GiveBack("a"), asked(Take("b", (ONE,)))])
        assert not ledger.take_at_once(sql, [asked(Take("c", (ONE,)))])

    def test_who_has_left_is_counted_until_the_file_is_told(self, ledger, rival, sql):
        three = Place("three", 3)
        ledger.take_at_once(sql, [asked(Take(name, (three,))) for name in "ab"])
        assert ledger.take_at_once(sql, [GiveBack("a"), GiveBack("b"), asked(Take("c", (three,)))])
        assert held(sql) == {("w", "three"): 2}
        assert ledger.is_behind
        assert not rival.take_at_once(sql, [asked(Take(name, (three,))) for name in "yz"])
        assert ledger.enter_at_once(sql, [])
        assert not ledger.is_behind
        assert rival.take_at_once(sql, [asked(Take(name, (three,))) for name in "yz"])
        assert held(sql) == {("w", "three"): 1, ("v", "three"): 2}

    def test_a_place_that_the_file_was_told_of_is_asked_for(self, ledger, rival, sql):
        ledger.take_at_once(sql, [asked(Take("a", (ONE,)))])
        ledger.enter_at_once(sql, [GiveBack("a")])
        rival.take_at_once(sql, [asked(Take("z", (ONE,)))])
        assert not ledger.take_at_once(sql, [asked(Take("b", (ONE,)))])

    def test_what_was_granted_within_another_limit_is_asked_for_again(self, ledger, rival, sql):
        ledger.take_at_once(sql, [asked(Take("a", (Place("some", 2),)))])
        rival.take_at_once(sql, [asked(Take("z", (Place("some", 2),)))])
        assert not ledger.take_at_once(sql, [GiveBack("a"), asked(Take("b", (Place("some", 1),)))])

    def test_what_nobody_asked_for_was_not_granted(self, ledger, rival, sql):
        rival.take_at_once(sql, [asked(Take("z", (ONE,)))])
        ledger.take_at_once(sql, [Take("a", (ONE,))])
        assert not ledger.take_at_once(sql, [GiveBack("a"), asked(Take("b", (ONE,)))])

    def test_a_place_that_a_new_file_has_not_granted_is_asked_for(self, ledger, sql):
        ledger.take_at_once(sql, [asked(Take("a", (ONE,)))])
        with closing(new_file()) as new:
            apply(Ledger("v", Clock().seconds), new, asked(Take("z", (ONE,))))
            apply(ledger, new)
            assert not ledger.take_at_once(new, [GiveBack("a"), asked(Take("b", (ONE,)))])

    def test_what_one_batch_needs_at_its_height_has_to_be_granted(self, ledger, rival, sql):
        two = Place("two", 2)
        ledger.take_at_once(sql, [asked(Take("a", (two,)))])
        rival.take_at_once(sql, [asked(Take("z", (two,)))])
        assert not ledger.take_at_once(sql, [asked(Take("b", (two,))), GiveBack("a")])


def test_what_was_noted_is_told_to_the_same_file_too(ledger, sql):
    apply(ledger, sql, asked(Take("a", (ONE, ANY))))
    ledger.note([GiveBack("a"), Take("b", (ANY,)), Take("c", (Place("new", 1),))])
    assert ledger.is_behind
    assert not ledger.enter_at_once(sql, [GiveBack("nobody")])
    apply(ledger, sql)
    assert not ledger.is_behind
    assert held(sql) == {("w", "any"): 1, ("w", "new"): 1}


class TestANewFile:
    def test_it_is_told_what_was_noted_while_there_was_none(self, ledger, sql):
        ledger.note([Take("a", (ONE,)), Take("b", (ANY,)), GiveBack("a"), Report((row("b"), row("c")), ("c",))])
        apply(ledger, sql)
        assert held(sql) == {("w", "any"): 1}
        assert sql.execute("select session, worker from sessions").fetchall() == [("b", "w")]

    def test_it_is_told_all_that_the_old_one_was(self, ledger, sql, files):
        calls = asked(Take("a", (ONE,))), Report((row("a"),), ()), Share({"server": 1.5}), Fail("192.0.2.1", 60.0, 1, 100.0)
        apply(ledger, sql, *calls)
        again = files("second")
        apply(ledger, again)
        assert held(again) == {("w", "one"): 1}
        assert again.execute("select session, worker from sessions").fetchall() == [("a", "w")]
        assert again.execute("select key, worker, amount from uses").fetchall() == [("server", "w", 1.5)]
        assert again.execute("select address, until from bans").fetchall() == [("192.0.2.1", 100.0)]

    def test_what_a_worker_of_the_same_name_left_there_is_removed(self, ledger, sql):
        other = Ledger("w", Clock().seconds)
        apply(other, sql, asked(Take("a", (ONE,))), Report((row("a"),), ()))
        assert apply(ledger, sql, asked(Take("b", (ONE,)))) == [None]
        assert held(sql) == {("w", "one"): 1}
        assert sql.execute("select count(*) from sessions").fetchone() == (0,)

    def test_a_worker_that_could_not_be_forgotten_is_forgotten_then_and_once(self, ledger, sql):
        other = Ledger("dead", Clock().seconds)
        apply(other, sql, asked(Take("a", (ONE,))))
        ledger.note([Forget("dead")])
        apply(ledger, sql)
        assert held(sql) == {}
        apply(Ledger("dead", Clock().seconds), sql, asked(Take("b", (ONE,))))
        ledger._entered = None  # as if it had been opened again
        apply(ledger, sql)
        assert held(sql) == {("dead", "one"): 1}

    def test_requests_of_the_same_file_are_told_once_though_it_was_opened_again(self, ledger, sql):
        apply(ledger, sql)
        apply(ledger, sql, asked(Ask(KICK)))
        assert apply(ledger, sql, asked(Report((), ()))) == [[KICK]]
        ledger._entered = None
        assert apply(ledger, sql, asked(Report((), ()))) == [[]]

    def test_requests_of_another_file_are_told_from_its_start(self, ledger, sql, files):
        apply(ledger, sql, asked(Ask(KICK)), asked(Report((), ())))
        again = files("second")
        apply(Ledger("v", Clock().seconds), again, asked(Ask(KICK)))
        assert apply(ledger, again, asked(Report((), ()))) == [[KICK]]


class TestRequests:
    def test_a_report_that_nobody_waits_for_leaves_them_for_the_next(self, ledger, sql):
        apply(ledger, sql, asked(Ask(KICK)))
        apply(ledger, sql, Report((), ()))
        assert apply(ledger, sql, asked(Report((), ()))) == [[KICK]]

    def test_a_request_that_was_given_up_is_not_asked_later(self, ledger, sql):
        late = asked(Ask(KICK))
        late.is_given_up = True
        apply(ledger, sql, late)
        assert apply(ledger, sql, asked(Report((), ()))) == [[]]

    def test_old_ones_are_removed(self, ledger, sql, clock):
        apply(ledger, sql, asked(Ask(KICK)))
        clock.advance(3600)
        apply(ledger, sql)
        assert sql.execute("select count(*) from requests").fetchone() == (0,)


class TestFailures:
    def test_expired_failures_and_bans_are_removed_from_file_and_memory(self, ledger, sql, clock):
        apply(ledger, sql, Fail("192.0.2.1", 60.0, 9, 1.0), Fail("192.0.2.2", 60.0, 1, 500.0), Fail("192.0.2.3", 60.0, 1, 10.0))
        clock.advance(60)
        apply(ledger, sql)
        assert sql.execute("select address from failures").fetchall() == [("192.0.2.2",)]
        assert sql.execute("select address from bans").fetchall() == [("192.0.2.2",)]
        assert ledger.bans == {"192.0.2.2": 500.0}

    def test_of_too_many_those_that_expire_first_are_removed(self, ledger, sql, clock, monkeypatch):
        monkeypatch.setattr(module, "_MOST_ADDRESSES", 2)
        for number in range(5):
            apply(ledger, sql, Fail(f"192.0.2.{number}", 600.0, 9, 1.0))
            clock.advance(12)
        apply(ledger, sql)
        assert sorted(sql.execute("select address from failures")) == [("192.0.2.3",), ("192.0.2.4",)]

    def test_an_address_that_is_forgotten_while_it_is_banned_stays_banned(self, ledger, sql, clock, monkeypatch):
        monkeypatch.setattr(module, "_MOST_ADDRESSES", 0)
        apply(ledger, sql, Fail("192.0.2.1", 600.0, 1, 600.0))
        clock.advance(60)
        apply(ledger, sql)
        assert sql.execute("select address from bans").fetchall() == [("192.0.2.1",)]

    def test_bans_are_learnt_once_each(self, ledger, sql):
        apply(ledger, sql)
        other = Ledger("v", Clock().seconds)
        for number in range(3):
            apply(other, sql, Fail(f"192.0.2.{number}", 60.0, 1, 100.0))
        apply(ledger, sql, Report((), ()))
        assert ledger.bans == {"192.0.2.0": 100.0, "192.0.2.1": 100.0, "192.0.2.2": 100.0}
        ledger.bans.clear()
        apply(ledger, sql, Report((), ()))
        assert ledger.bans == {}

    def test_failures_are_counted_by_whoever_reports_them(self, ledger, sql):
        other = Ledger("v", Clock().seconds)
        apply(ledger, sql, Fail("192.0.2.1", 60.0, 9, 1.0))
        assert apply(other, sql, Fail("192.0.2.1", 60.0, 9, 1.0)) == [Failures(2)]


class TestTheEnd:
    def test_clearing_leaves_failures_and_bans_only(self, ledger, sql):
        calls = (
            asked(Take("a", (ONE,))),
            Report((row("a"),), ()),
            asked(Ask(KICK)),
            Share({"server": 1.5}),
            Fail("192.0.2.1", 60.0, 1, 100.0),
        )
        apply(ledger, sql, *calls)
        clear(sql, now=0.0)
        counts = {
            table: sql.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("held", "uses", "sessions", "requests", "failures", "bans")
        }
        assert counts == {"held": 0, "uses": 0, "sessions": 0, "requests": 0, "failures": 1, "bans": 1}

    def test_clearing_frees_who_failed_at_a_time_that_is_still_to_come(self, ledger, sql, clock):
        clock.advance(1000)
        apply(ledger, sql, Fail("192.0.2.1", 60.0, 1, 100.0))
        clear(sql, now=999.0)
        assert sql.execute("select * from failures").fetchall() == []
        assert sql.execute("select * from bans").fetchall() == []

    def test_closing_frees_what_was_taken_in_the_same_batch(self, ledger, sql):
        apply(ledger, sql, asked(Take("a", (ONE,))), Report((row("a"),), ()), asked(Close()))
        assert held(sql) == {}
        assert apply(ledger, sql, asked(Sessions())) == [[]]

    def test_a_closed_ledger_tells_a_new_file_nothing(self, ledger, sql, files):
        apply(ledger, sql, asked(Take("a", (ONE,))))
        ledger.note([Close()])
        again = files("second")
        apply(ledger, again)
        assert held(again) == {}


class Model:
    """What a ledger should have and say."""

    def __init__(self):
        self.held = {}

    def full(self, places, other):
        return next(
            (place for place in places if place.most is not None and self.count(place) + other.count(place) >= place.most), None
        )

    def count(self, place):
        return sum(place in places for places in self.held.values())

    def counts(self):
        return {place.key: self.count(place) for places in self.held.values() for place in places}

    def apply(self, calls, other):
        results = []
        for session, _ in calls:
            self.held.pop(session, None)
        for session, places in calls:
            self.held.pop(session, None)
            full = self.full(places, other) if places is not None else None
            if places is not None and full is None:
                self.held[session] = places
            results.append(full)
        return results


SOME_PLACES = some.lists(some.sampled_from([Place("one", 1), Place("two", 2), ANY]), unique=True, max_size=3)
SOME_CALLS = some.lists(some.tuples(some.sampled_from("abc"), some.none() | SOME_PLACES), min_size=1, max_size=4)


@given(some.lists(some.tuples(some.sampled_from([0, 1]), some.booleans(), SOME_CALLS), max_size=12))
def test_whatever_two_workers_do_the_file_and_the_answers_are_right(batches):
    models = [Model(), Model()]
    with closing(new_file()) as sql:
        ledgers = [Ledger(worker, Clock().seconds) for worker in ("w0", "w1")]
        for ledger in ledgers:
            apply(ledger, sql)
        for number, is_noted, moves in batches:
            ledger, model, other = ledgers[number], models[number], models[1 - number]
            calls = [GiveBack(session) if places is None else asked(Take(session, tuple(places))) for session, places in moves]
            is_at_once = ledger.enter_at_once(sql, calls)
            if not is_at_once:
                if is_noted:  # as if the file had been lost for a moment; who gave back has, and nobody else has gone on
                    ledger.note([call for call in calls if isinstance(call, GiveBack)])
                apply(ledger, sql, *calls)
            expected = model.apply(moves, other)
            assert [call.result for call in calls] == ([None] * len(calls) if is_at_once else expected)
            assert {key: count for (worker, key), count in held(sql).items() if count and worker == f"w{number}"} == model.counts()


@given(some.lists(some.tuples(some.sampled_from([0, 1]), some.booleans(), SOME_CALLS), max_size=12))
def test_however_late_the_file_hears_of_who_has_left_no_limit_is_passed(batches):
    models = [Model(), Model()]
    with closing(new_file()) as sql:
        ledgers = [Ledger(worker, Clock().seconds) for worker in ("w0", "w1")]
        for ledger in ledgers:
            apply(ledger, sql)
        for number, is_told, moves in batches:
            ledger, model, other = ledgers[number], models[number], models[1 - number]
            calls = [GiveBack(session) if places is None else asked(Take(session, tuple(places))) for session, places in moves]
            if not ledger.take_at_once(sql, calls):
                apply(ledger, sql, *calls)
            for call, (session, places) in zip(calls, moves, strict=True):
                model.held.pop(session, None)
                if places is not None and call.result is None:
                    model.held[session] = places
            for place in (Place("one", 1), Place("two", 2)):
                assert model.count(place) + other.count(place) <= place.most
            if is_told:
                assert ledger.enter_at_once(sql, []) or not ledger.is_behind
                assert {
                    key: count for (worker, key), count in held(sql).items() if count and worker == f"w{number}"
                } == model.counts()
