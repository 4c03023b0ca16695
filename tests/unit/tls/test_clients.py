from __future__ import annotations

import contextlib
import gc
import weakref
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from ftpd.schema import ConfigError
from ftpd.testing.certificates import make_authority, make_certificate, make_revocation_list
from ftpd.tls.client_names import describe
from ftpd.tls.clients import ClientVerification
from ftpd.tls.contexts import Contexts
from ftpd.tls.parameters import Parameters
from ftpd.tls.settings import CertificateSettings, ClientSettings, TLSSettings
from ftpd.tls.store import Identities
from ftpd.transfer.tunnel import HandshakeFailed, Tunnel

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
SERVER = make_certificate()
ROOT = make_authority("Root")
OTHER = make_authority("Other")
ANN = make_certificate(ROOT, ["ann"])
BOB = make_certificate(ROOT, ["bob"])
STRANGER = make_certificate(OTHER, ["ann"])
DEVICE = make_certificate(None, ["scanner-7"])


def fingerprint(identity):
    return identity.parsed.fingerprint(SHA256()).hex()


@pytest.fixture
def write(tmp_path):
    def write(name, *pems):
        path = tmp_path / name
        path.write_bytes(b"".join(pems))
        return str(path)

    return write


@pytest.fixture
def verification(write):
    """Make one that trusts *authorities*, with *lists* of theirs."""

    def make(*authorities, lists=(), **settings):
        if authorities:
            settings["authorities"] = write("authorities.pem", *(authority.certificate for authority in authorities))
        if lists:
            settings["revoked"] = write("revoked.pem", *lists)
        return ClientVerification(ClientSettings(**{"certificates": "requested"} | settings))

    return make


def server_context(verification):
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate(SERVER.parsed)
    context.use_privatekey(load_pem_private_key(SERVER.key, None))
    context.set_session_id(b"ftpd")
    verification.apply(context)
    return context


def client_context(identity=None, *chain):
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if identity is not None:
        context.use_certificate(identity.parsed)
        context.use_privatekey(load_pem_private_key(identity.key, None))
    for authority in chain:
        context.add_extra_chain_cert(authority.parsed)
    return context


def shake_hands(context, identity=None, *chain, server_name=b"", earlier=None):
    """Return both ends after the handshake, the server's with its notes; raises `Refused` with the reason that was noted.

    *earlier* is the client's end of another connection, whose session it wants to resume.
    """
    from_context = client_context(identity, *chain) if earlier is None else earlier.get_context()
    server = SSL.Connection(context, None) if isinstance(context, SSL.Context) else context.connect()
    client = SSL.Connection(from_context, None)
    if server_name:
        client.set_tlsext_host_name(server_name)
    if earlier is not None:
        client.set_session(earlier.get_session())
    server.set_app_data(SimpleNamespace(refusal=""))
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(10):
        for here, there in ((client, server), (server, client)):
            try:
                here.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error:
                if here is server:
                    raise Refused(server.get_app_data().refusal) from None
                raise
            _carry(here, there)
    return server, client


def _carry(here, there):
    with contextlib.suppress(SSL.WantReadError):
        there.bio_write(here.bio_read(65536))


class Refused(Exception):
    pass


def refusal_of(verification, identity=None, *chain):
    with pytest.raises(Refused) as refused:
        shake_hands(server_context(verification), identity, *chain)
    return str(refused.value)


def accepted(verification, identity=None, *chain):
    """Return whom the server has verified."""
    server, _ = shake_hands(server_context(verification), identity, *chain)
    certificate = server.get_peer_certificate()
    return None if certificate is None else describe(certificate.to_cryptography())


def problems_of(make, *arguments, **settings):
    with pytest.raises(ConfigError) as refused:
        make(*arguments, **settings)
    return [(problem.path, problem.found) for problem in refused.value.problems]


# What is asked.


def test_off_asks_nobody():
    assert accepted(ClientVerification(ClientSettings()), ANN) is None


def test_off_reads_no_file():
    ClientVerification(ClientSettings(authorities="/does/not/exist"))


def test_requested_takes_a_client_without_a_certificate(verification):
    assert accepted(verification(ROOT)) is None


def test_required_refuses_a_client_without_a_certificate(verification):
    assert refusal_of(verification(ROOT, certificates="required")) == ""


