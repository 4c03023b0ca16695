"""A TOML file becomes the tree of settings, or everything that is wrong with it."""

from __future__ import annotations

import pytest

from ftpd.accounts.rates import RateSettings
from ftpd.config.load import load_config, parse_common, parse_config
from ftpd.config.tree import ListenSettings, StorageSettings
from ftpd.schema import ConfigError, Unfit
from ftpd.values import AccountRates


def problems(text):
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "ftpd.toml")
    return [str(problem) for problem in caught.value.problems]


def test_an_empty_file_is_all_defaults():
    config = parse_config("")
    assert config.listen == (ListenSettings(address="127.0.0.1", port=2121),)
    assert not config.anonymous.enabled
    assert config.storage.kind == "local"


def test_every_table_reaches_its_place():
    config = parse_config(
        """
        [[listen]]
        address = "::1"
        port = 2122
        [ftp]
        greeting = "Hello."
        [ftp.timeouts]
        idle = "10 min"
        [storage]
        read_only = true
        [storage.local]
        root = "files"
        [[login]]
        kind = "password_file"
        path = "passwords"
        [anonymous]
        enabled = true
        [account]
        permissions = ["view"]
        [accounts.ann]
        permissions = ["all"]
        [accounts.ann.rates]
        session_download = "10 MiB"
        [limits]
        sessions = 7
        [rates]
        server_upload = "1 MiB"
        [log]
        xferlog = "xferlog"
        [[log.targets]]
        format = "json"
        """,
        directory="/etc/ftpd",
    )
    assert config.listen == (ListenSettings(address="::1", port=2122),)
    assert config.ftp.greeting == "Hello."
    assert config.ftp.timeouts.idle == 600
    assert config.accounts["ann"].rates == AccountRates(session_download=10 * 1024 * 1024)
    assert config.rates == RateSettings(server_upload=1024 * 1024)
    assert config.storage.read_only
    assert config.storage.settings.root == "/etc/ftpd/files"
    assert config.login[0].settings.path == "/etc/ftpd/passwords"
    assert config.anonymous.enabled
    assert config.account.permissions == ("view",)
    assert config.accounts["ann"].permissions == ("all",)
    assert config.limits.sessions == 7
    assert config.log.xferlog == "/etc/ftpd/xferlog"
    assert config.log.targets[0].format == "json"


def test_problems_of_all_tables_are_told_at_once():
    text = """
        lisen = 1
        [ftp]
        greeting = 3
        [storage]
        kind = "locl"
        [[login]]
        kind = "password_file"
        pth = "x"
        [[login]]
        kind = "psychic"
        [limits]
        sessions = "many"
    """
    assert [problem.partition("; ")[0] for problem in problems(text)] == [
        "ftpd.toml: lisen: no such table",
        "ftpd.toml: ftp.greeting: found 3",
        "ftpd.toml: limits.sessions: found 'many'",
        "ftpd.toml: storage.kind: there is no kind 'locl'",
        "ftpd.toml: login[0].pth: no such setting",
        "ftpd.toml: login[1].kind: there is no kind 'psychic'",
    ]


def test_an_unknown_kind_names_the_nearest():
    assert problems('[storage]\nkind = "locl"') == ["ftpd.toml: storage.kind: there is no kind 'locl'; did you mean local?"]


def test_anonymous_logins_are_sent_to_their_own_table():
    assert problems("[[login]]\nkind = 'anonymous'") == [
        "ftpd.toml: login[0]: anonymous logins are not a login source here; use the [anonymous] table"
    ]


def test_the_table_of_a_kind_that_is_not_chosen_is_checked_too():
    assert problems('[storage]\nkind = "memory"\n[storage.local]\nroot = 3') == [
        "ftpd.toml: storage.local.root: found 3; it must be text in quotes"
    ]


def test_the_table_of_a_kind_that_nobody_offers_is_named_beside_the_kind():
    assert problems('[storage]\nkind = "zip"\n[storage.zip]\narchive = "a.zip"') == [
        "ftpd.toml: storage.zip: no such setting; there are kind, local, memory, read_only",
        "ftpd.toml: storage.kind: there is no kind 'zip'; there are local, memory",
    ]


