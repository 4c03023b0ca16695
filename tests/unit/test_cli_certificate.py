"""`ftpd cert`."""

from __future__ import annotations

import re
import stat

import pytest
from click.testing import CliRunner

from ftpd.cli import main
from ftpd.tls.identity import load_identity
from ftpd.tls.settings import CertificateSettings


def cert(*arguments):
    return CliRunner().invoke(main, ["cert", *map(str, arguments)], prog_name="ftpd")


def identity(chain, key):
    return load_identity(CertificateSettings(chain=str(chain), key=str(key)))


def test_two_files_are_made_in_a_directory_and_the_settings_printed(tmp_path):
    result = cert("--name", "ftp.example.com", "--name", "192.0.2.1", tmp_path)
    chain, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = identity(chain, key)
    assert result.stdout.splitlines() == [
        f"Certificate  {chain}",
        f"Key          {key}",
        "Names        ftp.example.com, 192.0.2.1",
        f"Expires      {made.expires:%Y-%m-%d}",
        f"SHA-256      {made.fingerprint}",
        "",
        "[[tls.certificates]]",
        f'chain = "{chain}"',
        f'key = "{key}"',
    ]
    assert result.exit_code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_two_files_can_be_named(tmp_path):
    assert cert(tmp_path / "a", tmp_path / "b").exit_code == 0
    assert identity(tmp_path / "a", tmp_path / "b").names[-3:] == ("localhost", "127.0.0.1", "::1")


def test_days_are_as_wanted(tmp_path):
    cert("--days", 90, tmp_path)
    made = identity(tmp_path / "certificate.pem", tmp_path / "key.pem")
    assert (made.expires - made.begins).days == 90


def test_what_is_there_is_overwritten_with_force_only(tmp_path):
    cert("--name", "old", tmp_path)
    result = cert("--name", "new", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: {tmp_path}/certificate.pem is there already; --force overwrites it\n"
    assert identity(tmp_path / "certificate.pem", tmp_path / "key.pem").names == ("old",)
    assert cert("--name", "new", "--force", tmp_path).exit_code == 0
    assert identity(tmp_path / "certificate.pem", tmp_path / "key.pem").names == ("new",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["no-directory"], "no-directory is not a directory; to name files give two"),
        (["a", "b", "c"], "give a directory, or two files"),
        (["a", "a"], "certificate and key are two files"),
        (["--name", "two words", "a", "b"], "'two words' is neither a host name nor an IP address"),
        (["--days", "0", "a", "b"], "0 is not in the range x>=1"),
        (["--days", "10000000", "a", "b"], "10000000 days lead beyond the year 9999"),
    ],
)
def test_a_wrong_command_line_is_said_in_words(tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = cert(*arguments)
    assert result.exit_code == 2
    assert words in re.sub(r"\s+", " ", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    result = cert(tmp_path / "gone" / "a", tmp_path / "gone" / "b")
    assert (result.exit_code, result.stderr) == (1, f"Error: {tmp_path}/gone/a: No such file or directory\n")


def test_the_settings_are_toml_whatever_the_name_of_the_folder(tmp_path):
    import tomllib

    folder = tmp_path / 'a "b" \\ é'
    folder.mkdir()
    lines = cert(folder).stdout.splitlines()
    parsed = tomllib.loads("\n".join(lines[lines.index("[[tls.certificates]]") :]))
    assert parsed["tls"]["certificates"] == [{"chain": f"{folder}/certificate.pem", "key": f"{folder}/key.pem"}]