@pytest.mark.parametrize("certificates", ["requested", "required"])
def test_a_good_certificate_is_taken(verification, certificates):
    assert accepted(verification(ROOT, certificates=certificates), ANN).common_name == "ann"


def test_clients_are_told_which_authorities_count(verification):
    _, client = shake_hands(server_context(verification(ROOT, OTHER)))
    assert [name.CN for name in client.get_client_ca_list()] == ["Root", "Other"]


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_both_versions_verify(verification, version):
    context = server_context(verification(ROOT, certificates="required"))
    context.set_max_proto_version(version)
    context.set_min_proto_version(version)
    server, _ = shake_hands(context, ANN)
    assert server.get_peer_certificate().to_cryptography() == ANN.parsed
    with pytest.raises(Refused, match="unknown authority"):
        shake_hands(context, STRANGER)


# Refusals have reasons.


@pytest.mark.parametrize("certificates", ["requested", "required"])
def test_an_unknown_authority_is_named_as_the_reason(verification, certificates):
    words = refusal_of(verification(ROOT, certificates=certificates), STRANGER)
    assert words == "the client's certificate is signed by an unknown authority (CN=ann)"


def test_an_authority_of_the_same_name_is_another_one(verification):
    forged = make_certificate(make_authority("Root"), ["ann"])
    assert refusal_of(verification(ROOT), forged) == "the client's certificate is signed by an unknown authority (CN=ann)"


def test_a_root_that_the_client_brings_along_is_not_trusted(verification):
    words = refusal_of(verification(ROOT), STRANGER, OTHER)
    assert words == "an authority's certificate is signed by an unknown authority (CN=Other)"


def test_a_self_signed_certificate_is_refused(verification):
    assert refusal_of(verification(ROOT), DEVICE) == "the client's certificate is self-signed (CN=scanner-7)"


def test_an_expired_certificate_is_refused_with_its_date(verification):
    expired = make_certificate(ROOT, ["scanner-7"], not_after=datetime(2026, 1, 2, tzinfo=UTC))
    assert refusal_of(verification(ROOT), expired) == "the client's certificate has expired on 2026-01-02 (CN=scanner-7)"


def test_a_certificate_of_tomorrow_is_refused_with_its_date(verification):
    early = make_certificate(ROOT, ["ann"], not_before=datetime(2124, 1, 2, tzinfo=UTC), not_after=datetime(2125, 1, 2, tzinfo=UTC))
    assert refusal_of(verification(ROOT), early) == "the client's certificate is not valid before 2124-01-02 00:00 UTC (CN=ann)"


def test_a_servers_certificate_is_refused(verification):
    wrong = make_certificate(ROOT, ["ann"], purposes=[ExtendedKeyUsageOID.SERVER_AUTH])
    assert refusal_of(verification(ROOT), wrong) == "the client's certificate is not for client authentication (CN=ann)"


def test_a_certificate_signed_by_another_clients_is_refused(verification):
    signed = make_certificate(ANN, ["root"])
    assert (
        refusal_of(verification(ROOT), signed, ANN)
        == "an authority's certificate is of a holder who may not sign certificates (CN=ann)"
    )


def test_a_subject_that_would_forge_a_reply_is_shown_on_one_line(verification):
    rude = make_certificate(OTHER, [], common_name="ann\r\n230 Logged in")
    assert (
        refusal_of(verification(ROOT), rude) == "the client's certificate is signed by an unknown authority (CN=ann??230 Logged in)"
    )


def test_a_certificate_whose_names_are_damaged_is_refused(verification):
    assert refusal_of(verification(ROOT), with_damaged_names()) == "the client's certificate is not well-formed"


def with_damaged_names():
    names = x509.UnrecognizedExtension(
        x509.SubjectAlternativeName.oid, b"\x30\x03\x81\x01\xff"
    )  # an address that is not ASCII: OpenSSL does not mind
    return resigned(lambda builder: builder.add_extension(names, critical=False))


def resigned(change):
    """Return a certificate of ROOT's that `make_certificate` would not make."""
    key = load_pem_private_key(ANN.key, None)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ann")]))
        .issuer_name(ROOT.parsed.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
    )
    return ANN._replace(certificate=_pem(change(builder).sign(load_pem_private_key(ROOT.key, None), SHA256())))


