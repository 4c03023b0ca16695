"""What no single setting of TFTP shows to be wrong, or dangerous."""

from __future__ import annotations

import ipaddress

import attrs
import pytest

from ftpd.accounts.settings import AccountSettings, AnonymousSettings, RuleSettings
from ftpd.config.load import parse_config
from ftpd.config.rules import problems_of, warnings_of
from ftpd.config.tree import Config, ListenSettings, StorageSettings
from ftpd.schema import ConfigError, Seconds
from ftpd.tftp.settings import (
    TFTPListenSettings,
    TFTPMulticastSettings,
    TFTPNetworkSettings,
    TFTPSettings,
    TFTPTimeoutSettings,
)


def tftp(*listeners, anonymous=True, accounts=None, **settings):
    """A configuration with these listeners, each a mapping of its settings."""
    made = tuple(TFTPListenSettings(**listener) for listener in listeners)
    anonymous = anonymous if isinstance(anonymous, AnonymousSettings) else AnonymousSettings(enabled=anonymous)
    return Config(anonymous=anonymous, accounts=accounts or {}, tftp=TFTPSettings(listeners=made, **settings))


def problems(config):
    return [(problem.path, problem.found, problem.allowed) for problem in problems_of(config)]


def paths(config):
    return [problem.path for problem in problems_of(config)]


def warnings(config):
    return list(warnings_of(config))


def test_a_listener_for_anonymous_clients_has_no_problem_and_no_warning():
    config = tftp({})
    assert problems(config) == []
    assert warnings(config) == []


def test_a_configuration_without_listeners_has_no_tftp():
    assert Config().tftp.listeners == ()


# Accounts.


def test_a_server_of_tftp_alone_needs_no_ftp_listener():
    assert problems(attrs.evolve(tftp({}), listen=())) == []


def test_an_account_without_a_table_of_its_own_is_a_warning():
    assert warnings(tftp({"name": "boot", "account": "bob"})) == [
        "boot is 'bob' without a password, and there is no [accounts.bob]: it may what [account] allows"
    ]
    assert warnings(tftp({"account": "bob"}, accounts={"bob": AccountSettings()})) == []


def test_a_server_needs_a_listener_of_either():
    assert problems(Config(listen=())) == [("listen", "found none", "there must be at least one [[listen]] or [[tftp.listeners]]")]


def test_a_listener_without_account_needs_anonymous_logins():
    assert problems(tftp({}, anonymous=False)) == [
        (
            "tftp.listeners[0].account",
            "empty, which is the anonymous account, and there is none",
            "name an account, or set anonymous.enabled = true",
        )
    ]


def test_a_listener_with_an_account_does_not():
    assert problems(tftp({"account": "boot"}, anonymous=False)) == []


@pytest.mark.parametrize("name", ["anonymous", "FTP"])
def test_a_name_that_logs_in_anonymously_is_no_account(name):
    assert problems(tftp({"account": name})) == [
        ("tftp.listeners[0].account", f"{name!r} logs in anonymously", "leave it empty, and use the [anonymous] table")
    ]


def test_an_account_that_needs_tls_cannot_be_had():
    config = tftp({"account": "boot"}, accounts={"boot": AccountSettings(tls="required")})
    assert (
        "tftp.listeners[0].account",
        "'boot' needs TLS, which TFTP does not have",
        "an account with tls = 'allowed'",
    ) in problems(config)


def test_an_account_without_a_table_of_its_own_is_as_account_says():
    config = attrs.evolve(tftp({"account": "boot"}), account=AccountSettings(tls="required"))
    assert "tftp.listeners[0].account" in paths(config)


# Addresses and ports.


def test_a_host_name_is_no_address():
    assert paths(tftp({"address": "localhost"})) == ["tftp.listeners[0].address"]


