"""Data ports with TLS, over a line of TCP on loopback: the handshake is that of a real client."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from ftpd.errors import DataConnectionFailed, DataNotProtected
from ftpd.events import DataNotResumed
from ftpd.ftp.data.protected import ProtectedPort
from ftpd.ftp.deadlines import Deadlines
from ftpd.ftp.settings import FTPSettings, ProtectionSettings
from ftpd.testing.certificates import make_certificate
from ftpd.testing.lines import Line, private_reactor, turn
from ftpd.testing.tls_client import MemoryContexts, TLSClient
from ftpd.tls.client_names import describe
from ftpd.transfer.tunnel import Tunnel
from ftpd.values import Account, ClientCertificate, Peer, TLSFacts

MOST_TURNS = 2000


class Port:
    """The port in clear below: its connection is there, comes later, or never."""

    address, port = "127.0.0.1", 50000

    def __init__(self, result):
        self.result = result
        self.is_closed = False

    def open(self):
        return self.result

    def close(self):
        self.is_closed = True


class Room:
    """A session and the line to its client."""

    def __init__(self, reactor, **rules):
        self.reactor = reactor
        self.line = Line(reactor)
        self.events = []
        self.contexts = MemoryContexts()
        settings = FTPSettings(tls=ProtectionSettings(**rules))
        self.session = SimpleNamespace(
            factory=SimpleNamespace(reactor=reactor, settings=settings, contexts=self.contexts, handshakes=Deadlines(reactor, 0.1)),
            policy=SimpleNamespace(tolerates_eof=False),
            protection=SimpleNamespace(context=self.contexts.for_session(), is_tls_client=False, is_told=False),
            peer=Peer("127.0.0.1", 40000, "127.0.0.1", 21, tls=TLSFacts("TLSv1.3", "")),
            account=Account("ann"),
            account_name="ann",
            transfer=None,
            publish=self.events.append,
        )
        self.begins(TLSClient())

    def begins(self, control):
        """Let *control* be the client's end of the control connection."""
        self.control = control
        server = Tunnel(self.session.protection.context)
        while not (self.control.is_established and server.is_established):
            server.feed(self.control.outgoing())
            server.shake_hands()
            self.control.feed(server.outgoing())
        server.mark_shut()

    def port(self, **options):
        self.below = Port(succeed(self.line.connection))
        return ProtectedPort(self.session, self.below, **options)

    def resuming(self):
        return TLSClient(context=self.control.context, session=self.control.session)

    def shakes_hands(self, client, opening):
        """Let *client* talk until the port has an answer, and return that."""
        answers = []
        opening.addBoth(answers.append)
        for _ in range(MOST_TURNS):
            wire = client.outgoing()
            if wire:
                self.line.client.sendall(wire)
            turn(self.reactor)
            client.feed(self.heard())
            if answers:
                return answers[0]
        raise AssertionError("no answer")

    def heard(self):
        """What has come to the client; b"" for nothing."""
        try:
            return self.line.client.recv(65536)
        except BlockingIOError:
            return b""

    def waits(self, opening):
        answers = []
        opening.addBoth(answers.append)
        for _ in range(MOST_TURNS):
            if answers:
                return answers[0]
            turn(self.reactor)
        raise AssertionError("no answer")


@pytest.fixture
def reactor():
    with private_reactor() as reactor:
        yield reactor


@pytest.fixture
def room(reactor):
    rooms = []

    def make(**rules):
        rooms.append(Room(reactor, **rules))
        return rooms[-1]

    yield make
    for one in rooms:
        one.line.close()
        one.session.factory.handshakes.close()


def test_resumed_connection_is_given_and_nobody_told(room):
    here = room()
    port = here.port()
    connection = here.shakes_hands(here.resuming(), port.open())
    assert not isinstance(connection, Exception)
    assert connection.socket is None
    assert here.events == []
    port.close()
    assert here.below.is_closed


def test_address_and_port_are_those_below(room):
    here = room()
    port = here.port()
    assert (port.address, port.port) == ("127.0.0.1", 50000)
    port.close()


def test_stranger_is_told_once_a_session_under_log(room):
    here = room()
    first = here.port()
    here.shakes_hands(TLSClient(), first.open())
    assert [type(event) for event in here.events] == [DataNotResumed]
    assert here.session.protection.is_told
    first.close()