def _pem(certificate):
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def test_the_tunnel_says_the_reason(verification):
    server = Tunnel(server_context(verification(ROOT)))
    client = Tunnel(client_context(STRANGER), is_server=False)
    with pytest.raises(HandshakeFailed) as failed:
        exchange(client, server)
    assert str(failed.value) == "the client's certificate is signed by an unknown authority (CN=ann)"


def exchange(client, server):
    for _ in range(4):
        client.shake_hands()
        server.feed(client.outgoing())
        server.shake_hands()
        client.feed(server.outgoing())


# Intermediate authorities.

ISSUING = make_authority("Issuing", issuer=ROOT)
CLIENT_OF_ISSUING = make_certificate(ISSUING, ["carol"])


def test_an_intermediate_that_the_client_sends_is_followed_to_the_root(verification):
    assert accepted(verification(ROOT), CLIENT_OF_ISSUING, ISSUING).common_name == "carol"


def test_an_intermediate_alone_is_trusted_without_its_root(verification):
    assert accepted(verification(ISSUING), CLIENT_OF_ISSUING).common_name == "carol"


def test_trusting_an_intermediate_is_not_trusting_its_root(verification):
    assert "unknown authority" in refusal_of(verification(ISSUING), ANN)


def test_an_expired_intermediate_is_named(verification):
    expired = make_authority("Issuing", issuer=ROOT, not_after=datetime(2026, 1, 2, tzinfo=UTC))
    client = make_certificate(expired, ["carol"])
    words = refusal_of(verification(ROOT), client, expired)
    assert words == "an authority's certificate has expired on 2026-01-02 (CN=Issuing)"


# Revocation.


def test_a_revoked_certificate_is_refused(verification):
    checked = verification(ROOT, lists=[make_revocation_list(ROOT, [BOB])])
    assert refusal_of(checked, BOB) == "the client's certificate is revoked (CN=bob)"


def test_a_certificate_that_is_not_on_the_list_is_taken(verification):
    assert accepted(verification(ROOT, lists=[make_revocation_list(ROOT, [BOB])]), ANN).common_name == "ann"


def test_a_revoked_intermediate_takes_its_clients_with_it(verification):
    lists = [make_revocation_list(ROOT, [ISSUING]), make_revocation_list(ISSUING)]
    checked = verification(ROOT, ISSUING, lists=lists)
    assert refusal_of(checked, CLIENT_OF_ISSUING, ISSUING) == "an authority's certificate is revoked (CN=Issuing)"


def test_an_intermediate_that_stands_beside_its_root_is_good_with_a_list_of_each(verification):
    lists = [make_revocation_list(ROOT, [BOB]), make_revocation_list(ISSUING)]
    checked = verification(ROOT, ISSUING, lists=lists)
    assert accepted(checked, CLIENT_OF_ISSUING, ISSUING).common_name == "carol"
    assert accepted(checked, ANN).common_name == "ann"


def test_an_intermediate_that_is_trusted_itself_needs_no_list_of_its_root(verification):
    checked = verification(ISSUING, lists=[make_revocation_list(ISSUING)])
    assert accepted(checked, CLIENT_OF_ISSUING).common_name == "carol"


def test_an_authority_without_a_list_vouches_for_nobody_once_there_are_lists(verification):
    checked = verification(ROOT, lists=[make_revocation_list(ROOT)])
    words = refusal_of(checked, CLIENT_OF_ISSUING, ISSUING)
    assert words == "the client's certificate is of an authority without a revocation list here (CN=carol)"


def test_a_list_that_ran_out_meanwhile_refuses_and_the_remarks_say_so(write):
    end = NOW.replace(microsecond=0) - timedelta(hours=1)
    settings = ClientSettings(
        certificates="requested",
        authorities=write("authorities.pem", ROOT.certificate),
        revoked=write("revoked.pem", make_revocation_list(ROOT, next_update=end)),
    )
    moments = iter([end - timedelta(hours=1), NOW])
    stale = ClientVerification(settings, now=lambda: next(moments))
    reason = "the client's certificate cannot be judged: the revocation list of its authority is out of date (CN=ann)"
    assert refusal_of(stale, ANN) == reason
    [remark] = stale.remarks()
    assert remark == f"the revocation list of CN=Root is out of date since {end:%Y-%m-%d %H:%M} UTC: its clients are refused"


