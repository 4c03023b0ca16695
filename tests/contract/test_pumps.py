"""The pump contract, over every pump and every kind of reactor it can meet."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

from ftpd.spi import Pump, Wanted
from ftpd.testing.lines import DiskFile, Line, TLSLine, crews_of
from ftpd.testing.pump_contract import ReceiverContract, SenderContract, ThreadedReceiverContract, ThreadedSenderContract
from ftpd.transfer.choose import choose_download, choose_upload
from ftpd.transfer.copy import CopyIn, CopyOut
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.protected import ReceiveProtected, SendProtected
from ftpd.transfer.receive import Receive
from ftpd.transfer.sendfile import SendFile
from ftpd.transfer.source import pieces_of
from ftpd.transfer.tls import TLSConnection

PIECE = 256 * 1024  # of the copy pump, and of what is encrypted at a time


class _Variant:
    """A pump that is tried in another class already, on another reactor: the large numbers would only be repeated."""

    streams = 200  # select() ends at descriptor 1023
    transfers = 100
    large_bytes = 16 * 1024 * 1024


class _OverTLS:
    line_kind: ClassVar[type[Line]] = TLSLine
    transfers = 1000  # each with a handshake


class TestSendFile(ThreadedSenderContract):
    held_calls = (("sendfile", 0), ("sendfile", 1))

    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_download(crews_of(reactor), connection, file, wanted)
        assert isinstance(pump, SendFile)
        return pump


class TestSendFileWithSelect(_Variant, TestSendFile):
    reactor_kind = SelectReactor


class TestSendFileWithPoll(_Variant, TestSendFile):
    reactor_kind = PollReactor


class TestReceive(ThreadedReceiverContract):
    held_calls = (("splice", 0), ("splice", 1))  # from the socket into a pipe, and on into the file

    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_upload(crews_of(reactor), connection, file, wanted)
        assert isinstance(pump, Receive)
        return pump


class TestReceiveWithSelect(_Variant, TestReceive):
    reactor_kind = SelectReactor


class TestReceiveWithPoll(_Variant, TestReceive):
    reactor_kind = PollReactor


class TestSendProtected(_OverTLS, ThreadedSenderContract):
    held_calls = (("preadv", 0), ("preadv", 1))
    under_way_bytes = PIECE

    def make_pump(self, reactor: Any, connection: TLSConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_download(crews_of(reactor), connection, file, wanted)
        assert isinstance(pump, SendProtected)
        return pump


class TestSendProtectedWithSelect(_Variant, TestSendProtected):
    reactor_kind = SelectReactor


class TestReceiveProtected(_OverTLS, ThreadedReceiverContract):
    held_calls = (("pwrite", 0), ("pwrite", 1))

    def make_pump(self, reactor: Any, connection: TLSConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_upload(crews_of(reactor), connection, file, wanted)
        assert isinstance(pump, ReceiveProtected)
        return pump


class TestReceiveProtectedWithSelect(_Variant, TestReceiveProtected):
    reactor_kind = SelectReactor


class TestCopyOut(SenderContract):
    under_way_bytes = PIECE

    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        return CopyOut(reactor, connection, pieces_of(file, wanted.start), wanted)


class TestCopyIn(ReceiverContract):
    under_way_bytes = PIECE

    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        return CopyIn(reactor, connection, file, wanted, crews_of(reactor).compute)


class TestCopyOutOverTLS(_OverTLS, TestCopyOut):
    pass


class TestCopyInOverTLS(_OverTLS, TestCopyIn):
    pass
