from __future__ import annotations

import pytest

from ftpd.ftp.settings import FTPSettings, ProtectionSettings
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import Server
from ftpd.testing.tls_client import MemoryContexts


def test_transcript_that_is_as_expected_passes():
    Dialogue(login="ann", files={"/a": b"hello"}).says("RETR a").hears(150).data(b"hello").hears(226)


def test_mismatch_shows_both_transcripts():
    with pytest.raises(AssertionError) as caught:
        Dialogue(login="ann").says("NOOP").hears(500)
    assert str(caught.value).splitlines() == [
        "500 was expected, 200 OK. came",
        "",
        "expected:",
        "C: NOOP",
        "S: 500",
        "",
        "heard:",
        "C: NOOP",
        "S: 200 OK.",
    ]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda dialogue: dialogue.hears(200), "200 was expected, and nothing more came"),
        (lambda dialogue: dialogue.says("NOOP").hears(200, "Fine."), "200 Fine. was expected, 200 OK. came"),
        (lambda dialogue: dialogue.says("NOOP").hears_nothing(), "silence was expected, 200 OK. came"),
        (lambda dialogue: dialogue.is_closed(), "the end of the connection was expected, and it is open"),
        (lambda dialogue: dialogue.says("QUIT").hears(221).is_open(), "the connection is closed"),
        (lambda dialogue: dialogue.stored("/a", b""), "b'' was expected in /a, None is there"),
        (lambda dialogue: dialogue.says("NLST").data(b"x"), "the data b'x' was expected, b'' came"),
        (lambda dialogue: dialogue.says("MLST").hears(250, None, []), "the lines () were expected, "),
    ],
)
def test_mismatch_says_what_was_expected(step, words):
    with pytest.raises(AssertionError) as caught:
        step(Dialogue(login="ann"))
    assert str(caught.value).startswith(words)


def test_silent_login_is_not_part_of_the_transcript():
    dialogue = Dialogue(login="ann").says("NOOP").hears(200)
    assert dialogue.codes == [200]


def test_several_clients_meet_on_one_server():
    server = Server()
    Dialogue(login="ann", server=server).says("STOR a").hears(150).sends(b"x").ends().hears(226)
    Dialogue(login="anonymous", server=server).says("RETR a").hears(150).data(b"x").hears(226)


def test_paused_server_is_not_spoken_to():
    dialogue = Dialogue(login="ann")
    dialogue.transport.pauseProducing()
    dialogue.says("NOOP").hears_nothing()
    dialogue.transport.resumeProducing()
    dialogue.rests().hears(200)


def test_tls_begins_by_auth_and_ends_by_ccc():
    settings = FTPSettings(tls=ProtectionSettings(ccc=True))
    dialogue = (
        Dialogue(contexts=MemoryContexts(), settings=settings).hears(220).says("AUTH TLS").hears(234).shakes_hands("a.example.com")
    )
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("CCC").hears(200).says_end().says("PWD").hears(257)
    assert dialogue.transport.writes[-1].startswith(b"257 ")


def test_what_is_injected_goes_past_tls():
    dialogue = (
        Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234).injected(b"NOOP\r\n").hears(421).is_closed()
    )
    assert dialogue.server.logins == 0
