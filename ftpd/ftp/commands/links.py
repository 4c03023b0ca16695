"""SITE SYMLINK: symbolic links that a client makes (ProFTPD's mod_site_misc).

Apart from `site`, as it is switched on and off by itself: a link is the one thing that a client stores and other programs obey.
"""

from __future__ import annotations

from typing import NamedTuple

from ftpd.errors import BadArgument, NotOffered
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, text
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.ftp.wire.words import split_words
from ftpd.paths import VirtualPath
from ftpd.values import Permission


class _Link(NamedTuple):
    target: VirtualPath
    path: VirtualPath


def _link(session: Session, argument: str) -> _Link:
    """Take two words, what the link leads to and its own name, both relative to the working directory."""
    words = split_words(text(session, argument))
    if len(words) != 2:
        raise BadArgument("SITE SYMLINK takes a target and the name of the link; a name with spaces between quotation marks")
    return _Link(session.cwd.join(words[0]), session.cwd.join(words[1]))


def _feature(session: Session) -> str:
    if not session.factory.settings.files.make_links:
        return ""
    may = not session.is_logged_in or (session.files.can_link and session.files.permits_anywhere(Permission.CREATE))
    return "SITE SYMLINK" if may else ""


@command("SITE SYMLINK", takes=_link, needs=Needs.LOGIN, rfc="ProFTPD mod_site_misc", syntax="SITE SYMLINK target link", features=(_feature,))  # fmt: skip
async def symlink(session: Session, link: _Link) -> Reply:
    """Make a symbolic link; it leads nowhere but within what this login sees, and what it leads to need not be there."""
    if not session.factory.settings.files.make_links:
        raise NotOffered("Symbolic links are not made here")
    await session.files.make_link(link.path, link.target)
    session.publish(
        FileChanged(
            peer=session.peer, account=session.account_name or "", change="linked", path=str(link.path), target=str(link.target)
        )
    )
    return Reply(200, f"{link.path} leads to {link.target}.")
