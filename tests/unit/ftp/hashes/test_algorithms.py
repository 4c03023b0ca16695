from __future__ import annotations

import pytest

from ftpd.errors import BadArgument
from ftpd.ftp.hashes.algorithms import Algorithm

# Of "abc": FIPS 180-4 examples, RFC 1321 A.5, RFC 7693 appendices A and B, and the CRC that zip and Ethernet have.
OF_ABC = {
    Algorithm.SHA_256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    Algorithm.SHA_512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
    "454d4423643ce80e2a9ac94fa54ca49f",
    Algorithm.SHA_1: "a9993e364706816aba3e25717850c26c9cd0d89d",
    Algorithm.MD5: "900150983cd24fb0d6963f7d28e17f72",
    Algorithm.CRC32: "352441c2",
    Algorithm.BLAKE2B: "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc95"
    "18d38aa8dbf1925ab92386edd4009923",
    Algorithm.BLAKE2S: "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_digest_is_that_of_its_standard(algorithm):
    digest = algorithm.begin()
    digest.update(b"a")
    digest.update(memoryview(b"bc"))
    assert digest.hexdigest() == OF_ABC[algorithm]


def test_crc_has_eight_digits():
    assert Algorithm.CRC32.begin().hexdigest() == "00000000"


@pytest.mark.parametrize("name", ["SHA-1", "sha-1", "Sha-1"])
def test_name_may_be_in_any_case(name):
    assert Algorithm.named(name) is Algorithm.SHA_1


@pytest.mark.parametrize("name", ["", "SHA1", "CRC-37", "SHA-256*"])
def test_unknown_name_is_a_bad_argument(name):
    with pytest.raises(BadArgument):
        Algorithm.named(name)
