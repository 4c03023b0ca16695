"""Another server, as the command line names it."""

from __future__ import annotations

import click
import pytest

from ftpd.cli.remote import client_context, place_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.org", ("example.org", 21)),
        ("example.org:2121", ("example.org", 2121)),
        ("[::1]:2121", ("::1", 2121)),
        ("[::1]", ("::1", 21)),
        ("::1", ("::1", 21)),
    ],
)
def test_a_server_is_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    assert place_of(text, is_implicit=False) == expected


def test_implicit_tls_has_a_port_of_its_own() -> None:
    assert place_of("example.org", is_implicit=True) == ("example.org", 990)


@pytest.mark.parametrize("text", ["", ":21", "[]:21", "a:b", "a:0", "a:70000", "a b:21"])
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(click.UsageError):
        place_of(text, is_implicit=False)


def test_a_file_without_certificates_is_refused_by_name() -> None:
    with pytest.raises(click.UsageError, match="test_remote"):
        client_context(False, __file__)
