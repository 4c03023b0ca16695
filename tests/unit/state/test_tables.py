from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftpd.state.tables import plain, request_of, row_of, text_of_request, text_of_row, unplain
from ftpd.testing.state_contract import row
from ftpd.values import Request

ANY_TEXT = some.text(some.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("address/2001:db8::/64", "address/2001:db8::/64"),
        ("account//ann smith", "account//ann smith"),
        ("zo\u00eb", "zo\\u00eb"),
        ("\udce9", "\\udce9"),
        ("\\udce9", "\\\\udce9"),
        ("a\0b", "a\\u0000b"),
        ('"', '\\"'),
    ],
)
def test_a_key_is_stored_as_an_operator_can_read_it(text, stored):
    assert plain(text) == stored


@given(ANY_TEXT)
def test_any_text_becomes_printable_ascii_and_comes_back(text):
    assert (plain(text).isascii(), plain(text).isprintable(), unplain(plain(text))) == (True, True, text)


@given(ANY_TEXT)
def test_any_row_comes_back_with_its_worker(text):
    found = row("a", account=text, path=text, client=text, size=2**64, transfer_since=0.1)
    assert row_of(text_of_row(found), "w") == attrs.evolve(found, worker="w")


@given(ANY_TEXT)
def test_any_request_comes_back(text):
    assert request_of(text_of_request(Request("kick", "account", text))) == Request("kick", "account", text)


def test_the_rate_of_a_request_comes_back():
    assert request_of(text_of_request(Request("slow", "account", "ann", 1024))) == Request("slow", "account", "ann", 1024)


def test_a_request_of_a_version_that_knew_no_rate_is_read():
    assert request_of('["kick", "account", "ann"]') == Request("kick", "account", "ann", 0)


def test_a_row_of_another_version_is_read_as_far_as_it_is_known():
    text = '{"session": "a", "address": "", "port": 0, "listener": "", "protocol": "ftp", "since": 1, "heard": 2, "later": 3}'
    found = row_of(text, "w")
    assert (found.session, found.heard, found.moved, found.worker) == ("a", 2, 0, "w")
