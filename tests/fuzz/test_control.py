"""Whatever arrives on the control socket: it is answered or refused, and the operator hears only what was asked in full."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from ftpd.processes.conversation import Conversation
from tests.fake_operator import FakeOperator, row

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3))
NAMES = st.sampled_from(["protocol", "do", "field", "value", "message", "now", "rate"])
OBJECTS = st.dictionaries(
    NAMES, VALUES | st.sampled_from([1, "who", "kick", "slow", "lock", "stop", "status", "reload", "account"])
)
PIECES = st.lists(st.binary(max_size=200) | OBJECTS.map(lambda fields: json.dumps(fields).encode() + b"\n"), max_size=10)


@given(PIECES, st.integers(0, 5000))
def test_every_line_is_answered_until_one_is_refused(pieces, padding):
    operator, transport = FakeOperator((row(),)), StringTransport()
    conversation = Conversation(Clock(), operator, 0, lambda gone: None)
    conversation.makeConnection(transport)
    for piece in [*pieces, b" " * padding]:
        conversation.dataReceived(piece)
        if transport.disconnecting:
            break
    answers = [json.loads(line) for line in transport.value().splitlines()]
    ends = [answer for answer in answers if "part" not in answer]
    assert ["failed" in end for end in ends] == [False] * (len(ends) - 1) + ([transport.disconnecting] if ends else [])
    assert len(operator.calls) <= len(ends)
