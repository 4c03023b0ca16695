"""One client of the control socket."""

from __future__ import annotations

import json

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs

from ftpd.listening import CannotListen
from ftpd.processes.conversation import Conversation
from ftpd.processes.operator import Refused
from ftpd.schema import ConfigError, Problem
from tests.fake_operator import FakeOperator, row


class Client:
    """Talks with *operator*; `heard` are the messages that it was sent."""

    def __init__(self, operator, transport=None):
        self.gone = []
        self.clock = Clock()
        self.transport = transport or StringTransport()
        self.conversation = Conversation(self.clock, operator, 1000, self.gone.append)
        self.conversation.makeConnection(self.transport)

    def says(self, data):
        self.conversation.dataReceived(data)
        return self.heard

    def asks(self, do, **fields):
        return self.says(request(do, **fields))

    @property
    def heard(self):
        return [json.loads(line) for line in self.transport.value().splitlines()]


def request(do, **fields):
    return json.dumps({"protocol": 1, "do": do, **fields}).encode() + b"\n"


@pytest.fixture
def operator():
    return FakeOperator()


@pytest.fixture
def client(operator):
    return Client(operator)


def test_sessions_are_told_one_by_one(operator, client):
    operator.rows = (row("a" * 16, account="ann"), row("b" * 16))
    first, second, last = client.asks("who")
    assert (first["part"]["session"], first["part"]["account"]) == ("a" * 16, "ann")
    assert second["part"]["session"] == "b" * 16
    assert last == {"done": 2}


def test_requests_are_answered_in_order(client):
    assert client.says(request("kick", field="account", value="ann") + request("unlock")) == [{"done": 1}, {"done": None}]


def test_a_request_may_come_in_pieces(operator, client):
    for byte in request("unlock"):
        client.says(bytes([byte]))
    assert operator.calls == [("unlock",)]
    assert client.heard == [{"done": None}]


def test_nothing_is_read_and_nobody_is_hurried_while_an_answer_is_made(operator, client):
    operator.answers["reload"] = reload = Deferred()
    assert client.says(request("reload") + request("unlock")) == []
    assert client.transport.producerState == "paused"
    client.clock.advance(3600)
    assert not client.transport.disconnected
    reload.callback(None)
    assert client.heard == [{"done": None}, {"done": None}]
    assert operator.calls == [("reload",), ("unlock",)]
    assert client.transport.producerState == "producing"


def test_a_client_that_leaves_does_not_end_what_it_asked_for(operator, client):
    operator.answers["reload"] = reload = Deferred()
    client.asks("reload")
    client.conversation.connectionLost()
    assert client.gone == [client.conversation]
    assert not reload.called
    reload.callback(None)
    assert client.heard == []


def test_problems_of_a_configuration_are_told_one_by_one(operator, client):
    operator.answers["reload"] = ConfigError([Problem("f", "a.b", "odd", "even"), Problem("f", "a.c", "x", "y")])
    assert client.asks("reload") == [
        {"part": {"file": "f", "path": "a.b", "found": "odd", "allowed": "even"}},
        {"part": {"file": "f", "path": "a.c", "found": "x", "allowed": "y"}},
        {"failed": "configuration", "message": "The configuration cannot be used; the old one stays in force."},
    ]


@pytest.mark.parametrize("error", [Refused("Not now."), CannotListen("Not now.")])
def test_a_refusal_is_told_in_its_words(operator, client, error):
    operator.answers["reload"] = error
    assert client.asks("reload") == [{"failed": "refused", "message": "Not now."}]
    assert client.asks("unlock")[-1] == {"done": None}


def test_an_error_of_ours_is_logged_and_the_client_told_no_secrets(operator, client):
    operator.answers["reload"] = ZeroDivisionError("secret")
    with capturedLogs() as logs:
        assert client.asks("reload") == [{"failed": "fault", "message": "An error in ftpd; its log has more."}]
    assert [type(event["log_failure"].value) for event in logs if "log_failure" in event] == [ZeroDivisionError]


def test_what_is_cancelled_ends_the_connection(operator, client):
    operator.answers["reload"] = CancelledError()
    assert client.asks("reload") == []
    assert client.transport.disconnected


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        (b"\n", "request", "a request is a JSON object on one line (Expecting value: line 1 column 1 (char 0))"),
        (b"[]\n", "request", "a request is a JSON object on one line (no JSON object)"),
        (b"\xff\n", "request", None),
        (b"[" * 4000 + b"\n", "request", None),
        (b'{"do":"who"}\n', "protocol", None),
        (b"GET / HTTP/1.1\r\n", "request", None),
    ],
)
def test_a_bad_request_is_told_why_and_is_the_last(operator, client, line, kind, message):
    [answer] = client.says(line + request("unlock"))
    assert answer["failed"] == kind
    assert message is None or answer["message"] == message
    assert client.transport.disconnecting
    assert operator.calls == []


@pytest.mark.parametrize("data", [b"x" * 5000, b"x" * 4097 + b"\n"], ids=["endless", "long"])
def test_an_oversized_request_is_refused(client, data):
    assert client.says(data) == [{"failed": "request", "message": "a request has at most 4096 bytes"}]
    assert client.transport.disconnecting


def test_who_changes_something_is_logged(client):
    with capturedLogs() as logs:
        client.asks("kick", field="account", value="a\nb")
        client.asks("stop", now=True)
        client.asks("who")
    assert [(event["log_level"], event["uid"], event["wish"]) for event in logs] == [
        (LogLevel.info, 1000, "kick account a\\nb"),
        (LogLevel.info, 1000, "stop now"),
    ]
    assert logs[0]["log_format"] == "uid {uid} asked for: {wish}"


def test_a_client_that_says_nothing_is_dropped(client):
    client.clock.advance(29)
    assert not client.transport.disconnected
    client.clock.advance(2)
    assert client.transport.disconnected


def test_a_client_that_has_gone_leaves_no_timer(client):
    client.asks("unlock")
    client.conversation.connectionLost()
    assert client.clock.getDelayedCalls() == []


class FullTransport(StringTransport):
    """Wants nothing more after each write, as one whose client does not read."""

    def write(self, data):
        super().write(data)
        if self.producer is not None:
            self.producer.pauseProducing()


def test_rows_are_written_as_the_client_takes_them():
    client = Client(FakeOperator(tuple(row(f"{number:016}") for number in range(1000))), FullTransport())
    assert len(client.asks("who")) == 16
    client.transport.producer.resumeProducing()
    assert len(client.heard) == 32
    while client.transport.producer is not None:
        client.transport.producer.resumeProducing()
    assert client.heard[-1] == {"done": 1000}


def test_a_client_that_takes_nothing_is_dropped():
    client = Client(FakeOperator(tuple(row(f"{number:016}") for number in range(1000))), FullTransport())
    client.asks("who")
    client.clock.advance(20)
    client.transport.producer.resumeProducing()
    client.clock.advance(20)
    assert not client.transport.disconnected
    client.clock.advance(11)
    assert client.transport.disconnected
