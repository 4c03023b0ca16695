"""LANG: the language of replies (RFC 2640 4.1)."""

from __future__ import annotations

import re
from typing import Final

from ftpd.errors import BadArgument, BadParameter
from ftpd.ftp.command import command
from ftpd.ftp.languages import DEFAULT, TAGS, catalogue, nearest
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply

_TAG: Final = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,15}", re.ASCII)  # RFC 5646 2.1; 15 subtags are more than any tag has


def _tag(session: Session, argument: str) -> str:
    tag = argument.strip()
    if tag and not _TAG.fullmatch(tag):
        raise BadArgument("LANG takes a language tag, such as EN")
    return tag


def _feature(session: Session) -> str:
    chosen = DEFAULT if session.language is None else session.language.tag
    return "LANG " + ";".join(f"{tag.upper()}{'*' if tag == chosen else ''}" for tag in TAGS)


@command("LANG", takes=_tag, rfc="RFC 2640 4.1", syntax="LANG [tag]", features=(_feature,), keeps_restart=True)
async def lang(session: Session, wanted: str) -> Reply:
    """Choose the language of replies; without a tag the server's own.  `de-AT` is served by `de`; what machines read is never translated."""
    tag = nearest(wanted) if wanted else session.factory.settings.language
    if tag is None:
        raise BadParameter(f"There is no such language here; there are {', '.join(TAGS).upper()}")
    session.language = catalogue(tag)
    return Reply(200, "Replies are in English.")
