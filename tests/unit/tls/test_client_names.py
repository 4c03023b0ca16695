from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from ftpd.testing.certificates import make_certificate
from ftpd.tls.client_names import ClientNames, describe, fingerprint_problems
from ftpd.tls.settings import ClientSettings
from ftpd.values import ClientCertificate

SHA256_HEX = "ab" * 32


def client(common_name="", emails=(), fingerprint=SHA256_HEX):
    return ClientCertificate(subject=f"CN={common_name}", common_name=common_name, emails=emails, fingerprint=fingerprint)


def accounts_of(certificate, **settings):
    return ClientNames(ClientSettings(**settings)).accounts_of(certificate)


def with_subject(*attributes):
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    now = make_certificate().parsed.not_valid_before_utc
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now)
    return builder.sign(key, SHA256())


def test_a_certificate_is_described_by_all_that_may_name_an_account():
    certificate = make_certificate(None, ["ann"], emails=["Ann@Example.COM", "a@example.org"]).parsed
    assert describe(certificate) == ClientCertificate(
        subject="CN=ann",
        common_name="ann",
        emails=("Ann@Example.COM", "a@example.org"),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
    )


def test_a_certificate_without_names_is_described_as_such():
    described = describe(make_certificate(None, []).parsed)
    assert (described.subject, described.common_name, described.emails) == ("", "", ())


def test_of_several_common_names_none_counts():
    described = describe(with_subject((NameOID.COMMON_NAME, "ann"), (NameOID.COMMON_NAME, "root")))
    assert described.common_name == ""


def test_an_email_in_the_subject_is_no_subject_alternative_name():
    assert describe(with_subject((NameOID.EMAIL_ADDRESS, "ann@example.com"))).emails == ()


@pytest.mark.parametrize("name", ["ann", "Ann", "ann smith", "zoë", "ann@example.com"])
def test_a_common_name_is_the_account_letter_for_letter(name):
    assert accounts_of(client(name, emails=("bob@example.com",))) == (name,)


@pytest.mark.parametrize("name", ["", "ann\0", "ann\r\n", "\u202eann"])
def test_a_common_name_that_is_empty_or_does_not_print_is_no_account(name):
    assert accounts_of(client(name)) == ()


def test_each_email_is_an_account_with_its_domain_in_lower_case():
    addresses = ("Ann@Example.COM", "a@example.org", "Ann@example.com")
    assert set(accounts_of(client("bob", emails=addresses), account="email")) == {"Ann@example.com", "a@example.org"}


@pytest.mark.parametrize("email", ["ann", "@example.com", "ann@", "ann\n@example.com"])
def test_what_is_not_an_address_is_no_account(email):
    assert accounts_of(client("ann", emails=(email,)), account="email") == ()


@pytest.mark.parametrize("written", [SHA256_HEX, SHA256_HEX.upper(), ":".join(["AB"] * 32), f" {SHA256_HEX} "])
def test_a_fingerprint_is_found_however_it_is_written(written):
    assert accounts_of(client("bob"), account="fingerprint", fingerprints={written: "ann"}) == ("ann",)


def test_an_unlisted_fingerprint_is_no_account():
    assert accounts_of(client("ann", fingerprint="cd" * 32), account="fingerprint", fingerprints={SHA256_HEX: "ann"}) == ()


def test_several_certificates_may_be_one_accounts():
    names = ClientNames(ClientSettings(account="fingerprint", fingerprints={SHA256_HEX: "ann", "cd" * 32: "ann"}))
    assert names.accounts_of(client()) == names.accounts_of(client(fingerprint="cd" * 32)) == ("ann",)


@pytest.mark.parametrize(
    ("fingerprints", "found"),
    [
        ({SHA256_HEX: "ann"}, []),
        ({"SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDcgr": "ann"}, ["found something else than hex digits and colons"]),
        ({"": "ann"}, ["found something else than hex digits and colons"]),
        ({"ab" * 20: "ann"}, ["found a SHA-1 fingerprint"]),
        ({"ab" * 31: "ann"}, ["found 62 hex digits"]),
        ({SHA256_HEX: ""}, ["found no account"]),
        ({SHA256_HEX: "ann", SHA256_HEX.upper(): "bob"}, ["the same certificate is 'ann' as well"]),
        ({SHA256_HEX: "ann", SHA256_HEX.upper(): "ann"}, []),
    ],
)
def test_fingerprints_are_judged_one_by_one(fingerprints, found):
    settings = ClientSettings(account="fingerprint", fingerprints=fingerprints)
    assert [problem.found for problem in fingerprint_problems(settings)] == found


def test_fingerprints_that_nothing_looks_at_are_a_problem():
    [problem] = fingerprint_problems(ClientSettings(fingerprints={SHA256_HEX: "ann"}))
    assert str(problem) == "fingerprints: found some, but account is 'common_name'; they count with account = 'fingerprint'"
