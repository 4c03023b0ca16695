from __future__ import annotations

import pytest
from OpenSSL import SSL

from ftpd.testing.certificates import make_authority, make_revocation_list
from ftpd.tls import trust_store
from ftpd.tls.settings import ClientSettings
from ftpd.tls.trust import read_trust
from ftpd.tls.trust_store import TrustStore, can_lend

ROOT = make_authority("Root")


@pytest.fixture
def store(tmp_path):
    (tmp_path / "authorities.pem").write_bytes(ROOT.certificate)
    (tmp_path / "revoked.pem").write_bytes(make_revocation_list(ROOT))
    paths = {"authorities": str(tmp_path / "authorities.pem"), "revoked": str(tmp_path / "revoked.pem")}
    return TrustStore(read_trust(ClientSettings(**paths)))


@pytest.fixture(params=["lent", "copied"])
def way(request, monkeypatch):
    if request.param == "copied":
        monkeypatch.setattr(trust_store, "_LENDING", ("no_such_function",))
    return request.param


def named_to_clients(context):
    server, client = SSL.Connection(context, None), SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    server.set_accept_state()
    client.set_connect_state()
    return [name.CN for name in server.get_client_ca_list()]


def test_the_library_at_hand_can_lend():
    assert can_lend()


def test_clients_are_told_the_authorities(store, way):
    assert can_lend() == (way == "lent")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    store.lend(context)
    assert named_to_clients(context) == ["Root"]


def test_contexts_and_store_may_go_in_any_order(store, way):
    contexts = [SSL.Context(SSL.TLS_SERVER_METHOD) for _ in range(100)]
    for context in contexts:
        store.lend(context)
    del contexts[:50]
    del store
    assert [named_to_clients(context) for context in contexts] == [["Root"]] * 50
