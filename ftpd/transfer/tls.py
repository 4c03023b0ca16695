"""TLSConnection: a data connection with TLS on it, `spi.DataConnection` for the copy pumps.

Apart from the connection in clear below it, whose socket it reads and writes with one system call per wake-up, and from the tunnel, which
makes clear text of records and knows no socket.
"""

from __future__ import annotations

import errno
import socket as sockets
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred

from ftpd.spi import DelayedCall, Reactor
from ftpd.transfer.delivery import Delivery
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.scratch import scratch
from ftpd.transfer.tunnel import PIECE_BYTES, WIRE_BYTES, HandshakeFailed, Truncated, Tunnel, TunnelBroken

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["NotResumed", "TLSConnection"]

_FAREWELL_SECONDS: Final = (
    0.5  # for the peer's close_notify: more than a round trip around the earth; who waits for our 226 first loses no more
)
_MOST_DROPPED: Final = 1024 * 1024  # of what a downloading peer sends in its turn; the rest stays in the kernel, as in clear
_MOST_ANSWERS: Final = (
    64 * 1024
)  # bytes that TLS itself has to say to a peer that asks (KeyUpdate, renegotiation) and does not listen
_MOST_MARKS: Final = 64  # 16 MiB on the way
_QUICKACK: Final = getattr(sockets, "TCP_QUICKACK", None)  # Linux; it does not last, so that it is set for each wait
_MORE: Final = getattr(sockets, "MSG_MORE", 0)  # Linux
_HANDSHAKE_BYTES: Final = 32 * 1024  # at a time
_SMALL_PIECE: Final = 64 * 1024
_EMPTY: Final = memoryview(b"")
_LISTENING: Final = object()  # what a step returns that is to be called when the socket can be read or written,
_TALKING: Final = object()  # or only when it can be written


class NotResumed(HandshakeFailed):
    """The data connection did not resume the TLS session of its control connection."""

    def __init__(self) -> None:
        super().__init__("the TLS session of the control connection was not resumed")


