"""Dialogue: one FTP session against the real server parts, in memory, that reads like the transcripts of an RFC.

    Dialogue(login="ann", files={"/a": b"hello"}).says("RETR a").hears(150).data(b"hello").hears(226)

Apart from the tests because extensions and embedders test their verbs and stores with it too.  Factory, channel, commands, guard and
realm are the real ones; transport, data ports and clock are not, so nothing ever waits.
"""

from __future__ import annotations

from ftpd.testing.dialogue.steps import Dialogue

__all__ = ["Dialogue"]
