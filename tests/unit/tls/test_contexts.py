from __future__ import annotations

import gc
import os
import warnings
import weakref

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from ftpd.schema import ConfigError
from ftpd.testing.certificates import make_authority, make_certificate, make_revocation_list
from ftpd.tls import contexts as of_contexts
from ftpd.tls.clients import ClientVerification
from ftpd.tls.contexts import Contexts, OtherProtocol
from ftpd.tls.parameters import Parameters
from ftpd.tls.settings import ClientSettings, TLSSettings
from ftpd.tls.store import Identities
from tests.unit.tls.pem_files import PEMFiles

TLS12, TLS13 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION


@pytest.fixture(scope="module")
def root():
    return make_authority("Root")


@pytest.fixture(scope="module")
def ecdsa_middle(root):
    return make_authority("ECDSA Middle", issuer=root)


@pytest.fixture
def make(tmp_path):
    """Makes `Identities` of (certificate, its issuers…) in a folder of their own."""

    def identities(*chains):
        folder = tmp_path / str(len(os.listdir(tmp_path)))
        folder.mkdir()
        return Identities([PEMFiles(folder, str(number)).hold(*chain).settings for number, chain in enumerate(chains)])

    return identities


@pytest.fixture
def contexts(make, root):
    def of(*chains, hosts=(), clients=None, now=lambda: 0.0, **settings):
        chains = chains or [(make_certificate(root, ["ftp.example.com"]),)]
        named = {name: make((make_certificate(root, [name]),)) for name in hosts}
        return Contexts(make(*chains), Parameters(TLSSettings(**settings)), hosts=named, clients=clients, now=now)

    return of


def client_context(version=None, alpn=(), authority=None):
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if version is not None:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    if alpn:
        context.set_alpn_protos(list(alpn))
    if authority is not None:
        context.get_cert_store().add_cert(crypto.X509.from_cryptography(authority.parsed))
        context.set_verify(SSL.VERIFY_PEER)
    return context


def step(connection):
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return False
    return True


def move(source, target):
    try:
        target.bio_write(source.bio_read(1 << 20))
    except SSL.WantReadError:
        return


def read_tickets(client):
    with pytest.raises(SSL.WantReadError):
        client.recv(1)


def shake_hands(server_context, client=None, name=None, session=None):
    """Handshake in memory; returns both ends."""
    server = server_context.connect()
    server.set_accept_state()
    client = SSL.Connection(client or client_context(), None)
    client.set_connect_state()
    if name is not None:
        client.set_tlsext_host_name(name)
    if session is not None:
        client.set_session(session)
    for _ in range(8):
        is_done = step(client)
        move(client, server)
        is_done = step(server) and is_done
        move(server, client)
        if is_done:
            read_tickets(client)
            return server, client
    raise AssertionError("the handshake does not come to an end")


def common_name(connection):
    return connection.get_peer_certificate(as_cryptography=True).subject.rfc4514_string()


def sent_chain(connection):
    return [certificate.subject.rfc4514_string() for certificate in connection.get_peer_cert_chain(as_cryptography=True)]


def shut(ends):
    """Return the server's of both *ends*, which keep their session: freeing a connection without an end drops it from the cache."""
    for end in ends:
        end.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
    return ends[0]


def shared(session_context):
    """The `SSL.Context` that connections of a session are made from."""
    return session_context.connect().get_context()


def is_resumed(connection):
    return bool(SSL._lib.SSL_session_reused(connection._ssl))


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize(
    ("algorithms", "chain"),
    [
        (b"rsa_pss_rsae_sha256:rsa_pkcs1_sha256", ["CN=rsa.example.com", "CN=RSA Middle"]),
        (b"ecdsa_secp256r1_sha256", ["CN=ec.example.com", "CN=ECDSA Middle"]),
    ],
)
def test_a_client_of_one_kind_of_key_is_sent_that_kind_with_its_own_chain(contexts, root, ecdsa_middle, version, algorithms, chain):
    rsa_root = make_authority("RSA Root", "rsa")
    rsa_middle = make_authority("RSA Middle", "rsa", issuer=rsa_root)
    both = contexts(
        (make_certificate(ecdsa_middle, ["ec.example.com"]), ecdsa_middle),
        (make_certificate(rsa_middle, ["rsa.example.com"], "rsa"), rsa_middle),
    )
    client = client_context(version, authority=rsa_root if b"rsa" in algorithms else root)
    assert SSL._lib.SSL_CTX_set1_sigalgs_list(client._context, algorithms) == 1
    _, client_end = shake_hands(both.for_session(), client)
    assert client_end.get_protocol_version() == version
    assert sent_chain(client_end) == chain


