"""Binding: one family, one address, one port."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from ftpd.binding import bound_to


def test_ipv6_socket_takes_no_ipv4() -> None:
    with closing(bound_to("::1", 0, socket.SOCK_STREAM)) as one:
        assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_port_0_is_any_port() -> None:
    with closing(bound_to("127.0.0.1", 0, socket.SOCK_DGRAM)) as one:
        host, port = one.getsockname()
        assert (host, port > 0) == ("127.0.0.1", True)


def test_option_is_set() -> None:
    with closing(bound_to("127.0.0.1", 0, socket.SOCK_DGRAM, socket.SO_REUSEPORT)) as one:
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 1


@pytest.mark.parametrize("address", ["192.0.2.1", "localhost", "::1%none"])
def test_address_that_is_not_ours_is_an_os_error_and_leaves_no_socket(address: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011  # which one is the system's business
        bound_to(address, 0, socket.SOCK_STREAM)
