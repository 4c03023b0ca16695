"""`twistd ftpd`: options, and the service they come to."""

from __future__ import annotations

import io
import socket

import pytest
from twisted.application.service import IService
from twisted.python import usage
from zope.interface.verify import verifyObject

from ftpd.processes.fleet import Fleet
from ftpd.tap import CannotStart, Options, makeService


def options(*arguments):
    parsed = Options()
    parsed.parseOptions(list(map(str, arguments)))
    return parsed


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    """Close what the options opened."""
    servers = []
    original = Options._service

    def remembered(self):
        servers.append(original(self))
        return servers[-1]

    monkeypatch.setattr(Options, "_service", remembered)
    yield
    for server in servers:
        server.stopService()


def test_a_root_and_an_auth_make_a_service(tmp_path):
    parsed = options("--root", tmp_path, "--port", 0, "--auth", "memory:ann:secret")
    assert verifyObject(IService, makeService(parsed))
    assert [listener.settings.label for listener in parsed.service.listeners] == ["127.0.0.1:0"]


def test_a_configuration_file_without_workers_makes_a_server(tmp_path):
    (tmp_path / "ftpd.toml").write_text(f'[storage.local]\nroot = "{tmp_path}"\n[[listen]]\nport = 0\n[process]\nworkers = 0\n')
    assert options("--config", tmp_path / "ftpd.toml").service.listeners[0].settings.port == 0


def test_a_configuration_file_makes_a_fleet(tmp_path):
    (tmp_path / "ftpd.toml").write_text("")
    assert isinstance(options("--config", tmp_path / "ftpd.toml").service, Fleet)


@pytest.mark.parametrize("option", ["uid", "gid"])
def test_with_workers_the_configuration_says_who_the_server_becomes(tmp_path, option):
    (tmp_path / "ftpd.toml").write_text("")
    parsed = Options()
    parsed.parent = {option: 65534}
    with pytest.raises(usage.UsageError, match=r"process\.user says who the server becomes"):
        parsed.parseOptions(["--config", str(tmp_path / "ftpd.toml")])


def test_a_user_who_is_not_there_is_a_usage_error(tmp_path):
    (tmp_path / "ftpd.toml").write_text('[process]\nuser = "no-such"\nworkers = 1\n')
    with pytest.raises(usage.UsageError, match="there is no user 'no-such'"):
        options("--config", tmp_path / "ftpd.toml")


def test_auth_may_be_repeated(tmp_path):
    parsed = options("--root", tmp_path, "--auth", "memory:ann:secret", "--auth", "anonymous")
    factory = parsed.service.listeners[0].factory
    assert {interface.__name__ for interface in factory.portal.checkers} == {"IUsernamePassword", "IAnonymous"}
    assert factory.is_anonymous("ftp")


def test_without_the_anonymous_plugin_nobody_is_anonymous(tmp_path):
    factory = options("--root", tmp_path, "--auth", "memory:ann:secret").service.listeners[0].factory
    assert not factory.is_anonymous("anonymous")


def test_listeners_are_given_by_address(tmp_path):
    parsed = options("--root", tmp_path, "--auth", "anonymous", "--listen", "[::1]:0", "--listen", "127.0.0.1:0")
    assert [listener.settings.label for listener in parsed.service.listeners] == ["[::1]:0", "127.0.0.1:0"]


def test_tftp_is_served_beside_ftp(tmp_path):
    parsed = options("--root", tmp_path, "--auth", "anonymous", "--listen", "127.0.0.1:0", "--tftp", "0", "--tftp", "6969")
    assert [listener.settings.label for listener in parsed.service.datagrams] == ["tftp 127.0.0.1:0", "tftp 127.0.0.1:6969"]


def test_tftp_goes_with_a_configuration_file_too(tmp_path):
    text = f'[storage.local]\nroot = "{tmp_path}"\n[[listen]]\nport = 0\n[process]\nworkers = 0\n[anonymous]\nenabled = true\n'
    (tmp_path / "ftpd.toml").write_text(text)
    parsed = options("--config", tmp_path / "ftpd.toml", "--tftp", 0)
    assert [listener.settings.port for listener in parsed.service.datagrams] == [0]


def test_without_the_anonymous_plugin_there_is_no_tftp(tmp_path):
    with pytest.raises(
        usage.UsageError, match=r"tftp\.listeners\[0\]\.account: empty, which is the anonymous account, and there is none"
    ):
        options("--root", tmp_path, "--auth", "memory:ann:secret", "--tftp", 0)


def test_plaintext_passwords_reach_the_protocol(tmp_path):
    parsed = options("--root", tmp_path, "--auth", "anonymous", "--plaintext-passwords")
    assert parsed.service.listeners[0].factory.settings.plaintext_passwords


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give either --config FILE or --root DIR"),
        (["--root", "/", "--config", "x"], "give either --config FILE or --root DIR"),
        (["--root", "/"], "nobody could log in: give at least one --auth"),
        (["--root", "/", "--auth", "psychic"], "no such login plugin is installed"),
        (["--root", "/", "--auth", "anonymous", "--port", "x"], "--port x: it must be a number from 0 to 65535"),
        (["--root", "/", "--auth", "anonymous", "--port", "70000"], "--port 70000: it must be a number from 0 to 65535"),
        (["--root", "/", "--auth", "anonymous", "--tftp", "x"], "--tftp x: it must be a number from 0 to 65535"),
        (["--root", "/", "--auth", "anonymous", "--tftp", "65536"], "--tftp 65536: it must be a number from 0 to 65535"),
        (["--root", "/", "--auth", "anonymous", "--port", "1", "--listen", "::1"], "give either --port or --listen"),
        (["--listen", "x"], "--listen x: it must be an address"),
        (["--config", "/none/ftpd.toml"], "cannot be read: No such file or directory"),
        (["--config", "x", "--auth", "anonymous"], "with --config the file says it"),
        (["--root", "/none", "--auth", "anonymous"], "--root /none: there is no such directory"),
    ],
)
def test_what_is_wrong_is_a_usage_error(arguments, sentence):
    with pytest.raises(usage.UsageError) as caught:
        options(*arguments)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("step", ["privilegedStartService", "startService"])
def test_what_keeps_it_from_starting_is_a_sentence_and_an_end(tmp_path, step):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        service = makeService(options("--root", tmp_path, "--port", port, "--auth", "anonymous"))
        with pytest.raises(CannotStart) as caught:
            getattr(service, step)()
    assert (
        caught.value.code
        == f"Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already."
    )
    assert isinstance(caught.value, SystemExit)
    assert isinstance(caught.value, Exception)


def test_a_password_in_a_wrong_auth_is_not_repeated(tmp_path):
    with pytest.raises(usage.UsageError) as caught:
        options("--root", tmp_path, "--auth", "memroy:ann:hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:.*(crypt|spwd).*:DeprecationWarning")
def test_help_auth_lists_the_plugins(monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(Options, "authOutput", output)
    with pytest.raises(SystemExit):
        options("--help-auth")
    assert "memory" in output.getvalue()
    assert "file" in output.getvalue()
