"""Languages: real clients of a server that speaks another one, and a client that asks for one.

Apart from the unit tests of catalogues: clients read more out of replies than the RFCs promise, and only they know what.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.clients import ALL, UPLOADERS, Client, Curl, Lftp, Ncftp
from tests.integration.live import ConfiguredServer, Guest
from tests.integration.wire import Wire

CONTENT = bytes(range(256)) * 1000


@pytest.fixture(params=["de", "fr"])
def foreign(request: pytest.FixtureRequest, serve: Callable[..., ConfiguredServer]) -> Guest:
    return serve({"ftp": {"language": request.param}}).add("ann")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_download(kind: type[Client], foreign: Guest, program: Callable[[str], str], home: Path) -> None:
    (foreign.home / "file").write_bytes(CONTENT)
    kind(program, foreign, home).fetch("file", home / "fetched")
    assert (home / "fetched").read_bytes() == CONTENT


@pytest.mark.parametrize("kind", UPLOADERS, ids=lambda kind: kind.name)
def test_upload(kind: type[Client], foreign: Guest, program: Callable[[str], str], home: Path) -> None:
    (home / "source").write_bytes(CONTENT)
    kind(program, foreign, home).store(home / "source", "stored")
    assert (foreign.home / "stored").read_bytes() == CONTENT


def test_lftp_asks_for_a_language_by_itself(guest: Guest, program: Callable[[str], str], home: Path) -> None:
    (guest.home / "file").write_bytes(CONTENT)
    done = Lftp(program, guest, home).lftp(
        "set ftp:use-feat true", "set ftp:lang fr", "debug 9", "get file -o fetched", "mget f*", "mirror . copy", "rm file"
    )
    assert (home / "fetched").read_bytes() == (home / "copy" / "file").read_bytes() == CONTENT
    heard = done.stdout + done.stderr
    assert b"---> LANG fr" in heard
    assert "200 Les réponses sont en français.".encode() in heard
    assert "/file a été supprimé.".encode() in heard


def test_curl_and_ncftp_go_on_after_lang(guest: Guest, program: Callable[[str], str], home: Path) -> None:
    (guest.home / "file").write_bytes(CONTENT)
    Curl(program, guest, home).curl("-Q", "LANG de", "-o", home / "one", guest.url("file"))
    Curl(program, guest, home).curl("-Q", "LANG de", "-l", guest.url("/"))
    Ncftp(program, guest, home).ncftp("ncftpget", "-W", "LANG de", guest.host, home, "file")
    assert (home / "one").read_bytes() == (home / "file").read_bytes() == CONTENT


def test_replies_are_utf8(wire: Wire) -> None:
    assert wire.ask("LANG de").text == "Antworten sind auf Deutsch."
    with wire.data():
        wire.send("STOR Ü\r\n")
        assert wire.reply().text == "Öffne eine Datenverbindung im BINARY-Modus für /Ü."