@pytest.mark.parametrize("other", ["0.0.0.0", "127.0.0.1"])
def test_a_port_used_twice_is_a_problem(other):
    assert problems(tftp({"address": "127.0.0.1"}, {"address": other})) == [
        (
            "tftp.listeners[1]",
            f"tftp {other}:69 is taken by tftp.listeners[0]",
            "each needs its own address and port",
        )
    ]


def test_tcp_and_udp_share_their_ports():
    config = attrs.evolve(tftp({"port": 2121}), listen=(ListenSettings(port=2121),))
    assert problems(config) == []


def test_two_listeners_of_one_name_are_a_problem():
    assert paths(tftp({"name": "boot"}, {"name": "boot", "port": 70})) == ["tftp.listeners[1].name"]


@pytest.mark.parametrize("ports", [(3, 2), (0, 5), (-1, 5)])
def test_a_range_that_is_none_is_a_problem(ports):
    assert paths(tftp({"ports": ports, "port": 69})) == ["tftp.listeners[0].ports"]


def test_a_range_with_a_listening_port_in_it_is_a_problem():
    config = tftp({"ports": (6000, 6100)}, {"port": 6050}, sessions_per_address=1)
    assert problems(config) == [("tftp.listeners[0].ports", "the range contains port 6050 of tftp.listeners[1]", "keep them apart")]


def test_a_range_that_a_single_port_makes_no_use_of_is_a_problem():
    assert problems(tftp({"ports": (6000, 6100), "single_port": True})) == [
        ("tftp.listeners[0].ports", "found 6000-6100 although single_port is set", "leave one of them out")
    ]


def test_a_range_that_one_client_can_take_up_is_a_warning():
    assert warnings(tftp({"ports": (6000, 6009)}, sessions_per_address=50)) == [
        "tftp.listeners[0].ports has 10 ports, one for each transfer of all processes together: a single client, with up to 50"
        " (tftp.sessions_per_address), can take them all"
    ]


def test_a_range_that_leaves_room_for_others_is_none():
    assert warnings(tftp({"ports": (6000, 6049)}, sessions_per_address=50)) == []


def test_a_range_of_privileged_ports_is_a_warning():
    assert warnings(tftp({"ports": (1000, 1100)}, sessions_per_address=1)) == [
        "tftp.listeners[0].ports begins below 1024: a server that has given up its privileges cannot answer from there"
    ]


# Roots.


def test_a_network_without_networks_is_a_problem():
    config = tftp({"networks": (TFTPNetworkSettings(root="/a"),)})
    assert paths(config) == ["tftp.listeners[0].networks[0].networks"]


def test_a_root_that_cannot_be_a_path_is_a_problem():
    own = TFTPNetworkSettings(networks=(ipaddress.ip_network("10.0.0.0/8"),), root="/a\n")
    assert paths(tftp({"root": "/\0", "networks": (own,)})) == ["tftp.listeners[0].root", "tftp.listeners[0].networks[0].root"]


# Times and groups.


def test_the_first_wait_is_not_longer_than_the_longest():
    config = tftp(timeouts=TFTPTimeoutSettings(first=Seconds(9), longest=Seconds(8)))
    assert problems(config) == [("tftp.timeouts.first", "9 s, and tftp.timeouts.longest is 8 s", "at most as long as the longest")]


def test_whoever_is_given_up_has_been_sent_something_again():
    config = tftp(timeouts=TFTPTimeoutSettings(first=Seconds(1), give_up=Seconds(1)))
    assert problems(config) == [
        ("tftp.timeouts.give_up", "1 s, and tftp.timeouts.first is 1 s: nothing would ever be sent again", "longer than the first")
    ]


@pytest.mark.parametrize("groups", ["10.0.0.0/8", "ff02::/16", "0.0.0.0/0"])
def test_groups_are_ipv4_multicast(groups):
    config = tftp(multicast=TFTPMulticastSettings(addresses=ipaddress.ip_network(groups)))
    assert problems(config) == [
        ("tftp.multicast.addresses", f"found {groups}", "an IPv4 network of multicast groups, as in 239.0.0.0/8")
    ]


