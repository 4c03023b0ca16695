from __future__ import annotations

import pytest
from OpenSSL import SSL

from ftpd.testing.lines import tls_context
from ftpd.testing.tls_client import TLSClient
from ftpd.tls import binding
from ftpd.tls.binding import NOBODY, SessionContext, can_bind
from ftpd.transfer.tunnel import Tunnel


def shared_context():
    context = tls_context()
    context.set_session_id(NOBODY)
    return context


def shaken(made_from, client):
    server = Tunnel(made_from)
    while not (client.is_established and server.is_established):
        server.feed(client.outgoing())
        server.shake_hands()
        client.feed(server.outgoing())
    return server


def test_this_library_can_bind():
    assert can_bind()


def test_a_session_resumes_its_own_and_none_that_is_made_between():
    context = shared_context()
    own, other = SessionContext(context), SessionContext(context)
    client = TLSClient()
    assert not shaken(own, client).is_resumed
    assert not shaken(other, TLSClient(context=client.context, session=client.session)).is_resumed
    assert shaken(own, TLSClient(context=client.context, session=client.session)).is_resumed


def test_a_connection_of_nobody_resumes_no_sessions():
    context = shared_context()
    client = TLSClient()
    shaken(SessionContext(context), client)
    assert not shaken(context, TLSClient(context=client.context, session=client.session)).is_resumed


def test_a_stranger_to_the_session_is_served_with_a_full_handshake():
    context = shared_context()
    client = TLSClient()
    shaken(SessionContext(context), client)
    server = shaken(SessionContext(context), TLSClient(context=client.context, session=client.session))
    server.encrypt(b"220\r\n")
    assert server.is_established


def test_where_the_library_cannot_bind_connections_are_made_all_the_same(monkeypatch):
    monkeypatch.setattr(binding, "can_bind", lambda: False)
    own = SessionContext(shared_context())
    client = TLSClient()
    shaken(own, client)
    assert shaken(own, TLSClient(context=client.context, session=client.session)).is_resumed


def test_a_context_that_takes_no_name_makes_no_connection(monkeypatch):
    class Refusing:
        @staticmethod
        def SSL_CTX_set_session_id_context(*_):
            return 0

    monkeypatch.setattr(binding, "_lib", Refusing)
    with pytest.raises(RuntimeError, match=r"^OpenSSL takes no session id context$"):
        SessionContext(SSL.Context(SSL.TLS_SERVER_METHOD)).connect()
