"""Which pump moves a file: an ordered table, first match wins, and the only place that decides."""

from __future__ import annotations

from ftpd.spi import DataConnection, Pump, Reactor, ReadableFile, StreamedFile, Wanted, WritableFile
from ftpd.transfer.copy import CopyIn, CopyOut, pieces_of
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.receive import Receive
from ftpd.transfer.sendfile import SendFile

__all__ = ["choose_download", "choose_upload"]


def choose_download(reactor: Reactor, connection: DataConnection, file: ReadableFile, wanted: Wanted) -> Pump:
    """Return the fastest pump that can send *file* as *wanted*."""
    descriptor = file.descriptor()
    if descriptor is not None and wanted.transform is None and isinstance(connection, SocketConnection):
        return SendFile(reactor, connection, descriptor, file.info.size, wanted)
    pieces = file.pieces(wanted.start) if isinstance(file, StreamedFile) else pieces_of(file, wanted.start)
    return CopyOut(reactor, connection, pieces, wanted)


def choose_upload(reactor: Reactor, connection: DataConnection, file: WritableFile, wanted: Wanted) -> Pump:
    """Return the fastest pump that can store into *file* as *wanted*."""
    descriptor = file.descriptor()
    if descriptor is not None and wanted.transform is None and isinstance(connection, SocketConnection):
        return Receive(reactor, connection, descriptor, wanted)
    return CopyIn(reactor, connection, file, wanted)
