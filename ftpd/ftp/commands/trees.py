"""RMDA, DSIZ, AVBL: whole trees, and the room for them (draft-peterson-streamlined-ftp-command-extensions).

Apart from `directories`, whose commands are about one name each and done at once: these take as long as a tree is large.
"""

from __future__ import annotations

from typing import Final

from ftpd.errors import FileTransferError, NotADirectory, NotFound, NotOffered, NotPermitted, OverLimit
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, optional_path, path
from ftpd.ftp.session import Session
from ftpd.ftp.undertaking import Undertaking
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.spi import TreeRemoval
from ftpd.values import FileKind, Permission

_RFC: Final = "draft-peterson-streamlined-ftp-command-extensions"
_MOST_TOLD: Final = 10  # entries that stay, in the reply of RMDA


# RMDA.


def _removal_feature(session: Session) -> str:
    if not session.factory.settings.files.remove_trees:
        return ""
    may = not session.is_logged_in or session.files.permits_anywhere(Permission.DIRECTORIES)
    return "RMDA directoryname" if may else ""


@command("RMDA", takes=path, needs=Needs.LOGIN, rfc=_RFC, syntax="RMDA path", features=(_removal_feature,), is_abortable=True)
async def rmda(session: Session, path: VirtualPath) -> Reply:
    """Remove a directory with all that is in it; links are removed, and not followed.

    What may not, or cannot be removed stays, with the directories that hold it, and the reply is 550 and names it.  Once the reply is out nothing more
    is removed, whatever it says.
    """
    if not session.factory.settings.files.remove_trees:
        raise NotOffered("Trees are not removed at once here; use DELE and RMD")
    if path.is_root:
        raise NotPermitted(path)
    if session.cwd.is_within(path):
        raise NotPermitted(path, "It is the working directory, or holds it")
    gone = _Gone(path)
    removal = await session.files.remove_tree(path)
    try:
        with Undertaking(session, "RMDA", "removal", path) as work:
            await _remove(removal, gone, work)
    finally:
        await removal.close()
        gone.publish(session)
    return gone.reply()


async def _remove(removal: TreeRemoval, gone: _Gone, work: Undertaking) -> None:
    while True:
        removed = await removal.next_batch()
        gone.files += removed.files
        gone.directories += removed.directories
        gone.count_kept += len(removed.kept)
        gone.kept += removed.kept[: _MOST_TOLD - len(gone.kept)]
        if removed.is_over:
            gone.is_whole = not gone.count_kept
            return
        await work.turn()


class _Gone:
    """What a removal has done so far."""

    def __init__(self, path: VirtualPath) -> None:
        self.files = self.directories = self.count_kept = 0
        self.kept: list[FileTransferError] = []
        self.is_whole = False
        self._path = path

    def publish(self, session: Session) -> None:
        """Tell the observers, once: an event for each of 100,000 files would be worth less than it costs."""
        if self.files or self.directories:
            change = "tree-removed" if self.is_whole else "tree-removed-in-part"
            session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change=change, path=str(self._path)))

    def reply(self) -> Reply:
        words = f"{self._path}: {self.files} files and {self.directories} directories are gone"
        if not self.count_kept:
            return Reply(250, f"{words}.")
        told = tuple(f"{error.path}: {error}" for error in self.kept)
        return Reply(550, f"{words}, {self.count_kept} entries stay:", told, last="End of what stays")


# DSIZ.


@command("DSIZ", takes=optional_path, needs=Needs.LOGIN, rfc=_RFC, syntax="DSIZ [path]", features=("DSIZ",), is_abortable=True)
async def dsiz(session: Session, path: VirtualPath) -> Reply:
    """Tell how many bytes the files in a tree have together, as far as this login may list it; links count nothing."""
    if (await session.files.stat(path)).kind is not FileKind.DIRECTORY:
        raise NotADirectory(path)
    with Undertaking(session, "DSIZ", "count", path) as work:
        count = _Count(session, work)
        below = [path]
        while below:
            below += await count.add(below.pop())
    return Reply(213, str(work.moved))


class _Count:
    """A tree being counted, within what the settings allow."""

    def __init__(self, session: Session, work: Undertaking) -> None:
        self._files = session.files
        self._settings = session.factory.settings.files
        self._work = work
        self._entries = 0

    async def add(self, path: VirtualPath) -> list[VirtualPath]:
        """Add the files in the directory *path*, and return the directories that this login may see; one that is gone by now counts nothing."""
        below: list[VirtualPath] = []
        await self._check(path, 0)
        try:
            async with await self._files.open_directory(path) as directory:
                while batch := await directory.next_batch():
                    self._work.advance(sum(info.size for info in batch if info.kind is FileKind.FILE))
                    children = (path.child(info.name) for info in batch if info.kind is FileKind.DIRECTORY)
                    below += filter(self._files.may_enter, children)
                    await self._check(path, len(batch))
        except NotFound:
            if not self._entries:  # the top itself
                raise
        return below

    async def _check(self, path: VirtualPath, entries: int) -> None:
        self._entries += entries
        if self._entries > self._settings.max_entries:
            raise OverLimit(path, f"More than the {self._settings.max_entries} entries that are counted here")
        if self._work.seconds > self._settings.max_seconds:
            raise OverLimit(path, f"Not counted within the {self._settings.max_seconds:g} seconds that there are for it")
        await self._work.turn()


# AVBL.


def _room_feature(session: Session) -> str:
    return "AVBL" if not session.is_logged_in or session.files.can_measure else ""


@command("AVBL", takes=optional_path, needs=Needs.LOGIN, rfc=_RFC, syntax="AVBL [path]", features=(_room_feature,), keeps_restart=True, beside=True)  # fmt: skip
async def avbl(session: Session, path: VirtualPath) -> Reply:
    """Tell how many bytes one file could have that this login stores in a directory now: its largest file, or what the disk has left."""
    return Reply(213, str(await session.files.available_bytes(path)))
