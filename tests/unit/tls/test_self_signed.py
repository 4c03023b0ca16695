from __future__ import annotations

import os
import ssl
import stat
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ftpd.tls import self_signed
from ftpd.tls.identity import load_identity
from ftpd.tls.self_signed import default_names, make_self_signed, write_self_signed
from ftpd.tls.settings import CertificateSettings

NOW = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def paths(tmp_path):
    return str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")


def made(*names, **options):
    return x509.load_pem_x509_certificate(make_self_signed(names, **options)[0])


def test_it_is_for_dns_names_and_addresses():
    certificate = made("ftp.example.com", "192.0.2.1", "::1", "bücher.example")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["ftp.example.com", "xn--bcher-kva.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "::1"]
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "ftp.example.com"


def test_it_lasts_so_many_days_in_all_and_begins_an_hour_ago():
    certificate = made("a", days=90, now=NOW)
    assert certificate.not_valid_before_utc == datetime(2026, 6, 1, 11, 30, tzinfo=UTC)
    assert certificate.not_valid_after_utc == datetime(2026, 8, 30, 11, 30, tzinfo=UTC)


def test_by_default_it_lasts_as_long_as_apple_takes():
    certificate = made("a", now=NOW)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 825


def test_it_is_for_servers_and_no_authority():
    extensions = made("a").extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(False, None)
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign) == (True, False)


def test_no_two_have_a_serial_number_in_common():
    assert made("a").serial_number != made("a").serial_number


@pytest.mark.parametrize("name", ["", "two words", "ftp://host", "host:21", "a" * 64, "a..b", "[::1]"])
def test_what_is_no_name_is_refused_in_words(name):
    with pytest.raises(ValueError, match="is neither a host name nor an IP address"):
        make_self_signed([name])


def test_no_name_is_refused():
    with pytest.raises(ValueError, match="at least one name"):
        make_self_signed([])


@pytest.mark.parametrize("days", [0, -1])
def test_days_that_are_over_already_are_refused(days):
    with pytest.raises(ValueError, match="at least one day"):
        make_self_signed(["a"], days)


@pytest.mark.parametrize("days", [10_000_000, 10**30])
def test_days_beyond_the_calendar_are_refused(days):
    with pytest.raises(ValueError, match="beyond the year 9999"):
        make_self_signed(["a"], days)


def test_the_default_names_are_those_of_this_machine():
    names = default_names()
    assert names[-3:] == ("localhost", "127.0.0.1", "::1")
    assert made(*names)


def test_a_machine_whose_name_is_none_goes_without(monkeypatch):
    monkeypatch.setattr(self_signed.socket, "gethostname", lambda: "My Mac")
    assert default_names() == ("localhost", "127.0.0.1", "::1")


def test_what_is_written_is_an_identity(paths):
    write_self_signed(*paths, ["ftp.example.com"])
    identity = load_identity(CertificateSettings(chain=paths[0], key=paths[1]))
    assert (identity.names, identity.key_kind) == (("ftp.example.com",), "ECDSA P-256")


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_key_is_the_owners_and_the_certificate_everybodys(paths, mask):
    before = os.umask(mask)
    try:
        write_self_signed(*paths, ["a"])
    finally:
        os.umask(before)
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in paths] == [0o644, 0o600]


@pytest.mark.parametrize("taken", [0, 1])
def test_nothing_is_overwritten_and_nothing_left_behind(paths, tmp_path, taken):
    with open(paths[taken], "w") as file:
        file.write("mine")
    with pytest.raises(FileExistsError) as error:
        write_self_signed(*paths, ["a"])
    assert error.value.filename == paths[taken]
    assert os.listdir(tmp_path) == [os.path.basename(paths[taken])]
    assert (tmp_path / os.path.basename(paths[taken])).read_text() == "mine"


def test_told_so_it_overwrites(paths):
    write_self_signed(*paths, ["old"])
    write_self_signed(*paths, ["new"], overwrite=True)
    assert load_identity(CertificateSettings(chain=paths[0], key=paths[1])).names == ("new",)


def test_a_disk_that_fails_leaves_nothing_behind(paths, tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(self_signed.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_self_signed(*paths, ["a"])
    assert os.listdir(tmp_path) == []


def test_a_client_that_trusts_it_takes_it_in_the_strictest_verification(paths):
    write_self_signed(*paths, ["ftp.example.com"])
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=paths[0])
    server_side.load_cert_chain(*paths)
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server, server_hostname="ftp.example.com")
    for end in (client, server, client):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"
