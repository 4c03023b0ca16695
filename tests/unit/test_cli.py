"""The `ftpd` command, as far as it serves nothing."""

from __future__ import annotations

import gc
import stat
import subprocess
import sys

import attrs
import bcrypt
import pytest
from click.testing import CliRunner

from ftpd import __version__
from ftpd.cli import main
from ftpd.config.load import parse_config
from ftpd.config.source import Overrides
from ftpd.config.tree import Config, HostSettings, ListenSettings, StorageSettings
from ftpd.logs.settings import LogSettings, TargetSettings
from ftpd.tftp.settings import TFTPListenSettings, TFTPSettings

COMMANDS = ["serve", "check", "doctor", "passwd", "cert", "tftp-map", "sample", "completion"]


def ftpd(*arguments, text=None):
    return CliRunner().invoke(main, list(map(str, arguments)), input=text, prog_name="ftpd")


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "ftpd.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = ftpd(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: ftpd {command}" in result.stdout


def test_help_lists_every_command_and_the_exit_codes():
    output = ftpd("--help").stdout
    assert all(f"  {command}" in output for command in COMMANDS)
    assert "0 success" in output


def test_help_imports_neither_twisted_nor_cattrs():
    code = (
        "import sys; sys.argv = ['ftpd', '--help']\nfrom ftpd.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('twisted', 'cattrs', 'bcrypt', 'attr') if name in sys.modules], file=sys.stderr)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stderr.splitlines()[-1] == b"[]"


def at_the_start(directory, expression):
    """What *expression* is in a process that has begun to serve *directory*, when it would first wait for a client."""
    code = (
        "import gc, sys\nfrom ftpd.cli import main\nfrom twisted.internet.base import ReactorBase\n"
        f"ReactorBase.run = lambda self: print({expression})\n"
        f"main(['serve', {str(directory)!r}, '--listen', '127.0.0.1:0'])"
    )
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()


def test_serving_a_directory_imports_nothing_that_it_does_not_need(tmp_path):
    unwanted = (
        "cattrs",
        "configparser",
        "difflib",
        "multiprocessing",
        "pkg_resources",
        "tomllib",
        "twisted.application.app",
        "twisted.conch",
        "twisted.cred.strcred",
        "twisted.protocols.ftp",
        "twisted.trial",
        "twisted.web",
        "ftpd.config.load",
        "ftpd.config.reference",
        "ftpd.login.password_file",
        "ftpd.storage.memory",
        "ftpd.tap",
        "ftpd.testing",
        "ftpd.datagrams",
        "ftpd.tftp.server",
        "ftpd.tftp.wire",
    )
    assert at_the_start(tmp_path, f"[name for name in {unwanted} if name in sys.modules]") == "[]"


def test_serving_a_directory_loads_nothing_that_several_processes_need(tmp_path):
    loaded = "sorted(name for name in sys.modules if name.startswith(('ftpd.processes.', 'ftpd.state.', 'sqlite3', 'mmap')))"
    needed = ["ftpd.processes.settings", "ftpd.state.memory", "ftpd.state.places", "ftpd.state.tally"]
    assert at_the_start(tmp_path, loaded) == str(needed)


def test_collector_works_while_it_serves_and_spares_what_the_start_made(tmp_path):
    assert at_the_start(tmp_path, "gc.isenabled(), gc.get_freeze_count() > 10_000") == "True True"


def test_the_version_is_told():
    assert ftpd("--version").stdout == f"ftpd, version {__version__}\n"


def test_collector_works_after_a_start_that_fails(tmp_path):
    ftpd("serve", tmp_path, "--listen", "nowhere")
    assert gc.isenabled()


def test_serve_needs_a_directory_or_a_file():
    result = ftpd("serve")
    assert result.exit_code == 2
    assert "Give either a directory or --config FILE." in result.stderr


def test_serve_refuses_both_a_directory_and_a_file(tmp_path, file):
    assert ftpd("serve", tmp_path, "--config", file("")).exit_code == 2


def test_serve_refuses_what_is_no_directory(tmp_path):
    result = ftpd("serve", tmp_path / "none")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_serve_refuses_what_is_no_address(tmp_path):
    result = ftpd("serve", tmp_path, "--listen", "nowhere")
    assert result.exit_code == 2
    assert "--listen nowhere: it must be an address and a port such as" in result.stderr


def test_check_prints_settings_that_read_the_same(tmp_path, file):
    result = ftpd("check", file(f'[anonymous]\nenabled = true\n[storage.local]\nroot = "{tmp_path}"\n'))
    assert result.exit_code == 0
    assert parse_config(result.stdout).storage.settings.root == str(tmp_path)


def test_check_names_every_problem_at_once(file):
    result = ftpd("check", file('[ftp]\ngreting = "x"\n[limits]\nsessions = -1\n'))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert [line.split(": ")[2] for line in result.stderr.splitlines()] == ["ftp.greting", "limits.sessions"]


def test_check_finds_a_missing_password_file_and_a_missing_root(tmp_path, file):
    path = file('[[login]]\nkind = "password_file"\npath = "none"\n[storage.local]\nroot = "none"\n')
    result = ftpd("check", path)
    assert result.exit_code == 2
    assert [line.split(": ")[:3] for line in result.stderr.splitlines()] == [
        ["ftpd", str(path), "storage.local"],
        ["ftpd", str(path), "login[0].path"],
    ]


def test_check_finds_a_user_and_a_group_that_nobody_has(tmp_path, file):
    path = file(f'[storage.local]\nroot = "{tmp_path}"\n[process]\nuser = "no-such"\ngroup = "none-such"\n')
    result = ftpd("check", path)
    assert result.exit_code == 2
    assert f"{path}: process.user: there is no user 'no-such'; see getent passwd" in result.stderr
    assert f"{path}: process.group: there is no group 'none-such'; see getent group" in result.stderr


def test_check_finds_a_user_whom_one_process_alone_does_not_become(tmp_path, file):
    path = file(f'[storage.local]\nroot = "{tmp_path}"\n[process]\nuser = "root"\nworkers = 0\n')
    result = ftpd("check", path)
    assert result.exit_code == 2
    assert f"{path}: process.user: set, and there are no workers; one process alone stays who has started it" in result.stderr


def test_check_without_a_root_says_so(file):
    result = ftpd("check", file('[anonymous]\nenabled = true\n[storage.local]\nroot = ""\n'))
    assert result.exit_code == 2
    assert "storage.local.root" in result.stderr


def test_check_warns_and_succeeds(tmp_path, file):
    result = ftpd("check", file(f'[storage.local]\nroot = "{tmp_path}"\n'))
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: nobody can log in")


def test_check_of_a_missing_file_is_one_line(tmp_path):
    result = ftpd("check", tmp_path / "none.toml")
    assert result.exit_code == 2
    assert result.stderr == f"ftpd: {tmp_path / 'none.toml'}: cannot be read: No such file or directory\n"


def test_a_generated_password_is_printed_and_only_its_hash_kept(tmp_path):
    path = tmp_path / "passwords"
    result = ftpd("passwd", path, "ann", "--generate")
    password = result.stdout.strip()
    name, _, password_hash = path.read_text().strip().partition(":")
    assert (result.exit_code, name) == (0, "ann")
    assert bcrypt.checkpw(password.encode(), password_hash.encode())
    assert password not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_password_comes_from_standard_input_without_its_line_end(tmp_path):
    path = tmp_path / "passwords"
    result = ftpd("passwd", path, "ann", "--stdin", text="se cret \r\nmore\n")
    assert result.exit_code == 0
    assert bcrypt.checkpw(b"se cret ", path.read_text().strip().partition(":")[2].encode())


def test_a_password_is_asked_for_twice(tmp_path):
    path = tmp_path / "passwords"
    result = ftpd("passwd", path, "ann", text="one\ntwo\nsecret\nsecret\n")
    assert result.exit_code == 0
    assert "do not match" in result.output
    assert bcrypt.checkpw(b"secret", path.read_text().strip().partition(":")[2].encode())
    assert "secret" not in result.output


def test_changing_a_password_keeps_the_other_lines(tmp_path):
    path = tmp_path / "passwords"
    for user in ("ann", "bob", "ann"):
        assert ftpd("passwd", path, user, "--generate").exit_code == 0
    assert [line.partition(":")[0] for line in path.read_text().splitlines()] == ["ann", "bob"]


def test_a_password_beyond_72_bytes_is_refused(tmp_path):
    result = ftpd("passwd", tmp_path / "passwords", "ann", "--stdin", text="x" * 73 + "\n")
    assert result.exit_code == 2
    assert "72" in result.stderr
    assert not (tmp_path / "passwords").exists()


def test_a_user_name_with_a_colon_is_refused(tmp_path):
    assert ftpd("passwd", tmp_path / "passwords", "a:b", "--generate").exit_code == 2


def test_a_password_file_that_cannot_be_written_is_a_failure_at_run_time(tmp_path):
    result = ftpd("passwd", tmp_path / "none" / "passwords", "ann", "--generate")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


def test_stdin_and_generate_exclude_each_other(tmp_path):
    assert ftpd("passwd", tmp_path / "passwords", "ann", "--stdin", "--generate").exit_code == 2


def test_the_sample_can_be_read():
    assert parse_config(ftpd("sample").stdout) == parse_config("")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell):
    result = ftpd("completion", shell)
    assert result.exit_code == 0
    assert "_FTPD_COMPLETE" in result.stdout


