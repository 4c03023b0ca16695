"""SITE CPFR and CPTO: copies made on the server (ProFTPD's mod_copy).

Apart from `rename`, whose two commands look the same: a rename is one step of the disk, and a copy as much work as a transfer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ftpd.errors import FileTransferError, NotFound, NotPermitted, OutOfOrder, OverLimit, Unsupported
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, path
from ftpd.ftp.session import Session
from ftpd.ftp.undertaking import Undertaking
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.transfer import pour
from ftpd.values import Ability, FileInfo, FileKind, Permission, WriteMode


def _feature(session: Session) -> str:
    if not session.is_logged_in:
        return "SITE COPY"
    may = session.files.permits_anywhere
    can_store = may(Permission.CREATE) or may(Permission.OVERWRITE)
    return "SITE COPY" if may(Permission.READ) and can_store else ""


@command("SITE CPFR", takes=path, needs=Needs.LOGIN, rfc="ProFTPD mod_copy", syntax="SITE CPFR path", features=(_feature,))
async def cpfr(session: Session, path: VirtualPath) -> Reply:
    """Name the file or directory to copy."""
    await session.files.stat(path)
    session.copy_from = path
    return Reply(350, "Ready for SITE CPTO.")


@command(
    "SITE CPTO", takes=path, needs=Needs.LOGIN, rfc="ProFTPD mod_copy", syntax="SITE CPTO path", refusal=553, is_abortable=True
)
async def cpto(session: Session, path: VirtualPath) -> Reply:
    """Copy it, content and mode.  A file that is there is replaced once the copy is whole, and keeps its mode; a directory must be new.

    A copy of a directory that is cut short leaves the files that are whole.  What is neither file nor directory is left out, and the reply says
    so; links are copied where SITE SYMLINK makes some.
    """
    source, session.copy_from = session.copy_from, None
    if source is None:
        raise OutOfOrder("Send SITE CPFR first")
    if source == path:
        raise Unsupported(path, "It cannot be copied onto itself")
    info = await session.files.stat(source)
    size = info.size if info.kind is FileKind.FILE else None
    with Undertaking(session, "SITE CPTO", "copy", path, size) as work:
        if info.kind is not FileKind.DIRECTORY:
            await _Copy(session, work).file(source, path)
            _publish(session, "copied", source, path)
            return Reply(250, f"{source} copied to {path}, {work.moved} bytes.")
        return await _copy_tree(session, work, source, path, info)


async def _copy_tree(session: Session, work: Undertaking, source: VirtualPath, target: VirtualPath, info: FileInfo) -> Reply:
    if target.is_within(source):
        raise Unsupported(target, "A directory cannot be copied into itself")
    copy, change = _Copy(session, work), "copied-in-part"
    await copy.top(target, info)
    try:
        below = [(source, target)]
        while below:
            below += await copy.directory(*below.pop())
        change = "copied"
    finally:
        _publish(session, change, source, target)
    left_out = f", {copy.left_out} entries that are no files left out" if copy.left_out else ""
    return Reply(250, f"{source} copied to {target}: {copy.files} files of {work.moved} bytes in all{left_out}.")


def _publish(session: Session, change: str, source: VirtualPath, target: VirtualPath) -> None:
    session.publish(
        FileChanged(peer=session.peer, account=session.account_name or "", change=change, path=str(source), target=str(target))
    )


class _Copy:
    """One copy under way, within what the settings allow."""

    def __init__(self, session: Session, work: Undertaking) -> None:
        self.files = self.left_out = 0
        self._session = session
        self._stored = session.files
        self._work = work
        self._entries = 0
        self._own = ""  # the new directory, which may lie in the old one by way of a link

    async def top(self, target: VirtualPath, info: FileInfo) -> None:
        """Make the directory that the copy goes to."""
        await self._make_directory(target, info)
        with suppress(NotPermitted):  # a drop box, which nobody can list: a copy would not find itself in there either
            self._own = (await self._stored.stat(target)).unique

    async def file(self, source: VirtualPath, target: VirtualPath) -> None:
        async with await self._stored.open_read(source) as file:
            await self._refuse_itself(file.info, target)
            upload = await self._stored.open_write(
                target, mode=WriteMode.REPLACE, expected_size=file.info.size, permissions=self._permissions(file.info)
            )
            try:
                await pour(self._session.factory.crews, file, upload, 0, self._work.advance)
                await self._work.turn()
            except BaseException:
                await upload.abandon(keeps=False)
                raise
            await upload.commit()
        self.files += 1

    async def directory(self, source: VirtualPath, target: VirtualPath) -> list[tuple[VirtualPath, VirtualPath]]:
        """Copy the files of the directory *source* into *target*, which is there, make its directories, and return both names of each."""
        below: list[tuple[VirtualPath, VirtualPath]] = []
        async with await self._stored.open_directory(source) as directory:
            while batch := await directory.next_batch():
                self._count(source, batch)
                await self._work.turn()
                for info in batch:
                    if await self._entry(info, source.child(info.name), target.child(info.name)):
                        below.append((source.child(info.name), target.child(info.name)))
        return below

    async def _entry(self, info: FileInfo, source: VirtualPath, target: VirtualPath) -> bool:
        """Copy one entry; return whether it is a directory, whose entries are still to be copied."""
        if info.kind is FileKind.DIRECTORY:
            if info.unique and info.unique == self._own:
                return False
            await self._work.turn()
            await self._make_directory(target, info)
            return True
        if info.kind is FileKind.FILE:
            await self.file(source, target)
        elif info.target is None or not await self._link(target, info.target):
            self.left_out += 1
        return False

    async def _link(self, path: VirtualPath, text: str) -> bool:
        """Make a link that leads from its new place to where *text* leads from there; return whether that was possible."""
        if not (self._session.factory.settings.files.make_links and self._stored.can_link):
            return False
        try:
            await self._stored.make_link(path, path.parent.join(text))
        except FileTransferError:
            return False
        return True

    async def _refuse_itself(self, info: FileInfo, target: VirtualPath) -> None:
        """A store that writes in place would empty the file before it is read."""
        try:
            there = await self._stored.stat(target)
        except (NotFound, NotPermitted):
            return
        if info.unique and info.unique == there.unique:
            raise Unsupported(target, "It is the same file, under another name")

    async def _make_directory(self, path: VirtualPath, info: FileInfo) -> None:
        permissions = self._permissions(info)
        await self._stored.make_directory(path, permissions=None if permissions is None else permissions | 0o700)

    def _permissions(self, info: FileInfo) -> int | None:
        """The mode of a copy: what was private stays so."""
        if Ability.MODES not in self._stored.abilities:
            return None
        return info.mode & 0o777 & ~(self._session.umask or 0)

    def _count(self, path: VirtualPath, batch: Sequence[FileInfo]) -> None:
        self._entries += len(batch)
        most = self._session.factory.settings.files.max_entries
        if self._entries > most:
            raise OverLimit(path, f"More than the {most} entries that are copied here at once")
