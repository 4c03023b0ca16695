from __future__ import annotations

import pytest
from OpenSSL import SSL

from ftpd.ftp.layer import TLSLayer
from ftpd.testing.lines import tls_context
from ftpd.testing.tls_client import TLSClient
from ftpd.transfer.tunnel import HandshakeFailed, Tunnel, TunnelBroken
from tests.crafted_tls import DATA, HALF_A_MESSAGE, HANDSHAKE, CraftedClient


class Line:
    """A layer and its client; `wire` has what the layer wrote and nobody took, `facts` what it said when it was established."""

    def __init__(self, name="", context=None):
        self.wire = b""
        self.facts = []
        self.context = tls_context()
        self.layer = TLSLayer(Tunnel(self.context), self.write, self.established)
        self.client = TLSClient(name, context=context)

    def write(self, data):
        assert data, "nothing is written for nothing"
        self.wire += data

    def established(self, facts):
        self.facts.append(facts)

    def taken(self):
        wire, self.wire = self.wire, b""
        return wire

    def shake_hands(self):
        while not (self.facts and self.client.is_established):
            wire = self.client.outgoing()
            if wire:
                assert self.layer.received(wire) == b""
            assert self.client.feed(self.taken()) == b""
        return self


def established(name="", context=None):
    return Line(name, context).shake_hands()


def of_version(number):
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(number)
    return context


# The handshake.


def test_facts_are_told_once_and_have_the_clients_sni_in_lower_case():
    (facts,) = established("FTP.example.com").facts
    assert (facts.version, facts.server_name, facts.is_resumed, facts.client) == ("TLSv1.3", "ftp.example.com", False, None)


def test_handshake_byte_by_byte_is_one():
    line = Line()
    while not line.facts:
        for byte in line.client.outgoing():
            assert line.layer.received(bytes([byte])) == b""
        line.client.feed(line.taken())
    assert len(line.facts) == 1


def test_command_behind_the_last_flight_is_heard_in_the_same_step():
    line = Line()
    line.layer.received(line.client.outgoing())
    line.client.feed(line.taken())
    assert line.layer.received(line.client.encrypt(b"NOOP\r\n")) == b"NOOP\r\n"


def test_handshake_is_written_before_what_is_said_when_it_is_over():
    line = Line()
    line.established = lambda facts: line.layer.write(b"220 ready\r\n")
    line.layer = TLSLayer(Tunnel(line.context), line.write, line.established)
    line.layer.received(line.client.outgoing())
    line.client.feed(line.taken())
    line.layer.received(line.client.outgoing())
    assert line.client.feed(line.taken()) == b"220 ready\r\n"


@pytest.mark.parametrize("said", [b"USER ann\r\n", b"\x17\x03\x03", b"\x15\x03\x03", b"\x00", b"\x80\x2e"], ids=repr)
def test_what_is_no_handshake_fails_and_is_not_fed_to_tls(said):
    line = Line()
    with pytest.raises(HandshakeFailed, match=r"^the client does not speak TLS$"):
        line.layer.received(said)
    assert not line.layer.speaks_tls
    assert line.wire == b""


def test_client_that_never_spoke_tls_is_answered_in_clear():
    line = Line()
    with pytest.raises(HandshakeFailed):
        line.layer.received(b"USER ann\r\n")
    line.layer.write(b"421 closing\r\n")
    assert line.wire == b"421 closing\r\n"


def test_in_mid_handshake_nothing_can_be_said():
    line = Line()
    line.layer.received(line.client.outgoing()[:20])
    line.layer.write(b"421 closing\r\n")
    line.layer.say_end()
    assert line.layer.speaks_tls
    assert line.wire == b""


def test_broken_handshake_raises_its_reason_and_sends_the_alert():
    line = Line()
    with pytest.raises(HandshakeFailed):
        line.layer.received(b"\x16\x03\x01\x00\x10" + b"\xff" * 16)
    assert line.wire[:1] == b"\x15"


def test_broken_handshake_stays_broken():
    line = Line()
    for _ in range(2):
        with pytest.raises(HandshakeFailed):
            line.layer.received(b"\x16\x03\x01\x00\x10" + b"\xff" * 16)


# What is said in it.


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
def test_both_directions_are_carried(version):
    line = established(context=of_version(version))
    assert line.layer.received(line.client.encrypt(b"NOOP\r\n")) == b"NOOP\r\n"
    line.layer.write(b"200 OK\r\n")
    assert b"200" not in line.wire
    assert line.client.feed(line.taken()) == b"200 OK\r\n"


def test_several_records_are_heard_at_once():
    line = established()
    wire = line.client.encrypt(b"NOOP\r\n") + line.client.encrypt(b"PWD\r\n")
    assert line.layer.received(wire) == b"NOOP\r\nPWD\r\n"


def test_half_a_record_is_nothing_yet():
    line = established()
    wire = line.client.encrypt(b"NOOP\r\n")
    assert line.layer.received(wire[:10]) == b""
    assert line.layer.received(wire[10:]) == b"NOOP\r\n"


def test_damaged_record_raises_and_sends_the_alert():
    line = established()
    wire = line.client.encrypt(b"NOOP\r\n")
    with pytest.raises(TunnelBroken, match=r"^a record is damaged$"):
        line.layer.received(wire[:-1] + bytes([wire[-1] ^ 1]))
    with pytest.raises(SSL.Error):
        line.client.feed(line.taken())


def test_good_record_in_one_step_with_a_damaged_one_is_not_heard():
    line = established()
    wire = line.client.encrypt(b"NOOP\r\n") + b"\x17\x03\x03\x00\x20" + bytes(32)
    with pytest.raises(TunnelBroken):
        line.layer.received(wire)


