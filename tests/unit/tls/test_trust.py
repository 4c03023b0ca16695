from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from ftpd.schema import ConfigError
from ftpd.testing.certificates import make_authority, make_certificate, make_revocation_list
from ftpd.tls.settings import ClientSettings
from ftpd.tls.trust import read_trust

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ROOT = make_authority("Root")
OTHER = make_authority("Other")
EXPIRED = make_authority("Expired", not_after=datetime(2026, 1, 2, tzinfo=UTC))
CLIENT = make_certificate(ROOT, ["ann"])


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Read trust from files with these contents; None is no file."""
    monkeypatch.chdir(tmp_path)

    def read(authorities=None, revoked=None):
        settings = {}
        for name, content in (("authorities", authorities), ("revoked", revoked)):
            if content is not None:
                (tmp_path / f"{name}.pem").write_bytes(content)
                settings[name] = f"{name}.pem"
        return read_trust(ClientSettings(**settings))

    return read


def problems_of(read, *contents):
    with pytest.raises(ConfigError) as refused:
        read(*contents)
    return [str(problem) for problem in refused.value.problems]


def test_authorities_and_lists_are_read_in_their_order(read):
    trust = read(ROOT.certificate + OTHER.certificate, make_revocation_list(OTHER) + make_revocation_list(ROOT))
    assert trust.authorities == (ROOT.parsed, OTHER.parsed)
    assert [listed.issuer for listed in trust.lists] == [OTHER.parsed.subject, ROOT.parsed.subject]


def test_text_and_keys_around_certificates_do_not_matter(read):
    assert read(b"Subject: CN=Root\n" + ROOT.pem).authorities == (ROOT.parsed,)


def test_no_file_is_no_trust(read):
    assert read().authorities == ()


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError) as refused:
        read_trust(ClientSettings(authorities="/does/not/exist.pem"))
    assert str(refused.value) == "authorities: cannot read /does/not/exist.pem: No such file or directory"


def test_a_directory_is_named(tmp_path):
    with pytest.raises(ConfigError, match=f"authorities: cannot read {tmp_path}: it is a directory, not a regular file"):
        read_trust(ClientSettings(authorities=str(tmp_path)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "authorities.pem is not PEM; it must have lines of the form -----BEGIN …-----"),
        (b"junk", "authorities.pem is not PEM; it must have lines of the form -----BEGIN …-----"),
        (
            ROOT.parsed.public_bytes(Encoding.DER),
            "authorities.pem is not PEM; it is binary (DER): openssl x509 -inform DER -in FILE -out FILE.pem turns it into PEM",
        ),
        (ROOT.key, "there is no certificate in authorities.pem"),
        (make_revocation_list(ROOT), "there is no certificate in authorities.pem"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate in authorities.pem is damaged"),
        (ROOT.certificate[:-60], "authorities.pem is not PEM; it must have lines of the form -----BEGIN …-----"),
    ],
)
def test_what_is_no_authorities_file_is_told_in_words(read, content, words):
    assert problems_of(read, content) == [f"authorities: {words}"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            x509.load_pem_x509_crl(make_revocation_list(ROOT)).public_bytes(Encoding.DER),
            "revoked.pem is not PEM; it is binary (DER): openssl crl -inform DER -in FILE -out FILE.pem turns it into PEM",
        ),
        (ROOT.certificate, "there is no revocation list in revoked.pem"),
        (
            make_revocation_list(OTHER),
            "the list of CN=Other in revoked.pem is of nobody whose certificate is among the authorities",
        ),
        (make_revocation_list(make_authority("Root")), "the list of CN=Root in revoked.pem is not signed by that authority"),
    ],
)
def test_what_is_no_list_of_the_authorities_is_told_in_words(read, content, words):
    assert f"revoked: {words}" in problems_of(read, ROOT.certificate, content)


def test_a_clients_certificate_is_no_authority(read):
    [words] = problems_of(read, CLIENT.certificate)
    assert words.startswith(
        "authorities: CN=ann in authorities.pem is not an authority's certificate; single certificates are listed"
    )


def test_authorities_that_have_all_expired_are_a_problem(read):
    assert problems_of(read, EXPIRED.certificate) == [
        "authorities: CN=Expired in authorities.pem has expired on 2026-01-02; at least one authority must be valid"
    ]


def test_an_expired_authority_beside_its_successor_is_a_remark(read):
    trust = read(EXPIRED.certificate + ROOT.certificate)
    assert list(trust.remarks(NOW, NOW)) == ["the authority of clients CN=Expired has expired on 2026-01-02"]


def test_an_authority_that_expires_soon_is_a_remark(read):
    soon = NOW + 5 * DAY
    trust = read(make_authority("Soon", not_after=soon).certificate)
    assert list(trust.remarks(NOW, NOW + 4 * DAY)) == []
    assert list(trust.remarks(NOW, NOW + 6 * DAY)) == [f"the authority of clients CN=Soon expires on {soon:%Y-%m-%d}"]


def test_an_outdated_list_is_a_problem(read):
    outdated = make_revocation_list(ROOT, next_update=NOW - DAY)
    [words] = problems_of(read, ROOT.certificate, outdated)
    since = f"{NOW - DAY:%Y-%m-%d %H:%M} UTC"
    assert words.startswith(f"revoked: the list of CN=Root in revoked.pem is out of date since {since}; without a current list")


def test_an_authority_without_a_list_is_a_problem_once_there_are_lists(read):
    assert problems_of(read, ROOT.certificate + OTHER.certificate, make_revocation_list(ROOT)) == [
        "revoked: there is no list of CN=Other in revoked.pem; one for each authority, or all its clients would be refused"
    ]


def test_an_expired_authority_needs_no_list(read):
    assert len(read(ROOT.certificate + EXPIRED.certificate, make_revocation_list(ROOT)).lists) == 1


def test_all_problems_are_told_at_once(read):
    found = problems_of(read, b"junk", b"junk")
    assert [words.partition(":")[0] for words in found] == ["authorities", "revoked"]


def test_an_outdated_list_of_an_expired_authority_does_no_harm(read):
    left_over = make_revocation_list(EXPIRED, next_update=NOW - DAY)
    trust = read(ROOT.certificate + EXPIRED.certificate, make_revocation_list(ROOT) + left_over)
    assert list(trust.remarks(NOW, NOW)) == ["the authority of clients CN=Expired has expired on 2026-01-02"]


def test_a_delta_list_is_told_in_words(read):
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ROOT.parsed.subject)
        .last_update(NOW - DAY)
        .next_update(NOW + DAY)
        .add_extension(x509.DeltaCRLIndicator(1), critical=True)
    )
    delta = builder.sign(load_pem_private_key(ROOT.key, None), SHA256()).public_bytes(Encoding.PEM)
    [words] = problems_of(read, ROOT.certificate, delta)
    assert words.endswith("has only what changed since another one (a delta list); a complete one is needed")