def test_stranger_is_told_to_nobody_under_off(room):
    here = room(data_resumption="off")
    port = here.port()
    here.shakes_hands(TLSClient(), port.open())
    assert here.events == []
    port.close()


def test_stranger_is_refused_under_required_and_learns_no_ticket(room):
    here = room(data_resumption="required")
    port, stranger = here.port(), TLSClient()
    failure = here.shakes_hands(stranger, port.open())
    assert isinstance(failure.value, DataNotProtected)
    assert str(failure.value) == "The data connection did not resume the TLS session of this control connection, as it must here"
    port.close()


def test_resumed_connection_is_given_under_required(room):
    here = room(data_resumption="required")
    port = here.port()
    assert here.shakes_hands(here.resuming(), port.open()).socket is None
    port.close()


def test_session_of_another_context_is_a_stranger(room):
    here, there = room(data_resumption="required"), room()
    port = here.port()
    failure = here.shakes_hands(there.resuming(), port.open())
    assert isinstance(failure.value, DataNotProtected)
    port.close()


def test_stranger_without_the_control_connections_certificate_is_refused(room):
    here = room()
    certificate = ClientCertificate(subject="CN=ann", common_name="ann", emails=(), fingerprint="ab" * 32)
    here.session.peer = here.session.peer._replace(tls=TLSFacts("TLSv1.3", "", client=certificate))
    port = here.port()
    failure = here.shakes_hands(TLSClient(), port.open())
    assert str(failure.value) == "The data connection shows another client certificate than the control connection"
    port.close()


def test_stranger_without_the_certificate_that_was_shown_before_ccc_is_refused(room):
    here = room()
    here.session.peer = here.session.peer._replace(tls=None)
    here.session.protection.cleared_client = ClientCertificate(
        subject="CN=ann", common_name="ann", emails=(), fingerprint="ab" * 32
    )
    port = here.port()
    failure = here.shakes_hands(TLSClient(), port.open())
    assert str(failure.value) == "The data connection shows another client certificate than the control connection"
    port.close()


def test_client_that_speaks_no_tls_is_refused_with_the_cause(room):
    here = room()
    here.line.client.sendall(b"content in clear")
    port = here.port()
    failure = here.waits(port.open())
    assert isinstance(failure.value, DataNotProtected)
    assert str(failure.value).startswith("TLS on the data connection failed: the client does not speak TLS")
    port.close()


def test_client_that_never_shakes_hands_is_refused_in_time(room):
    here = room()
    port = here.port()
    failure = here.waits(port.open())
    assert isinstance(failure.value, DataNotProtected)
    assert str(failure.value) == "TLS on the data connection failed: no handshake within 0.1 seconds"
    port.close()


def test_handshake_begins_before_the_transfer_command(room):
    here = room()
    port, client = here.port(), here.resuming()
    here.line.client.sendall(client.outgoing())
    while not client.is_established:
        turn(here.reactor)
        client.feed(here.heard())
    here.line.client.sendall(client.outgoing())
    assert here.waits(port.open()).socket is None
    port.close()


def test_failure_before_the_transfer_command_waits_for_it(room):
    here = room()
    here.line.client.sendall(b"content in clear")
    port = here.port()
    for _ in range(20):
        turn(here.reactor)
    assert isinstance(here.waits(port.open()).value, DataNotProtected)
    port.close()


def test_connection_that_never_comes_fails_as_it_does_in_clear(room):
    here = room()
    port = ProtectedPort(here.session, Port(fail(DataConnectionFailed("No data connection within 30 seconds"))))
    failure = here.waits(port.open())
    assert isinstance(failure.value, DataConnectionFailed)
    port.close()


def test_closing_cancels_the_wait_for_the_connection(room):
    here = room()
    cancelled = []
    below = Port(Deferred(cancelled.append))
    port = ProtectedPort(here.session, below)
    port.close()
    assert len(cancelled) == 1
    assert below.is_closed


def test_closing_twice_is_harmless(room):
    here = room()
    port = here.port()
    here.shakes_hands(here.resuming(), port.open())
    port.close()
    port.close()


