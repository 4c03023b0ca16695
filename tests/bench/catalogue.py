"""The catalogue: every measure by its name on the command line, in the order of the table."""

from __future__ import annotations

from typing import Final

import attrs

from tests.bench.measure import Measure
from tests.bench.measures import bulk, commands, fair, files, hashing, idle, listings, responsive, slow_disk, tftp
from tests.bench.servers import BARE
from tests.bench.stream import MIB

__all__ = ["DISK", "catalogue"]

DISK: Final = ("disk-upload", "disk-upload-durable")  # they need a directory on a real disk
_NO_TLS: Final = frozenset({"twisted"})
_NO_MLSD: Final = frozenset({"twisted", "vsftpd"})
_NO_THOUSANDS: Final = frozenset({"atftpd"})  # it is at its end with 500, and two thirds of the clients get nothing
_FTP_OF_BARE: Final = frozenset({"noop", "retr", "stor", "retr8", "stor8", "login"})
_BLOCKS: Final = (512, 1428, 8192, 65464)
_WINDOWS: Final = (1, 8, 16, 64)


def catalogue(entries: int) -> dict[str, Measure]:
    """Return the measures by name; listings are of a directory of *entries*."""
    measures = {
        "noop": commands.noop,
        "retr": files.retrieve,
        "stor": files.store,
        "retr8": files.retrieve_by_eight,
        "stor8": files.store_by_eight,
        "login": commands.login,
        "list": listings.listing("LIST", entries),
        "mlsd": listings.listing("MLSD", entries, _NO_MLSD),
        "download": bulk.downloads(1, 1024 * MIB, "download"),
        "upload": bulk.uploads(1, 1024 * MIB, "upload"),
        "download8": bulk.downloads(8, 256 * MIB, "8 downloads"),
        "upload8": bulk.uploads(8, 128 * MIB, "8 uploads"),
        "ascii": bulk.ascii_download,
        "ascii-upload": bulk.ascii_upload,
        "deflate": bulk.deflated_download,
        "deflate-upload": bulk.deflated_upload,
        "hash": hashing.hashing,
        "disk-upload": bulk.disk_upload(256 * MIB, "none"),
        "disk-upload-durable": bulk.disk_upload(256 * MIB, "file"),  # the default
        "idle": idle.idle(5000),
        "responsive": responsive.responsive(entries),
        "fair": fair.fair,
        "slow-disk": slow_disk.slow_disk("auto"),
        "slow-disk-local": slow_disk.slow_disk("no"),
        "tls-retr": _over_tls(files.retrieve),
        "tls-stor": _over_tls(files.store),
        "tls-login": _over_tls(commands.login),
        "tls-idle": _over_tls(idle.idle(1000)),
        "tls-download": _over_tls(bulk.downloads(1, 512 * MIB, "download")),
        "tls-upload": _over_tls(bulk.uploads(1, 512 * MIB, "upload")),
        "tls-download8": _over_tls(bulk.downloads(8, 128 * MIB, "8 downloads")),
        "tls-upload8": _over_tls(bulk.uploads(8, 128 * MIB, "8 uploads")),
        **{f"tftp-{block}-{window}": tftp.single(block, window) for window in _WINDOWS for block in _BLOCKS},
        "tftp-tiny": tftp.tiny(1),
        "tftp-tiny8": tftp.tiny(8),
        "tftp-storm": tftp.storm(200),
        "tftp-storm2000": tftp.storm(2000, _NO_THOUSANDS, most_rounds=1),
    }
    return {name: measure if _is_of_bare(name) else _without_bare(measure) for name, measure in measures.items()}


def _is_of_bare(name: str) -> bool:
    """Whether the bare loops do it; of thousands of clients some have to be told again, and these loops tell nobody twice."""
    return name in _FTP_OF_BARE or (name.startswith("tftp") and name != "tftp-storm2000")


def _without_bare(measure: Measure) -> Measure:
    return attrs.evolve(measure, leaves_out=measure.leaves_out | {BARE})


def _over_tls(measure: Measure) -> Measure:
    """Return *measure* with every connection over TLS; Twisted's FTP server has none."""
    return attrs.evolve(
        measure,
        rows={f"TLS {name}": is_better for name, is_better in measure.rows.items()},
        leaves_out=measure.leaves_out | _NO_TLS,
        shape=attrs.evolve(measure.shape, has_tls=True),
    )
