from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ftpd.schema import ConfigError
from ftpd.testing.certificates import make_authority, make_certificate
from ftpd.tls.settings import CertificateSettings
from ftpd.tls.store import Identities
from tests.unit.tls.pem_files import PEMFiles

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def root():
    return make_authority("Root")


def dated(root, since, until):
    return make_certificate(root, ["a"], not_before=datetime(since, 1, 1), not_after=datetime(until, 1, 1))


def look(identities, **options):
    return [str(problem) for problem in identities.take(identities.refresh(**options))]


def test_one_of_each_kind_is_kept_in_the_order_of_the_settings(tmp_path, root):
    first = PEMFiles(tmp_path, "first").hold(make_certificate(root, kind="rsa"))
    second = PEMFiles(tmp_path, "second").hold(make_certificate(root))
    identities = Identities([first.settings, second.settings])
    assert [identity.key_kind for identity in identities.current] == ["RSA 2048", "ECDSA P-256"]


def test_the_problems_of_all_tables_are_told_by_their_paths(tmp_path):
    with pytest.raises(ConfigError) as error:
        Identities([CertificateSettings(chain=str(tmp_path / name)) for name in "ab"], "hosts.one.certificates")
    assert str(error.value).splitlines() == [
        f"hosts.one.certificates[0].chain: cannot read {tmp_path}/a: No such file or directory",
        f"hosts.one.certificates[1].chain: cannot read {tmp_path}/b: No such file or directory",
    ]


def test_a_renewed_certificate_counts(tmp_path, root):
    files = PEMFiles(tmp_path).hold(make_certificate(root, ["old"]))
    identities = Identities([files.settings])
    files.hold(make_certificate(root, ["new"]))
    assert look(identities) == []
    assert identities.current[0].names == ("new",)


def test_a_chain_whose_key_comes_later_is_not_told(tmp_path, root):
    files = PEMFiles(tmp_path).hold(make_certificate(root, ["old"]))
    identities = Identities([files.settings])
    new = make_certificate(root, ["new"])
    files.chain.write_bytes(new.certificate)
    assert look(identities) == []
    files.hold(new)
    assert look(identities) == []
    assert identities.current[0].names == ("new",)


def test_a_broken_new_file_keeps_the_old_one_and_is_told_once(tmp_path, root):
    files = PEMFiles(tmp_path).hold(make_certificate(root, ["old"]))
    identities = Identities([files.settings])
    files.chain.write_bytes(b"-----BEGIN NONSENSE-----")
    words = f"tls.certificates[0].chain: there is no certificate in {files.chain}"
    assert [look(identities) for _ in range(4)] == [[], [words], [], []]
    assert identities.current[0].names == ("old",)


def test_one_broken_certificate_keeps_the_old_ones_of_all(tmp_path, root):
    ecdsa = PEMFiles(tmp_path, "ecdsa").hold(make_certificate(root, ["old"]))
    rsa = PEMFiles(tmp_path, "rsa").hold(make_certificate(root, ["old"], "rsa"))
    identities = Identities([ecdsa.settings, rsa.settings])
    before = identities.current
    ecdsa.hold(make_certificate(root, ["new"]))
    rsa.key.unlink()
    look(identities)
    assert identities.current is before


def test_a_new_passphrase_is_read_with_the_new_key(tmp_path, root):
    files = PEMFiles(tmp_path).hold(make_certificate(root, ["old"], passphrase=b"first"))
    (tmp_path / "passphrase").write_bytes(b"first\n")
    identities = Identities(
        [CertificateSettings(chain=str(files.chain), key=str(files.key), passphrase_file=str(tmp_path / "passphrase"))]
    )
    files.hold(make_certificate(root, ["new"], passphrase=b"second"))
    look(identities)
    (tmp_path / "passphrase").write_bytes(b"second\n")
    assert look(identities) == []
    assert identities.current[0].names == ("new",)


def test_an_expired_certificate_does_not_take_the_place_of_a_good_one(tmp_path, root):
    files = PEMFiles(tmp_path).hold(dated(root, 2026, 2027))
    identities = Identities([files.settings], now=lambda: NOW)
    files.hold(dated(root, 2025, 2026))
    words = f"tls.certificates[0].chain: certificate of a ({files.chain}) has expired on 2026-01-01; the present one is good"
    assert look(identities, is_asked_for=True) == [words]
    assert identities.current[0].expires.year == 2027


def test_a_certificate_of_the_future_waits_for_its_day(tmp_path, root):
    now = [NOW]
    files = PEMFiles(tmp_path).hold(dated(root, 2026, 2028))
    identities = Identities([files.settings], now=lambda: now[0])
    files.hold(dated(root, 2027, 2029))
    look(identities)
    assert identities.current[0].expires.year == 2028
    now[0] = datetime(2027, 1, 2, tzinfo=UTC)
    look(identities)
    assert identities.current[0].expires.year == 2029


def test_an_expired_certificate_takes_the_place_of_an_expired_one(tmp_path, root):
    files = PEMFiles(tmp_path).hold(dated(root, 2023, 2024))
    identities = Identities([files.settings], now=lambda: NOW)
    files.hold(dated(root, 2024, 2025))
    assert look(identities) == []
    assert identities.current[0].expires.year == 2025


def test_remarks_are_those_of_the_present_ones(tmp_path, root):
    files = PEMFiles(tmp_path).hold(make_certificate(root))
    files.key.chmod(0o644)
    assert Identities([files.settings]).remarks == (
        f"the private key in {files.key} is open to everybody on this machine (mode 0644); 0600 is enough",
    )
