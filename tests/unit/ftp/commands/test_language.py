from __future__ import annotations

import pytest

from ftpd.accounts.limits import LimitSettings
from ftpd.events import TransferEnded
from ftpd.ftp.settings import FTPSettings
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import Server

ENGLISH, GERMAN, FRENCH = "Replies are in English.", "Antworten sind auf Deutsch.", "Les réponses sont en français."


def ann(**arguments):
    return Dialogue(login="ann", files={"/a": b"123", "/dir/x": b""}, **arguments)


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("de", GERMAN),
        ("DE", GERMAN),
        ("de-AT", GERMAN),
        ("de-Latn-CH-1996", GERMAN),
        ("fr", FRENCH),
        ("fr-CA", FRENCH),
        ("en", ENGLISH),
        ("en-GB", ENGLISH),
    ],
)
def test_lang_answers_in_the_language_chosen(tag, words):
    ann().says(f"LANG {tag}").hears(200, words)


@pytest.mark.parametrize("tag", ["it", "d", "deu", "x-de", "en1"])
def test_language_that_there_is_not_is_504_and_changes_nothing(tag):
    ann().says("LANG fr").hears(200).says(f"LANG {tag}").hears(504 if tag != "en1" else 501).says("NOSUCH").hears(
        500, "Commande inconnue ; HELP énumère celles qui sont connues."
    )


@pytest.mark.parametrize(
    "text",
    [
        "de_AT",
        "de-",
        "-de",
        "d e",
        "../de",
        "de;EN",
        "*",
        "\u0434\u0435",
        "%s",
        "{tag}",
        "a" * 4000,
        "-".join(["a"] * 2000),
        "de\0",
    ],
)
def test_hostile_text_is_501(text):
    ann().says(f"LANG {text}").hears(501).says("NOOP").hears(200, "OK.")


def test_lang_without_a_tag_is_the_servers_own_language():
    ann(settings=FTPSettings(language="fr")).says("LANG de").hears(200, GERMAN).says("LANG").hears(200, FRENCH)


def test_the_servers_own_language_is_spoken_from_the_start():
    dialogue = Dialogue(settings=FTPSettings(language="de")).hears(220)
    dialogue.says("USER ann").hears(331, "Bitte das Passwort senden.").says("PASS secret").hears(230, "Angemeldet.")


def test_lang_before_the_login_stays_for_it():
    dialogue = Dialogue().hears(220).says("LANG de").hears(200)
    dialogue.says("USER ann").hears(331).says("PASS wrong").waits(1).hears(530, "Anmeldung fehlgeschlagen.")


def test_rein_goes_back_to_the_servers_own_language():
    ann().says("LANG de").hears(200).says("REIN").hears(220).says("NOSUCH").hears(
        500, "Command not recognised; HELP lists those that are."
    )


def test_host_leaves_the_language_which_lftp_chooses_before():
    Dialogue().hears(220).says("LANG de").hears(200).says("HOST 127.0.0.1").hears(220).says("NOOP x").hears(200).says(
        "USER x"
    ).hears(331, "Bitte das Passwort senden.")


def test_feat_stars_the_language_that_is_spoken():
    dialogue = ann().says("FEAT").hears(211)
    assert " LANG EN*;DE;FR" in dialogue.last.lines
    dialogue.says("LANG de").hears(200).says("FEAT").hears(211, "Erweiterungen:")
    assert " LANG EN;DE*;FR" in dialogue.last.lines


def test_what_machines_read_is_the_same_in_every_language():
    lines = ("SYST", "PASV", "EPSV", "LPSV", "SIZE a", "MDTM a", "MLST a", "PBSZ 0", "CSID x", "OPTS MLST type;")
    heard = []
    for language in ("en", "de", "fr"):
        dialogue = ann().says(f"LANG {language}").hears(200)
        for line in lines:
            dialogue.says(line)
        heard.append([(reply.code, reply.lines if reply.code == 250 else reply.text) for reply in dialogue.heard[1:]])
    assert heard[1][0] == (215, "UNIX Type: L8")
    assert [code for code, _ in heard[0]] == [215, 227, 229, 228, 213, 213, 250, 503, 200, 200]
    english, german, french = ([reply for reply in replies if reply[0] not in (227, 228, 229, 503)] for replies in heard)
    assert english == german == french


def test_the_path_of_a_257_is_the_same_in_every_language():
    ann().says("LANG de").hears(200).says('MKD is now "b" created.').hears(257, '"/is now ""b"" created." wurde angelegt.')


def test_errors_are_told_in_the_language_and_their_path_is_not():
    ann().says("LANG de").hears(200).says("RETR x: Is a directory", connects=True).hears(
        550, "/x: Is a directory: Datei oder Verzeichnis nicht gefunden."
    )


def test_listings_are_the_same_in_every_language():
    english = ann().says("LIST", connects=True).hears(150).hears(226)
    german = ann().says("LANG de").hears(200).says("LIST", connects=True).hears(150).hears(226)
    assert english.connection.received == german.connection.received


def test_stat_is_told_in_the_language():
    dialogue = ann().says("LANG de").hears(200).says("STAT").hears(211, "Zustand:")
    assert " Angemeldet als ann" in dialogue.last.lines
    assert dialogue.last.last == "Ende des Zustands"


def test_events_stay_in_english():
    dialogue = (
        ann().says("LANG de").hears(200).says("RETR a", connects=False).hears(150).refuses_data("The data port was used").hears(425)
    )
    assert [event.cause for event in dialogue.events(TransferEnded)] == ["The data port was used."]


def test_who_is_turned_away_hears_it_in_the_servers_own_language():
    server = Server(settings=FTPSettings(language="de"), limits=LimitSettings(sessions=1))
    Dialogue(server=server).hears(220)
    Dialogue(server=server).hears(421, "Zu viele Verbindungen; bitte später noch einmal versuchen.").is_closed()