def test_a_new_list_counts_for_the_next_session(verification, write):
    checked = verification(ROOT, lists=[make_revocation_list(ROOT)])
    assert accepted(checked, BOB).common_name == "bob"
    write("revoked.pem", make_revocation_list(ROOT, [BOB]))
    assert checked.take(checked.refresh()) == ()
    assert refusal_of(checked, BOB) == "the client's certificate is revoked (CN=bob)"


def test_a_broken_new_list_keeps_the_old_one_and_is_told(verification, write):
    checked = verification(ROOT, lists=[make_revocation_list(ROOT, [BOB])])
    path = write("revoked.pem", b"junk")
    [problem] = checked.take(checked.refresh(is_asked_for=True))
    assert str(problem) == f"tls.clients.revoked: {path} is not PEM; it must have lines of the form -----BEGIN …-----"
    assert refusal_of(checked, BOB) == "the client's certificate is revoked (CN=bob)"
    assert accepted(checked, ANN).common_name == "ann"


# Fingerprints without an authority.


def listed(**identities):
    fingerprints = {fingerprint(identity): account for account, identity in identities.items()}
    return ClientVerification(ClientSettings(certificates="requested", account="fingerprint", fingerprints=fingerprints))


def test_a_listed_self_signed_certificate_is_good():
    checked = listed(scanner=DEVICE)
    assert checked.account_of(accepted(checked, DEVICE)) == ("scanner",)


def test_a_self_signed_certificate_that_may_sign_others_is_good_if_listed():
    own = make_authority("openssl req -x509")
    assert accepted(listed(scanner=own), own).common_name == "openssl req -x509"


def test_an_unlisted_certificate_is_refused_with_its_fingerprint():
    other = make_certificate(None, ["scanner-7"])
    words = refusal_of(listed(scanner=DEVICE), other)
    assert words == f"the client's certificate is not one of those listed (CN=scanner-7, SHA-256 {fingerprint(other)})"


@pytest.mark.parametrize("chain", [(), (ROOT,)])
def test_a_listed_certificate_is_good_whoever_signed_it(chain):
    assert accepted(listed(ann=ANN), ANN, *chain).common_name == "ann"


@pytest.mark.parametrize("chain", [(), (ROOT,)])
def test_whoever_signed_a_listed_certificate_does_not_vouch_for_others(chain):
    assert "is not one of those listed (CN=bob" in refusal_of(listed(ann=ANN), BOB, *chain)


def test_a_listed_authority_does_not_vouch_for_what_it_signs():
    assert "is not one of those listed (CN=ann" in refusal_of(listed(root=ROOT), ANN, ROOT)


def test_a_listed_certificate_that_comes_second_is_not_the_clients():
    assert "is not one of those listed (CN=bob" in refusal_of(listed(scanner=DEVICE), BOB, DEVICE)


def test_a_listed_certificate_that_has_expired_is_refused():
    expired = make_certificate(None, ["scanner-7"], not_after=datetime(2026, 1, 2, tzinfo=UTC))
    assert refusal_of(listed(scanner=expired), expired) == "the client's certificate has expired on 2026-01-02 (CN=scanner-7)"


def test_a_listed_certificate_that_is_for_servers_only_is_refused():
    wrong = make_certificate(None, ["scanner-7"], purposes=[ExtendedKeyUsageOID.SERVER_AUTH])
    assert refusal_of(listed(scanner=wrong), wrong) == "the client's certificate is not for client authentication (CN=scanner-7)"


def test_with_authorities_a_listed_certificate_has_to_be_signed_by_one(verification):
    checked = verification(ROOT, account="fingerprint", fingerprints={fingerprint(DEVICE): "scanner", fingerprint(ANN): "ann"})
    assert checked.account_of(accepted(checked, ANN)) == ("ann",)
    assert refusal_of(checked, DEVICE) == "the client's certificate is self-signed (CN=scanner-7)"


def test_with_authorities_an_unlisted_certificate_is_good_and_names_nobody(verification):
    checked = verification(ROOT, account="fingerprint", fingerprints={fingerprint(ANN): "ann"})
    assert checked.account_of(accepted(checked, BOB)) == ()


# Settings and files.