def test_overrides_change_only_what_was_given():
    config = Config(log=LogSettings(targets=(TargetSettings(format="json", level="warn"),)))
    assert Overrides().over(config) == config


def test_overrides_reach_their_settings():
    changed = Overrides(("[::1]:2122",), True, True, "debug", has_stderr=True).over(Config())
    assert [listener.label for listener in changed.listen] == ["[::1]:2122"]
    assert changed.ftp.plaintext_passwords
    assert changed.storage.read_only
    assert [target.level for target in changed.log.targets] == ["debug"]


def test_tftp_is_served_on_each_address_of_ftp():
    config = Config(listen=(ListenSettings(address="::1"), ListenSettings(address="127.0.0.1"), ListenSettings(port=990)))
    settings = TFTPSettings(sessions=7, listeners=(TFTPListenSettings(port=1),))
    changed = Overrides(tftp=(69, 6969, 69)).over(attrs.evolve(config, tftp=settings)).tftp
    assert [listener.label for listener in changed.listeners] == [
        "tftp [::1]:69",
        "tftp [::1]:6969",
        "tftp 127.0.0.1:69",
        "tftp 127.0.0.1:6969",
    ]
    assert changed.sessions == 7


def test_tftp_goes_where_the_command_line_has_ftp_listen():
    changed = Overrides(("[::1]:2122",), tftp=(69,)).over(Config())
    assert [listener.label for listener in changed.tftp.listeners] == ["tftp [::1]:69"]


@pytest.mark.parametrize("port", ["x", "-1", "65536"])
def test_serve_refuses_what_is_no_port(tmp_path, port):
    result = ftpd("serve", tmp_path, "--tftp", port)
    assert result.exit_code == 2
    assert "Invalid value for '--tftp'" in result.stderr


def test_check_finds_a_map_file_that_cannot_be_used(tmp_path, file):
    (tmp_path / "map").write_text("r ^a b\nq ^a b\n")
    text = f'[storage.local]\nroot = "{tmp_path}"\n[[tftp.listeners]]\naccount = "boot"\nmap_file = "map"\n'
    result = ftpd("check", file(text))
    assert result.exit_code == 2
    assert f"tftp.listeners[0].map_file: {tmp_path / 'map'}, line 2: " in result.stderr


def test_read_only_reaches_the_stores_of_hosts():
    hosts = (HostSettings(names=("a",), storage=StorageSettings()), HostSettings(names=("b",)))
    first, second = Overrides(read_only=True).over(Config(hosts=hosts)).hosts
    assert first.storage.read_only
    assert second.storage is None
