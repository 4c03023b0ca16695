from __future__ import annotations

import gc

from ftpd.ftp.session import Transfer
from ftpd.ftp.sessionrow import describe
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.tls_client import MemoryContexts
from ftpd.values import SessionRow, TLSFacts

FILES = {"/a": b"hello"}


def row(dialogue, ahead=1_000_000.0):
    return describe(dialogue.session, dialogue.channel.last_heard, ahead)


def test_session_before_its_login():
    dialogue = Dialogue(address="192.0.2.1").hears(220).waits(5).says("CLNT secret").hears(200).waits(5)
    peer = dialogue.session.peer
    assert row(dialogue) == SessionRow(
        session=peer.session,
        address="192.0.2.1",
        port=40000,
        listener="",
        protocol="ftp",
        since=1_000_000.0,
        heard=1_000_005.0,
    )


def test_login_is_told():
    dialogue = Dialogue(login="ann").says("CLNT lftp/4.9").hears(200)
    told = row(dialogue)
    assert (told.account, told.is_anonymous, told.client) == ("ann", False, "lftp/4.9")


def test_anonymous_login_is_told():
    dialogue = Dialogue().hears(220).says("USER anonymous").hears(331).says("PASS me@example").hears(230)
    told = row(dialogue)
    assert (told.account, told.is_anonymous) == ("anonymous", True)


def test_download_is_told_with_what_is_left_to_move():
    dialogue = Dialogue(login="ann", files=FILES).waits(3).says("REST 2").hears(350).waits(1).says("RETR a", reads=False).hears(150)
    told = row(dialogue.waits(2))
    assert (told.command, told.direction, told.path, told.size) == ("RETR", "download", "/a", 3)
    assert told.transfer_since == 1_000_004.0
    dialogue.reads_on().hears(226)
    told = row(dialogue)
    assert (told.command, told.direction, told.path, told.size, told.moved, told.transfer_since) == ("", "", "", None, 0, None)
    assert told.heard == 1_000_006.0


def test_upload_is_told_as_it_moves():
    dialogue = Dialogue(login="ann").says("STOR c").hears(150).sends(b"123")
    first = row(dialogue)
    assert (first.command, first.direction, first.path, first.size, first.moved) == ("STOR", "upload", "/c", None, 3)
    assert row(dialogue.sends(b"45")).moved == 5


def test_tls_is_told():
    dialogue = Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234).shakes_hands()
    assert row(dialogue).tls == "TLSv1.3 TLS_AES_256_GCM_SHA384"


def test_tls_of_an_endpoint_is_told():
    dialogue = Dialogue(login="ann")
    dialogue.session.peer = dialogue.session.peer._replace(tls=TLSFacts(version="", cipher=""))
    assert row(dialogue).tls == "TLS of the endpoint"


def test_idle_session_has_the_same_row_whatever_the_clocks_do():
    dialogue = Dialogue(login="ann")
    first = row(dialogue)
    dialogue.waits(5)
    assert row(dialogue, 1_000_001.0) is first


def test_transfer_that_stands_still_has_the_same_row():
    dialogue = Dialogue(login="ann").says("STOR c").hears(150).sends(b"123")
    first = row(dialogue)
    assert row(dialogue.waits(5)) is first


def test_command_makes_a_new_row():
    dialogue = Dialogue(login="ann")
    first = row(dialogue)
    assert row(dialogue.waits(5).says("NOOP").hears(200)) != first


def test_login_makes_a_new_row_at_once():
    dialogue = Dialogue().hears(220)
    first = row(dialogue)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230)
    assert (first.account, row(dialogue).account) == ("", "ann")


def test_row_keeps_no_transfer_alive():
    dialogue = Dialogue(login="ann").says("STOR of-a-row").hears(150).sends(b"123")
    row(dialogue)
    dialogue.ends().hears(226)
    gc.collect()
    assert [found for found in gc.get_objects() if isinstance(found, Transfer) and found.path.name == "of-a-row"] == []