# Warnings.


def test_what_other_machines_reach_has_no_password():
    config = tftp({"address": "0.0.0.0"}, {"address": "::", "name": "boot"}, {"address": "127.0.0.1", "port": 70})
    assert warnings(config) == [
        "TFTP has no passwords and no encryption: whoever reaches tftp 0.0.0.0:69, boot is let in, and what is sent there can be read on"
        " the way"
    ]


USELESS = ["nobody can store anything on tftp 127.0.0.1:69: its account may not, whatever tftp.listeners[0].write says"]


@pytest.mark.parametrize(
    ("write", "permissions", "expected"),
    [
        ("never", ("view",), []),
        ("any", ("view",), USELESS),
        ("any", ("view", "create"), []),
        ("any", ("overwrite",), []),
        ("create", ("overwrite",), USELESS),
        ("create", ("write",), []),
        ("existing", ("view", "create"), USELESS),
        ("existing", ("all",), []),
    ],
)
def test_a_right_to_write_that_the_account_has_not_is_a_warning(write, permissions, expected):
    config = tftp({"account": "boot", "write": write}, accounts={"boot": AccountSettings(permissions=permissions)})
    assert warnings(config) == expected


def test_an_incoming_directory_is_a_place_to_store():
    assert warnings(tftp({"write": "create"}, anonymous=AnonymousSettings(enabled=True, incoming=("/in",)))) == []
    assert warnings(tftp({"write": "existing"}, anonymous=AnonymousSettings(enabled=True, incoming=("/in",)))) == USELESS


def test_a_subtree_where_the_account_may_write_is_enough():
    boot = AccountSettings(permissions=("view",), rules=(RuleSettings(path="/dump", permissions=("create",)),))
    assert warnings(tftp({"account": "boot", "write": "create"}, accounts={"boot": boot})) == []


def test_a_store_that_is_read_only_is_written_to_by_nobody():
    config = tftp({"account": "boot", "write": "any"}, accounts={"boot": AccountSettings()})
    assert warnings(attrs.evolve(config, storage=StorageSettings(read_only=True))) == USELESS


# Reading.


def test_everything_that_is_wrong_is_named_at_once():
    text = (
        '[tftp]\nsessions = -1\n[[tftp.listeners]]\nport = "69"\n[[tftp.listeners]]\nadress = "::"\n'
        '[[tftp.listeners.networks]]\nroute = "/a"\n[tftp.options]\nrefuse = ["block"]\n[tftp.timeouts]\nfirst = "1 week"\n'
    )
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert sorted(problem.path for problem in caught.value.problems) == [
        "tftp.listeners[0].account",
        "tftp.listeners[0].port",
        "tftp.listeners[1]",
        "tftp.listeners[1].account",
        "tftp.listeners[1].adress",
        "tftp.listeners[1].networks[0].networks",
        "tftp.listeners[1].networks[0].route",
        "tftp.options.refuse",
        "tftp.sessions",
        "tftp.timeouts.first",
    ]


def test_a_whole_table_is_read():
    config = parse_config(
        '[anonymous]\nenabled = true\n[[tftp.listeners]]\naddress = "::1"\nport = 6969\nroot = "/boot"\nwrite = "create"\n'
        'ports = "7000-7100"\n[[tftp.listeners.networks]]\nnetworks = ["10.0.0.0/8"]\nroot = "/ten"\n[tftp.options]\nlargest_window = 16\n'
    )
    assert config.tftp.listeners == (
        TFTPListenSettings(
            address="::1",
            port=6969,
            root="/boot",
            write="create",
            ports=(7000, 7100),
            networks=(TFTPNetworkSettings(networks=(ipaddress.ip_network("10.0.0.0/8"),), root="/ten"),),
        ),
    )
    assert config.tftp.options.largest_window == 16
