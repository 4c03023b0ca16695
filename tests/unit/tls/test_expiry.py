from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ftpd.testing.certificates import make_certificate
from ftpd.tls.expiry import expiring, uncovered
from ftpd.tls.identity import Identity

EXPIRES = datetime(2026, 12, 3, 12, tzinfo=UTC)
MONTH = 30 * 86400


def identity(*names, common_name=None):
    made = make_certificate(None, names, not_before=datetime(2020, 1, 1), not_after=EXPIRES, common_name=common_name)
    return Identity("chain.pem", (made.parsed,), load_pem_private_key(made.key, None))


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(days=30, seconds=1), None),
        (timedelta(days=30), "expires in 30 days, on 2026-12-03"),
        (timedelta(days=12, hours=5), "expires in 12 days, on 2026-12-03"),
        (timedelta(days=1), "expires in 1 day, on 2026-12-03"),
        (timedelta(hours=23), "expires within a day, on 2026-12-03"),
        (timedelta(0), "expires within a day, on 2026-12-03"),
        (timedelta(seconds=-1), "has expired on 2026-12-03"),
        (timedelta(days=-400), "has expired on 2026-12-03"),
    ],
)
def test_a_certificate_that_expires_soon_is_told_in_words(before, words):
    sentences = [] if words is None else [f"certificate of ftp.example.com (chain.pem) {words}"]
    assert list(expiring([identity("ftp.example.com")], MONTH, EXPIRES - before)) == sentences


def test_a_certificate_of_tomorrow_is_told():
    made = make_certificate(None, ["a"], not_before=datetime(2026, 6, 2, 8, 30), not_after=EXPIRES)
    tomorrow = Identity("chain.pem", (made.parsed,), load_pem_private_key(made.key, None))
    words = "certificate of a (chain.pem) is not valid before 2026-06-02 08:30 UTC"
    assert list(expiring([tomorrow], 0, datetime(2026, 6, 1, tzinfo=UTC))) == [words]
    assert list(expiring([tomorrow], 0, datetime(2026, 6, 3, tzinfo=UTC))) == []


def test_each_certificate_has_its_own_sentence():
    said = list(expiring([identity("a.example", "192.0.2.1"), identity(common_name="old")], MONTH, EXPIRES - timedelta(2)))
    assert said == [
        "certificate of a.example, 192.0.2.1 (chain.pem) expires in 2 days, on 2026-12-03",
        "certificate of no name (chain.pem) expires in 2 days, on 2026-12-03",
    ]


@pytest.mark.parametrize(
    "host", ["ftp.example.com", "FTP.example.com", "ftp.example.com.", "a.example.org", "192.0.2.1", "2001:db8::1"]
)
def test_a_certificate_for_the_name_is_fine(host):
    assert list(uncovered(host, [identity("ftp.example.com", "*.example.org", "192.0.2.1", "2001:db8::1")])) == []


@pytest.mark.parametrize("host", ["www.example.com", "a.b.example.org", "example.org", "192.0.2.2", "::1"])
def test_a_certificate_for_other_names_is_told(host):
    assert list(uncovered(host, [identity("ftp.example.com", "*.example.org", "192.0.2.1")])) == [
        f"certificate of ftp.example.com, *.example.org, 192.0.2.1 (chain.pem) is not for {host}: clients that verify it refuse it"
    ]


def test_the_common_name_counts_for_nothing():
    assert list(uncovered("ftp.example.com", [identity(common_name="ftp.example.com")])) == [
        "certificate of no name (chain.pem) is not for ftp.example.com: clients that verify it refuse it"
    ]
