"""AUTH, PBSZ, PROT, CCC and what policy makes of them: who may log in and transfer how.

Apart from the clients' tests: the dialogue is the point.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.clients import Program
from tests.integration.conftest import Running
from tests.integration.live import PASSWORD, ConfiguredServer, Guest
from tests.integration.secure_clients import SecureCurl, SecureFtplib, SecureLftp
from tests.integration.secure_wire import SecureWire
from tests.integration.wire import Reply, Wire, passive_address, port_argument, read_all

CONTENT: Final = b"content"


@pytest.fixture
def clear(secure_guest: Guest) -> Iterator[SecureWire]:
    """A control connection in clear that has heard the greeting."""
    with SecureWire(secure_guest.port) as wire:
        assert wire.reply().code == 220
        yield wire


@pytest.fixture
def secure(secure_guest: Guest) -> Iterator[SecureWire]:
    """A control connection with TLS, logged in, PROT P; there is a file to fetch."""
    (secure_guest.home / "file").write_bytes(CONTENT)
    with SecureWire.of(secure_guest) as wire:
        yield wire


def features(wire: Wire) -> set[str]:
    reply = wire.ask("FEAT")
    assert reply.code == 211
    return {line.strip() for line in reply.text.splitlines()}


# AUTH.


@pytest.mark.parametrize("mechanism", ["TLS", "TLS-C", "tls"])
def test_auth_tls_leaves_data_in_clear(clear: SecureWire, secure_guest: Guest, mechanism: str) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    clear.begin_tls(f"AUTH {mechanism}")
    assert clear.asks(f"USER {secure_guest.name}", f"PASS {PASSWORD}") == [331, 230]
    assert Wire.fetch(clear, "RETR file") == CONTENT


@pytest.mark.parametrize("mechanism", ["SSL", "TLS-P"])
def test_auth_ssl_is_prot_p_at_once(clear: SecureWire, secure_guest: Guest, mechanism: str) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    clear.begin_tls(f"AUTH {mechanism}")
    assert clear.asks(f"USER {secure_guest.name}", f"PASS {PASSWORD}") == [331, 230]
    assert clear.fetch("RETR file") == CONTENT


@pytest.mark.parametrize(
    ("line", "code"), [("AUTH KERBEROS_V4", 504), ("AUTH", 501), ("ADAT AAAA", 502), ("PBSZ 0", 503), ("PROT P", 503)]
)
def test_misuse_in_clear_is_answered_and_changes_nothing(clear: SecureWire, line: str, code: int) -> None:
    assert clear.asks(line, "NOOP") == [code, 200]


def test_second_auth_is_503(secure: SecureWire) -> None:
    assert secure.asks("AUTH TLS", "NOOP") == [503, 200]


def test_ccc_in_clear_is_533(clear: SecureWire) -> None:
    assert clear.ask("CCC").code == 533


def test_auth_forgets_login_type_offset_directory_and_data_port(clear: SecureWire, secure_guest: Guest) -> None:
    (secure_guest.home / "folder").mkdir()
    (secure_guest.home / "file").write_bytes(b"1\n2")
    assert clear.asks(f"USER {secure_guest.name}", f"PASS {PASSWORD}", "CWD folder", "TYPE I", "REST 2") == [
        331,
        230,
        250,
        200,
        350,
    ]
    port = clear.passive()
    clear.begin_tls()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 30)
    assert clear.asks("PWD", f"USER {secure_guest.name}", f"PASS {PASSWORD}") == [530, 331, 230]
    assert clear.ask("PWD").text.startswith('"/"')
    assert clear.ask("RETR file").code == 425
    assert Wire.fetch(clear, "RETR file") == b"1\r\n2"


def test_user_named_in_clear_is_nobody_after_auth(clear: SecureWire, secure_guest: Guest) -> None:
    assert clear.ask(f"USER {secure_guest.name}").code == 331
    clear.begin_tls()
    assert clear.ask(f"PASS {PASSWORD}").code == 503


def test_auth_is_a_feature_until_tls_is_there(clear: SecureWire) -> None:
    assert {"AUTH TLS", "PBSZ", "PROT"} <= features(clear)
    clear.begin_tls()
    assert {"PBSZ", "PROT"} <= features(clear)
    assert "AUTH TLS" not in features(clear)


def test_server_without_certificate_has_no_tls(guest: Guest) -> None:
    with Wire(guest.port) as wire:
        assert wire.reply().code == 220
        assert not features(wire) & {"AUTH TLS", "PBSZ", "PROT"}
        assert wire.asks("AUTH TLS", "PBSZ 0", "PROT P") == [504, 503, 503]


# PBSZ and PROT.


def test_pbsz_and_prot_before_the_login_hold_after_it(clear: SecureWire, secure_guest: Guest) -> None:
    """PHP's order."""
    (secure_guest.home / "file").write_bytes(CONTENT)
    clear.begin_tls()
    assert clear.asks("PBSZ 0", "PROT P", f"USER {secure_guest.name}", f"PASS {PASSWORD}") == [200, 200, 331, 230]
    assert clear.fetch("RETR file") == CONTENT


