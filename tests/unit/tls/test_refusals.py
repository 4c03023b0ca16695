from __future__ import annotations

from datetime import UTC, datetime

import pytest
from OpenSSL import SSL

from ftpd.testing.certificates import make_certificate
from ftpd.tls.refusals import refusal, shown

Codes = SSL.X509VerificationCodes
CERTIFICATE = make_certificate(
    None, ["scanner-7"], not_before=datetime(2026, 1, 1, 6, 30, tzinfo=UTC), not_after=datetime(2026, 1, 2, tzinfo=UTC)
).parsed


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (Codes.ERR_CERT_HAS_EXPIRED, "has expired on 2026-01-02"),
        (Codes.ERR_CERT_NOT_YET_VALID, "is not valid before 2026-01-01 06:30 UTC"),
        (Codes.ERR_CERT_REVOKED, "is revoked"),
        (Codes.ERR_INVALID_PURPOSE, "is not for client authentication"),
        (Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "is signed by an unknown authority"),
        (Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "is self-signed"),
        (66, "has too small a key"),
        (9999, "fails verification (OpenSSL's error 9999)"),
    ],
)
def test_each_reason_is_a_sentence_with_the_subject(code, words):
    assert refusal(code, 0, CERTIFICATE) == f"the client's certificate {words} (CN=scanner-7)"


def test_an_authoritys_certificate_is_told_from_the_clients():
    assert refusal(Codes.ERR_CERT_REVOKED, 1, CERTIFICATE) == "an authority's certificate is revoked (CN=scanner-7)"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (Codes.ERR_CERT_HAS_EXPIRED, "has expired"),
        (Codes.ERR_CERT_NOT_YET_VALID, "is not valid yet"),
        (Codes.ERR_CERT_REVOKED, "is revoked"),
    ],
)
def test_a_certificate_that_cannot_be_read_has_no_date_and_no_subject(code, words):
    assert refusal(code, 0, None) == f"the client's certificate {words}"


def test_a_subject_is_one_line_and_not_longer_than_people_read():
    assert shown(make_certificate(None, [], common_name="a\r\n230 b\u202e").parsed) == "CN=a??230 b?"
    assert shown(make_certificate(None, [], common_name="").parsed) == "no subject"
