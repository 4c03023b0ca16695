"""The pump contract, over every pump and every kind of reactor it can meet."""

from __future__ import annotations

from typing import Any

from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

from ftpd.spi import Pump, Wanted
from ftpd.testing.pump_contract import DiskFile, ReceiverContract, SenderContract, TLSLine
from ftpd.transfer.choose import choose_download, choose_upload
from ftpd.transfer.copy import CopyIn, CopyOut, pieces_of
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.receive import Receive
from ftpd.transfer.sendfile import SendFile
from ftpd.transfer.tls import TLSConnection


class TestSendFile(SenderContract):
    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_download(reactor, connection, file, wanted)
        assert isinstance(pump, SendFile)
        return pump


class TestSendFileWithSelect(TestSendFile):
    reactor_kind = SelectReactor


class TestSendFileWithPoll(TestSendFile):
    reactor_kind = PollReactor


class TestReceive(ReceiverContract):
    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_upload(reactor, connection, file, wanted)
        assert isinstance(pump, Receive)
        return pump


class TestReceiveWithSelect(TestReceive):
    reactor_kind = SelectReactor


class TestReceiveWithPoll(TestReceive):
    reactor_kind = PollReactor


class TestCopyOut(SenderContract):
    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        return CopyOut(reactor, connection, pieces_of(file, wanted.start), wanted)


class TestCopyIn(ReceiverContract):
    def make_pump(self, reactor: Any, connection: SocketConnection, file: DiskFile, wanted: Wanted) -> Pump:
        return CopyIn(reactor, connection, file, wanted)


class TestCopyOutOverTLS(SenderContract):
    line_kind = TLSLine

    def make_pump(self, reactor: Any, connection: TLSConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_download(reactor, connection, file, wanted)
        assert isinstance(pump, CopyOut)
        return pump


class TestCopyOutOverTLSWithSelect(TestCopyOutOverTLS):
    reactor_kind = SelectReactor


class TestCopyInOverTLS(ReceiverContract):
    line_kind = TLSLine

    def make_pump(self, reactor: Any, connection: TLSConnection, file: DiskFile, wanted: Wanted) -> Pump:
        pump = choose_upload(reactor, connection, file, wanted)
        assert isinstance(pump, CopyIn)
        return pump


class TestCopyInOverTLSWithSelect(TestCopyInOverTLS):
    reactor_kind = SelectReactor
