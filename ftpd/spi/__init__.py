"""The contracts inside the house, as `typing.Protocol`s: whoever fulfils one can be plugged in, without inheriting.

* `stores`: a store opens a filesystem for each login; `files`: what that opens.
* `transfers`: ports, data connections and pumps, between which the bytes of a file move.
* `sessions`: accounts, the state that workers share, who serves sessions and who is told of them.
* `reactors`: what of Twisted all of them are handed.

Import them from here.  Stores, pumps and states have a public contract kit each, in `ftpd.testing`.  Every error of a store is a
:class:`~ftpd.errors.FileTransferError`.
"""

from __future__ import annotations

from ftpd.spi.files import Directory, ReadableFile, RowDirectory, RowFormat, StreamedFile, WritableFile
from ftpd.spi.reactors import Clock, DelayedCall, Reactor, StoreThreads, Threads
from ftpd.spi.sessions import Accounts, Observer, Served, State
from ftpd.spi.stores import (
    DatedFilesystem,
    EnteredFilesystem,
    Filesystem,
    LinkingFilesystem,
    MeasuredFilesystem,
    RemovalRules,
    Store,
    TreeFilesystem,
    TreeRemoval,
)
from ftpd.spi.transfers import Conversion, DataConnection, DataPort, DataPorts, Pace, PatientDataPorts, Pump, Wanted

__all__ = [
    "Accounts",
    "Clock",
    "Conversion",
    "DataConnection",
    "DataPort",
    "DataPorts",
    "DatedFilesystem",
    "DelayedCall",
    "Directory",
    "EnteredFilesystem",
    "Filesystem",
    "LinkingFilesystem",
    "MeasuredFilesystem",
    "Observer",
    "Pace",
    "PatientDataPorts",
    "Pump",
    "Reactor",
    "ReadableFile",
    "RemovalRules",
    "RowDirectory",
    "RowFormat",
    "Served",
    "State",
    "Store",
    "StoreThreads",
    "StreamedFile",
    "Threads",
    "TreeFilesystem",
    "TreeRemoval",
    "Wanted",
    "WritableFile",
]
