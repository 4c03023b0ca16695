"""The generated files are current, and say what the code says."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from ftpd.accounts.settings import AccountSettings
from ftpd.config.load import parse_config
from ftpd.config.reference import effective, sample, settings_page
from ftpd.config.tree import Config, LoginSettings
from ftpd.login.memory import MemorySettings

TOP = Path(__file__).parents[3]


def uncommented(text):
    return re.sub(r"^#(?! |$)", "", text, flags=re.MULTILINE)


def test_the_sample_file_is_current():
    assert (TOP / "etc" / "ftpd.toml").read_text(encoding="utf-8") == sample()


def test_the_reference_page_is_current():
    assert (TOP / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()


def test_the_sample_says_nothing_but_defaults():
    assert parse_config(sample()) == parse_config("")


def test_the_sample_with_its_examples_uncommented_can_be_read():
    config = parse_config(uncommented(sample()))
    assert set(config.accounts) == {"NAME"}
    assert config.accounts["NAME"].permissions == AccountSettings().permissions
    assert [login.kind for login in config.login] == ["memory", "password_file"]
    assert len(config.log.targets) == 1


def test_every_setting_of_the_sample_has_a_sentence_above_it():
    lines = sample().splitlines()
    bare = [line for above, line in itertools.pairwise(lines) if re.match(r"#?\w+ = ", line) and not above.startswith("# ")]
    assert bare == []


def test_the_effective_settings_give_the_same_configuration_again():
    config = parse_config(
        '[ftp]\ngreeting = "say \\"hello\\""\n[accounts."ann b"]\nhome = "/x"\n[[accounts."ann b".rules]]\npath = "/in"\n'
        '[[listen]]\naddress = "::1"\n[limits]\nexempt = ["10.0.0.0/8"]\n[[login]]\nkind = "password_file"\npath = "/p"\n'
    )
    assert parse_config(effective(config)) == config


def test_tables_in_tables_give_the_same_configuration_again():
    config = parse_config(
        '[[tftp.listeners]]\naccount = "a"\n[[tftp.listeners.networks]]\nnetworks = ["10.0.0.0/8"]\nroot = "/ten"\n'
        '[[tftp.listeners.networks]]\nnetworks = ["fd00::/8"]\n[[tftp.listeners]]\naccount = "b"\nport = 6969\nports = "7000-7099"\n'
        '[[tftp.listeners.networks]]\nnetworks = ["192.168.0.0/16"]\n[tftp]\nmemory = "1 GiB"\n'
    )
    assert [len(listener.networks) for listener in config.tftp.listeners] == [2, 1]
    assert parse_config(effective(config)) == config


def test_large_limits_are_written_out():
    assert "At least 1048576." in settings_page()


def test_a_password_is_not_among_the_effective_settings():
    config = Config(login=(LoginSettings(kind="memory", settings=MemorySettings(passwords={"ann": "hunter2"})),))
    assert "hunter2" not in effective(config)
    assert 'passwords = "(hidden)"' in effective(config)