def test_prot_without_pbsz_is_503(clear: SecureWire) -> None:
    clear.begin_tls()
    assert clear.asks("PROT P", "PBSZ 0", "PROT P") == [503, 200, 200]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("PROT S", 536),
        ("PROT E", 536),
        ("PROT X", 504),
        ("PROT", 501),
        ("PBSZ", 501),
        ("PBSZ x", 501),
        ("PBSZ -1", 501),
        ("PBSZ 4294967296", 501),
        ("PBSZ 16384", 200),
        ("CCC", 534),
    ],
)
def test_misuse_over_tls_is_answered_and_changes_nothing(secure: SecureWire, line: str, code: int) -> None:
    assert secure.ask(line).code == code
    assert secure.fetch("RETR file") == CONTENT


def test_prot_c_goes_back_to_data_in_clear(secure: SecureWire) -> None:
    assert secure.fetch("RETR file") == CONTENT
    assert secure.ask("PROT C").code == 200
    assert Wire.fetch(secure, "RETR file") == CONTENT
    assert secure.ask("PROT P").code == 200
    assert secure.fetch("RETR file") == CONTENT


def test_prot_p_counts_for_a_port_that_was_announced_before(secure: SecureWire) -> None:
    assert secure.ask("PROT C").code == 200
    with secure.data() as plain:
        assert secure.asks("PROT P", "RETR file") == [200, 150]
        with secure.secured(plain) as data:
            assert read_all(data) == CONTENT
            data.unwrap()
    assert secure.reply().code == 226


def test_prot_c_drops_a_port_on_which_tls_may_have_begun(secure: SecureWire) -> None:
    with secure.data() as plain:
        assert secure.asks("PROT C", "RETR file") == [200, 425]
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(1) == b""
    assert Wire.fetch(secure, "RETR file") == CONTENT


def test_rein_takes_tls_off_and_it_can_be_begun_again(secure: SecureWire, secure_guest: Guest) -> None:
    assert secure.ask("REIN").code == 220
    secure.control = secure.tls.unwrap()
    assert secure.asks("NOOP", "PROT P") == [200, 503]
    secure.begin_tls()
    secure.log_in(secure_guest)
    assert secure.fetch("RETR file") == CONTENT


