"""CWD, CDUP, PWD, MKD, RMD: directories (RFC 959 4.1.1, 4.1.3)."""

from __future__ import annotations

from ftpd.errors import AlreadyExists, NotADirectory, NotFound
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, nothing, optional_path, path
from ftpd.ftp.session import Session
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.tolerated import make_way
from ftpd.ftp.wire.replies import Reply, quote
from ftpd.paths import VirtualPath
from ftpd.values import FileKind


@command("CWD", "XCWD", takes=optional_path, needs=Needs.LOGIN, rfc="RFC 959 4.1.1", syntax="CWD path")
async def cwd(session: Session, path: VirtualPath) -> Reply:
    """Change the working directory; without a path it stays (cameras send an empty one)."""
    try:
        await _demand_directory(session, path)
    except NotFound:
        if session.device.tolerates(Tolerance.MISSING_DIRECTORY):
            await make_way(session, path)
        elif session.tolerates(Tolerance.IGNORED_CWD):
            path = session.cwd
        else:
            raise
    await session.files.enter(path)
    session.cwd = path
    return Reply(250, f"Working directory is {path}")


async def _demand_directory(session: Session, path: VirtualPath) -> None:
    if not path.is_root and (await session.files.stat(path)).kind is not FileKind.DIRECTORY:
        raise NotADirectory(path)


@command("CDUP", "XCUP", takes=nothing, needs=Needs.LOGIN, rfc="RFC 959 4.1.1")
async def cdup(session: Session, _: None) -> Reply:
    """Change to the directory above; the root stays.  250 as every server of the field answers, where RFC 959's table has 200."""
    session.cwd = session.cwd.parent
    return Reply(250, f"Working directory is {session.cwd}")


@command("PWD", "XPWD", takes=nothing, needs=Needs.LOGIN, rfc="RFC 959 4.1.3", beside=True, keeps_restart=True)
async def pwd(session: Session, _: None) -> Reply:
    """Tell the working directory."""
    return Reply(257, f"{quote(str(session.cwd))} is the working directory.")


@command("MKD", "XMKD", takes=path, needs=Needs.LOGIN, rfc="RFC 959 4.1.3", syntax="MKD path")
async def mkd(session: Session, path: VirtualPath) -> Reply:
    """Make a directory."""
    try:
        await session.files.make_directory(path, permissions=session.permissions(0o777))
    except AlreadyExists:
        if not session.device.tolerates(Tolerance.EXISTING_DIRECTORY):
            raise
        await _demand_directory(session, path)
        session.note_fault(Tolerance.EXISTING_DIRECTORY)
        return Reply(257, f"{quote(str(path))} is there already.")
    session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change="directory-made", path=str(path)))
    return Reply(257, f"{quote(str(path))} created.")


@command("RMD", "XRMD", takes=path, needs=Needs.LOGIN, rfc="RFC 959 4.1.3", syntax="RMD path")
async def rmd(session: Session, path: VirtualPath) -> Reply:
    """Remove an empty directory."""
    await session.files.remove_directory(path)
    session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change="directory-removed", path=str(path)))
    return Reply(250, f"{path} removed.")