def test_what_holds_the_settings_of_a_store_is_no_setting():
    assert problems("[storage]\nsettings = 3") == [
        "ftpd.toml: storage.settings: no such setting; there are kind, local, memory, read_only"
    ]


def test_toml_that_cannot_be_read_names_the_line():
    assert problems("[ftp]\ngreeting = \n") == ["ftpd.toml: not TOML: Invalid value (at line 2, column 12)"]


@pytest.mark.parametrize(
    "text",
    ["listen = " + "[" * 5000, "storage = " + "{a = " * 5000, "[" + ".".join("a" * 5000) + "]"],
    ids=["arrays", "inline tables", "tables"],
)
def test_what_is_nested_too_deeply_is_one_problem(text):
    assert problems(text) == ["ftpd.toml: its tables or arrays are nested too deeply"]


def test_a_number_of_thousands_of_digits_is_no_toml():
    [problem] = problems("[limits]\nsessions = " + "9" * 5000)
    assert problem.startswith("ftpd.toml: not TOML: Exceeds the limit")


def test_what_is_common_is_read_without_what_extensions_have_a_say_in():
    text = """
        [process]
        workers = 3
        [storage]
        kind = "of an extension"
        [storage.theirs]
        depth = 3
        [[login]]
        kind = "of another"
        [[hosts]]
        name = "ftp.example.com"
        [extensions]
        directories = ["theirs"]
    """
    config = parse_common(text, "ftpd.toml", "/etc/ftpd")
    assert (config.process.workers, config.storage, config.login, config.hosts) == (3, StorageSettings(), (), ())
    assert config.extensions.directories == ("/etc/ftpd/theirs",)


def test_what_this_release_does_not_know_in_common_is_a_problem():
    with pytest.raises(ConfigError, match=r"^ftpd\.toml: process\.colour: no such setting"):
        parse_common('[process]\ncolour = "red"', "ftpd.toml")


def test_a_single_login_table_is_told_to_be_an_array():
    assert problems('[login]\nkind = "password_file"') == [
        "ftpd.toml: login: found a single value; it must be an array of tables: [[login]]"
    ]


def test_a_missing_file_is_a_problem_with_its_name(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file or directory"):
        load_config(tmp_path / "none.toml")


def test_a_file_that_is_not_utf8_names_the_byte(tmp_path):
    (tmp_path / "ftpd.toml").write_bytes(b"# \xff\n")
    with pytest.raises(ConfigError, match="byte 2 is not UTF-8"):
        load_config(tmp_path / "ftpd.toml")


def test_paths_in_a_file_are_relative_to_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "ftpd.toml").write_text('[log]\nxferlog = "x.log"\n')
    assert load_config("etc/ftpd.toml").log.xferlog == str(tmp_path / "etc" / "x.log")


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 2121),
        ("0.0.0.0:21", "0.0.0.0", 21),
        ("[::]:2122", "::", 2122),
        ("[::1]", "::1", 2121),
        ("::", "::", 2121),
        ("fe80::1", "fe80::1", 2121),
        ("127.0.0.1:0", "127.0.0.1", 0),
    ],
)
def test_a_listener_is_read_from_text(text, address, port):
    assert ListenSettings.parse(text) == ListenSettings(address=address, port=port)


@pytest.mark.parametrize(
    "text", ["", "localhost", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "[::", "1.2.3", ":2121", "[::1]:"]
)
def test_what_is_no_listener_is_refused(text):
    with pytest.raises(Unfit):
        ListenSettings.parse(text)


def test_a_listener_is_called_by_its_address_and_port_unless_it_has_a_name():
    assert [ListenSettings(address="::1", port=5).label, ListenSettings(name="inside").label] == ["[::1]:5", "inside"]


def test_mistakes_between_settings_are_named_beside_those_of_single_ones():
    text = """
    [[listen]]
    address = "300.1.1.1"
    port = 70000
    [ftp]
    greetingg = "x"
    [ftp.passive]
    enabled = false
    external_address = "192.0.2.1"
    [limits]
    sessions = "many"
    """
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    assert sorted(problem.path for problem in caught.value.problems) == [
        "ftp.greetingg",
        "ftp.passive.external_address",
        "limits.sessions",
        "listen[0].address",
        "listen[0].port",
    ]


# Virtual hosts and TLS.