def test_implicit_tls_outlasts_rein(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    guest = secure_guest._replace(host="127.0.0.2", port=secure_server.ports["127.0.0.2"])
    with SecureWire.implicit(guest) as wire:
        assert wire.asks("REIN", f"USER {guest.name}", f"PASS {PASSWORD}") == [220, 331, 230]
        assert wire.fetch("RETR file") == CONTENT


def test_implicit_sessions_begin_at_prot_p(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    guest = secure_guest._replace(host="127.0.0.2", port=secure_server.ports["127.0.0.2"])
    with SecureWire.implicit(guest) as wire:
        assert "AUTH TLS" not in features(wire)
        assert wire.asks(f"USER {guest.name}", f"PASS {PASSWORD}", "AUTH TLS") == [331, 230, 503]
        assert wire.fetch("RETR file") == CONTENT


def test_login_is_in_the_log_with_version_and_cipher(
    secure_server: ConfiguredServer, secure: SecureWire, secure_guest: Guest
) -> None:
    line = secure_server.wait_for(f"logged in as {secure_guest.name} .*")[0]
    assert "(TLSv1.3 TLS_AES_128_GCM_SHA256 " in line
    assert line.endswith(" new)")


# CCC.


@pytest.fixture(scope="module")
def clearing(running: Running) -> Iterator[ConfiguredServer]:
    """A server that allows CCC."""
    with running({"ftp": {"tls": {"ccc": True}}}) as server:
        yield server


@pytest.fixture
def cleared(clearing: ConfiguredServer, request: pytest.FixtureRequest) -> Guest:
    guest = clearing.add(f"guest{abs(hash(request.node.name)) % 10**9}")
    (guest.home / "file").write_bytes(CONTENT)
    return guest


def test_ccc_goes_back_to_clear_and_data_stay_private(cleared: Guest) -> None:
    with SecureWire.of(cleared) as wire:
        assert "CCC" in features(wire)
        session = wire.session
        assert wire.ask("CCC").code == 200
        wire.control = wire.tls.unwrap()
        assert wire.asks("NOOP", "PBSZ 0", "PROT C", "AUTH TLS", "CCC") == [200, 503, 503, 503, 533]
        assert wire.fetch("RETR file", session) == CONTENT


def test_ccc_before_the_login_is_534(cleared: Guest) -> None:
    with SecureWire.opened(cleared) as wire:
        assert wire.asks("CCC", "NOOP") == [534, 200]


def test_command_in_one_segment_with_the_end_of_tls_is_answered_in_clear(cleared: Guest) -> None:
    with SecureWire.of(cleared) as wire:
        assert wire.ask("CCC").code == 200
        plain = wire.tls.unwrap()
        plain.sendall(b"NOOP\r\nNOOP\r\n")
        wire.control = plain
        assert wire.replies(2) == [200, 200]


def test_ftplib_with_ccc(program: Program, cleared: Guest, home: Path) -> None:
    received: list[bytes] = []
    with SecureFtplib(program, cleared, home).connect() as ftp:
        ftp.ccc()
        assert isinstance(ftp.sock, ssl.SSLSocket)
        assert ftp.sock.version() is None
        ftp.retrbinary("RETR file", received.append)
    assert received == [CONTENT]


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_curl_with_ccc(program: Program, cleared: Guest, home: Path, mode: str) -> None:
    curl = SecureCurl(program, cleared, home)
    curl.curl("--ftp-ssl-ccc", "--ftp-ssl-ccc-mode", mode, "-o", "down", curl.url("file"))
    assert (home / "down").read_bytes() == CONTENT


def test_lftp_with_ccc(program: Program, cleared: Guest, home: Path, clearing: ConfiguredServer) -> None:
    SecureLftp(program, cleared, home).lftp("set ftp:ssl-use-ccc true", "get file -o down", "put down -o up")
    assert (home / "down").read_bytes() == (cleared.home / "up").read_bytes() == CONTENT
    assert "CCC -> 200" in clearing.log


# Policy.


@pytest.fixture(scope="module")
def policed(running: Running) -> Iterator[ConfiguredServer]:
    """A server with other rules at each of its addresses, for two networks, and for two accounts."""
    listen = [
        {"address": "127.0.0.1", "port": 0},
        {"address": "127.0.0.3", "port": 0, "tls_login": "required"},
        {"address": "127.0.0.4", "port": 0, "tls_data": "required"},
        {"address": "127.0.0.5", "port": 0, "tls_login": "off"},
        {"address": "127.0.0.6", "port": 0, "tls_data": "off"},
    ]
    networks = [
        {"networks": ["127.0.7.0/24"], "login": "required", "data": "required"},
        {"networks": ["127.0.8.0/24"], "login": "off"},
    ]
    accounts = {"careful": {"home": "/careful", "tls": "required"}, "private": {"home": "/private", "tls_data": "required"}}
    settings = {
        "listen": listen,
        "ftp": {"tls": {"networks": networks}},
        "accounts": accounts,
        "anonymous": {"enabled": True, "home": "/public"},
    }
    with running(settings) as server:
        (server.root / "public").mkdir()
        yield server


@pytest.fixture(scope="module")
def member(policed: ConfiguredServer) -> Guest:
    guest = policed.add("member")
    (guest.home / "file").write_bytes(CONTENT)
    return guest


def at(guest: Guest, server: ConfiguredServer, address: str) -> Guest:
    return guest._replace(host=address, port=server.ports[address])


@contextlib.contextmanager
def greeted(guest: Guest, source: str = "") -> Iterator[SecureWire]:
    with SecureWire(guest.port, guest.host, source) as wire:
        assert wire.reply().code == 220
        yield wire


@pytest.mark.parametrize(("address", "source"), [("127.0.0.3", ""), ("127.0.0.1", "127.0.7.9")], ids=["listener", "network"])
def test_required_login_refuses_every_name_at_user_with_the_same_words(
    policed: ConfiguredServer, member: Guest, address: str, source: str
) -> None:
    guest = at(member, policed, address)
    replies = []
    for name in (member.name, "nobody", "anonymous"):
        with greeted(guest, source) as wire:
            replies.append(wire.ask(f"USER {name}"))
            assert wire.ask(f"PASS {PASSWORD}").code == 503
    assert replies == [Reply(530, "A login needs TLS here: send AUTH TLS first.")] * 3
    with SecureWire.of(guest, source) as wire:
        assert wire.fetch("RETR file") == CONTENT


@pytest.mark.parametrize(("address", "source"), [("127.0.0.4", ""), ("127.0.0.1", "127.0.7.9")], ids=["listener", "network"])
def test_required_data_protection_is_521_at_the_transfer_command(
    policed: ConfiguredServer, member: Guest, address: str, source: str
) -> None:
    with SecureWire.opened(at(member, policed, address), source) as wire:
        assert wire.asks(f"USER {member.name}", f"PASS {PASSWORD}", "TYPE I") == [331, 230, 200]
        for line in ("RETR file", "STOR new", "LIST", "MLSD", "NLST", "APPE file", "STOU"):
            assert wire.ask("EPSV").code == 229
            assert wire.ask(line).code == 521, line
        assert wire.asks("PBSZ 0", "PROT C", "PROT P") == [200, 534, 200]
        assert wire.fetch("RETR file") == CONTENT
    assert not (member.home / "new").exists()


@pytest.mark.parametrize(("address", "source"), [("127.0.0.5", ""), ("127.0.0.1", "127.0.8.9")], ids=["listener", "network"])
def test_tls_that_is_off_is_504_and_no_feature(policed: ConfiguredServer, member: Guest, address: str, source: str) -> None:
    with greeted(at(member, policed, address), source) as wire:
        assert "AUTH TLS" not in features(wire)
        assert wire.asks("AUTH TLS", f"USER {member.name}", f"PASS {PASSWORD}") == [504, 331, 230]


def test_protected_data_that_are_off_are_534(policed: ConfiguredServer, member: Guest) -> None:
    with SecureWire.opened(at(member, policed, "127.0.0.6")) as wire:
        assert wire.asks(f"USER {member.name}", f"PASS {PASSWORD}", "PBSZ 0", "PROT P", "PROT C") == [331, 230, 200, 534, 200]
        assert Wire.fetch(wire, "RETR file") == CONTENT


def test_other_networks_and_listeners_are_as_ever(policed: ConfiguredServer, member: Guest) -> None:
    with greeted(member) as wire:
        assert wire.asks(f"USER {member.name}", f"PASS {PASSWORD}") == [331, 230]
        assert Wire.fetch(wire, "RETR file") == CONTENT


def test_account_that_needs_tls_is_refused_after_pass_like_a_wrong_password(policed: ConfiguredServer) -> None:
    guest = policed.add("careful")

    def refused(name: str, password: str) -> list[Reply]:
        with greeted(guest) as wire:
            return [wire.ask(f"USER {name}"), wire.ask(f"PASS {password}")]

    assert refused("careful", PASSWORD) == refused("careful", "wrong") == refused("nobody", "wrong")
    assert "the password was right, and sent in clear: the account needs TLS" in policed.log
    with SecureWire.of(guest) as wire:
        assert wire.ask("PWD").code == 257


def test_account_that_needs_private_data_is_521_in_clear(policed: ConfiguredServer) -> None:
    guest = policed.add("private")
    with greeted(guest) as wire:
        assert wire.asks(f"USER {guest.name}", f"PASS {PASSWORD}", "EPSV", "LIST") == [331, 230, 229, 521]
    with SecureWire.of(guest) as wire:
        assert wire.fetch("NLST") == b""


# Transfers between two servers.


@pytest.fixture(scope="module")
def ends(running: Running) -> Iterator[tuple[Guest, Guest, Guest]]:
    """Accounts on two servers that may send to other addresses, and one on the first that may not."""
    accounts = {"fxp": {"home": "/fxp", "fxp": True}}
    first = {"listen": [{"address": "127.0.0.1", "port": 0}], "accounts": accounts}
    second = {"listen": [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.9", "port": 0}], "accounts": accounts}
    with running(first) as one, running(second) as other:
        guest = one.add("fxp")
        (guest.home / "file").write_bytes(CONTENT * 100_000)
        yield guest, other.add("fxp")._replace(host="127.0.0.9", port=other.ports["127.0.0.9"]), one.add("simple")


@pytest.mark.parametrize("role", ["SSCN ON at the passive end", "SSCN ON at the active end", "CPSV"])
def test_file_goes_encrypted_from_server_to_server(ends: tuple[Guest, Guest, Guest], role: str) -> None:
    one, other, _ = ends
    (other.home / "copy").unlink(missing_ok=True)
    with SecureWire.of(one) as source, SecureWire.of(other) as target:
        passive, active = target, source
        if role != "CPSV":
            assert (passive if "passive" in role else active).ask("SSCN ON") == (200, "SSCN:CLIENT METHOD")
        reply = passive.ask("CPSV" if role == "CPSV" else "PASV")
        assert reply.code == 227
        address, port = passive_address(reply)
        assert address == "127.0.0.9"
        assert active.ask(f"PORT {port_argument(address, port)}").code == 200
        target.send("STOR copy\r\n")
        source.send("RETR file\r\n")
        assert [source.replies(2), target.replies(2)] == [[150, 226], [150, 226]]
    assert (other.home / "copy").read_bytes() == CONTENT * 100_000


def test_sscn_is_told_and_taken_back(ends: tuple[Guest, Guest, Guest]) -> None:
    with SecureWire.of(ends[0]) as wire:
        assert wire.ask("SSCN") == (200, "SSCN:SERVER METHOD")
        assert wire.ask("SSCN ON") == (200, "SSCN:CLIENT METHOD")
        assert wire.ask("SSCN OFF") == (200, "SSCN:SERVER METHOD")
        assert wire.ask("SSCN MAYBE").code == 501
        assert wire.fetch("NLST") == b"file\r\n"


def test_cpsv_counts_for_the_port_that_it_announced(ends: tuple[Guest, Guest, Guest]) -> None:
    with SecureWire.of(ends[0]) as wire:
        assert wire.ask("CPSV").code == 227
        assert wire.fetch("NLST") == b"file\r\n"


def test_sscn_and_cpsv_without_the_right_are_504(ends: tuple[Guest, Guest, Guest]) -> None:
    with SecureWire.of(ends[2]) as wire:
        assert wire.asks("SSCN ON", "CPSV", "SSCN") == [504, 504, 200]


def test_sscn_and_cpsv_in_clear_are_503(ends: tuple[Guest, Guest, Guest]) -> None:
    with Wire.of(ends[0]) as wire:
        assert wire.asks("SSCN ON", "CPSV") == [503, 503]


def test_sscn_and_cpsv_are_504_where_data_have_to_resume(running: Running) -> None:
    settings = {"accounts": {"fxp": {"home": "/fxp", "fxp": True}}, "ftp": {"tls": {"data_resumption": "required"}}}
    with running(settings) as server, SecureWire.of(server.add("fxp")) as wire:
        assert wire.asks("SSCN ON", "CPSV") == [504, 504]