def test_every_problem_is_told_with_its_path(verification, write):
    found = problems_of(verification, authorities="/does/not/exist", revoked=write("junk", b"junk"), fingerprints={"ab:cd": "ann"})
    assert [path for path, _ in found] == [
        "tls.clients.fingerprints",
        "tls.clients.fingerprints.ab:cd",
        "tls.clients.authorities",
        "tls.clients.revoked",
    ]


def test_asking_without_authorities_is_a_problem(verification):
    assert problems_of(verification, certificates="required") == [
        ("tls.clients.authorities", "no file is named, but certificates = 'required'")
    ]


def test_lists_without_authorities_are_a_problem(verification):
    found = problems_of(
        verification, lists=[make_revocation_list(ROOT)], account="fingerprint", fingerprints={fingerprint(ANN): "ann"}
    )
    assert found == [("tls.clients.revoked", "found a file, but no authorities")]


def test_fingerprints_as_accounts_without_any_are_a_problem(verification):
    found = problems_of(verification, account="fingerprint")
    assert found == [("tls.clients.fingerprints", "found none, but account = 'fingerprint'")]


# In the contexts of sessions, where the server name chooses the certificate.


@pytest.fixture
def contexts(write):
    """Make those of a server with one virtual host."""
    path = write("server.pem", SERVER.pem)
    host = write("host.pem", make_certificate(None, ["ftp.example.com"]).pem)

    def make(clients):
        def identities(os_path):
            return Identities([CertificateSettings(chain=os_path)])

        return Contexts(identities(path), Parameters(TLSSettings()), hosts={"ftp.example.com": identities(host)}, clients=clients)

    return make


@pytest.mark.parametrize("server_name", [b"", b"ftp.example.com"])
def test_virtual_hosts_ask_for_the_same_certificates(verification, contexts, server_name):
    made = contexts(verification(ROOT, certificates="required"))
    server, _ = shake_hands(made.for_session(), ANN, server_name=server_name)
    assert server.get_peer_certificate().to_cryptography() == ANN.parsed
    with pytest.raises(Refused, match=r"^the client's certificate is signed by an unknown authority \(CN=ann\)$"):
        shake_hands(made.for_session(), STRANGER, server_name=server_name)


@pytest.mark.parametrize("server_name", [b"", b"ftp.example.com"])
def test_a_new_list_counts_for_the_next_session_of_every_host(verification, write, contexts, server_name):
    checked = verification(ROOT, lists=[make_revocation_list(ROOT)])
    made = contexts(checked)
    shake_hands(made.for_session(), BOB, server_name=server_name)
    write("revoked.pem", make_revocation_list(ROOT, [BOB]))
    checked.take(checked.refresh())
    with pytest.raises(Refused, match=r"^the client's certificate is revoked \(CN=bob\)$"):
        shake_hands(made.for_session(), BOB, server_name=server_name)


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_resumed_data_connection_has_the_certificate_of_its_control_connection(verification, contexts, version):
    context = contexts(verification(ROOT, certificates="required")).for_session()
    context._shared.set_max_proto_version(version)
    control, client = shake_hands(context, ANN)
    with contextlib.suppress(SSL.WantReadError):
        client.recv(1)  # the tickets of TLS 1.3, which come behind the handshake
    data, _ = shake_hands(context, earlier=client)
    assert SSL._lib.SSL_session_reused(data._ssl)
    assert data.get_peer_certificate().to_cryptography() == control.get_peer_certificate().to_cryptography() == ANN.parsed


# What stays behind.


def test_a_context_keeps_neither_its_connections_nor_the_other_way_round(verification):
    context = server_context(verification(ROOT))
    server, client = shake_hands(context, ANN)
    seen = weakref.ref(server)
    gc.collect()
    gc.disable()
    try:
        del server, client
        assert seen() is None
        seen = weakref.ref(context)
        del context
        assert seen() is None
    finally:
        gc.enable()


def test_a_session_keeps_what_it_began_with(verification, write):
    checked = verification(ROOT, lists=[make_revocation_list(ROOT)])
    context = server_context(checked)
    write("revoked.pem", make_revocation_list(ROOT, [BOB]))
    checked.take(checked.refresh())
    server, _ = shake_hands(context, BOB)
    assert describe(server.get_peer_certificate().to_cryptography()).common_name == "bob"
