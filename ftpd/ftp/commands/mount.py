"""SMNT: another file system data structure (RFC 959 4.1.1).  There is one, the tree of the login, and it stands already.

Neither 502, which would be wrong for the one that there is, nor 202 for anything: whoever asks for another tree and hears a 2xx takes this
one for it.
"""

from __future__ import annotations

from ftpd.errors import Unsupported
from ftpd.ftp.command import Needs, command, path
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath


@command("SMNT", takes=path, needs=Needs.LOGIN, rfc="RFC 959 4.1.1", syntax="SMNT path", keeps_restart=True)
async def smnt(session: Session, path: VirtualPath) -> Reply:
    """Mount a file system: 202 for `/`, which is always mounted, and 550 for any other, as there is none."""
    if not path.is_root:
        raise Unsupported(path, "There is one tree here, /, and nothing to mount")
    return Reply(202, "The tree / is always mounted.")