def test_a_host_has_the_tables_that_it_names_and_none_else():
    config = parse_config(
        """
        [[hosts]]
        names = ["a.example.com", "b.example.com"]
        greeting = "A ready."
        [[hosts.certificates]]
        chain = "a.pem"
        [hosts.storage]
        kind = "memory"
        [[hosts.login]]
        kind = "memory"
        passwords = {ann = "secret"}
        [hosts.anonymous]
        enabled = true
        [hosts.account]
        tls = "required"
        [hosts.accounts.ann]
        tls_data = "required"

        [[hosts]]
        names = ["c.example.com"]
        """,
    )
    first, second = config.hosts
    assert (first.names, first.greeting) == (("a.example.com", "b.example.com"), "A ready.")
    assert [certificate.chain for certificate in first.certificates] == ["a.pem"]
    assert (first.storage.kind, [login.kind for login in first.login]) == ("memory", ["memory"])
    assert first.login[0].settings.passwords == {"ann": "secret"}
    assert first.anonymous.enabled
    assert first.account.tls == "required"
    assert first.accounts["ann"].tls_data == "required"
    assert (second.storage, second.login, second.anonymous, second.account, second.accounts) == (None, None, None, None, None)
    assert config.offers_tls


def test_everything_wrong_in_hosts_is_named_at_once():
    found = problems(
        """
        [[hosts]]
        names = "a.example.com"
        colour = "red"
        [hosts.storage]
        kind = "tape"
        [[hosts.login]]
        kind = "oracle"
        [[hosts.login]]
        kind = "memory"
        pasword = 1
        """
    )
    for path in (
        "hosts[0].names",
        "hosts[0].colour",
        "hosts[0].storage.kind",
        "hosts[0].login[0].kind",
        "hosts[0].login[1].pasword",
    ):
        assert any(path in problem for problem in found), (path, found)


@pytest.mark.parametrize("text", ["hosts = 1", "hosts = [1]", "[[hosts]]\nnames = ['a']\nlogin = 1"])
def test_hosts_of_another_shape_are_a_problem(text):
    assert problems(text)[0].startswith("ftpd.toml: hosts")


def test_rules_of_tls_for_networks_are_read():
    config = parse_config(
        """
        [[tls.certificates]]
        chain = "server.pem"
        [ftp.tls]
        login = "required"
        data_resumption = "required"
        [[ftp.tls.networks]]
        networks = ["192.0.2.0/24", "2001:db8::1"]
        login = "off"
        eof = "tolerate"
        """
    )
    (rules,) = config.ftp.tls.networks
    assert [str(network) for network in rules.networks] == ["192.0.2.0/24", "2001:db8::1/128"]
    assert (rules.login, rules.data, rules.eof) == ("off", "", "tolerate")


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("[ftp.tls]\nlogin = 'yes'", "ftp.tls.login"),
        ("[ftp.tls]\ndata_resumption = 'on'", "ftp.tls.data_resumption"),
        ("[[ftp.tls.networks]]\nnetworks = ['192.0.2.1/24']", "ftp.tls.networks[0].networks"),
        ("[[listen]]\ntls_login = 'maybe'", "listen[0].tls_login"),
        ("[tls.clients]\nproves = 'nothing'", "tls.clients.proves"),
    ],
)
def test_a_wrong_value_of_tls_is_named(line, path):
    assert any(path in problem for problem in problems(line))


def test_rates_that_cannot_be_are_named_by_their_place():
    text = """
    [rates]
    server_download = -1
    session_upload = "10 MiB/s"
    server_down = 1
    [anonymous.rates]
    transfer_download = "fast"
    [accounts.ann.rates]
    account_downlaod = 1
    """
    assert sorted(problems(text)) == [
        "ftpd.toml: accounts.ann.rates.account_downlaod: no such setting; did you mean account_download?",
        "ftpd.toml: anonymous.rates.transfer_download: found 'fast'; it must be a size such as 4096, '64 KiB', '2 MB' or '1 GiB'",
        "ftpd.toml: rates.server_down: no such setting; did you mean server_download?",
        "ftpd.toml: rates.server_download: found -1; it must be at least 0 bytes/s",
        "ftpd.toml: rates.session_upload: found '10 MiB/s'; it must be a size such as 4096, '64 KiB', '2 MB' or '1 GiB'",
    ]