def test_renegotiation_is_refused():
    line = established(context=of_version(SSL.TLS1_2_VERSION))
    try:
        assert line.layer.received(line.client.renegotiate()) == b""
    except TunnelBroken:
        return
    with pytest.raises(SSL.Error):
        line.client.feed(line.taken())


# The end.


def test_close_notify_of_the_client_is_an_end():
    line = established()
    assert line.layer.received(line.client.encrypt(b"QUIT\r\n") + line.client.say_end()) == b"QUIT\r\n"
    assert line.layer.is_ended


def test_our_end_is_said_once():
    line = established()
    line.layer.say_end()
    line.client.feed(line.taken())
    assert line.client.has_heard_end
    line.layer.say_end()
    assert line.wire == b""


def test_last_reply_and_our_end_are_one_write():
    line, writes = established(), []
    line.layer._write = writes.append
    line.layer.write_last(b"221 Goodbye.\r\n")
    line.layer.say_end()
    (wire,) = writes
    assert line.client.feed(wire) == b"221 Goodbye.\r\n"
    assert line.client.has_heard_end


def test_last_reply_to_a_client_that_never_spoke_tls_is_in_clear():
    line = Line()
    line.layer.write_last(b"421 Goodbye.\r\n")
    assert line.wire == b"421 Goodbye.\r\n"


def test_last_reply_after_our_end_of_ccc_is_in_clear():
    line = established()
    line.layer.leave()
    line.layer.say_end()
    line.taken()
    line.layer.write_last(b"221 Goodbye.\r\n")
    assert line.wire == b"221 Goodbye.\r\n"


def test_closing_twice_is_harmless_and_the_session_stays_resumable():
    line = established()
    line.layer.write(b"220\r\n")
    line.client.feed(line.taken())
    line.layer.close()
    line.layer.close()
    second = Tunnel(line.context)
    client = TLSClient(context=line.client.context, session=line.client.session)
    for _ in range(3):
        second.feed(client.outgoing())
        second.shake_hands()
        client.feed(second.outgoing())
    assert second.is_resumed


# A client that no library makes.


def crafted():
    line = Line()
    line.client = CraftedClient()
    return line.shake_hands()


def test_record_made_by_hand_is_heard():
    line = crafted()
    assert line.layer.received(line.client.record(DATA, b"NOOP\r\n")) == b"NOOP\r\n"


def test_half_a_message_of_tls_lets_neither_a_reply_nor_our_end_raise():
    line = crafted()
    assert line.layer.received(line.client.record(HANDSHAKE, HALF_A_MESSAGE)) == b""
    line.layer.write(b"421 Closing.\r\n")
    line.layer.say_end()
    with pytest.raises(TunnelBroken):
        line.layer.received(line.client.record(DATA, b"NOOP\r\n"))


def test_half_a_message_of_tls_lets_our_end_alone_not_raise():
    line = crafted()
    line.layer.received(line.client.record(HANDSHAKE, HALF_A_MESSAGE))
    line.layer.say_end()


def test_client_that_asks_for_keys_without_end_is_refused():
    line = crafted()

    def asks():
        for _ in range(5000):
            line.layer.received(line.client.key_update())

    with pytest.raises(TunnelBroken, match="without listening"):
        asks()
    assert len(line.wire) < 100_000


def test_client_that_asks_for_keys_between_commands_is_served():
    line = crafted()
    for _ in range(5000):
        line.layer.received(line.client.key_update())
        assert line.layer.received(line.client.record(DATA, b"NOOP\r\n")) == b"NOOP\r\n"
        line.layer.write(b"200 OK\r\n")
        line.taken()


# CCC.


def left():
    line = established()
    line.layer.leave()
    line.layer.say_end()
    line.client.feed(line.taken())
    assert line.client.has_heard_end
    return line


def test_our_end_answers_the_clients():
    line = established()
    line.layer.leave()
    assert line.wire == b""
    line.layer.received(line.client.say_end())
    line.client.feed(line.taken())
    assert line.client.has_heard_end


def test_until_our_end_we_speak_in_tls():
    line = established()
    line.layer.leave()
    line.layer.write(b"200 OK\r\n")
    assert line.client.feed(line.taken()) == b"200 OK\r\n"


def test_what_stands_behind_the_clients_end_is_clear_text():
    line = left()
    assert line.layer.received(line.client.say_end() + b"PWD\r\n") == b"PWD\r\n"
    assert line.layer.is_ended


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 23])
def test_the_clients_end_may_be_cut_anywhere(cut):
    line = left()
    wire = line.client.say_end() + b"PWD\r\n"
    assert line.layer.received(wire[:cut]) == b""
    assert line.layer.received(wire[cut:]) == b"PWD\r\n"


def test_client_that_goes_on_in_clear_without_an_end_is_heard():
    line = left()
    assert line.layer.received(b"PWD\r\n") == b"PWD\r\n"
    assert line.layer.is_ended


def test_command_that_was_on_its_way_in_tls_is_heard():
    line = left()
    assert line.layer.received(line.client.encrypt(b"NOOP\r\n")) == b"NOOP\r\n"
    assert not line.layer.is_ended


def test_after_our_end_we_speak_in_clear():
    line = left()
    line.layer.write(b"200 OK\r\n")
    assert line.wire == b"200 OK\r\n"


def test_record_that_is_damaged_while_leaving_raises():
    line = left()
    with pytest.raises(TunnelBroken):
        line.layer.received(b"\x17\x03\x03\x00\x20" + bytes(32))
