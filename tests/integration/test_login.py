"""Who gets in, and what everybody else hears.

Apart from the clients' tests: the dialogue is the point, so plain sockets speak it.
"""

from __future__ import annotations

import ftplib
import re
import subprocess
from collections.abc import Callable

import pytest

from tests.integration.conftest import Serve
from tests.integration.live import PASSWORD, ConfiguredServer, Guest
from tests.integration.wire import Reply, Wire

Program = Callable[[str], str]


def test_right_password_logs_in(guest: Guest) -> None:
    with Wire(guest.port) as wire:
        assert wire.reply().code == 220
        assert wire.asks(f"USER {guest.name}", f"PASS {PASSWORD}") == [331, 230]


@pytest.mark.parametrize("password", ["wrong", "", "x" * 73, "correct horse ", "\xff\xfe"])
def test_wrong_password_is_530(guest: Guest, password: str) -> None:
    with Wire(guest.port) as wire:
        assert wire.reply().code == 220
        assert wire.asks(f"USER {guest.name}", f"PASS {password}") == [331, 530]


def test_unknown_name_hears_what_a_known_one_hears(guest: Guest) -> None:
    def refused(name: str) -> list[Reply]:
        with Wire(guest.port) as wire:
            wire.reply()
            return [wire.ask(f"USER {name}"), wire.ask("PASS wrong")]

    assert refused("nobody-of-that-name") == refused(guest.name)


def test_third_wrong_password_is_421_and_the_end(guest: Guest) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        codes = [code for _ in range(3) for code in wire.asks(f"USER {guest.name}", "PASS wrong")]
        assert codes == [331, 530, 331, 530, 331, 421]
        assert wire.is_closed()


def test_anonymous_reads_and_cannot_write(server: ConfiguredServer) -> None:
    (server.root / "public" / "read.me").write_bytes(b"welcome\n")
    with ftplib.FTP() as ftp:
        ftp.connect("127.0.0.1", server.port)
        ftp.login()
        received: list[bytes] = []
        ftp.retrbinary("RETR read.me", received.append)
        assert b"".join(received) == b"welcome\n"
        with pytest.raises(ftplib.error_perm, match=r"^550 |^553 "):
            ftp.mkd("mine")


def test_curl_says_that_the_login_was_denied(program: Program, guest: Guest) -> None:
    done = subprocess.run([program("curl"), "-sS", "-u", f"{guest.name}:wrong", guest.url()], capture_output=True, text=True)
    assert done.returncode == 67
    assert "Access denied: 530" in done.stderr


def test_curl_without_a_name_is_anonymous(program: Program, server: ConfiguredServer) -> None:
    (server.root / "public" / "for-all").write_bytes(b"text\n")
    done = subprocess.run([program("curl"), "-sS", f"ftp://127.0.0.1:{server.port}/for-all"], capture_output=True, check=True)
    assert done.stdout == b"text\n"


def test_password_never_reaches_the_log(guest: Guest, server: ConfiguredServer) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        wire.asks(f"USER {guest.name}", "PASS very-Secret-1", "ACCT very-Secret-2", "USER very-Secret-3", "PASS very-Secret-4")
        wire.asks("QUIT")
        assert wire.is_closed()
    server.wait_for(rf"failed to log in as {guest.name}")
    assert "very-Secret" not in server.log


def test_password_typed_without_pass_stays_out_of_the_log(guest: Guest, server: ConfiguredServer) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        assert wire.ask("very-Secret-5").code == 500
        assert wire.ask("very-Secret-6 argument").code == 500
        wire.ask("QUIT")
        assert wire.is_closed()
    assert "very-Secret" not in server.log
    assert "VERY-SECRET" not in server.log


def test_user_after_login_starts_the_login_again(guest: Guest, wire: Wire) -> None:
    assert wire.asks(f"USER {guest.name}", "PWD") == [331, 530]


def test_rein_forgets_the_login(wire: Wire) -> None:
    assert wire.asks("REIN", "PWD", "NOOP") == [220, 530, 200]


def test_too_many_sessions_are_told_421(serve: Serve) -> None:
    guest = serve({"limits": {"sessions": 2}}).add("ann")
    with Wire.of(guest), Wire.of(guest), Wire(guest.port) as third:
        assert third.reply().code == 421
        assert third.is_closed()


def test_too_many_sessions_of_one_address_do_not_keep_another_out(serve: Serve) -> None:
    guest = serve({"limits": {"sessions_per_address": 1}}).add("ann")
    with Wire.of(guest, source="127.0.0.1"), Wire(guest.port, source="127.0.0.1") as second:
        assert second.reply().code == 421
        Wire.of(guest, source="127.0.0.2").control.close()


def test_too_many_sessions_of_one_account_are_told_421(serve: Serve) -> None:
    guest = serve({"account": {"max_sessions": 1}}).add("ann")
    with Wire.of(guest), Wire(guest.port) as second:
        assert second.reply().code == 220
        assert second.asks(f"USER {guest.name}", f"PASS {PASSWORD}") == [331, 421]


def test_address_that_guesses_is_banned_and_others_are_not(serve: Serve) -> None:
    guest = serve({"limits": {"failures_per_address": 2}}).add("ann")
    with Wire(guest.port, source="127.0.0.2") as wire:
        wire.reply()
        wire.asks("USER ann", "PASS wrong", "USER ann", "PASS wrong")
    with Wire(guest.port, source="127.0.0.2") as banned:
        assert banned.reply().code == 421
    Wire.of(guest, source="127.0.0.3").control.close()


def test_idle_session_hears_421_before_the_end(serve: Serve) -> None:
    guest = serve({"ftp": {"timeouts": {"idle": 1}}}).add("ann")
    with Wire.of(guest) as wire:
        assert wire.reply().code == 421
        assert wire.is_closed()


def test_session_without_login_hears_421_before_the_end(serve: Serve) -> None:
    server = serve({"ftp": {"timeouts": {"login": 1}}})
    with Wire(server.port) as wire:
        assert wire.reply().code == 220
        assert wire.reply().code == 421
        assert wire.is_closed()


def test_new_line_in_the_password_file_counts_at_once(serve: Serve) -> None:
    server = serve({})
    for name in ("ann", "bob"):
        Wire.of(server.add(name)).control.close()


def test_each_command_in_the_log_tells_its_session(wire: Wire, server: ConfiguredServer) -> None:
    before = len(server.lines)
    assert wire.ask("CWD told-with-its-session").code == 550
    server.wait_for(r"CWD told-with-its-session -> 550")
    [line] = [line for line in server.lines[before:] if "CWD told-with-its-session -> 550" in line]
    assert re.search(r" debug \[[a-z0-9]{16}\] CWD told-with-its-session -> 550$", line)


def test_name_with_a_line_end_or_an_escape_cannot_forge_a_log_line(wire: Wire, server: ConfiguredServer) -> None:
    assert wire.ask("CWD a\r\0b\x1b[2Jforged").code == 550
    server.wait_for(r"CWD a\\rb\\x1b\[2Jforged -> 550")
