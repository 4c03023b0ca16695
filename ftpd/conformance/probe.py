"""Probe: a conversation with logins and data connections, the one client's end that checks are written for.

Apart from the conversation, which is lines and replies alone.  A probe connects to nobody but its server, and takes a bounded number of bytes.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import attrs

from ftpd.conformance.conversation import UNKNOWN, Conversation, Ledger, shown
from ftpd.conformance.finding import Lacking, Unclear, Violated
from ftpd.conformance.target import Target
from ftpd.dialogue import Broken, Control, Declined, Heard, accept, active, connect, secure

__all__ = ["Moved", "Probe", "passive_verb"]

_MOST_DATA_BYTES: Final = 64 * 1024 * 1024  # that a check takes from one data connection
_READ_BYTES: Final = 256 * 1024
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)


@attrs.frozen
class Moved:
    """One transfer: its first reply, what came over the data connection, and its last reply, which may be the first."""

    begun: Heard
    content: bytes
    final: Heard

    @property
    def is_done(self) -> bool:
        return self.begun.is_preliminary and self.final.code in (226, 250)


class Probe(Conversation):
    """See `Conversation` and `log_in`."""

    def __init__(self, target: Target, control: Control, ledger: Ledger, ends_at: float) -> None:
        super().__init__(target, control, ledger, ends_at)
        self.scratch = ""  # the absolute path of the scratch directory, once it is made
        self.is_private = False  # PROT P stands

    def log_in(self) -> None:
        """Log in, with TLS if the target wants it, and choose TYPE I; raises :class:`Unclear` where that does not succeed."""
        self.expect_greeting()
        if self.target.tls == "explicit":
            self.protect(self.target.context)
        heard = self.authenticate()
        if heard.code not in (202, 230, 232):
            raise Unclear(f"the login was refused with {shown(heard.lines[-1])}")
        if self.target.tls != "none":
            self.protect_data()
        self.say("TYPE I")

    def protect_data(self) -> None:
        """Send PBSZ 0 and PROT P."""
        self.say("PBSZ 0")
        self.is_private = self.say("PROT P").code == 200

    def another(self, *, logged_in: bool = True) -> Probe:
        """Return a second connection to the target, within the time of this one; the caller closes it."""
        other = Probe.connect(self.target, self.ledger, self.ends_at)
        other.lines = self.lines
        other.scratch = self.scratch
        if logged_in:
            try:
                other.log_in()
                if self.scratch:
                    other.say(f"CWD {self.scratch}")
            except BaseException:
                other.close()
                raise
        return other

    # Data connections.

    def data(self, *, extended: bool | None = None) -> socket.socket:
        """Announce a passive data connection and connect to it, PASV or EPSV as it is served; the caller closes it."""
        if extended is None:
            extended = ":" in self.control.peer[0]
        try:
            return self._timed(connect(self.control, self._passive(extended)))
        except Declined as error:
            raise Unclear(str(error)) from error
        except Broken as error:
            raise Unclear(f"no data connection: {error}") from error

    def listener(self, *, extended: bool = False) -> socket.socket:
        """Name a listener of ours by PORT or EPRT; :class:`Lacking` where the server does not take it."""
        self.note(f"> {'EPRT' if extended else 'PORT'} ...")
        try:
            listener = active(self.control, extended or ":" in self.control.peer[0])
        except Declined as error:
            self.note(f"< {shown(error.heard.raw)}")
            raise Lacking(str(error)) from error
        except Broken as error:
            raise Violated(str(error)) from error
        self.note("< 200")
        return listener

    def accepted(self, listener: socket.socket) -> socket.socket:
        """Return the server's connection to *listener*; :class:`Violated` where it does not come."""
        try:
            return self._timed(accept(self.control, listener))
        except Broken as error:
            raise Violated(str(error)) from error

    def covered(self, data: socket.socket) -> socket.socket:
        """Put TLS on a data connection where PROT P stands."""
        if not self.is_private:
            return data
        try:
            return secure(self.control, data)
        except Broken as error:
            raise Violated(str(error)) from error

    def fetch(self, line: str) -> bytes:
        """Do a whole download and return its bytes; anything but 1yz and 226 or 250 is a violation."""
        moved = self.download(line)
        self._demand_done(line, moved)
        return moved.content

    def store(self, line: str, content: bytes) -> Heard:
        """Do a whole upload and return its last reply; anything but 1yz and 226 or 250 is a violation."""
        moved = self.upload(line, content)
        self._demand_done(line, moved)
        return moved.final

    def download(self, line: str, *, read: Callable[[Probe, socket.socket], bytes] | None = None) -> Moved:
        """Ask for data, and take them to the end of the data connection, or as *read* does."""
        return self._move(line, self.read if read is None else partial(read, self))

    def upload(self, line: str, content: bytes) -> Moved:
        def send(data: socket.socket) -> bytes:
            with suppress(OSError):  # the final reply tells
                data.sendall(content)
                self.finish(data)
            return b""

        return self._move(line, send)

    def read(self, data: socket.socket) -> bytes:
        """Read to the end; raises :class:`Violated` where it does not come in time, or far too much does."""
        pieces, size = [], 0
        try:
            while piece := data.recv(_READ_BYTES):
                pieces.append(piece)
                size += len(piece)
                if size > _MOST_DATA_BYTES or time.monotonic() > self.ends_at:
                    raise Violated("the data connection goes on and on")
        except TimeoutError as error:
            raise Violated("the data connection neither ends nor brings anything") from error
        except OSError as error:
            self.note(f"= data connection: {error.strerror or error}")
        self.note(f"= {size} bytes of data")
        return b"".join(pieces)

    def exactly(self, data: socket.socket, size: int) -> bytes:
        """Read *size* bytes, or as many as come; raises :class:`Violated` where they do not come in time."""
        found = b""
        try:
            while len(found) < size and (piece := data.recv(size - len(found))):
                found += piece
                if time.monotonic() > self.ends_at:
                    raise Violated("the data connection goes on and on")
        except TimeoutError as error:
            raise Violated("the data connection neither ends nor brings anything") from error
        except OSError as error:
            self.note(f"= data connection: {error.strerror or error}")
        return found

    def reset(self, data: socket.socket) -> None:
        """Break off with a reset, as a client that crashes does."""
        self.note("= reset of the data connection")
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        data.close()

    def finish(self, data: socket.socket) -> None:
        """End our direction: close_notify under TLS, and the end of the stream."""
        if isinstance(data, ssl.SSLSocket):
            with suppress(OSError):
                data.unwrap()
            return
        data.shutdown(socket.SHUT_WR)

    def take(self, plain: socket.socket) -> bytes:
        """Read all that comes over a data connection, under TLS where PROT P stands, and close it."""
        with self.covered(plain) as data:
            return self.read(data)

    def give(self, plain: socket.socket, content: bytes) -> None:
        """Send *content* and the end over a data connection, under TLS where PROT P stands, and close it."""
        with self.covered(plain) as data:
            data.sendall(content)
            self.finish(data)

    def _passive(self, extended: bool) -> Heard:
        verb = "EPSV" if extended else "PASV"
        heard = self.say(verb)
        if heard.code in (227, 229):
            return heard
        if not extended:
            heard = self.say("EPSV")
            if heard.code == 229:
                return heard
        raise Declined(verb, heard)

    def _move(self, line: str, work: Callable[[socket.socket], bytes]) -> Moved:
        data = self.data()
        try:
            begun = self.say(line)
            if not begun.is_preliminary:
                return Moved(begun, b"", begun)
            data = self.covered(data)
            content = work(data)
        finally:
            data.close()
        return Moved(begun, content, self.past_preliminary(self.hear()))

    def _demand_done(self, line: str, moved: Moved) -> None:
        verb = line.partition(" ")[0]
        if not moved.begun.is_preliminary:
            if moved.final.code in UNKNOWN:
                raise Lacking(f"{verb} is answered by {moved.final.code}")
            raise Violated(f"{verb} is answered by {moved.final.code}, not by 125 or 150")
        if not moved.is_done:
            raise Violated(f"{verb} ends with {moved.final.code}, not with 226 or 250")

    def _timed(self, data: socket.socket) -> socket.socket:
        data.settimeout(self.left())
        return data


def passive_verb(probe: Probe) -> str:
    """Return the verb that announces a passive data connection in the family of the control connection."""
    return "EPSV" if ":" in probe.control.peer[0] else "PASV"
