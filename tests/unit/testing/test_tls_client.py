from __future__ import annotations

import pytest
from OpenSSL import SSL

from ftpd.testing.tls_client import MemoryContexts, TLSClient
from ftpd.transfer.tunnel import Tunnel


def shaken(client, context):
    server = Tunnel(context)
    while not (client.is_established and server.is_established):
        server.feed(client.outgoing())
        server.shake_hands()
        assert client.feed(server.outgoing()) == b""
    server.feed(client.outgoing())
    return server


def test_it_begins_with_its_hello_and_names_the_host():
    client = TLSClient("ftp.example.com")
    hello = client.outgoing()
    assert hello[:1] == b"\x16"
    assert b"ftp.example.com" in hello
    assert client.outgoing() == b""


def test_clear_text_goes_both_ways_however_long():
    client = TLSClient()
    server = shaken(client, MemoryContexts().for_session())
    server.feed(client.encrypt(b"x" * 100_000))
    assert server.decrypt() == b"x" * 100_000
    server.encrypt(b"200 OK\r\n")
    assert client.feed(server.outgoing()) == b"200 OK\r\n"
    assert client.version == "TLSv1.3"


def test_both_ends_are_said_and_heard():
    client = TLSClient()
    server = shaken(client, MemoryContexts().for_session())
    server.say_end()
    client.feed(server.outgoing())
    assert client.has_heard_end
    server.feed(client.say_end())
    assert server.decrypt() == b""
    assert server.is_ended_by_peer


def test_a_session_is_resumed_in_the_context_that_it_was_made_in_and_in_no_other():
    contexts = MemoryContexts()
    mine, other = contexts.for_session(), contexts.for_session("a.example.com")
    first = TLSClient()
    shaken(first, mine)
    assert shaken(TLSClient(context=first.context, session=first.session), mine).is_resumed
    assert not shaken(TLSClient(context=first.context, session=first.session), other).is_resumed
    assert contexts.hosts == ["", "a.example.com"]


def test_fault_of_the_server_raises():
    client = TLSClient()
    client.outgoing()
    with pytest.raises(SSL.Error):
        client.feed(b"220 ready\r\n")


def test_second_handshake_is_for_tls_1_2():
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    client = TLSClient(context=context)
    shaken(client, MemoryContexts().for_session())
    assert client.renegotiate()[:1] == b"\x16"


def test_the_context_of_the_clients_role_is_one():
    contexts = MemoryContexts()
    assert contexts.for_client_role() is contexts.for_client_role()
