"""Which pump moves a file: an ordered table, first match wins, and the only place that decides."""

from __future__ import annotations

from ftpd.disks import Disk
from ftpd.spi import DataConnection, Pump, ReadableFile, Wanted, WritableFile
from ftpd.transfer.copy import CopyIn, CopyOut
from ftpd.transfer.crew import Crews
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.protected import ReceiveProtected, SendProtected
from ftpd.transfer.receive import Receive
from ftpd.transfer.sendfile import SendFile
from ftpd.transfer.source import converted, pieces_of
from ftpd.transfer.tls import TLSConnection

__all__ = ["choose_download", "choose_upload"]


def choose_download(crews: Crews, connection: DataConnection, file: ReadableFile, wanted: Wanted) -> Pump:
    """Return the fastest pump that can send *file* as *wanted*."""
    descriptor = file.descriptor()
    if descriptor is not None and wanted.conversion is None:
        end = file.info.size if wanted.end is None else min(wanted.end, file.info.size)
        if isinstance(connection, SocketConnection):
            return SendFile(crews, connection, descriptor, end, wanted, _disk(file))
        if isinstance(connection, TLSConnection):
            return SendProtected(crews, connection, descriptor, end, wanted)
    source = pieces_of(file, wanted.start, wanted.end)
    if wanted.conversion is not None:
        source = converted(source, wanted.conversion, crews.compute)
    return CopyOut(crews.reactor, connection, source, wanted)


def choose_upload(crews: Crews, connection: DataConnection, file: WritableFile, wanted: Wanted) -> Pump:
    """Return the fastest pump that can store into *file* as *wanted*."""
    descriptor = file.descriptor()
    if descriptor is not None and wanted.conversion is None:
        if isinstance(connection, SocketConnection):
            return Receive(crews, connection, descriptor, wanted, _disk(file))
        if isinstance(connection, TLSConnection):
            return ReceiveProtected(crews, connection, descriptor, wanted)
    return CopyIn(crews.reactor, connection, file, wanted, crews.compute)


def _disk(file: ReadableFile | WritableFile) -> Disk | None:
    """Return the disk of *file*, where its store tells that: to ask for it is a system call (tests/bench: retr, stor)."""
    disk: Disk | None = getattr(file, "disk", None)
    return disk
