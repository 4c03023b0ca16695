"""What a fault that is let pass is taken for: arguments, and directories that are not there.

Apart from the commands, because what a device means by its argument is the same for all of them.
"""

from __future__ import annotations

import re
from typing import Final

from ftpd.errors import AlreadyExists, NotFound
from ftpd.events import FileChanged
from ftpd.ftp.session import Session
from ftpd.ftp.tolerance import Tolerance
from ftpd.paths import VirtualPath

__all__ = ["make_way", "meant"]

_PADDING: Final = " \0\t\r"
_MOST_LEVELS: Final = 64
_DRIVE: Final = re.compile(r"(?P<before>(?:-[A-Za-z]+ +)?)[A-Za-z]:")  # behind the flags of LIST


def meant(session: Session, argument: str) -> str:
    """Return what the device means by *argument*; where that is something else, the fault is counted."""
    bare = argument.strip(_PADDING)
    if bare != argument and session.tolerates(Tolerance.PADDED_ARGUMENT):
        argument = bare
    path = _DRIVE.sub(r"\g<before>", argument, count=1) if _DRIVE.match(argument) else argument
    path = path.replace("\\", "/")
    if path != argument and session.tolerates(Tolerance.WINDOWS_PATH):
        argument = path
    return argument


async def make_way(session: Session, directory: VirtualPath) -> None:
    """Make *directory*, and those above it that are missing; raises what the first one raises that cannot be made.

    `NotFound` where it lies deeper than any device's: a line has room for thousands, and each is looked for from the root.
    """
    if len(directory.parts) > _MOST_LEVELS:
        raise NotFound(directory)
    for length in range(1, len(directory.parts) + 1):
        step = VirtualPath(directory.parts[:length])
        if await _is_there(session, step):
            continue
        try:
            await session.files.make_directory(step, permissions=session.permissions(0o777))
        except AlreadyExists:  # another session of the device was quicker
            continue
        session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change="directory-made", path=str(step)))
    session.note_fault(Tolerance.MISSING_DIRECTORY)


async def _is_there(session: Session, path: VirtualPath) -> bool:
    try:
        await session.files.stat(path)
    except NotFound:
        return False
    return True