@pytest.mark.parametrize("is_once", [True, False], ids=["CPSV", "SSCN"])
def test_in_the_clients_role_we_begin_and_ask_for_no_resumption(room, is_once):
    here = room(data_resumption="required")
    here.session.protection.is_tls_client = not is_once
    port = here.port(is_client=is_once)
    other = Tunnel(MemoryContexts().for_session())
    answers = []
    port.open().addBoth(answers.append)
    for _ in range(MOST_TURNS):
        turn(here.reactor)
        if not (wire := here.heard()):
            continue
        other.feed(wire)
        other.shake_hands()
        if wire := other.outgoing():
            here.line.client.sendall(wire)
        if answers:
            break
    assert answers[0].socket is None
    assert here.events == []
    port.close()


def test_handshake_of_another_version_is_refused_with_the_cause(room):
    here = room()
    here.session.protection.context = here.contexts.for_session()
    here.session.protection.context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    client = TLSClient(context=context)
    here.line.client.sendall(client.outgoing())
    port = here.port()
    assert "the client offers no TLS version that is taken here" in str(here.waits(port.open()).value)
    port.close()


def test_ticket_of_a_stranger_who_was_refused_for_his_certificate_is_no_proof(room, reactor):
    here = room()
    certificate = ClientCertificate(subject="CN=ann", common_name="ann", emails=(), fingerprint="ab" * 32)
    here.session.peer = here.session.peer._replace(tls=TLSFacts("TLSv1.3", "", client=certificate))
    port, stranger = here.port(), TLSClient()
    here.shakes_hands(stranger, port.open())
    stranger.feed(here.heard())
    port.close()
    here.line.close()
    here.line = Line(reactor)
    again = here.port()
    failure = here.shakes_hands(TLSClient(context=stranger.context, session=stranger.session), again.open())
    assert str(failure.value) == "The data connection shows another client certificate than the control connection"
    again.close()


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
def test_resumed_connection_has_the_certificate_of_its_session(room, version):
    here, identity = room(), make_certificate(names=["ann"])
    here.session.protection.context = here.contexts.for_session()
    here.session.protection.context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    context.use_certificate(identity.parsed)
    context.use_privatekey(load_pem_private_key(identity.key, None))
    here.begins(TLSClient(context=context))
    here.session.peer = here.session.peer._replace(tls=TLSFacts("", "", client=describe(identity.parsed)))
    port = here.port()
    assert here.shakes_hands(here.resuming(), port.open()).socket is None
    assert here.events == []
    port.close()


# Before the 150 of an upload.


async def upload(port, said):
    """What a transfer does: settle, say 150, open."""
    await port.settle()
    said.append(150)
    return await port.open()


def test_150_waits_for_a_handshake_that_the_client_has_begun(room):
    here = room()
    said = []
    client = here.resuming()
    port = here.port()
    here.line.client.sendall(client.outgoing())
    turn(here.reactor)
    uploading = Deferred.fromCoroutine(upload(port, said))
    for _ in range(5):
        turn(here.reactor)
    assert said == []
    here.shakes_hands(client, uploading)
    assert said == [150]
    port.close()


def test_150_does_not_wait_for_a_client_that_says_nothing_before(room):
    here = room()
    said = []
    port = here.port()
    turn(here.reactor)
    uploading = Deferred.fromCoroutine(upload(port, said))
    for _ in range(5):
        turn(here.reactor)
    assert said == [150]
    here.waits(uploading)
    port.close()


def test_150_does_not_wait_for_ever_for_the_rest_of_a_handshake(room):
    here = room()
    said = []
    port = here.port()
    here.line.client.sendall(here.resuming().outgoing())
    here.waits(Deferred.fromCoroutine(upload(port, said)))
    assert said == [150]
    port.close()


def test_handshake_that_fails_while_150_waits_is_told_behind_it(room):
    here = room(data_resumption="required")
    said = []
    stranger = TLSClient()
    port = here.port()
    here.line.client.sendall(stranger.outgoing())
    failure = here.shakes_hands(stranger, Deferred.fromCoroutine(upload(port, said)))
    assert said == [150]
    assert failure.check(DataNotProtected)
    port.close()


def test_upload_that_is_stopped_while_150_waits_says_none(room):
    here = room()
    said = []
    port = here.port()
    here.line.client.sendall(here.resuming().outgoing())
    turn(here.reactor)
    uploading = Deferred.fromCoroutine(upload(port, said))
    for _ in range(5):
        turn(here.reactor)
    uploading.cancel()
    assert here.waits(uploading).check(CancelledError)
    assert said == []
    port.close()
