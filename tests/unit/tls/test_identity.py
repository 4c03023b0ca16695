from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ftpd.schema import ConfigError
from ftpd.testing.certificates import make_authority, make_certificate
from ftpd.tls.identity import load_identity
from ftpd.tls.parameters import Parameters
from ftpd.tls.settings import CertificateSettings, TLSSettings


@pytest.fixture(scope="module")
def root():
    return make_authority("Root")


@pytest.fixture(scope="module")
def middle(root):
    return make_authority("Middle", issuer=root)


@pytest.fixture(scope="module")
def leaf(middle):
    return make_certificate(middle, ["ftp.example.com", "192.0.2.1"])


@pytest.fixture
def files(tmp_path):
    """Writes a chain and a key file and returns the settings that name them."""

    def write(chain, key=None, mode=0o600, **settings):
        (tmp_path / "chain.pem").write_bytes(chain)
        (tmp_path / "chain.pem").chmod(mode)
        if key is not None:
            (tmp_path / "key.pem").write_bytes(key)
            (tmp_path / "key.pem").chmod(mode)
            settings["key"] = str(tmp_path / "key.pem")
        return CertificateSettings(chain=str(tmp_path / "chain.pem"), **settings)

    return write


def problems(settings):
    with pytest.raises(ConfigError) as error:
        load_identity(settings)
    return [str(problem) for problem in error.value.problems]