class TLSConnection:
    """Carry bytes through *tunnel* over *below*, which it owns from now on; `shake_hands` comes first.

    An end without close_notify is `Truncated`; with *tolerates_eof* it is a good one, unless it cuts a record.
    *keeps_tickets_back* is asked when the handshake is done: whether tickets wait for what is said next.  A peer that receives gets them
    with the first piece, one that sends with our end.  It may never read them (rclone and whatever else is made with Go, lftp in active
    mode), and where a socket is closed with unread input, its kernel sends a reset and throws away the rest of the file.
    """

    __slots__ = (
        "_acknowledged",
        "_below",
        "_cut",
        "_done",
        "_dropped_bytes",
        "_is_at_end",
        "_is_shut",
        "_keeps_tickets_back",
        "_marks",
        "_plain_end",
        "_reactor",
        "_room",
        "_send_some",
        "_step",
        "_tickets",
        "_timer",
        "_tolerates_eof",
        "_tunnel",
        "_unencrypted",
        "_unsent",
        "_wire_end",
    )

    socket = None  # in clear there is none: pumps have to use `send` and `receive`

    def __init__(
        self,
        reactor: Reactor,
        below: SocketConnection,
        tunnel: Tunnel,
        *,
        tolerates_eof: bool = False,
        keeps_tickets_back: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reactor = reactor
        self._below = below
        self._tunnel = tunnel
        self._tolerates_eof = tolerates_eof
        self._keeps_tickets_back = keeps_tickets_back
        self._unencrypted = _EMPTY
        self._unsent = _EMPTY  # wire
        self._send_some: Callable[[memoryview], int] = below.send_some
        self._room: memoryview | None = None  # wire: what a large piece becomes
        self._tickets = b""  # wire that may wait for more
        self._is_at_end = False
        self._is_shut = False  # our sending side
        self._cut: OSError | None = None  # what sending met while receiving went on
        self._dropped_bytes = 0
        self._step: Callable[[], Any] | None = None
        self._done: Deferred[Any] | None = None
        self._timer: DelayedCall | None = None
        # How far the peer is, in clear text: pairs of (end on the wire, end in clear text) for each piece that was encrypted.
        self._marks: deque[tuple[int, int]] = deque([(0, 0)])
        self._wire_end = 0
        self._plain_end = 0
        self._acknowledged = 0

    def shake_hands(self, seconds: float | None, *, must_resume: bool = False) -> Deferred[None]:
        """Do the handshake, within *seconds* (None: the caller bounds it); `HandshakeFailed` says in words why it failed.

        With *must_resume* a peer that did not resume a session of the context gets nothing more from us, `NotResumed`: the last flight of
        the handshake, which has a ticket in it, is not sent, and its session is forgotten.  Otherwise a stranger who is refused
        today could resume tomorrow what he was refused with.
        """
        done: Deferred[None] = self._begin(lambda: self._shake_hands(must_resume))
        if seconds is not None and not done.called:
            self._timer = self._reactor.callLater(seconds, self._expire, seconds)
        return done

    @property
    def is_shaking_hands(self) -> bool:
        """Whether the peer has begun the handshake, and it is not over."""
        return self._tunnel.is_begun and not self._tunnel.is_established

    # spi.DataConnection.

    def send(self, data: ReadableBuffer) -> Deferred[None]:
        self._unencrypted = memoryview(data).cast("B")
        return self._begin(self._send)

    def receive(self, most: int = PIECE_BYTES) -> Deferred[bytes]:
        return self._begin(lambda: self._receive(most))

    def finish(self) -> Deferred[None]:
        """Say close_notify and end the sending side, then wait for the peer's end, half a second at most, and for its kernel to have everything.

        The peer's end is a courtesy (RFC 8446 6.1 demands none), and clients that want to hear 226 first send none; that its kernel
        has acknowledged every byte is what counts, as in clear, and takes as long as the caller allows.
        """
        done: Deferred[None] = self._begin(self._finish)
        return done.addCallback(self._deliver)

    def unacknowledged(self) -> int:
        """Bytes of clear text that the peer's kernel has not acknowledged; in a record under way in proportion."""
        on_wire = self._wire_end - len(self._unsent) - self._below.unacknowledged()
        marks = self._marks
        while len(marks) > 1 and marks[1][0] <= on_wire:
            marks.popleft()
        wire, plain = marks[0]
        if len(marks) > 1 and on_wire > wire:
            next_wire, next_plain = marks[1]
            plain += (on_wire - wire) * (next_plain - plain) // (next_wire - wire)
        self._acknowledged = max(self._acknowledged, plain)
        return self._plain_end + len(self._unencrypted) - self._acknowledged

    def close(self) -> None:
        self._below.close()  # first, so that whoever waits hears of it from the socket
        self._tunnel.discard()

    # For pumps that wait for the socket themselves.  Nothing here blocks, or calls the reactor: a thread may, as long as nobody else does.

    def push(self, data: memoryview, *, is_last: bool = False) -> None:
        """Encrypt *data*, 256 KiB at most, for `flush`, which has said True; with *is_last* close_notify too, and `finish` has to follow."""
        self._tunnel.encrypt(data)
        if is_last:
            self._end()
        self._plain_end += len(data)
        self._mark(self._plain_end)

    def flush(self) -> bool:
        """Send what the tunnel has for the network; return whether the kernel has taken everything."""
        while True:
            if not self._unsent:
                wire = self._tunnel.outgoing()
                if not wire:
                    return True
                self._put(wire)
            try:
                self._unsent = self._unsent[self._send_some(self._unsent) :]
            except BlockingIOError:
                return False

    def hear(self) -> None:
        """Hear what a peer says that downloads: TLS answers (KeyUpdate), and data are forgotten."""
        if self.is_listening and self._take():
            while data := self._tunnel.decrypt():
                self._dropped_bytes += len(data)

    def pull(self, buffer: memoryview) -> int | None:
        """Fill *buffer* with what the peer sent; return how many bytes, 0 at its truthful end, None where nothing is there yet."""
        tunnel = self._tunnel
        count = tunnel.decrypt_into(buffer)  # first what is here already: the socket does not signal for it
        if not count and not tunnel.is_ended_by_peer and self._take():
            count = tunnel.decrypt_into(buffer)
        if tunnel.is_ended_by_peer:
            tunnel.say_end()  # Python's ftplib waits for it
        self.flush_quietly()
        if len(self._unsent) > _MOST_ANSWERS:
            raise TunnelBroken("the peer asks without listening to the answers")
        if count or tunnel.is_ended_by_peer:
            return count
        if not self._is_at_end:
            self._acknowledge()
            return None
        if self._cut is not None:
            raise self._cut
        if self._tolerates_eof and not self._tunnel.is_within_record:
            return 0
        raise Truncated

    @property
    def is_listening(self) -> bool:
        """Whether a peer that downloads may still have something of use to say."""
        return not (self._is_at_end or self._tunnel.is_ended_by_peer or self._dropped_bytes > _MOST_DROPPED)

    def fileno(self) -> int:
        return self._below.fileno()

    def set_low_water(self, count: int) -> None:
        self._below.set_low_water(count)

    def watch_reading(self, callback: Callable[[], None]) -> None:
        self._below.watch_reading(callback)

    def ignore_reading(self) -> None:
        self._below.ignore_reading()

    def watch_writing(self, callback: Callable[[], None]) -> None:
        self._below.watch_writing(callback)

    def ignore_writing(self) -> None:
        self._below.ignore_writing()

    # Steps: each does what can be done at once, and returns its result or one of the two above.

    def _shake_hands(self, must_resume: bool) -> Any:
        tunnel = self._tunnel
        self._take()
        is_done = tunnel.shake_hands()
        if is_done and must_resume and not tunnel.is_resumed:
            tunnel.discard()
            raise NotResumed
        if self._is_at_end and not is_done:
            raise HandshakeFailed("the connection ended within the TLS handshake")
        if not is_done:
            self.flush()
            return _LISTENING
        if tunnel.has_only_tickets_left and self._keeps_tickets_back():
            self._tickets = tunnel.outgoing()
            return None
        self.flush_quietly()  # a client with a small upload may have said all, and gone
        return _TALKING if self._unsent else None

    def _send(self) -> Any:
        while self.flush():
            if not self._unencrypted:
                return None
            piece, self._unencrypted = self._unencrypted[:PIECE_BYTES], self._unencrypted[PIECE_BYTES:]
            self.push(piece)
        self.hear()
        return _LISTENING

    def _receive(self, most: int) -> Any:
        count = self.pull(scratch.plain[:most])
        return _LISTENING if count is None else bytes(scratch.plain[:count])

    def _acknowledge(self) -> None:
        """Let the kernel acknowledge at once: a client with Nagle's algorithm says close_notify only then, 40 ms later with each small file."""
        socket = self._below.socket
        if socket is not None and _QUICKACK is not None:
            with suppress(OSError):  # gone, or no TCP
                socket.setsockopt(sockets.IPPROTO_TCP, _QUICKACK, 1)

    def _end(self) -> None:
        """Put close_notify behind what was said.

        The kernel keeps it back until the end of the sending side goes along: a peer that closes in between, as it may when it has heard
        close_notify, can be gone when that end comes, and its kernel then answers with a reset.
        """
        self._tunnel.say_end()
        self._send_some = self._send_held

    def _finish(self) -> Any:
        if not self._is_shut:
            self._end()
            if not self.flush():
                self.hear()
                return _LISTENING
            self._socket().shutdown(sockets.SHUT_WR)
            self._is_shut = True
        self.hear()
        if not self.is_listening:
            return None
        if self._timer is None:
            self._timer = self._reactor.callLater(_FAREWELL_SECONDS, self._succeed, None)
        return _LISTENING

    def _send_held(self, data: memoryview) -> int:
        # Not `send_last`, which lets a small piece go by itself, to be acknowledged soon: here the peer's close_notify does that.
        return self._socket().send(data, _MORE)

    def _socket(self) -> sockets.socket:
        socket = self._below.socket
        if socket is None:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the data connection is closed")
        return socket

    def _deliver(self, _: None) -> Deferred[None] | None:
        if self._below.unacknowledged() == 0:
            return None
        return Delivery(self._reactor, self._below, may_say_more=not self._is_at_end).done

    # The socket.

    def _take(self) -> bool:
        """Give the tunnel what is there, one system call's worth; return whether there was something."""
        try:
            # OpenSSL's memory grows to what it is fed, and stays: a stranger shall not make it grow, nor a thousand uploads by a MiB each.
            count = self._below.receive_into(scratch.wire[: WIRE_BYTES if self._tunnel.is_established else _HANDSHAKE_BYTES])
        except BlockingIOError:
            return False
        self._is_at_end = not count
        self._tunnel.feed(scratch.wire[:count])
        return bool(count)

    def flush_quietly(self) -> None:
        """Send what TLS itself has to say; that this fails matters less than what the peer has sent before."""
        if self._cut is not None:
            return
        try:
            self.flush()
        except OSError as error:
            self._cut = error
            self._unsent = _EMPTY

    def _put(self, wire: bytes) -> None:
        """Have *wire* sent next, and the tickets before it."""
        wire, self._tickets = self._tickets + wire, b""
        self._wire_end += len(wire)
        self._unsent = memoryview(wire)

    def _put_large(self) -> None:
        """Have what the tunnel has sent next, by way of a buffer that this connection keeps: it is a large file, and more will come."""
        if self._room is None:
            self._room = memoryview(bytearray(WIRE_BYTES))
        count = self._tunnel.outgoing_into(self._room)
        self._wire_end += count
        self._unsent = self._room[:count]

    def _mark(self, plain_end: int) -> None:
        """Remember where on the wire a piece ends: `encrypt` was called with nothing else unsent."""
        last_wire, last_plain = self._marks[-1]
        if last_wire != self._wire_end:
            self._marks.append((self._wire_end, last_plain))  # TLS itself had something to say in between
        if plain_end - last_plain < _SMALL_PIECE or self._tickets:
            self._put(self._tunnel.outgoing())
        else:
            self._put_large()
        self._marks.append((self._wire_end, plain_end))
        if len(self._marks) > _MOST_MARKS:
            self.unacknowledged()  # forgets those that are behind

    # One thing at a time is under way, `_step`, and who began it waits for `_done`.

    def _begin(self, step: Callable[[], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred(self._cancelled)
        self._step, self._done = step, done
        self._go_on()
        return done

    def _go_on(self) -> None:
        if self._step is None:
            return
        try:
            result = self._step()
        except TunnelBroken as error:
            self.flush_quietly()  # the alert
            self._fail(error)
        except OSError as error:
            self._fail(error)
        else:
            if result is _LISTENING or result is _TALKING:
                self._watch(result is _LISTENING and self.is_listening)
            else:
                self._succeed(result)

    def _watch(self, is_reading: bool) -> None:
        if is_reading:
            self._below.watch_reading(self._go_on)
        else:
            self._below.ignore_reading()
        if self._unsent:
            self._below.watch_writing(self._go_on)
        else:
            self._below.ignore_writing()

    def _cancelled(self, done: Deferred[Any]) -> None:
        self._rest()

    def _rest(self) -> Deferred[Any] | None:
        """Leave the reactor; return who waits."""
        self._step = None
        done, self._done = self._done, None
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        self._below.ignore_reading()
        self._below.ignore_writing()
        return done

    def _succeed(self, result: Any) -> None:
        done = self._rest()
        if done is not None:
            done.callback(result)

    def _fail(self, error: OSError) -> None:
        done = self._rest()
        if done is not None:
            done.errback(error)

    def _expire(self, seconds: float) -> None:
        self._fail(HandshakeFailed(f"no TLS handshake within {seconds:g} seconds"))
