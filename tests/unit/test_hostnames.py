"""Host names are compared in one form."""

from __future__ import annotations

import pytest

from ftpd.hostnames import canonical_name


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("A.b", "a.b"), ("a.b.", "a.b"), ("a.b..", "a.b."), ("", ""), ("[2001:DB8:0::1]", "2001:db8::1"), ("[a]", "[a]")],
)
def test_names_are_compared_in_one_form(name, canonical):
    assert canonical_name(name) == canonical
