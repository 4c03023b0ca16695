"""What no single setting shows to be wrong."""

from __future__ import annotations

import attrs
import pytest

from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.config.rules import problems_of, warnings_of
from ftpd.config.tree import Config, ListenSettings, LoginSettings
from ftpd.ftp.settings import ActiveSettings, FTPSettings, PassiveSettings
from ftpd.logs.settings import LogSettings, TargetSettings

LOGIN = (LoginSettings(),)


def paths(config):
    return [problem.path for problem in problems_of(config)]


def listen(*pairs):
    return Config(listen=tuple(ListenSettings(address=address, port=port) for address, port in pairs))


def ftp(**settings):
    return Config(ftp=FTPSettings(**settings))


def test_the_defaults_have_no_problem():
    assert paths(Config()) == []


def test_ipv4_and_ipv6_may_share_a_port():
    assert paths(listen(("0.0.0.0", 2121), ("::", 2121))) == []


@pytest.mark.parametrize("other", ["0.0.0.0", "127.0.0.1"])
def test_a_port_used_twice_is_a_problem(other):
    assert paths(listen(("127.0.0.1", 2121), (other, 2121))) == ["listen[1]"]


def test_port_0_may_stand_several_times():
    assert paths(listen(("127.0.0.1", 0), ("127.0.0.1", 0))) == []


def test_two_listeners_of_one_name_are_a_problem():
    config = Config(listen=(ListenSettings(name="a"), ListenSettings(name="a", port=2122)))
    assert paths(config) == ["listen[1].name"]


def test_no_listener_is_a_problem():
    assert paths(Config(listen=())) == ["listen"]


def test_a_host_name_is_no_address_to_listen_on():
    assert paths(listen(("localhost", 2121))) == ["listen[0].address"]


def test_an_external_address_without_passive_mode_is_a_problem():
    assert paths(ftp(passive=PassiveSettings(enabled=False, external_address="192.0.2.1"))) == ["ftp.passive.external_address"]


def test_an_external_address_cannot_be_ipv6():
    assert paths(ftp(passive=PassiveSettings(external_address="2001:db8::1"))) == ["ftp.passive.external_address"]


def test_both_modes_off_is_a_problem():
    config = ftp(passive=PassiveSettings(enabled=False), active=ActiveSettings(enabled=False))
    assert paths(config) == ["ftp.active.enabled"]


def test_passive_ports_upside_down_are_a_problem():
    assert paths(ftp(passive=PassiveSettings(ports=(6000, 5000)))) == ["ftp.passive.ports"]


def test_a_listener_within_the_passive_ports_is_a_problem():
    assert paths(attrs.evolve(listen(("127.0.0.1", 50000)))) == ["ftp.passive.ports"]


def test_a_command_both_allowed_and_denied_is_a_problem():
    assert paths(ftp(allow_commands=("RETR",), deny_commands=("retr",))) == ["ftp.allow_commands"]


def test_a_greeting_of_two_lines_is_a_problem():
    assert paths(ftp(greeting="a\r\nb")) == ["ftp.greeting"]


def test_syslog_with_a_file_is_a_problem():
    config = Config(log=LogSettings(targets=(TargetSettings(format="syslog", file="x"),)))
    assert paths(config) == ["log.targets[0].file"]


def test_an_account_of_an_anonymous_name_is_a_problem():
    config = Config(anonymous=AnonymousSettings(enabled=True), accounts={"ftp": AccountSettings()})
    assert paths(config) == ["accounts.ftp"]


def test_nobody_able_to_log_in_is_a_warning():
    assert list(warnings_of(Config())) == ["nobody can log in: there is no [[login]] and anonymous logins are off"]


def test_passwords_in_clear_from_other_machines_are_a_warning():
    config = Config(
        login=LOGIN,
        listen=(ListenSettings(address="0.0.0.0"), ListenSettings(address="::1")),
        ftp=FTPSettings(plaintext_passwords=True),
    )
    assert list(warnings_of(config)) == [
        "passwords are taken in clear on 0.0.0.0:2121: whoever can listen in on the way learns them (ftp.plaintext_passwords)"
    ]


def test_passwords_in_clear_on_loopback_are_no_warning():
    assert list(warnings_of(Config(login=LOGIN, ftp=FTPSettings(plaintext_passwords=True)))) == []
