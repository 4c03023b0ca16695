"""What can be asked on the control socket, and what cannot."""

from __future__ import annotations

import json

import pytest

from ftpd import __version__
from ftpd.processes.requests import BadRequest, read_wish
from tests.fake_operator import FakeOperator


def wish(do, **fields):
    return read_wish(json.dumps({"protocol": 1, "do": do, **fields}).encode())


def granted(wish, operator):
    """The answer of an operator that never waits."""
    coroutine = wish.grant(operator)
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


@pytest.mark.parametrize(
    ("do", "fields", "call"),
    [
        ("kick", {"field": "session", "value": "0" * 16}, ("kick", "session", "0" * 16)),
        ("kick", {"field": "account", "value": "ann"}, ("kick", "account", "ann")),
        ("kick", {"field": "address", "value": "192.0.2.1"}, ("kick", "address", "192.0.2.1")),
        ("kick", {"field": "address", "value": "192.0.2.0/24"}, ("kick", "address", "192.0.2.0/24")),
        ("kick", {"field": "address", "value": "2001:DB8:0::1"}, ("kick", "address", "2001:db8::1")),
        ("kick", {"field": "address", "value": "::ffff:192.0.2.1"}, ("kick", "address", "192.0.2.1")),
        ("slow", {"field": "account", "value": "ann", "rate": 1048576}, ("slow", "account", "ann", 1048576)),
        ("slow", {"field": "address", "value": "::ffff:192.0.2.1", "rate": 0}, ("slow", "address", "192.0.2.1", 0)),
        ("lock", {"message": "Back at noon."}, ("lock", "Back at noon.")),
        ("lock", {"message": ""}, ("lock", "")),
        ("unlock", {}, ("unlock",)),
        ("reload", {}, ("reload",)),
        ("stop", {"now": False}, ("stop", False)),
        ("stop", {"now": True}, ("stop", True)),
    ],
)
def test_a_request_is_one_call(do, fields, call):
    operator = FakeOperator()
    granted(wish(do, **fields), operator)
    assert operator.calls == [call]


def test_the_log_says_who_was_slowed_to_what():
    assert wish("slow", field="account", value="a\nb", rate=200_000).words == "slow account a\\nb 200000"


def test_what_changes_nothing_has_no_words_for_the_log():
    assert [wish(do).words for do in ("who", "status")] == ["", ""]


def test_the_answer_to_stop_is_how_long_it_may_take():
    assert granted(wish("stop", now=False), FakeOperator()).done == 2.0


@pytest.mark.parametrize(
    ("do", "fields", "message"),
    [
        ("dance", {}, "nothing is called that; there are who, kick, slow, lock, unlock, reload, stop, status"),
        (["who"], {}, "nothing is called that; there are who, kick, slow, lock, unlock, reload, stop, status"),
        ("who", {"all": True}, "who takes nothing more"),
        ("kick", {"field": "account"}, "kick takes field, value"),
        ("kick", {"field": "account", "value": 7}, "value of kick is not text"),
        ("kick", {"field": "path", "value": "/"}, "sessions are chosen by session, account, address"),
        ("kick", {"field": "account", "value": ""}, "no account is empty"),
        ("kick", {"field": "address", "value": "ann"}, "'ann' does not appear to be an IPv4 or IPv6 network"),
        ("kick", {"field": "address", "value": "192.0.2.1/24"}, "192.0.2.1/24 has host bits set"),
        ("slow", {"field": "account", "value": "ann"}, "slow takes field, value, rate"),
        ("slow", {"field": "account", "value": "ann", "rate": True}, "rate of slow is not a whole number"),
        ("slow", {"field": "account", "value": "ann", "rate": 1.5}, "rate of slow is not a whole number"),
        ("slow", {"field": "account", "value": "ann", "rate": -1}, "a rate is bytes a second, 0 or more"),
        ("slow", {"field": "account", "value": "ann", "rate": 2**63}, "a rate is bytes a second, 0 or more"),
        ("slow", {"field": "path", "value": "/", "rate": 1}, "sessions are chosen by session, account, address"),
        ("lock", {"message": "a\r\n220 b"}, "the message is one line of 400 letters at most"),
        ("lock", {"message": "\x1b[H"}, "the message is one line of 400 letters at most"),
        ("lock", {"message": "\udcff"}, "the message is one line of 400 letters at most"),
        ("lock", {"message": "x" * 401}, "the message is one line of 400 letters at most"),
        ("stop", {"now": 1}, "now of stop is not true or false"),
    ],
)
def test_what_cannot_be_asked_is_said(do, fields, message):
    with pytest.raises(BadRequest) as caught:
        wish(do, **fields)
    assert (caught.value.kind, str(caught.value)) == ("request", message)


@pytest.mark.parametrize("protocol", [0, 2, "1", None])
def test_another_protocol_is_told_which_there_is(protocol):
    with pytest.raises(BadRequest) as caught:
        read_wish(json.dumps({"protocol": protocol, "do": "who"}).encode())
    assert caught.value.kind == "protocol"
    assert str(caught.value) == f"this is ftpd {__version__}, which speaks version 1 of the control protocol"
