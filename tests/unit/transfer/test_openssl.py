"""What a tunnel asks of OpenSSL, by its own calls and by pyOpenSSL's: both ways are one contract."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from OpenSSL import SSL

from ftpd.testing.lines import tls_context
from ftpd.transfer import openssl

CALLS = ("shake_hands", "write", "read_into", "put_in", "take_out")
RECORD_BYTES = 16 * 1024


class Calls:
    """The functions of one way, by name."""

    def __init__(self, way: str) -> None:
        for name in CALLS:
            setattr(self, name, getattr(openssl, f"_{name}{way}"))

    shake_hands: Any
    write: Any
    read_into: Any
    put_in: Any
    take_out: Any


@pytest.fixture(params=["", "_publicly"], ids=["reached", "public"])
def calls(request: pytest.FixtureRequest) -> Calls:
    return Calls(request.param)


def connections() -> tuple[SSL.Connection, SSL.Connection]:
    server, client = SSL.Connection(tls_context(), None), SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    server.set_accept_state()
    client.set_connect_state()
    return server, client


def carried(calls: Calls, source: SSL.Connection, to: SSL.Connection) -> int:
    """Carry what *source* has for the network; return how much that was."""
    room = memoryview(bytearray(1024 * 1024))
    count: int = calls.take_out(source, room)
    if count:
        calls.put_in(to, room[:count])
    return count


def established(calls: Calls) -> tuple[SSL.Connection, SSL.Connection]:
    """A server and its client; every ticket has been read."""
    server, client = connections()
    are_done = [False, False]
    while not all(are_done):
        are_done = [calls.shake_hands(client), carried(calls, client, server) >= 0 and calls.shake_hands(server)]
        carried(calls, server, client)
    assert read(calls, client, 1, records=9) == b""
    return server, client


def read(calls: Calls, connection: SSL.Connection, size: int, records: int = 100) -> bytes:
    room = memoryview(bytearray(size))
    filled, _, _ = calls.read_into(connection, room, records)
    return bytes(room[:filled])


def test_this_library_can_be_reached() -> None:
    assert openssl._CAN_REACH
    assert openssl.read_into is openssl._read_into


def test_this_library_can_tell_resumption() -> None:
    assert openssl.can_tell_resumption()


def test_new_session_is_not_resumed(calls: Calls) -> None:
    server, _ = established(calls)
    assert not openssl.is_resumed(server)


def test_group_has_a_name(calls: Calls) -> None:
    server, _ = established(calls)
    assert openssl.group_name(server) != ""


def test_group_has_no_name_before_the_handshake() -> None:
    server, _ = connections()
    assert openssl.group_name(server) == ""


def test_handshake_waits_for_the_other_side(calls: Calls) -> None:
    server, client = connections()
    assert not calls.shake_hands(client)
    assert not calls.shake_hands(server)


def test_handshake_with_nonsense_is_an_error(calls: Calls) -> None:
    server, _ = connections()
    calls.put_in(server, memoryview(b"content in clear"))
    with pytest.raises(SSL.Error):
        calls.shake_hands(server)


@pytest.mark.parametrize("size", [1, RECORD_BYTES, RECORD_BYTES + 1, 300_000])
def test_what_is_written_is_read(calls: Calls, size: int) -> None:
    server, client = established(calls)
    data = bytes(range(256)) * (size // 256 + 1)
    calls.write(server, memoryview(data)[:size])
    carried(calls, server, client)
    assert read(calls, client, size) == data[:size]


def test_writing_nothing_says_nothing(calls: Calls) -> None:
    server, client = established(calls)
    calls.write(server, memoryview(b""))
    assert carried(calls, server, client) == 0


def test_writing_after_the_end_is_an_error(calls: Calls) -> None:
    server, _ = established(calls)
    server.shutdown()
    with pytest.raises(SSL.Error):
        calls.write(server, memoryview(b"more"))


def test_partial_writes_lose_nothing(calls: Calls) -> None:
    server, client = established(calls)
    calls.write(client, memoryview(bytes(100_000)))  # its context has SSL_MODE_ENABLE_PARTIAL_WRITE, as pyOpenSSL makes it
    carried(calls, client, server)
    assert read(calls, server, 100_000) == bytes(100_000)


def test_no_more_records_are_asked_for_than_may_be_there(calls: Calls) -> None:
    server, client = established(calls)
    for word in (b"one ", b"two"):
        calls.write(client, memoryview(word))
    carried(calls, client, server)
    room = memoryview(bytearray(100))
    assert calls.read_into(server, room, 1) == (4, 0, None)
    assert calls.read_into(server, room, 1) == (3, 0, None)


def test_record_that_the_room_cuts_is_left(calls: Calls) -> None:
    server, client = established(calls)
    calls.write(client, memoryview(b"four"))
    carried(calls, client, server)
    room = memoryview(bytearray(3))
    assert calls.read_into(server, room, 1) == (3, 1, None)
    assert calls.read_into(server, room, 1) == (1, 0, None)
    assert room[:1] == b"r"


def test_nothing_there_is_told_without_an_exception(calls: Calls) -> None:
    server, client = established(calls)
    calls.write(client, memoryview(b"four"))
    carried(calls, client, server)
    filled, records, error = calls.read_into(server, memoryview(bytearray(100)), 2)
    assert (filled, records, type(error)) == (4, 1, SSL.WantReadError)


def test_end_is_told_behind_what_came_before(calls: Calls) -> None:
    server, client = established(calls)
    calls.write(client, memoryview(b"four"))
    client.shutdown()
    carried(calls, client, server)
    filled, _, error = calls.read_into(server, memoryview(bytearray(100)), 2)
    assert (filled, type(error)) == (4, SSL.ZeroReturnError)


def test_damaged_record_is_told_behind_what_came_before(calls: Calls) -> None:
    server, client = established(calls)
    calls.write(client, memoryview(b"four"))
    carried(calls, client, server)
    calls.write(client, memoryview(b"more"))
    wire = bytearray(client.bio_read(1000))
    wire[-1] ^= 1
    calls.put_in(server, memoryview(wire))
    filled, _, error = calls.read_into(server, memoryview(bytearray(100)), 2)
    assert filled == 4
    assert isinstance(error, SSL.Error)
    assert "decryption failed" in str(error)


def test_error_that_is_garbage_with_its_frames_is_collected(calls: Calls) -> None:
    """A frame in a cycle that lends a memoryview to cffi crashes CPython 3.11."""
    server, client = established(calls)
    client.shutdown()
    carried(calls, client, server)

    def meet_the_end() -> None:
        room = memoryview(bytearray(100))[1:]
        _, _, error = calls.read_into(server, room, 1)
        assert isinstance(error, SSL.ZeroReturnError)
        kept = [error]
        kept.append(kept)  # type: ignore[arg-type]

    gc.collect()
    meet_the_end()
    assert gc.collect() > 0


def test_no_more_is_taken_out_than_there_is_room(calls: Calls) -> None:
    server, client = established(calls)
    calls.write(server, memoryview(bytes(1000)))
    room = memoryview(bytearray(100))
    assert calls.take_out(server, room) == 100
    calls.put_in(client, room)
    assert read(calls, client, 1000) == b""
    carried(calls, server, client)
    assert read(calls, client, 1000) == bytes(1000)


def test_nothing_to_take_out_is_no_error(calls: Calls) -> None:
    server, _ = established(calls)
    assert calls.take_out(server, memoryview(bytearray(100))) == 0