def test_a_client_of_both_kinds_is_sent_ecdsa(contexts, root):
    both = contexts(
        (make_certificate(root, ["rsa.example.com"], "rsa"),),
        (make_certificate(root, ["ec.example.com"]),),
    )
    assert common_name(shake_hands(both.for_session())[1]) == "CN=ec.example.com"


@pytest.mark.parametrize("name", [None, b"unknown.example.com", b"\xff\xfe"])
def test_without_a_known_name_the_default_certificate_is_sent(contexts, name):
    _, client = shake_hands(contexts(hosts=["one.example.com"]).for_session(), name=name)
    assert common_name(client) == "CN=ftp.example.com"


@pytest.mark.parametrize("name", [b"one.example.com", b"ONE.example.COM"])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_the_name_that_the_client_asks_for_chooses_the_certificate(contexts, name, version):
    made = contexts(hosts=["one.example.com", "two.example.com"])
    _, client = shake_hands(made.for_session(), client_context(version), name)
    assert common_name(client) == "CN=one.example.com"


def test_a_host_chosen_before_tls_is_the_default_of_its_session(contexts):
    made = contexts(hosts=["one.example.com", "two.example.com"])
    assert common_name(shake_hands(made.for_session("One.example.com."))[1]) == "CN=one.example.com"
    assert common_name(shake_hands(made.for_session("one.example.com"), name=b"two.example.com")[1]) == "CN=two.example.com"
    assert common_name(shake_hands(made.for_session())[1]) == "CN=ftp.example.com"


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("one.example.com", "one.example.com"),
        ("ONE.Example.com", "one.example.com"),
        ("one.example.com.", "one.example.com"),
        ("other.example.com", ""),
        ("", ""),
        (".", ""),
    ],
)
def test_names_of_hosts_are_compared_without_case_and_last_dot(contexts, name, host):
    assert contexts(hosts=["One.example.com"]).host_of(name) == host


def test_the_name_survives_a_hello_retry_request(contexts):
    made = contexts(hosts=["one.example.com"], groups="P-384")
    server, client = shake_hands(made.for_session(), client_context(TLS13), b"one.example.com")
    assert common_name(client) == "CN=one.example.com"
    assert server.get_servername() == b"one.example.com"


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("name", [None, b"one.example.com"])
@pytest.mark.parametrize("ticket", [True, False])
@pytest.mark.parametrize("groups", ["", "P-384"])  # of a HelloRetryRequest in TLS 1.3: the context of the host is set twice
def test_of_sessions_that_share_a_context_each_resumes_its_own_only(contexts, version, name, ticket, groups):
    made = contexts(hosts=["one.example.com"], groups=groups)
    own, other = made.for_session(), made.for_session()
    assert shared(own) is shared(other)
    client = client_context(version)
    if not ticket:
        client.set_options(SSL.OP_NO_TICKET)
    _server, control = shake_hands(own, client, name)
    session = control.get_session()
    for _ in range(3):
        assert not is_resumed(shut(shake_hands(other, client, name, session)))
        assert is_resumed(shut(shake_hands(own, client, name, session)))


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_session_of_another_host_is_not_resumed(contexts, version):
    made = contexts(hosts=["one.example.com"])
    own, other = made.for_session(), made.for_session("one.example.com")
    client = client_context(version)
    _, control = shake_hands(own, client)
    assert not is_resumed(shake_hands(other, client, session=control.get_session())[0])


def test_the_two_hundred_and_fifty_seventh_session_has_another_context(contexts):
    made = contexts()
    sessions = [made.for_session() for _ in range(257)]
    assert {shared(session) for session in sessions[:256]} == {shared(sessions[0])}
    assert shared(sessions[256]) is not shared(sessions[0])


def test_after_five_minutes_no_session_joins_a_context(contexts):
    moment = 1000.0
    made = contexts(now=lambda: moment)
    first = made.for_session()
    moment = 1299.9
    assert shared(made.for_session()) is shared(first)
    moment = 1300.0
    assert shared(made.for_session()) is not shared(first)


