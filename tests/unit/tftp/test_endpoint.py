"""Endpoints: what the kernel says of the way from one of ours to a client."""

from __future__ import annotations

import errno
import os
import socket as sockets
from contextlib import closing

import pytest

from ftpd.tftp.endpoint import IS_LINUX, bound_endpoint, connected_endpoint, family_of, mtu_block

NEEDS_LINUX = pytest.mark.skipif(not IS_LINUX, reason="machine: only Linux tells the MTU of a path")


@NEEDS_LINUX
@pytest.mark.parametrize(
    ("local", "block"), [(("127.0.0.1", 0), 65535 - 28 - 4), (("::1", 0, 0, 0), 65536 - 48 - 4)], ids=["IPv4", "IPv6"]
)
def test_block_of_the_path_is_what_the_interface_takes(local, block):
    with closing(bound_endpoint(local, (0, 0))) as there, closing(connected_endpoint(local, there.getsockname())) as one:
        assert mtu_block(one, family_of(local)) == block


def test_socket_without_a_path_has_no_block():
    with closing(bound_endpoint(("127.0.0.1", 0), (0, 0))) as one:
        assert mtu_block(one, sockets.AF_INET) is None


def test_endpoint_is_bound_and_does_not_block():
    with closing(bound_endpoint(("127.0.0.1", 69), (30_215, 30_215))) as one:
        assert one.getsockname() == ("127.0.0.1", 30_215)
        with pytest.raises(BlockingIOError):
            one.recv(1)


def test_nothing_is_left_open_where_there_is_no_way():
    with pytest.raises(OSError, match=os.strerror(errno.EADDRNOTAVAIL)):
        connected_endpoint(("203.0.113.7", 69), ("127.0.0.1", 2070))  # an address that is not ours
