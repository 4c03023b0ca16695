"""What no single setting shows to be wrong."""

from __future__ import annotations

import ipaddress

import attrs
import pytest

from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.config.rules import problems_of, warnings_of
from ftpd.config.tree import Config, HostSettings, ListenSettings, LoginSettings
from ftpd.ftp.settings import (
    ActiveSettings,
    DeviceSettings,
    FTPSettings,
    NetworkProtectionSettings,
    PassiveNetworkSettings,
    PassiveSettings,
    ProtectionSettings,
    TraceSettings,
)
from ftpd.logs.settings import LogSettings, TargetSettings
from ftpd.schema import FilePath
from ftpd.tls.settings import CertificateSettings, ClientSettings, TLSSettings

LOGIN = (LoginSettings(),)
OFFICE = PassiveNetworkSettings(networks=(ipaddress.ip_network("10.0.0.0/8"),))


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


@pytest.mark.parametrize("address", ["::1", "0.0.0.0", "224.0.0.1", "not a name", "198.51.100.1:21"])
def test_an_external_address_is_one_that_clients_can_be_told(address):
    config = ftp(
        passive=PassiveSettings(external_address=address, networks=(OFFICE, attrs.evolve(OFFICE, external_address=address)))
    )
    config = attrs.evolve(config, listen=(ListenSettings(external_address=address),))
    assert paths(config) == [
        "ftp.passive.external_address",
        "ftp.passive.networks[1].external_address",
        "listen[0].external_address",
    ]


@pytest.mark.parametrize("address", ["198.51.100.1", "ftp.example.org", "ftp.example.org.", "10.0.0.1"])
def test_an_external_address_may_be_a_name_or_belong_to_a_larger_private_network(address):
    config = ftp(passive=PassiveSettings(external_address=address, networks=(attrs.evolve(OFFICE, external_address=address),)))
    assert paths(attrs.evolve(config, listen=(ListenSettings(external_address=address),))) == []


def test_a_network_of_passive_mode_without_networks_or_address_is_a_problem():
    own = PassiveNetworkSettings(networks=(), external_address="")
    assert paths(ftp(passive=PassiveSettings(networks=(own,)))) == [
        "ftp.passive.networks[0].networks",
        "ftp.passive.networks[0].external_address",
    ]


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


# TLS.

CERTIFICATE = CertificateSettings(chain="server.pem")


LISTEN = ListenSettings()


def tls(*, certificates=(CERTIFICATE,), listen=LISTEN, hosts=(), accounts=None, **rules):
    return Config(
        tls=TLSSettings(certificates=certificates),
        listen=(listen,),
        hosts=hosts,
        accounts=accounts or {},
        ftp=FTPSettings(tls=ProtectionSettings(**rules)),
    )


def of_network(*networks, **rules):
    return NetworkProtectionSettings(networks=tuple(map(ipaddress.ip_network, networks)), **rules)


def test_tls_may_be_required_everywhere_where_there_is_a_certificate():
    config = tls(login="required", data="required", data_resumption="required", listen=ListenSettings(implicit_tls=True))
    assert paths(config) == []


def test_the_certificate_of_a_host_is_one():
    host = HostSettings(names=("a.example.com",), certificates=(CERTIFICATE,))
    assert paths(tls(certificates=(), hosts=(host,), login="required")) == []


def test_everything_that_needs_a_certificate_is_named_at_once():
    required = AccountSettings(tls="required")
    config = tls(
        certificates=(),
        login="required",
        data="required",
        networks=(of_network("192.0.2.0/24", login="required", data="required"),),
        listen=ListenSettings(implicit_tls=True, tls_login="required", tls_data="required"),
        accounts={"ann": required, "bob": AccountSettings(tls_data="required"), "eve": AccountSettings()},
        hosts=(HostSettings(names=("a",), account=required, accounts={"ann": required}), HostSettings(names=("b",))),
    )
    assert paths(attrs.evolve(config, account=required)) == [
        "ftp.tls.login",
        "ftp.tls.data",
        "ftp.tls.networks[0].login",
        "ftp.tls.networks[0].data",
        "listen[0].tls_login",
        "listen[0].tls_data",
        "listen[0].implicit_tls",
        "account.tls",
        "accounts.ann.tls",
        "accounts.bob.tls_data",
        "hosts[0].account.tls",
        "hosts[0].accounts.ann.tls",
    ]


def test_certificates_of_clients_without_one_of_the_server_are_a_problem():
    clients = ClientSettings(certificates="requested", authorities=FilePath("ca.pem"))
    (problem,) = problems_of(Config(tls=TLSSettings(clients=clients)))
    assert problem.path == "tls.clients.certificates"
    assert paths(Config(tls=TLSSettings(certificates=(CertificateSettings(),), clients=clients))) == []


def test_the_words_say_what_to_do():
    (problem,) = problems_of(tls(certificates=(), login="required"))
    assert str(problem) == "ftp.tls.login: TLS is required, and there is no certificate; see tls.certificates and `ftpd cert`"


def test_rules_for_no_network_are_a_problem():
    assert paths(tls(networks=(of_network(login="off"),))) == ["ftp.tls.networks[0].networks"]