def self_made(key, names=("ftp.example.com",)):
    """Certificate and key as PEM, of a key that the factory of the tests does not make."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1))
        .not_valid_after(datetime(2050, 1, 1))
    )
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM), key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def test_names_key_kind_fingerprint_and_expiry_are_those_of_the_first_certificate(files, leaf, middle):
    identity = load_identity(files(leaf.certificate + middle.certificate, leaf.key))
    assert identity.names == ("ftp.example.com", "192.0.2.1")
    assert identity.key_kind == "ECDSA P-256"
    assert identity.fingerprint == leaf.parsed.fingerprint(SHA256()).hex(":").upper()
    assert len(identity.fingerprint) == 95
    assert identity.expires == leaf.parsed.not_valid_after_utc
    assert identity.chain == (leaf.parsed, middle.parsed)
    assert identity.remarks == ()


def test_the_key_may_be_in_the_chain_file(files, leaf):
    assert load_identity(files(leaf.certificate + leaf.key)).names == ("ftp.example.com", "192.0.2.1")


def test_the_key_may_come_first_in_the_chain_file(files, leaf, middle):
    assert load_identity(files(leaf.key + leaf.certificate + middle.certificate)).chain == (leaf.parsed, middle.parsed)


def test_text_around_the_blocks_is_passed_over(files, leaf):
    assert load_identity(files(b"Certificate:\n  Data:\n" + leaf.certificate + b"\nthe end\n", b"Bag\n" + leaf.key))


def test_parameters_before_an_ec_key_are_passed_over(files):
    key = ec.generate_private_key(ec.SECP256R1())
    certificate, _ = self_made(key)
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert load_identity(files(certificate, parameters + old)).key_kind == "ECDSA P-256"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "RSA 2048"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "ECDSA P-384"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
    ],
)
def test_the_kind_of_the_key_is_said_in_words(files, make, kind):
    assert load_identity(files(*self_made(make()))).key_kind == kind


def test_no_chain_file_named(files):
    assert problems(CertificateSettings()) == ["chain: no file is named; a PEM file with the server's certificate first"]


def test_both_missing_files_are_named(tmp_path):
    settings = CertificateSettings(chain=str(tmp_path / "a"), key=str(tmp_path / "b"))
    assert problems(settings) == [
        f"chain: cannot read {tmp_path}/a: No such file or directory",
        f"key: cannot read {tmp_path}/b: No such file or directory",
    ]


def test_der_is_not_pem(files, leaf):
    settings = files(leaf.parsed.public_bytes(Encoding.DER), leaf.key)
    assert problems(settings) == [f"chain: {settings.chain} is not PEM; it must have lines of the form -----BEGIN …-----"]


def test_a_chain_file_without_a_certificate(files, leaf):
    settings = files(leaf.key, leaf.key)
    assert problems(settings) == [f"chain: there is no certificate in {settings.chain}"]


def test_a_damaged_certificate(files, leaf):
    lines = leaf.certificate.split(b"\n")
    settings = files(b"\n".join([*lines[:3], *lines[4:]]), leaf.key)
    assert problems(settings) == [f"chain: a certificate in {settings.chain} is damaged"]


def test_a_key_file_without_a_key(files, leaf):
    settings = files(leaf.certificate, leaf.certificate)
    assert problems(settings) == [f"key: there is no private key in {settings.key}"]


def test_no_key_in_the_chain_file_and_none_named(files, leaf):
    settings = files(leaf.certificate)
    allowed = "name the key's file, or put the key into the chain file"
    assert problems(settings) == [f"key: there is no private key in {settings.chain}; {allowed}"]


def test_a_damaged_key(files, leaf):
    settings = files(leaf.certificate, leaf.key.replace(b"\n", b"\nAAAA", 1))
    assert problems(settings) == [f"key: the private key in {settings.key} is damaged or of an unknown kind"]


def test_the_key_of_another_certificate(files, leaf, middle):
    settings = files(leaf.certificate, make_certificate().key)
    assert problems(settings) == [f"key: the key in {settings.key} is not that of the first certificate in {settings.chain}"]


def test_the_servers_certificate_behind_its_issuer(files, leaf, middle):
    settings = files(middle.certificate + leaf.certificate, leaf.key)
    assert problems(settings) == [
        f"chain: the server's certificate is number 2 in {settings.chain}; it must come first",
        "chain: certificate 2 (CN=ftp.example.com) did not issue certificate 1 (CN=Middle); each must be followed by its issuer",
    ]


def test_a_chain_in_the_wrong_order(files, leaf, middle, root):
    settings = files(leaf.certificate + root.certificate + middle.certificate, leaf.key)
    assert problems(settings) == [
        "chain: certificate 2 (CN=Root) did not issue certificate 1 (CN=ftp.example.com); each must be followed by its issuer"
    ]


def test_a_key_too_small_for_openssl(files):
    settings = files(*self_made(rsa.generate_private_key(65537, 1024)))
    assert problems(settings) == ["key: found an RSA key of 1024 bits; it must have at least 2048"]


@pytest.mark.parametrize(("since", "until"), [(2020, 2021), (2080, 2090)])
def test_a_certificate_that_is_not_valid_now_is_read(files, middle, since, until):
    leaf = make_certificate(middle, ["a"], not_before=datetime(since, 1, 1), not_after=datetime(until, 1, 1))
    identity = load_identity(files(leaf.certificate, leaf.key))
    assert (identity.begins, identity.expires) == (datetime(since, 1, 1, tzinfo=UTC), datetime(until, 1, 1, tzinfo=UTC))
    assert identity.remarks == ()


def test_what_the_security_level_forbids_is_a_problem(files):
    settings = files(*self_made(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(ConfigError) as error:
        load_identity(settings, Parameters(TLSSettings(ciphers="ECDHE+AESGCM:@SECLEVEL=4")))
    assert str(error.value) == f"chain: OpenSSL refuses {settings.chain}: ee key too small"


def test_a_self_signed_certificate_is_a_remark(files):
    leaf = make_certificate()
    identity = load_identity(files(leaf.certificate, leaf.key))
    assert identity.remarks == (f"the certificate in {identity.os_path} is self-signed: clients have to be told its fingerprint",)


def test_a_certificate_without_names_is_a_remark(files, middle):
    leaf = make_certificate(middle, [], common_name="ftp.example.com")
    identity = load_identity(files(leaf.certificate, leaf.key))
    assert identity.names == ()
    assert identity.remarks == (f"the certificate in {identity.os_path} has no subject alternative name: most clients refuse it",)


def test_a_key_open_to_everybody_is_a_remark(files, leaf):
    settings = files(leaf.certificate, leaf.key, mode=0o644)
    assert load_identity(settings).remarks == (
        f"the private key in {settings.key} is open to everybody on this machine (mode 0644); 0600 is enough",
    )


def test_a_key_open_to_a_group_is_fine(files, leaf):
    assert load_identity(files(leaf.certificate, leaf.key, mode=0o640)).remarks == ()


@pytest.fixture(scope="module")
def locked(middle):
    return make_certificate(middle, ["ftp.example.com"], passphrase=b"open sesame")


def test_a_passphrase_from_a_file(files, locked, tmp_path):
    (tmp_path / "passphrase").write_bytes(b"open sesame\n")
    assert load_identity(files(locked.certificate, locked.key, passphrase_file=str(tmp_path / "passphrase")))


def test_a_passphrase_from_a_command(files, locked):
    assert load_identity(files(locked.certificate, locked.key, passphrase_command=(sys.executable, "-c", "print('open sesame')")))


def test_a_passphrase_for_a_key_in_the_older_form(files, tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    certificate, _ = self_made(key)
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"open sesame"))
    assert b"Proc-Type: 4,ENCRYPTED" in old
    (tmp_path / "passphrase").write_bytes(b"open sesame\n")
    assert load_identity(files(certificate, old, passphrase_file=str(tmp_path / "passphrase")))


def test_a_wrong_passphrase_is_said_and_not_shown(files, locked, tmp_path):
    (tmp_path / "passphrase").write_bytes(b"open barley\n")
    settings = files(locked.certificate, locked.key, passphrase_file=str(tmp_path / "passphrase"))
    assert problems(settings) == [f"passphrase_file: the passphrase is not that of the private key in {settings.key}"]


def test_a_missing_passphrase(files, locked):
    settings = files(locked.certificate, locked.key)
    assert problems(settings) == [
        f"key: the private key in {settings.key} has a passphrase; set passphrase_file or passphrase_command"
    ]


def test_no_passphrase_is_fetched_for_a_key_that_needs_none(files, leaf):
    assert load_identity(files(leaf.certificate, leaf.key, passphrase_command=("/no/such/program",)))


def test_the_key_is_not_in_what_a_traceback_shows(files, leaf):
    assert "key=" not in repr(load_identity(files(leaf.certificate, leaf.key)))
