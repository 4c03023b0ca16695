from __future__ import annotations

import pytest
from OpenSSL import SSL

from ftpd.testing.certificates import make_certificate
from ftpd.tls import parameters
from ftpd.tls.parameters import Parameters, can_set_groups
from ftpd.tls.settings import TLSSettings


def problems(**settings):
    return [str(problem) for problem in Parameters(TLSSettings(**settings)).problems()]


@pytest.fixture(scope="module")
def identity():
    return make_certificate(kind="rsa")


def handshake(identity, prepare=lambda client: None, *, old_devices=False, **settings):
    """What server and client agree on: version, cipher, group."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    Parameters(TLSSettings(**settings), old_devices=old_devices).apply(context)
    context.use_certificate(identity.parsed)
    context.use_privatekey(parsed_key(identity))
    client_context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    prepare(client_context)
    server, client = SSL.Connection(context, None), SSL.Connection(client_context, None)
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(4):
        for here, there in ((client, server), (server, client)):
            try:
                here.do_handshake()
            except SSL.WantReadError:
                pass
            finally:
                deliver(here, there)
    return server.get_protocol_version_name(), server.get_cipher_name(), server.get_group_name()


def parsed_key(identity):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(identity.key, None)


def deliver(here, there):
    try:
        there.bio_write(here.bio_read(1 << 20))
    except SSL.WantReadError:
        return


def at_most(version, ciphers=b"DEFAULT:@SECLEVEL=0"):
    def prepare(client):
        client.set_min_proto_version(SSL.TLS1_VERSION)
        client.set_max_proto_version(version)
        client.set_cipher_list(ciphers)

    return prepare


def groups(names):
    return lambda client: parameters._set_groups(client, names)


def test_what_stands_in_the_sample_is_no_problem():
    assert problems() == []


def test_a_modern_client_gets_tls_13_and_a_post_quantum_hybrid(identity):
    version, _, group = handshake(identity)
    assert (version, group) == ("TLSv1.3", "X25519MLKEM768")


def test_a_tls_12_client_gets_forward_secrecy_and_authenticated_encryption(identity):
    assert handshake(identity, at_most(SSL.TLS1_2_VERSION))[:2] == ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256")


def test_the_servers_order_of_ciphers_counts(identity):
    prepare = at_most(SSL.TLS1_2_VERSION, b"ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256")
    assert handshake(identity, prepare)[1] == "ECDHE-RSA-AES128-GCM-SHA256"


@pytest.mark.parametrize("ciphers", [b"AES128-GCM-SHA256", b"ECDHE-RSA-AES128-SHA256", b"AES256-SHA:@SECLEVEL=0"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(identity, ciphers):
    with pytest.raises(SSL.Error, match="no shared cipher"):
        handshake(identity, at_most(SSL.TLS1_2_VERSION, ciphers))


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION])
def test_tls_11_and_older_are_refused(identity, version):
    with pytest.raises(SSL.Error, match="unsupported protocol"):
        handshake(identity, at_most(version))


@pytest.mark.parametrize(("version", "name"), [(SSL.TLS1_VERSION, "TLSv1"), (SSL.TLS1_1_VERSION, "TLSv1.1")])
def test_old_devices_get_the_version_that_they_have(identity, version, name):
    assert handshake(identity, at_most(version), old_devices=True)[:2] == (name, "ECDHE-RSA-AES256-SHA")


@pytest.mark.parametrize("minimum", ["1.2", "1.3"])
def test_old_devices_without_forward_secrecy_are_served_whatever_the_minimum(identity, minimum):
    prepare = at_most(SSL.TLS1_VERSION, b"AES128-SHA:@SECLEVEL=0")
    assert handshake(identity, prepare, old_devices=True, minimum=minimum)[:2] == ("TLSv1", "AES128-SHA")


def test_a_modern_client_gets_the_best_also_where_old_devices_are_served(identity):
    assert handshake(identity, old_devices=True)[::2] == ("TLSv1.3", "X25519MLKEM768")
    assert handshake(identity, at_most(SSL.TLS1_2_VERSION), old_devices=True)[1] == "ECDHE-RSA-AES128-GCM-SHA256"


def test_a_minimum_of_13_refuses_tls_12(identity):
    with pytest.raises(SSL.Error, match="unsupported protocol"):
        handshake(identity, at_most(SSL.TLS1_2_VERSION), minimum="1.3")


def test_ciphers_suites_and_groups_can_be_set(identity):
    settings = {"ciphers": "ECDHE-RSA-AES256-GCM-SHA384", "ciphersuites": "TLS_CHACHA20_POLY1305_SHA256", "groups": "P-384"}
    assert problems(**settings) == []
    assert handshake(identity, **settings) == ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", "secp384r1")
    assert handshake(identity, at_most(SSL.TLS1_2_VERSION), **settings)[1] == "ECDHE-RSA-AES256-GCM-SHA384"


def test_a_group_that_is_not_set_is_not_agreed_on(identity):
    with pytest.raises(SSL.Error, match="no suitable key share"):
        handshake(identity, groups("X25519"), groups="P-256", minimum="1.3")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ciphers": "ECDHE-RSA-AES128-GCM-SHA265"}, "ciphers: OpenSSL knows no ECDHE-RSA-AES128-GCM-SHA265"),
        ({"ciphers": "ECDHE+AESGCM:NONE1,NONE2"}, "ciphers: OpenSSL knows no NONE1, NONE2"),
        ({"ciphers": "ECDHE+AESGCM:!ECDHE"}, "ciphers: 'ECDHE+AESGCM:!ECDHE' selects nothing"),
        ({"ciphers": "AES\u00e9"}, "ciphers: OpenSSL knows no AES\u00e9"),
        ({"ciphersuites": "TLS_AES_128"}, "ciphersuites: OpenSSL knows no TLS_AES_128"),
        ({"groups": "X25519:X25520"}, "groups: OpenSSL knows no X25520"),
        (
            {"ciphers": "HIGH", "minimum": "1.3"},
            "ciphers: set although minimum is 1.3; they are those of TLS 1.2; see ciphersuites",
        ),
    ],
)
def test_what_the_library_does_not_know_is_named(settings, words):
    assert problems(**settings) == [words]


@pytest.mark.parametrize("ciphers", ["HIGH:!aNULL:!NOSUCH", "ECDHE+AESGCM:-ECDSA:+SHA384:@STRENGTH", "DEFAULT@SECLEVEL=2"])
def test_lists_with_operators_are_taken(ciphers):
    assert problems(ciphers=ciphers) == []


@pytest.mark.parametrize("groups", ["X25519:P-256", "P-384/X25519MLKEM768:X25519", "?NOSUCH:X25519", "*X25519:P-256"])
def test_lists_of_groups_are_taken_as_openssl_has_them(groups):
    assert problems(groups=groups) == []


def test_a_library_that_cannot_set_groups_says_so(monkeypatch):
    monkeypatch.delattr(SSL, "_lib")
    assert not can_set_groups()
    assert problems(groups="X25519") == ["groups: this pyOpenSSL cannot set them; leave it empty"]


def test_a_refused_group_leaves_no_error_behind(identity):
    assert problems(groups="X25520")
    assert SSL._lib.ERR_peek_error() == 0


def test_a_whole_piece_is_encrypted_by_one_call():
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    Parameters(TLSSettings()).apply(context)
    assert context.set_mode(0) & 0x1 == 0  # SSL_MODE_ENABLE_PARTIAL_WRITE
    assert context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS
    assert context.set_options(0) & SSL.OP_NO_RENEGOTIATION