def test_each_host_has_a_context_of_its_own(contexts):
    made = contexts(hosts=["one.example.com"])
    assert shared(made.for_session()) is not shared(made.for_session("one.example.com"))


def test_where_the_library_cannot_bind_no_two_sessions_share_a_context(contexts, monkeypatch):
    monkeypatch.setattr(of_contexts, "can_bind", lambda: False)
    made = contexts()
    assert shared(made.for_session()) is not shared(made.for_session())


@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("ticket", [True, False])
def test_the_same_session_is_resumed_many_times(contexts, version, ticket):
    context = contexts().for_session()
    client = client_context(version)
    if not ticket:
        client.set_options(SSL.OP_NO_TICKET)
    _server, control = shake_hands(context, client)
    session = control.get_session()
    for _ in range(5):
        assert is_resumed(shut(shake_hands(context, client, session=session)))


def test_sessions_live_for_seven_days(contexts):
    assert shared(contexts().for_session()).get_timeout() == 604800


@pytest.mark.parametrize("offered", [[b"ftp"], [b"h2", b"ftp"], [b"x-filezilla-ftp", b"ftp"]])
def test_a_client_that_offers_ftp_gets_it(contexts, offered):
    server, client = shake_hands(contexts().for_session(), client_context(alpn=offered))
    assert server.get_alpn_proto_negotiated() == client.get_alpn_proto_negotiated() == b"ftp"


def test_a_data_connection_may_be_offered_as_ftp_data(contexts):
    assert shake_hands(contexts().for_session(), client_context(alpn=[b"ftp-data"]))[1].get_alpn_proto_negotiated() == b"ftp-data"


def test_a_client_that_offers_nothing_is_served(contexts):
    assert shake_hands(contexts().for_session())[1].get_alpn_proto_negotiated() == b""


@pytest.mark.parametrize("name", [None, b"one.example.com"])
def test_a_client_led_here_from_another_protocol_is_refused_in_words(contexts, name):
    made = contexts(hosts=["one.example.com"])
    with pytest.raises(OtherProtocol, match=r"^the client wants to speak h2, http/1\.1, not FTP$"):
        shake_hands(made.for_session(), client_context(alpn=[b"h2", b"http/1.1"]), name)


def test_what_a_client_offers_reaches_no_log_as_control_characters_or_at_length(contexts):
    offered = [b"\r\n226 \xff", b"x" * 255, b"y" * 255]
    with pytest.raises(OtherProtocol) as error:
        shake_hands(contexts().for_session(), client_context(alpn=offered))
    assert str(error.value) == f"the client wants to speak ??226 \ufffd, {'x' * 91}, not FTP"


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_new_identities_are_for_new_sessions_and_old_ones_keep_theirs(tmp_path, root, version):
    files = PEMFiles(tmp_path, "server").hold(make_certificate(root, ["old.example.com"]))
    identities = Identities([files.settings])
    made = Contexts(identities, Parameters(TLSSettings()))
    old = made.for_session()
    client = client_context(version)
    before, control = shake_hands(old, client)
    files.hold(make_certificate(root, ["new.example.com"]))
    assert identities.take(identities.refresh()) == ()
    assert common_name(shake_hands(made.for_session(), client)[1]) == "CN=new.example.com"
    # a data connection of the old session: FileZilla wants the certificate of the control connection
    assert common_name(shake_hands(old, client)[1]) == "CN=old.example.com"
    assert is_resumed(shake_hands(old, client, session=control.get_session())[0])
    before.send(b"still here")
    move(before, control)
    assert control.recv(100) == b"still here"


