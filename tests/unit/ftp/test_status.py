from __future__ import annotations

from ftpd.accounts.rates import RateSettings
from ftpd.ftp.settings import FTPSettings, TimeoutSettings
from ftpd.paths import ROOT
from ftpd.schema import Seconds, Size
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, AccountRates, Permission, Rule

EVERYTHING = (Rule(ROOT, Permission.ALL),)


def lines(dialogue):
    return [line[1:] for line in dialogue.says("STAT").hears(211, "Status:").last.lines]


def bob(**facts):
    return Account("bob", rules=EVERYTHING, **facts)


def test_before_the_login_it_tells_the_time_left_for_it():
    settings = FTPSettings(timeouts=TimeoutSettings(login=Seconds(60), idle=Seconds(300)))
    assert lines(Dialogue(settings=settings).hears(220).waits(20)) == [
        "Connected from 127.0.0.1",
        "Not logged in",
        "TYPE ASCII, STRU F, MODE S",
        "Replies are in English",
        "The control connection is in clear",
        "Data connections are in clear",
        "The login has to be complete within 40 seconds",
        "The session ends after 300 seconds without a command",
        "No transfer under way",
    ]


def test_type_structure_and_mode_are_told_as_they_are():
    dialogue = Dialogue(login="ann").says("TYPE E").hears(200).says("STRU R").hears(200).says("MODE B").hears(200)
    assert "TYPE EBCDIC, STRU R, MODE B" in lines(dialogue)


def test_limits_of_the_account_are_told():
    told = lines(Dialogue(login="bob", accounts=[bob(max_file_size=1000, max_sessions=3)]))
    assert {"A file may have 1000 bytes at most", "The account may have 3 sessions at a time"} <= set(told)


def test_the_least_rate_of_the_login_is_told():
    rates = RateSettings(session_download=Size(5000), transfer_download=Size(4000))
    own = AccountRates(account_upload=Size(300))
    told = lines(Dialogue(login="bob", accounts=[bob(rates=own)], rates=rates))
    assert {"Downloads are held to 4000 bytes/s", "Uploads are held to 300 bytes/s"} <= set(told)


def test_a_session_that_was_slowed_down_is_told_so():
    dialogue = Dialogue(login="ann")
    assert not any("held to" in line for line in lines(dialogue))
    dialogue.server.factory.slow("account", "ann", 2000)
    assert {"Downloads are held to 2000 bytes/s", "Uploads are held to 2000 bytes/s"} <= set(lines(dialogue))


def test_an_idle_time_that_was_shortened_is_told():
    assert "The session ends after 30 seconds without a command" in lines(Dialogue(login="ann").says("SITE IDLE 30").hears(200))


def test_a_pending_rest_and_a_pending_range_are_told():
    dialogue = Dialogue(login="ann").says("REST 5").hears(350)
    assert "The next transfer starts at 5" in lines(dialogue)
    dialogue.says("RANG 2 7").hears(350)
    assert "The next transfer is of bytes 2 to 7" in lines(dialogue)


def test_a_transfer_that_moves_nothing_tells_no_time_left():
    dialogue = Dialogue(login="ann", files={"/a": bytes(1_000_000)}).says("RETR a", reads=False).hears(150)
    dialogue.waits(20)
    assert lines(dialogue)[-1] == "0 bytes/s of late"
