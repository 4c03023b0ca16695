"""A verb: `SITE COUNT [directory]` tells how many files and bytes a directory holds, so that a mirror can check itself without a listing.

An extension as small as one gets: one function, one row.  The guard has its say, as everywhere: `session.files` is already guarded.
"""

from __future__ import annotations

from ftpd.ftp.command import Needs, command, optional_path
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.values import FileKind


@command("SITE COUNT", takes=optional_path, needs=Needs.LOGIN, rfc="extension", syntax="SITE COUNT [directory]")
async def site_count(session: Session, path: VirtualPath) -> Reply:
    """Tell how many files, bytes and directories a directory holds, not counting what is further below."""
    files = size = directories = 0
    async with await session.files.open_directory(path) as directory:
        while batch := await directory.next_batch():
            for info in batch:
                if info.kind is FileKind.FILE:
                    files += 1
                    size += info.size
                elif info.kind is FileKind.DIRECTORY:
                    directories += 1
    return Reply(213, f"Files: {files}; bytes: {size}; directories: {directories}.")
