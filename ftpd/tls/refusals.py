"""Why a client's certificate is refused, in a sentence for the log and for the client.

Apart from the verification itself, because it is a table of words: OpenSSL names an error by a number and by a phrase that is about its own work, while
whoever has to renew a certificate needs to know which one, and since when.
"""

from __future__ import annotations

from typing import Final

from cryptography import x509
from OpenSSL import SSL

__all__ = ["OF_LISTS_ABOVE", "OF_UNKNOWN_ISSUER", "refusal", "shown"]

_Codes = SSL.X509VerificationCodes

# What OpenSSL finds where it looks for the revocation of the last certificate of a chain and that one is no root: it takes its own key
# for its issuer's.  A certificate in the operator's file needs no list of its issuer; if there is one, its signature was tried when it was
# read, and an entry in it is still found (ERR_CERT_REVOKED).
OF_LISTS_ABOVE: Final = frozenset(
    {_Codes.ERR_UNABLE_TO_GET_CRL, _Codes.ERR_UNABLE_TO_GET_CRL_ISSUER, _Codes.ERR_CRL_SIGNATURE_FAILURE}
)

# What OpenSSL finds where nobody whom it was told to trust has signed.
OF_UNKNOWN_ISSUER: Final = frozenset(
    {
        _Codes.ERR_UNABLE_TO_GET_ISSUER_CERT,
        _Codes.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        _Codes.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
        _Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
        _Codes.ERR_SELF_SIGNED_CERT_IN_CHAIN,
        _Codes.ERR_CERT_UNTRUSTED,
    }
)

# pyOpenSSL has no names for these (x509_vfy.h; the numbers are part of OpenSSL's interface).
_KEY_TOO_SMALL, _AUTHORITY_KEY_TOO_SMALL, _DIGEST_TOO_WEAK = 66, 67, 68

_REASONS: Final = {
    **dict.fromkeys(OF_UNKNOWN_ISSUER, "is signed by an unknown authority"),
    _Codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "is self-signed",
    _Codes.ERR_CERT_REVOKED: "is revoked",
    _Codes.ERR_UNABLE_TO_GET_CRL: "is of an authority without a revocation list here",
    _Codes.ERR_CRL_HAS_EXPIRED: "cannot be judged: the revocation list of its authority is out of date",
    _Codes.ERR_CRL_NOT_YET_VALID: "cannot be judged: the revocation list of its authority is not valid yet",
    _Codes.ERR_CRL_SIGNATURE_FAILURE: "cannot be judged: the revocation list of its authority has a wrong signature",
    _Codes.ERR_CERT_SIGNATURE_FAILURE: "has a wrong signature",
    _Codes.ERR_INVALID_PURPOSE: "is not for client authentication",
    _Codes.ERR_INVALID_CA: "is of a holder who may not sign certificates",
    _Codes.ERR_PATH_LENGTH_EXCEEDED: "is further from its root than that allows",
    _Codes.ERR_CERT_CHAIN_TOO_LONG: "is too far from its root",
    _Codes.ERR_PERMITTED_VIOLATION: "has a name that its authority may not give",
    _Codes.ERR_EXCLUDED_VIOLATION: "has a name that its authority may not give",
    _KEY_TOO_SMALL: "has too small a key",
    _AUTHORITY_KEY_TOO_SMALL: "has too small a key",
    _DIGEST_TOO_WEAK: "is signed with too weak a digest",
}
_LONGEST_SUBJECT: Final = 100  # letters; a reply is one line that people read


def refusal(code: int, depth: int, certificate: x509.Certificate | None) -> str:
    """Return why *certificate* is refused, for an error *code* of OpenSSL (`SSL.X509VerificationCodes`).

    *depth* 0 is the client's own, others are authorities of its chain.  None stands for a certificate that cannot be read.
    """
    whose = "an authority's certificate" if depth else "the client's certificate"
    return f"{whose} {_reason(code, certificate)}{'' if certificate is None else f' ({shown(certificate)})'}"


def shown(certificate: x509.Certificate) -> str:
    """Return the subject of *certificate*, made fit for one line: anybody may have written it."""
    subject = certificate.subject.rfc4514_string() or "no subject"
    printable = "".join(letter if letter.isprintable() else "?" for letter in subject)
    return printable if len(printable) <= _LONGEST_SUBJECT else f"{printable[:_LONGEST_SUBJECT]}…"


def _reason(code: int, certificate: x509.Certificate | None) -> str:
    if code == _Codes.ERR_CERT_HAS_EXPIRED:
        return "has expired" if certificate is None else f"has expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if code == _Codes.ERR_CERT_NOT_YET_VALID:
        return (
            "is not valid yet"
            if certificate is None
            else f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        )
    return _REASONS.get(code, f"fails verification (OpenSSL's error {code})")
