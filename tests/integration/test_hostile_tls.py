"""Bad input where TLS is spoken: a reply where one can be sent, a close, one line in the log, and nothing else; the server still serves.

Apart from the bad input in clear: what is cut, forged and left out here is TLS.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import socket
from collections.abc import Iterator
from typing import Any, Final

import pytest
from OpenSSL import SSL

from ftpd.testing.lines import tls_context
from ftpd.testing.tls_client import TLSClient
from ftpd.transfer.tunnel import Tunnel
from tests.integration.conftest import Running
from tests.integration.live import PASSWORD, ConfiguredServer, Guest
from tests.integration.wire import Reply, Wire, connect, passive_address, read_all, reset

IMPLICIT: Final = "127.0.0.2"
MOST_LOOKS: Final = 2000
RECORD_HEADER_BYTES: Final = 5
LISTEN: Final = [{"address": "127.0.0.1", "port": 0}, {"address": IMPLICIT, "port": 0, "implicit_tls": True}]
QUIET: Final = {"targets": [{"level": "info"}]}
_numbers: Final = itertools.count()
_EVERYDAY: Final = re.compile(r"logged in as|password file .* read again")
WEB: Final = b"GET / HTTP/1.1\r\nHost: ftp.example.com\r\n\r\n"


class Victim:
    """A server under attack, and what an operator sees of it."""

    def __init__(self, server: ConfiguredServer, name: str) -> None:
        self.server = server
        self.guest = server.add(name)
        self._witness = server.add(f"{name}-witness")
        self._seen = len(server.lines)
        self._looks = 0

    def connected(self, host: str = "127.0.0.1") -> socket.socket:
        return connect(host, self.server.ports[host])

    def told(self) -> list[str]:
        """Return what the log has told since the last look, but for logins; that the server serves is seen on the way."""
        with Cover(self.connected(), "AUTH TLS") as working:
            assert working.asks(f"USER {self._witness.name}", f"PASS {PASSWORD}", "QUIT") == [331, 230, 221]
        self._looks += 1
        self.server.wait_for(rf"(?s)(?:logged in as {self._witness.name} .*?){{{self._looks}}}")
        new, self._seen = self.server.lines[self._seen :], len(self.server.lines)
        return [line for line in new if not _EVERYDAY.search(line)]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    def resident_kib(self) -> int:
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return int(re.findall(r"VmRSS:\s+(\d+)", status.read())[0])


class Cover(Wire):
    """A control connection whose TLS bytes the test holds in its hand; with *auth* it begins in clear, else at once."""

    def __init__(self, control: socket.socket, auth: str = "", context: SSL.Context | None = None) -> None:
        self.host = control.getpeername()[0]
        self.source = ""
        self.control = control
        self._unread = b""
        if auth:
            assert control.recv(1000).startswith(b"220 ")
            control.sendall(auth.encode() + b"\r\n")
            assert control.recv(1000).startswith(b"234 ")
        self.tls = TLSClient(context=context)
        control.sendall(self.tls.outgoing())
        while not self.tls.is_established:
            self._hear()
        if not auth:
            assert self.reply().code == 220

    def send(self, data: str | bytes) -> None:
        self.control.sendall(self.tls.encrypt(data.encode() if isinstance(data, str) else data))

    def log_in(self, guest: Guest) -> None:
        assert self.asks(f"USER {guest.name}", f"PASS {PASSWORD}", "TYPE I", "PBSZ 0", "PROT P") == [331, 230, 200, 200, 200]

    def _hear(self) -> None:
        wire = self.control.recv(65536)
        if not wire:
            raise EOFError(f"closed after {self._unread!r}")
        self._unread += self.tls.feed(wire)
        self.control.sendall(self.tls.outgoing())

    def _line(self) -> str:
        while b"\r\n" not in self._unread:
            self._hear()
        line, self._unread = self._unread.split(b"\r\n", 1)
        return line.decode()

    def covered(self, data: socket.socket) -> TLSClient:
        """Shake hands on a data connection, resuming."""
        tls = TLSClient(context=self.tls.context, session=self.tls.session)
        data.sendall(tls.outgoing())
        while not tls.is_established:
            tls.feed(data.recv(65536))
        data.sendall(tls.outgoing())
        return tls


def version(number: int) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(number)
    context.set_max_proto_version(number)
    return context


@pytest.fixture(scope="module")
def hostile_server(running: Running) -> Iterator[ConfiguredServer]:
    with running({"listen": LISTEN, "log": QUIET}) as server:
        yield server


@pytest.fixture(scope="module")
def impatient_server(running: Running) -> Iterator[ConfiguredServer]:
    with running({"listen": LISTEN, "log": QUIET, "ftp": {"timeouts": {"login": 1, "data_connect": 0.3}}}) as server:
        yield server


@pytest.fixture
def victim(hostile_server: ConfiguredServer) -> Victim:
    return usual(hostile_server)


@pytest.fixture
def impatient(impatient_server: ConfiguredServer) -> Victim:
    return usual(impatient_server)


def usual(server: ConfiguredServer) -> Victim:
    victim = Victim(server, f"victim{next(_numbers)}")
    victim.told()
    return victim


def begun(victim: Victim) -> socket.socket:
    """A control connection that has been told 234."""
    control = victim.connected()
    assert control.recv(1000).startswith(b"220 ")
    control.sendall(b"AUTH TLS\r\n")
    assert control.recv(1000).startswith(b"234 ")
    return control


def heard(control: socket.socket) -> bytes:
    """Return all that comes until the end, which has to come."""
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := control.recv(65536):
            pieces.append(piece)
    control.close()
    return b"".join(pieces)


def opened(victim: Victim, door: str) -> socket.socket:
    return begun(victim) if door == "AUTH" else victim.connected(IMPLICIT)


doors = pytest.mark.parametrize("door", ["AUTH", "implicit"])


# What is no ClientHello.


@doors
@pytest.mark.parametrize(
    "said",
    [WEB, b"USER ann\r\n", b"\r\n", b"\0" * 500, b"SSH-2.0-x\r\n", b"\x80\x2e\x01\x03\x01"],
    ids=["web", "command", "empty", "zeros", "ssh", "sslv2"],
)
def test_what_is_not_tls_is_421_a_close_and_one_line(victim: Victim, door: str, said: bytes) -> None:
    control = opened(victim, door)
    control.sendall(said)
    assert heard(control) == b"421 TLS is spoken here now; closing.\r\n"
    (line,) = victim.told()
    assert "TLS handshake failed: the client does not speak TLS" in line


@doors
@pytest.mark.parametrize("seed", range(5))
def test_garbage_that_begins_like_a_handshake_is_an_alert_a_close_and_one_line(victim: Victim, door: str, seed: int) -> None:
    control = opened(victim, door)
    control.sendall(b"\x16\x03\x01\x00\x80" + random.Random(seed).randbytes(2000))
    answer = heard(control)
    assert answer[:1] in (b"\x15", b"")
    assert b"421" not in answer
    (line,) = victim.told()
    assert "TLS handshake failed: " in line


@doors
def test_random_bytes_are_answered_and_told_once_each(victim: Victim, door: str) -> None:
    noise = random.Random(7)
    for _ in range(20):
        control = opened(victim, door)
        control.sendall(noise.randbytes(noise.randrange(6, 3000)))
        control.shutdown(socket.SHUT_WR)
        heard(control)
    told = victim.told()
    assert len(told) <= 20
    assert all("TLS handshake failed: " in line for line in told)


def test_web_request_in_clear_before_auth_is_421(victim: Victim) -> None:
    control = victim.connected()
    control.recv(1000)
    control.sendall(WEB)
    assert heard(control).startswith(b"421 ")


def test_tls_on_the_clear_port_is_no_command(victim: Victim) -> None:
    control = victim.connected()
    control.recv(1000)
    control.sendall(TLSClient().outgoing() + b"\r\n")
    control.shutdown(socket.SHUT_WR)
    assert heard(control)[:4] == b"421 "
    [line] = victim.told()
    assert line.endswith("cut off: it spoke TLS, which is not FTP")


@doors
def test_old_version_is_refused_with_its_reason(victim: Victim, door: str) -> None:
    control = opened(victim, door)
    hello = bytearray(TLSClient(context=version(SSL.TLS1_2_VERSION)).outgoing())
    hello[9:11] = b"\x03\x01"  # client_version: TLS 1.0
    control.sendall(hello)
    assert heard(control)[:1] == b"\x15"
    (line,) = victim.told()
    assert "TLS handshake failed: the client offers no TLS version that is taken here" in line


# A handshake that is cut.


def flights(context: SSL.Context) -> list[bytes]:
    """What a client says in one handshake with *context*: its flights, as bytes on the wire."""
    server, client = Tunnel(tls_context()), TLSClient(context=context)
    said = []
    while not (client.is_established and server.is_established):
        said.append(client.outgoing())
        server.feed(said[-1])
        server.shake_hands()
        client.feed(server.outgoing())
    return [*filter(None, said), *filter(None, [client.outgoing()])]


def boundaries(flight: bytes) -> Iterator[int]:
    place = 0
    while place < len(flight):
        place += RECORD_HEADER_BYTES + int.from_bytes(flight[place + 3 : place + 5], "big")
        yield place


@doors
@pytest.mark.parametrize("number", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
@pytest.mark.parametrize("ends", ["by FIN", "by RST"])
def test_handshake_that_is_cut_anywhere_leaves_nothing_behind(victim: Victim, door: str, number: int, ends: str) -> None:
    victim.told()
    before = victim.descriptors()
    first = flights(version(number))[0]
    places = sorted({0, 1, 4, 5, 6, len(first) - 1, *boundaries(first), *random.Random(1).sample(range(len(first)), 10)})
    for place in places:
        control = opened(victim, door)
        control.sendall(first[:place])
        reset(control) if ends == "by RST" else control.close()
    assert [line for line in victim.told() if "handshake failed" not in line] == []
    assert any(victim.descriptors() <= before for _ in range(MOST_LOOKS))


@pytest.mark.parametrize("number", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
def test_handshake_whose_last_flight_is_damaged_is_one_line(victim: Victim, number: int) -> None:
    control = begun(victim)
    client = TLSClient(context=version(number))
    control.sendall(client.outgoing())
    while not (flight := client.outgoing()):
        client.feed(control.recv(65536))
    control.sendall(flight[:-1] + bytes([flight[-1] ^ 1]))
    heard(control)
    (line,) = victim.told()
    assert "TLS handshake failed: a record is damaged" in line


# After the handshake.


def test_renegotiation_flood_is_ended_or_refused_and_others_are_served(victim: Victim) -> None:
    wire = Cover(victim.connected(), "AUTH TLS", version(SSL.TLS1_2_VERSION))
    with wire, Cover(victim.connected(), "AUTH TLS") as other, contextlib.suppress(ConnectionError, EOFError, SSL.Error):
        for _ in range(200):
            wire.control.sendall(wire.tls.renegotiate())
            assert other.ask("NOOP").code == 200
    assert len(victim.told()) <= 1


def test_second_auth_is_503(victim: Victim) -> None:
    with Cover(victim.connected(), "AUTH TLS") as wire:
        assert wire.asks("AUTH TLS", "NOOP") == [503, 200]


def test_auth_on_the_implicit_port_is_503(victim: Victim) -> None:
    with Cover(victim.connected(IMPLICIT)) as wire:
        assert wire.asks("AUTH TLS", "NOOP") == [503, 200]


def test_prot_without_pbsz_is_503(victim: Victim) -> None:
    with Cover(victim.connected(), "AUTH TLS") as wire:
        assert wire.asks("PROT P", "PBSZ 0", "PROT P") == [503, 200, 200]


def test_auth_in_mid_transfer_waits_for_its_end(victim: Victim) -> None:
    with Wire.of(victim.guest) as wire:
        with wire.data() as data:
            assert wire.ask("STOR file").code == 150
            wire.send("AUTH TLS\r\n")
            data.sendall(b"content")
        assert wire.replies(2) == [226, 234]
    assert (victim.guest.home / "file").read_bytes() == b"content"


SMUGGLED: Final = b"AUTH TLS\r\nUSER anonymous\r\nPASS x\r\nMKD smuggled\r\n"


@pytest.mark.parametrize("cut", [10, 11, 15, 26, 27, 35, len(SMUGGLED) - 1])
def test_commands_behind_auth_in_later_segments_end_the_connection(victim: Victim, cut: int) -> None:
    control = victim.connected()
    control.recv(1000)
    control.sendall(SMUGGLED[:cut])
    assert control.recv(1000).startswith(b"234 ")
    control.sendall(SMUGGLED[cut:] + TLSClient().outgoing())
    assert heard(control) == b"421 TLS is spoken here now; closing.\r\n"
    assert len(victim.told()) == 1


def test_commands_in_the_segment_of_auth_are_never_answered(victim: Victim) -> None:
    control = victim.connected()
    control.recv(1000)
    control.sendall(SMUGGLED)
    assert control.recv(1000) == b"234 Begin the TLS handshake.\r\n"
    tls = TLSClient()
    control.sendall(tls.outgoing())
    said = b""
    while not tls.is_established:
        said += tls.feed(control.recv(65536))
    control.sendall(tls.outgoing() + tls.encrypt(b"NOOP\r\n"))
    while b"\r\n" not in said:
        said += tls.feed(control.recv(65536))
    assert said.startswith(b"200 ")
    control.close()


def test_records_of_one_byte_in_segments_of_one_byte_are_commands(victim: Victim) -> None:
    with Cover(victim.connected(), "AUTH TLS") as wire:
        for byte in b"NOOP\r\n":
            for one in wire.tls.encrypt(bytes([byte])):
                wire.control.sendall(bytes([one]))
        assert wire.reply().code == 200


def test_plaintext_in_the_middle_of_tls_is_a_close_and_one_line(victim: Victim) -> None:
    with Cover(victim.connected(), "AUTH TLS") as wire:
        wire.control.sendall(b"NOOP\r\n")
        answer = heard(wire.control)
    assert b"200" not in answer
    (line,) = victim.told()
    assert "TLS broke: " in line


def test_close_notify_in_the_middle_of_a_command_is_no_command(victim: Victim) -> None:
    (victim.guest.home / "file").touch()
    with Cover(victim.connected(), "AUTH TLS") as wire:
        wire.log_in(victim.guest)
        wire.send("DELE fi")
        wire.control.sendall(wire.tls.say_end() + b"le\r\n")
        with contextlib.suppress(EOFError):
            while True:
                wire._hear()
        assert wire._unread == b""
        assert wire.tls.has_heard_end
    victim.told()
    assert (victim.guest.home / "file").exists()


def test_quit_and_close_notify_in_one_segment_hear_the_goodbye(victim: Victim) -> None:
    with Cover(victim.connected(), "AUTH TLS") as wire:
        wire.control.sendall(wire.tls.encrypt(b"NOOP\r\nQUIT\r\n") + wire.tls.say_end())
        assert wire.replies(2) == [200, 221]
    assert victim.told() == []


# Time.


def test_client_that_says_auth_and_then_nothing_is_421(impatient: Victim) -> None:
    assert heard(begun(impatient)).startswith(b"421 No login within the time")


def test_client_that_says_nothing_on_the_implicit_port_is_closed(impatient: Victim) -> None:
    assert heard(impatient.connected(IMPLICIT)).startswith(b"421 No login within the time")


def test_client_that_stops_in_mid_handshake_is_closed_without_a_word_in_clear(impatient: Victim) -> None:
    control = begun(impatient)
    control.sendall(TLSClient().outgoing()[:50])
    assert heard(control) == b""


def test_hundred_half_open_handshakes_delay_nobody(victim: Victim) -> None:
    before = victim.descriptors()
    hello = TLSClient().outgoing()
    with contextlib.ExitStack() as crowd, Cover(victim.connected(), "AUTH TLS") as working:
        for index in range(100):
            control = crowd.enter_context(victim.connected(IMPLICIT))
            control.sendall(hello[: 1 + index * 2])
            assert working.ask("NOOP").code == 200
    assert victim.told() == []
    assert any(victim.descriptors() <= before for _ in range(MOST_LOOKS))


def test_client_that_never_reads_is_paused_and_others_are_served(victim: Victim) -> None:
    with Cover(victim.connected(), "AUTH TLS") as deaf, Cover(victim.connected(), "AUTH TLS") as other:
        deaf.control.setblocking(False)
        before = victim.resident_kib()
        assert is_filled(deaf.control, deaf.tls)
        assert other.asks("NOOP", "NOOP") == [200, 200]
        assert victim.resident_kib() - before < 4096
    assert victim.told() == []


def is_filled(control: socket.socket, tls: TLSClient) -> bool:
    """Send until the server takes no more, as it must."""
    try:
        for _ in range(20_000):
            control.sendall(tls.encrypt(b"HELP\r\n" * 1000))
    except BlockingIOError:
        return True
    return False


# Data connections.


@pytest.fixture
def wire(victim: Victim) -> Iterator[Cover]:
    with Cover(victim.connected(), "AUTH TLS") as wire:
        wire.log_in(victim.guest)
        victim.told()
        yield wire


def passive(wire: Cover) -> socket.socket:
    return connect(wire.host, passive_address(wire.ask("PASV"))[1])


def test_data_connection_that_never_shakes_hands_is_522_and_others_are_served(impatient: Victim) -> None:
    with Cover(impatient.connected(), "AUTH TLS") as wire, Cover(impatient.connected(), "AUTH TLS") as other:
        wire.log_in(impatient.guest)
        with passive(wire):
            assert wire.ask("NLST").code == 150
            assert other.ask("NOOP").code == 200
            assert wire.reply() == Reply(522, "TLS on the data connection failed: no handshake within 0.3 seconds.")
        assert wire.ask("NOOP").code == 200
        with passive(wire) as data:
            assert wire.ask("NLST").code == 150
            tls = wire.covered(data)
            assert listed(data, tls) == b""
            assert wire.reply().code == 226


def listed(data: socket.socket, tls: TLSClient) -> bytes:
    content = b""
    while not tls.has_heard_end:
        content += tls.feed(data.recv(65536))
    data.sendall(tls.say_end())
    return content


@pytest.mark.parametrize(
    "said", [b"content in clear\r\n", WEB, b"\x16\x03\x01\xff\xff" + bytes(70000)], ids=["clear", "web", "garbage"]
)
def test_plaintext_where_tls_is_due_is_522_and_stores_nothing(wire: Cover, victim: Victim, said: bytes) -> None:
    with passive(wire) as data:
        assert wire.ask("STOR file").code == 150
        with contextlib.suppress(ConnectionError):
            data.sendall(said)
        reply = wire.reply()
    assert reply.code == 522
    assert os.listdir(victim.guest.home) == []
    (line,) = victim.told()
    assert "TLS on the data connection failed: " in line
    assert wire.ask("NOOP").code == 200


def test_plaintext_that_was_sent_before_the_command_is_522(wire: Cover, victim: Victim) -> None:
    with passive(wire) as data:
        data.sendall(b"content in clear\r\n")
        assert wire.asks("STOR file") == [150]
        assert wire.reply().code == 522
    assert os.listdir(victim.guest.home) == []


def test_tls_where_clear_is_due_is_content(wire: Cover, victim: Victim) -> None:
    assert wire.ask("PROT C").code == 200
    hello = TLSClient().outgoing()
    with passive(wire) as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(hello)
    assert wire.reply().code == 226
    assert (victim.guest.home / "file").read_bytes() == hello


def test_data_connection_that_ends_in_mid_handshake_is_522(wire: Cover, victim: Victim) -> None:
    for ends in (socket.socket.close, reset):
        data = passive(wire)
        assert wire.ask("STOR file").code == 150
        data.sendall(TLSClient().outgoing()[:100])
        ends(data)
        assert wire.reply().code in (425, 522)
    assert len(victim.told()) == 2
    assert os.listdir(victim.guest.home) == []


def test_record_that_is_damaged_in_mid_upload_is_not_226(wire: Cover, victim: Victim) -> None:
    with passive(wire) as data:
        assert wire.ask("STOR file").code == 150
        tls = wire.covered(data)
        good = tls.encrypt(b"content")
        bad = tls.encrypt(b"content")
        data.sendall(good + bad[:-1] + bytes([bad[-1] ^ 1]))
        assert wire.reply().code in (426, 451)
    assert len(victim.told()) == 1
    assert not (victim.guest.home / "file").exists()


def test_control_connection_that_breaks_in_mid_upload_stores_nothing(wire: Cover, victim: Victim) -> None:
    with passive(wire) as data:
        assert wire.ask("STOR file").code == 150
        tls = wire.covered(data)
        data.sendall(tls.encrypt(b"content"))
        wire.control.sendall(b"garbage in the middle of TLS\r\n")
        heard(wire.control)
        with contextlib.suppress(ConnectionError):
            data.sendall(tls.say_end())
            read_all(data)
    told = victim.told()
    assert sum("TLS broke: " in line for line in told) == 1
    assert not (victim.guest.home / "file").exists()


def test_half_open_data_connections_leave_no_descriptor_behind(victim: Victim) -> None:
    victim.told()
    before = victim.descriptors()
    for _ in range(20):
        wire = Cover(victim.connected(), "AUTH TLS")
        wire.log_in(victim.guest)
        data = passive(wire)
        assert wire.ask("NLST").code == 150
        data.sendall(b"\x16")
        reset(wire.control)
        data.close()
    victim.told()
    assert any(victim.descriptors() <= before for _ in range(MOST_LOOKS))


def test_thousand_bad_handshakes_leave_no_memory_behind(victim: Victim) -> None:
    def attack(count: int) -> None:
        for index in range(count):
            control = victim.connected(IMPLICIT)
            control.sendall(b"\x16\x03\x01\x00\x10" + b"\xff" * 16 if index % 2 else WEB)
            heard(control)

    attack(200)
    before: Any = victim.resident_kib()
    attack(1000)
    assert victim.resident_kib() - before < 2048
