from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ftpd.testing.certificates import make_certificate
from ftpd.tls import own
from ftpd.tls.identity import load_identity
from ftpd.tls.own import own_certificate, own_directory


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "state" / "ftpd" / "tls")


def test_the_first_start_makes_one(folder):
    made = own_certificate(folder)
    identity = load_identity(made.settings)
    assert made.is_new
    assert made.fingerprint == identity.fingerprint
    assert identity.names[-3:] == ("localhost", "127.0.0.1", "::1")
    assert made.settings.chain == os.path.join(folder, "server.pem")


def test_nobody_else_can_read_it(folder):
    made = own_certificate(folder)
    assert stat.S_IMODE(os.stat(made.settings.chain).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_the_next_start_has_the_same(folder):
    first = own_certificate(folder)
    second = own_certificate(folder)
    assert (second.fingerprint, second.is_new) == (first.fingerprint, False)


def test_an_expired_one_is_made_anew(folder):
    first = own_certificate(folder)
    last = load_identity(first.settings).expires
    assert not own_certificate(folder, last).is_new
    assert own_certificate(folder, last + timedelta(seconds=1)).is_new
    assert own_certificate(folder).fingerprint != first.fingerprint


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"])
def test_a_damaged_file_is_made_anew(folder, content):
    first = own_certificate(folder)
    with open(first.settings.chain, "wb") as file:
        file.write(content)
    assert own_certificate(folder).is_new
    assert load_identity(first.settings)


@pytest.mark.parametrize(
    "until", [datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)]
)
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_the_last_moment_is_read_from_the_der(tmp_path, until, kind):
    (tmp_path / "a.pem").write_bytes(make_certificate(not_after=until, kind=kind).pem)
    assert own._last_moment(own._der_in(str(tmp_path / "a.pem"))) == until


def test_a_certificate_cut_anywhere_has_expired(tmp_path):
    (tmp_path / "a.pem").write_bytes(make_certificate().pem)
    der = own._der_in(str(tmp_path / "a.pem"))
    end = der.index(b"Z", der.index(b"Z") + 1) + 1  # of notAfter; what follows it is not looked at
    assert {own._last_moment(der[:length]) for length in range(end)} == {datetime.min.replace(tzinfo=UTC)}


def test_a_start_that_finds_one_imports_no_cryptography(folder):
    own_certificate(folder)
    code = (
        f"import sys\nfrom ftpd.tls.own import own_certificate\nown_certificate({folder!r})\n"
        "print([name for name in ('cryptography', 'OpenSSL', 'service_identity', 'ssl') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_servers_that_start_at_once_get_the_same(folder):
    code = f"from ftpd.tls.own import own_certificate\nprint(own_certificate({folder!r}).fingerprint)"
    starts = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    assert len({start.communicate()[0] for start in starts}) == 1


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"XDG_STATE_HOME": "/var/state"}, "/var/state/ftpd/tls"),
        ({}, "/home/ann/.local/state/ftpd/tls"),
        ({"XDG_STATE_HOME": ""}, "/home/ann/.local/state/ftpd/tls"),
        ({"XDG_STATE_HOME": "relative"}, "/home/ann/.local/state/ftpd/tls"),
    ],
)
def test_the_folder_is_the_users_state(monkeypatch, environment, folder):
    monkeypatch.setenv("HOME", "/home/ann")
    assert own_directory(environment) == folder


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        own_certificate(str(tmp_path / "file" / "tls"))
