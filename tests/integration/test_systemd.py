"""The units of `etc/` as they stand, in a systemd that is booted for each test: they start, serve, reload, stop, and hold what they promise.

Apart from the notify protocol and the sockets themselves, which need no systemd (unit/processes).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import wait_until
from tests.integration.live import CHECKOUT, SECONDS, merged, toml
from tests.integration.machine import CannotBoot, Machine

Program = Callable[[str], str]
UNITS = ("ftpd.service", "ftpd.socket", "ftpd-tftp.socket")
CONTENT = bytes(range(256)) * 512
NOBODYS = "0000000000000000"
LISTEN = [{"address": "0.0.0.0", "port": 21}, {"address": "::", "port": 21}]
ANONYMOUS = {
    "listen": LISTEN,
    "storage": {"local": {"root": "/srv/ftp"}},
    "anonymous": {"enabled": True, "home": "/", "permissions": ["view", "create"]},
    "process": {"workers": 1},
}
TWO_WORKERS = {"process": {"workers": 2}}
TFTP = {"tftp": {"listeners": [{"address": "0.0.0.0"}, {"address": "::"}]}}


@pytest.fixture
def machine(program: Program, tmp_path: Path) -> Iterator[Machine]:
    for name in ("systemd-analyze", "unshare", "ip"):
        program(name)
    try:
        machine = Machine(tmp_path)
    except CannotBoot as error:
        pytest.skip(f"machine: no systemd can be booted here: {error}")
    try:
        configure(machine, {})
        yield machine
        assert "Traceback" not in machine.log
    finally:
        machine.close()


def configure(machine: Machine, settings: dict[str, Any]) -> None:
    machine.write("/etc/ftpd/ftpd.toml", toml(merged(ANONYMOUS, settings)))


def without_capabilities(machine: Machine) -> None:
    """Take the right to ports below 1024 from the service, as an operator may who has its socket unit."""
    machine.add_to_unit("capabilities", "[Service]\nAmbientCapabilities=\nCapabilityBoundingSet=\n")


def fetched(machine: Machine, url: str, *options: str) -> str:
    return machine.run("curl", "--silent", "--show-error", "--max-time", str(SECONDS), *options, url)


def is_running(machine: Machine) -> bool:
    return machine.shows("ActiveState") == "active"


# The files themselves.


def complaints(program: Program, folder: Path, text: Callable[[str], str] = str) -> str:
    """Return what systemd says of the units, where the program that they start is there."""
    analyze = program("systemd-analyze")
    for name in UNITS:
        unit = (CHECKOUT / "etc" / name).read_text().replace("/usr/local/bin/ftpd", str(CHECKOUT / "bin" / "ftpd"))
        (folder / name).write_text(text(unit))
    command = [analyze, "verify", "--man=no", *(str(folder / name) for name in UNITS)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS).stdout


def test_systemd_has_nothing_to_say_against_the_units(program: Program, tmp_path: Path) -> None:
    assert complaints(program, tmp_path) == ""


def test_what_it_does_not_know_it_would_say(program: Program, tmp_path: Path) -> None:
    said = complaints(program, tmp_path, lambda unit: unit.replace("NoNewPrivileges=", "NoNewPrivilege="))
    assert "Unknown key 'NoNewPrivilege'" in said


def test_the_exposure_of_the_service_is_small(program: Program) -> None:
    """0 is none, 10 is a service without any line of hardening; the network, which it is there for, is 1.1 of ours."""
    command = [program("systemd-analyze"), "security", "--offline=true", "--threshold=18", str(CHECKOUT / "etc" / "ftpd.service")]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    assert finished.returncode == 0, finished.stdout


# The service.


def test_the_hardened_service_starts_and_serves_both_families(machine: Machine) -> None:
    machine.systemctl("start", "ftpd.service")
    machine.write("/srv/ftp/file", "hello")
    assert fetched(machine, "ftp://127.0.0.1/file") == "hello"
    assert fetched(machine, "ftp://[::1]/file") == "hello"


def test_nothing_is_left_to_it_but_its_user(machine: Machine) -> None:
    configure(machine, TWO_WORKERS)
    machine.systemctl("start", "ftpd.service")
    processes = machine.processes()
    assert len(processes) == 3
    for status in processes:
        assert {status["Uid"], status["Gid"], status["Groups"]} == {"4721 4721 4721 4721", "4721"}
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {NOBODYS}
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_started_by_root_it_becomes_the_user_for_good(machine: Machine) -> None:
    configure(machine, {"process": {"workers": 2, "user": "ftpd"}})
    rights = "CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN CAP_DAC_OVERRIDE"
    machine.add_to_unit("root", f"[Service]\nUser=\nGroup=\nSupplementaryGroups=adm\nCapabilityBoundingSet={rights}\n")
    machine.systemctl("start", "ftpd.service")
    processes = machine.processes()
    assert len(processes) == 3
    for status in processes:
        assert (status["Uid"], status["Gid"], status["Groups"]) == ("4721 4721 4721 4721", "4721 4721 4721 4721", "")
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NOBODYS}
        assert status["NoNewPrivs"] == "1"
    assert machine.path("/run/ftpd").stat().st_uid == 4721
    assert fetched(machine, "ftp://127.0.0.1/") == ""
    assert "root serves" not in machine.log


def test_root_that_stays_root_is_warned(machine: Machine) -> None:
    machine.add_to_unit("root", "[Service]\nUser=\nGroup=\n")
    machine.systemctl("start", "ftpd.service")
    assert "warn root serves: name in process.user who the server becomes once its ports are open" in machine.log


def test_the_right_to_port_20_is_left_where_active_mode_comes_from_it(machine: Machine) -> None:
    configure(machine, {"ftp": {"active": {"source_port": 20}}})
    machine.systemctl("start", "ftpd.service")
    machine.write("/srv/ftp/file", "hello")
    assert {status["CapEff"] for status in machine.processes()} == {"0000000000000400"}
    assert fetched(machine, "ftp://127.0.0.1/file", "--ftp-port", "-", "--verbose").endswith("hello")
    assert "active mode cannot use" not in machine.log


def test_without_that_right_it_says_so_once_and_takes_any_port(machine: Machine) -> None:
    listen = [{"address": "0.0.0.0", "port": 2121}]
    configure(machine, {**TWO_WORKERS, "listen": listen, "ftp": {"active": {"source_port": 20}}})
    without_capabilities(machine)
    machine.systemctl("start", "ftpd.service")
    machine.write("/srv/ftp/file", "hello")
    for _ in range(4):
        assert fetched(machine, "ftp://127.0.0.1:2121/file", "--ftp-port", "-") == "hello"
    assert machine.log.count("active mode cannot use source port 20 (Permission denied): any port is used instead") == 1


def test_it_serves_over_tls(machine: Machine, certificate: Path) -> None:
    shutil.copy(certificate, machine.path("/etc/ftpd/server.pem"))
    machine.run("chown", "ftpd:ftpd", "/etc/ftpd/server.pem")
    configure(machine, {"tls": {"certificates": [{"chain": "server.pem"}]}})
    machine.systemctl("start", "ftpd.service")
    machine.write("/srv/ftp/file", "hello")
    assert fetched(machine, "ftp://127.0.0.1/file", "--ssl-reqd", "--insecure") == "hello"


def test_uploads_and_listings_need_no_forbidden_call(machine: Machine) -> None:
    machine.systemctl("start", "ftpd.service")
    machine.path("/mnt/upload").write_bytes(CONTENT)
    for name in ("one", "two"):
        fetched(machine, f"ftp://127.0.0.1/{name}", "--upload-file", "/mnt/upload")
        assert machine.path(f"/srv/ftp/{name}").read_bytes() == CONTENT
    assert sorted(fetched(machine, "ftp://127.0.0.1/", "--list-only").split()) == ["one", "two"]
    assert "Operation not permitted" not in machine.log


def test_it_tells_systemd_how_much_there_is_to_do(machine: Machine) -> None:
    configure(machine, TWO_WORKERS)
    machine.systemctl("start", "ftpd.service")
    wait_until(lambda: machine.shows("StatusText") == "0 sessions, 0 transfers, 2 workers", "a status with all workers")


def test_a_reload_is_over_when_the_new_workers_serve(machine: Machine) -> None:
    machine.systemctl("start", "ftpd.service")
    configure(machine, {"ftp": {"greeting": "Moin."}})
    machine.systemctl("reload", "ftpd.service")
    assert "220 Moin." in fetched(machine, "ftp://127.0.0.1/", "--verbose")
    assert is_running(machine)


def test_sighup_is_a_reload_that_systemd_sees(machine: Machine) -> None:
    """What Type=notify-reload does, which systemd 252 does not know yet."""
    machine.add_to_unit("reload", "[Service]\nExecReload=\nExecReload=kill -HUP $MAINPID\n")
    machine.systemctl("start", "ftpd.service")
    configure(machine, {"ftp": {"greeting": "Moin."}})
    machine.systemctl("reload", "ftpd.service")
    wait_until(lambda: "configuration reloaded" in machine.log, "a reload")
    wait_until(lambda: machine.shows("SubState") == "running", "the end of the reload")
    assert "220 Moin." in fetched(machine, "ftp://127.0.0.1/", "--verbose")


def test_a_reload_of_a_broken_configuration_fails_and_the_old_one_serves(machine: Machine) -> None:
    machine.systemctl("start", "ftpd.service")
    machine.write("/etc/ftpd/ftpd.toml", "[ftp]\ngreting = 'x'\n")
    assert "Job for ftpd.service failed" in machine.systemctl("reload", "ftpd.service", status=1)
    assert "ftpd: /etc/ftpd/ftpd.toml: ftp.greting: no such setting; did you mean greeting?" in machine.log
    assert is_running(machine)
    assert fetched(machine, "ftp://127.0.0.1/") == ""


def test_it_stops_with_success_and_keeps_its_state(machine: Machine) -> None:
    machine.systemctl("start", "ftpd.service")
    machine.systemctl("stop", "ftpd.service")
    assert (machine.shows("Result"), machine.shows("ExecMainStatus")) == ("success", "0")
    assert machine.exists("/run/ftpd/state.db")
    assert not machine.exists("/run/ftpd/control")
    machine.systemctl("start", "ftpd.service")


def test_a_wrong_configuration_is_not_tried_again(machine: Machine) -> None:
    machine.write("/etc/ftpd/ftpd.toml", "[ftp]\ngreting = 'x'\n")
    machine.systemctl("start", "ftpd.service", status=1)
    assert (machine.shows("ExecMainStatus"), machine.shows("NRestarts"), machine.shows("ActiveState")) == ("2", "0", "failed")


def test_a_parent_that_is_killed_is_started_again(machine: Machine) -> None:
    machine.systemctl("start", "ftpd.service")
    machine.systemctl("kill", "--kill-whom=main", "--signal=KILL", "ftpd.service")
    wait_until(lambda: machine.shows("NRestarts") == "1" and is_running(machine), "another start")
    assert fetched(machine, "ftp://127.0.0.1/") == ""


def test_a_parent_that_stands_still_is_started_again(machine: Machine) -> None:
    machine.add_to_unit("watchdog", "[Service]\nWatchdogSec=2s\n")
    machine.systemctl("start", "ftpd.service")
    before = machine.shows("WatchdogTimestampMonotonic")
    wait_until(lambda: machine.shows("WatchdogTimestampMonotonic") != before, "a sign of life")
    machine.systemctl("kill", "--kill-whom=main", "--signal=STOP", "ftpd.service")
    wait_until(lambda: machine.shows("NRestarts") == "1" and is_running(machine), "another start")
    assert fetched(machine, "ftp://127.0.0.1/") == ""


def test_logrotate_has_every_process_open_its_log_anew(machine: Machine, program: Program) -> None:
    program("logrotate")
    configure(machine, {**TWO_WORKERS, "log": {"targets": [{"file": "/var/log/ftpd/ftpd.log"}]}})
    machine.systemctl("start", "ftpd.service")
    machine.run("logrotate", "--force", "--state", "/run/logrotate", "/etc/ftpd.logrotate")
    for _ in range(8):  # some of them on each worker
        fetched(machine, "ftp://127.0.0.1/")
    wait_until(lambda: machine.read("/var/log/ftpd/ftpd.log").count("logged in as anonymous") == 8, "a line of each session")
    assert "listening on" in machine.read("/var/log/ftpd/ftpd.log.1")


# The sockets.


def test_the_first_client_starts_the_service_which_takes_the_sockets(machine: Machine) -> None:
    without_capabilities(machine)
    machine.systemctl("start", "ftpd.socket")
    assert not is_running(machine)
    machine.write("/srv/ftp/file", "hello")
    assert fetched(machine, "ftp://127.0.0.1/file") == "hello"
    assert fetched(machine, "ftp://[::1]/file") == "hello"
    wait_until(lambda: is_running(machine), "a service that is ready")


def test_the_ports_stay_open_while_the_service_is_restarted(machine: Machine) -> None:
    machine.systemctl("start", "ftpd.socket")
    machine.systemctl("start", "ftpd.service")
    machine.systemctl("restart", "--no-block", "ftpd.service")
    for _ in range(20):
        assert fetched(machine, "ftp://127.0.0.1/", "--list-only") == ""
    assert "another program" not in machine.log


def test_a_socket_that_no_listener_names_is_told(machine: Machine) -> None:
    configure(machine, {"listen": LISTEN[:1]})
    machine.systemctl("start", "ftpd.socket")
    machine.systemctl("start", "ftpd.service")
    assert "warn no [[listen]] names :: port 21, where systemd listens for this server: clients there wait in vain" in machine.log


# TFTP.


def test_a_request_starts_the_service_which_takes_the_datagram_sockets(machine: Machine) -> None:
    configure(machine, {**TFTP, **TWO_WORKERS, "listen": [{"address": "127.0.0.1", "port": 2121}]})
    without_capabilities(machine)
    machine.systemctl("start", "ftpd-tftp.socket")
    assert not is_running(machine)
    machine.write("/srv/ftp/file", "hello")
    for host in ("127.0.0.1", "[::1]", "127.0.0.1", "[::1]"):
        assert fetched(machine, f"tftp://{host}/file") == "hello"
    assert machine.log.count("answering TFTP requests on ") == 2


def test_sockets_of_both_kinds_are_taken(machine: Machine) -> None:
    configure(machine, {**TFTP, **TWO_WORKERS})
    without_capabilities(machine)
    machine.systemctl("start", "ftpd.socket", "ftpd-tftp.socket")
    machine.systemctl("start", "ftpd.service")
    machine.write("/srv/ftp/file", "hello")
    for scheme in ("ftp", "tftp"):
        assert fetched(machine, f"{scheme}://127.0.0.1/file") == "hello"
    assert "clients there wait in vain" not in machine.log


def test_a_datagram_socket_that_no_listener_names_is_told(machine: Machine) -> None:
    machine.systemctl("start", "ftpd-tftp.socket")
    machine.systemctl("start", "ftpd.service")
    assert (
        "warn no [[tftp.listeners]] names :: port 69, where systemd listens for this server: clients there wait in vain"
        in machine.log
    )


def test_started_by_root_it_keeps_port_69_over_a_reload_and_says_what_needs_a_restart(machine: Machine) -> None:
    configure(machine, {**TFTP, "process": {"workers": 2, "user": "ftpd"}})
    rights = "CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID CAP_SETPCAP CAP_CHOWN CAP_DAC_OVERRIDE"
    machine.add_to_unit("root", f"[Service]\nUser=\nGroup=\nCapabilityBoundingSet={rights}\n")
    machine.systemctl("start", "ftpd.service")
    machine.write("/srv/ftp/file", "hello")
    assert fetched(machine, "tftp://127.0.0.1/file") == "hello"
    machine.systemctl("reload", "ftpd.service")
    for _ in range(4):
        assert fetched(machine, "tftp://127.0.0.1/file") == "hello"
    configure(machine, {**TFTP, "process": {"workers": 3, "user": "ftpd"}})
    machine.systemctl("reload", "ftpd.service", status=1)
    sentence = "Cannot open 0.0.0.0 port 69 for more workers than before: Permission denied. With privileges that were given up, that needs a restart."
    assert sentence in machine.log
    assert fetched(machine, "tftp://[::1]/file") == "hello"
