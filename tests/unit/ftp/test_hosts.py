from __future__ import annotations

import pytest

from ftpd.errors import BadArgument
from ftpd.ftp.hosts import parse_host

LONGEST = ".".join(["a" * 63] * 3 + ["a" * 61])


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("ftp.example.com", "ftp.example.com"),
        ("FTP.Example.COM.", "ftp.example.com"),
        ("localhost", "localhost"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("my_host", "my_host"),
        ("3com.example", "3com.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        (LONGEST, LONGEST),
    ],
)
def test_a_name_or_an_address_is_taken(argument, name):
    assert parse_host(argument) == name


@pytest.mark.parametrize(
    "argument",
    [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "-a",
        "a-",
        "a:21",
        "192.0.2.1:21",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.01",
        "1",
        "[192.0.2.1]",
        "[::1",
        "[]",
        "[::1]:21",
        "::1",
        "a/b",
        "a b",
        "a\nb",
        "b\u00fccher.example",
        "\u0661.\u0662.\u0663.\u0664",
        "a" * 64,
        f"{LONGEST}a",
    ],
)
def test_anything_else_is_a_bad_argument(argument):
    with pytest.raises(BadArgument):
        parse_host(argument)