def test_private_data_without_tls_for_logins_is_a_problem():
    assert paths(tls(login="off", data="required")) == ["ftp.tls.data"]


def test_private_data_without_tls_for_logins_on_one_listener_is_a_problem():
    assert paths(tls(data="required", listen=ListenSettings(tls_login="off"))) == ["ftp.tls.data"]
    assert paths(tls(login="off", listen=ListenSettings(tls_data="required"))) == ["listen[0].tls_data"]


def test_private_data_without_tls_for_logins_in_one_network_is_a_problem():
    assert paths(tls(data="required", networks=(of_network("::1", login="off"),))) == ["ftp.tls.networks[0].data"]


def test_implicit_tls_where_tls_is_off_is_a_problem():
    assert paths(tls(listen=ListenSettings(implicit_tls=True, tls_login="off"))) == ["listen[0].implicit_tls"]


# Virtual hosts.


def hosts(*settings, names=()):
    return Config(hosts=settings, ftp=FTPSettings(names=names))


def test_hosts_of_different_names_are_no_problem():
    assert paths(hosts(HostSettings(names=("a", "b")), HostSettings(names=("c",)), names=("d",))) == []


def test_host_without_a_name_is_a_problem():
    assert paths(hosts(HostSettings())) == ["hosts[0].names"]


@pytest.mark.parametrize("other", ["a.example.com", "A.Example.com", "a.example.com."])
def test_name_of_two_hosts_is_a_problem(other):
    (problem,) = problems_of(hosts(HostSettings(names=("a.example.com",)), HostSettings(names=(other,))))
    assert str(problem) == "hosts[1].names: 'a.example.com' is in hosts[0].names too; names differ"


def test_address_of_two_hosts_is_a_problem_however_it_is_written():
    found = paths(hosts(HostSettings(names=("[2001:db8::1]",)), HostSettings(names=("[2001:DB8:0::1]",))))
    assert found == ["hosts[1].names"]


def test_name_that_one_host_has_twice_is_a_problem():
    assert paths(hosts(HostSettings(names=("a", "A")))) == ["hosts[0].names"]


def test_name_of_the_server_itself_is_no_hosts():
    (problem,) = problems_of(hosts(HostSettings(names=("a",)), names=("A",)))
    assert "'a' is in ftp.names too" in str(problem)


@pytest.mark.parametrize("name", ["b\u00fccher.example", "a b", "a:21", "", "-a"])
def test_name_that_nobody_can_say_is_a_problem(name):
    assert paths(hosts(HostSettings(names=(name,)))) == ["hosts[0].names"]


def test_greeting_of_a_host_of_two_lines_is_a_problem():
    assert paths(hosts(HostSettings(names=("a",), greeting="a\nb"))) == ["hosts[0].greeting"]


def test_account_of_a_host_that_logs_in_anonymously_is_a_problem():
    host = HostSettings(names=("a",), anonymous=AnonymousSettings(enabled=True), accounts={"anonymous": AccountSettings()})
    assert paths(hosts(host)) == ["hosts[0].accounts.anonymous"]


def test_a_device_has_to_be_somebody():
    assert paths(Config(ftp=FTPSettings(devices=(DeviceSettings(device="scanner"),)))) == ["ftp.devices[0]"]


def test_a_trace_needs_a_directory_and_somebody():
    found = paths(Config(ftp=FTPSettings(traces=(TraceSettings(),))))
    assert found == ["ftp.traces[0].directory", "ftp.traces[0]"]


# Warnings.


def test_old_devices_are_a_warning_that_names_the_listener():
    config = attrs.evolve(tls(listen=ListenSettings(name="scanners", old_devices=True)), login=LOGIN)
    assert [warning.partition(" takes ")[0] for warning in warnings_of(config)] == ["scanners"]


def test_tolerated_truncation_is_a_warning_and_none_for_single_networks():
    assert len(list(warnings_of(attrs.evolve(tls(eof="tolerate"), login=LOGIN)))) == 1
    assert list(warnings_of(attrs.evolve(tls(networks=(of_network("::1", eof="tolerate"),)), login=LOGIN))) == []


def test_certificates_of_virtual_hosts_alone_are_a_warning():
    config = attrs.evolve(hosts(HostSettings(names=("a",), certificates=(CertificateSettings(),))), login=LOGIN)
    assert len(list(warnings_of(config))) == 1


@pytest.mark.parametrize(("rule", "field"), [("login", "tls"), ("data", "tls_data")])
def test_account_that_needs_what_is_off_everywhere_is_a_problem(rule, field):
    config = attrs.evolve(tls(**{rule: "off"}), accounts={"ann": AccountSettings(**{field: "required"})})
    assert paths(config) == [f"accounts.ann.{field}"]
    elsewhere = tls(**{rule: "off"}, listen=ListenSettings(**{f"tls_{rule}": "allowed"}))
    assert paths(attrs.evolve(elsewhere, accounts=config.accounts)) == []


@pytest.mark.parametrize("name", ["", "a\nb", "a\rb", "a\0b"])
def test_an_account_whose_name_no_client_can_say_is_a_mistake(name):
    found = list(problems_of(Config(accounts={name: AccountSettings()})))
    assert [(problem.path, problem.found) for problem in found] == [(f"accounts.{name!r}", "no client can say this name")]