def test_many_sessions_over_a_swap_lose_nothing(tmp_path, root):
    files = PEMFiles(tmp_path, "server").hold(make_certificate(root, ["0.example.com"]))
    identities = Identities([files.settings])
    made = Contexts(identities, Parameters(TLSSettings()))
    sessions = []
    for number in range(1, 31):
        sessions.append((number // 10, made.for_session()))
        if number % 10 == 9:
            files.hold(make_certificate(root, [f"{number // 10 + 1}.example.com"]))
            identities.take(identities.refresh())
    assert [common_name(shake_hands(context)[1]) for _, context in sessions] == [
        f"CN={generation}.example.com" for generation, _ in sessions
    ]


def test_a_broken_new_file_keeps_the_old_certificate(tmp_path, root):
    files = PEMFiles(tmp_path, "server").hold(make_certificate(root, ["old.example.com"]))
    identities = Identities([files.settings])
    made = Contexts(identities, Parameters(TLSSettings()))
    files.chain.write_bytes(b"no certificate")
    identities.take(identities.refresh())
    assert common_name(shake_hands(made.for_session())[1]) == "CN=old.example.com"


def test_connections_and_a_context_that_nobody_needs_any_more_end_at_once(contexts):
    moment = 0.0
    made = contexts(hosts=["one.example.com"], now=lambda: moment)
    gc.disable()
    try:
        context = made.for_session()
        server, _client = shake_hands(context, name=b"one.example.com")
        gone = [weakref.ref(shared(context)), weakref.ref(server)]
        moment = 1000.0
        made.for_session()
        assert gone[0]() is shared(context)
        del context, server
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()


def test_a_connection_goes_on_without_its_sessions_context(contexts):
    made = contexts(hosts=["one.example.com"], groups="P-384")  # a HelloRetryRequest: the servername callback is called twice
    server = made.for_session().connect()
    server.set_accept_state()
    client = SSL.Connection(client_context(TLS13), None)
    client.set_connect_state()
    client.set_tlsext_host_name(b"one.example.com")
    for _ in range(4):
        step(client)
        move(client, server)
        step(server)
        gc.collect()
        move(server, client)
    assert common_name(client) == "CN=one.example.com"


def test_the_client_role_verifies_nothing_and_is_one_context(contexts):
    made = contexts()
    assert made.for_client_role() is made.for_client_role()
    assert common_name(shake_hands(made.for_session(), made.for_client_role())[1]) == "CN=ftp.example.com"


@attrs.define
class Demand:
    """What is asked of clients, as `ftpd.tls.clients` has it."""

    current: object = "first"
    applied: list = attrs.field(factory=list)

    def apply(self, context):
        self.applied.append(self.current)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)


def test_what_is_asked_of_clients_is_asked_by_every_host(contexts):
    made = contexts(hosts=["one.example.com"], clients=Demand())
    for name in (None, b"one.example.com"):
        with pytest.raises(SSL.Error, match="peer did not return a certificate"):
            shake_hands(made.for_session(), client_context(TLS13), name)


def test_a_new_demand_reaches_the_contexts_of_hosts(contexts):
    demand = Demand()
    made = contexts(clients=demand)
    made.for_session()
    made.for_session()
    demand.current = "second"
    made.for_session()
    assert demand.applied == ["first"] * 2 + ["second"] * 2  # the host's context and that of both sessions; again


@pytest.mark.parametrize("name", [None, b"one.example.com"])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_clients_are_verified_on_every_host_and_resume_afterwards(contexts, tmp_path, root, name, version):
    (tmp_path / "authorities.pem").write_bytes(root.certificate)
    (tmp_path / "lists.pem").write_bytes(make_revocation_list(root))
    clients = ClientVerification(
        ClientSettings(certificates="required", authorities=str(tmp_path / "authorities.pem"), revoked=str(tmp_path / "lists.pem"))
    )
    made = contexts(hosts=["one.example.com"], clients=clients)
    context = client_context(version)
    ann = make_certificate(root, ["ann"])
    context.use_certificate(ann.parsed)
    context.use_privatekey(load_pem_private_key(ann.key, None))
    own = made.for_session()
    server, control = shake_hands(own, context, name)
    assert common_name(server) == "CN=ann"
    data, _ = shake_hands(own, context, name, control.get_session())
    assert (is_resumed(data), common_name(data)) == (True, "CN=ann")
    (tmp_path / "lists.pem").write_bytes(make_revocation_list(root, [ann]))
    assert clients.take(clients.refresh()) == ()
    with pytest.raises(SSL.Error):
        shake_hands(made.for_session(), context, name)


def test_no_warning_of_the_library_stands_in_the_way(contexts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shake_hands(contexts(hosts=["one.example.com"]).for_session(), name=b"one.example.com")


def test_a_second_certificate_of_one_kind_is_an_error(make, root):
    with pytest.raises(ConfigError) as error:
        make((make_certificate(root, ["a"]),), (make_certificate(root, ["b"]),))
    assert str(error.value) == "tls.certificates[1].key: found ECDSA P-256 after ECDSA P-256; one of each kind"
