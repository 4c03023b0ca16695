"""What is known to be wrong in `twisted.protocols.ftp`, one test each, so that none of it comes in here.

Apart from the other tests, which cover some of the same ground: this list is read by those who come from there.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from tests.integration.conftest import Serve
from tests.integration.live import TWISTD, Guest, Server
from tests.integration.wire import Wire, connect, listening, port_argument, reset, taken


def test_ascii_download_ends(wire: Wire, guest: Guest) -> None:
    (guest.home / "text").write_bytes(b"one\ntwo\n")
    assert wire.ask("TYPE A").code == 200
    assert wire.fetch("RETR text") == b"one\r\ntwo\r\n"


def test_ascii_upload_is_226(wire: Wire, guest: Guest) -> None:
    assert wire.ask("TYPE A").code == 200
    assert wire.store("STOR text", b"one\r\ntwo\r\n").code == 226
    assert (guest.home / "text").read_bytes() == b"one\ntwo\n"


def test_pasv_does_not_shut_the_control_connection(wire: Wire) -> None:
    wire.send("PASV\r\nNOOP\r\nPWD\r\n")
    assert wire.replies(3) == [227, 200, 257]


def test_control_connection_answers_while_a_command_runs(wire: Wire, guest: Guest) -> None:
    with wire.data():
        assert wire.asks("STOR file", "NOOP") == [150, 200]


def test_port_to_another_host_is_refused(wire: Wire) -> None:
    assert wire.asks("PORT 10,0,0,1,20,20", "PORT 127,0,0,2,20,20", "PORT 127,0,0,1,0,25") == [501, 501, 501]


def test_password_file_plugin_lets_its_users_in(launch: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "users").write_text("ann:secret\n")
    server = launch(*TWISTD, "--root", str(tmp_path), "--port", "0", "--auth", f"file:{tmp_path}/users")
    with Wire(server.addresses()["127.0.0.1"]) as wire:
        wire.reply()
        assert wire.asks("USER ann", "PASS secret") == [331, 230]


def test_type_a_n_and_l_8_are_known(wire: Wire) -> None:
    assert wire.asks("TYPE A N", "TYPE L 8", "TYPE i", "TYPE L 7") == [200, 200, 200, 504]


def test_rnto_first_is_503(wire: Wire) -> None:
    assert wire.ask("RNTO new").code == 503


def test_commands_between_rnfr_and_rnto_are_served(wire: Wire, guest: Guest) -> None:
    (guest.home / "old").touch()
    assert wire.asks("RNFR old", "NOOP", "PWD", "RNTO new") == [350, 200, 257, 250]


def test_cdup_at_the_root_is_250(wire: Wire) -> None:
    assert wire.asks("CDUP", "PWD") == [250, 257]


def test_quote_in_a_directory_name_is_doubled(wire: Wire, guest: Guest) -> None:
    (guest.home / 'a"b').mkdir()
    assert wire.ask('CWD a"b').code == 250
    assert wire.ask("PWD").text.startswith('"/a""b" ')


def test_idle_close_is_told_with_421(serve: Serve) -> None:
    guest = serve({"ftp": {"timeouts": {"idle": 1}}}).add("ann")
    with Wire.of(guest) as wire:
        assert wire.reply().code == 421
        assert wire.is_closed()


def test_names_are_the_same_on_both_connections(wire: Wire, guest: Guest) -> None:
    assert wire.ask("MKD größe").text.startswith('"/größe" ')
    assert os.listdir(os.fsencode(guest.home)) == ["größe".encode()]
    assert wire.fetch("NLST") == "größe\r\n".encode()


def test_reset_in_an_upload_is_not_226(wire: Wire, guest: Guest) -> None:
    data = wire.data()
    assert wire.ask("STOR file").code == 150
    data.sendall(b"x" * 100_000)
    reset(data)
    assert wire.reply().code == 426
    assert not (guest.home / "file").exists()


def test_logout_is_called_once_for_each_login(serve: Serve) -> None:
    server = serve({})
    guest = server.add("ann")
    with Wire.of(guest) as wire:
        assert wire.asks("REIN", f"USER {guest.name}", "PASS correct horse", "QUIT") == [220, 331, 230, 221]
        assert wire.is_closed()
    server.wait_for("gone after")
    assert server.log.count("ann logged out") == 2


def test_before_the_login_feat_syst_noop_help_and_opts_are_answered(guest: Guest) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        assert wire.asks("FEAT", "SYST", "NOOP", "HELP", "OPTS UTF8 ON") == [211, 215, 200, 214, 200]


def test_unknown_command_is_500_and_a_known_one_502(wire: Wire) -> None:
    assert wire.asks("NONSENSE", "XSEM x") == [500, 502]


def test_abor_rest_and_mlsd_are_there(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"content")
    assert wire.asks("ABOR", "REST 3") == [226, 350]
    wire.ask("REST 3")
    with wire.data() as data:
        assert wire.ask("REST 3").code == 350
        assert wire.ask("RETR file").code == 150
        assert data.recv(100, socket.MSG_WAITALL) == b"tent"
    assert wire.reply().code == 226
    assert wire.fetch("MLSD").endswith(b"; file\r\n")


def test_rest_takes_digits_only(wire: Wire) -> None:
    assert wire.asks("REST -1", "REST x", "REST", "REST 99999999999999999999") == [501, 501, 501, 501]


def test_transfer_without_pasv_or_port_is_425(wire: Wire) -> None:
    assert wire.ask("LIST").code == 425


def test_list_of_what_is_not_there_is_550_and_the_port_stays(wire: Wire) -> None:
    with listening() as waiting:
        argument = port_argument("127.0.0.1", waiting.getsockname()[1])
        assert wire.asks(f"PORT {argument}", "LIST missing", "LIST") == [200, 550, 150]
        taken(waiting)
        assert wire.reply().code == 226


def test_long_line_is_500_once_and_the_session_goes_on(wire: Wire) -> None:
    wire.send(b"X" * 20_000 + b"\r\nNOOP\r\n")
    assert wire.replies(2) == [500, 200]


def test_client_that_never_connects_leaves_no_internal_error(serve: Serve) -> None:
    guest = serve({"ftp": {"timeouts": {"data_connect": 0.1}}}).add("ann")
    with Wire.of(guest) as wire:
        port = wire.passive()
        assert wire.ask("LIST").code == 150
        assert wire.reply().code == 425
        assert wire.ask("LIST").code == 425
        try:
            connect("127.0.0.1", port).close()
        except ConnectionRefusedError:
            return
    raise AssertionError("the port is still open")
