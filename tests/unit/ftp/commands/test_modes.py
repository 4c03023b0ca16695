from __future__ import annotations

import pytest

from ftpd.ftp.settings import DeflateSettings, FTPSettings
from ftpd.testing.dialogue import Dialogue

DEFLATING = FTPSettings(deflate=DeflateSettings(enabled=True))


@pytest.mark.parametrize("argument", ["A", "a", "A N", "a n"])
def test_type_a_is_200(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(200, "Type is ASCII.")


@pytest.mark.parametrize("argument", ["I", "i", "L 8", "L8", "l 8"])
def test_type_i_is_200(argument):
    Dialogue(login="ann", is_ascii=True).says(f"TYPE {argument}").hears(200, "Type is BINARY.")


@pytest.mark.parametrize("argument", ["A T", "A C", "a t"])
def test_formats_of_text_are_taken(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(200, "Type is ASCII.")


@pytest.mark.parametrize("argument", ["E", "E N", "E T", "E C", "e"])
def test_type_e_is_200(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(200, "Type is EBCDIC.")


@pytest.mark.parametrize("argument", ["L 7", "L 16", "L", "L 36"])
def test_bytes_of_other_sizes_are_504(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(504)


@pytest.mark.parametrize("argument", ["", " ", "X", "AA", "I N", "Binary"])
def test_type_that_there_is_not_is_501(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(501)


def test_type_that_is_refused_changes_nothing():
    Dialogue(login="ann", files={"/a": b"\n"}).says("TYPE L 7").hears(504).says("RETR a").hears(150).hears(226).data(b"\n")


def test_type_before_any_type_is_ascii_as_the_rfc_says():
    dialogue = Dialogue(files={"/a": b"\n"}).hears(220).says("USER ann").hears(331).says("PASS secret").hears(230)
    dialogue.says("RETR a").hears(150).hears(226).data(b"\r\n")


def test_type_before_any_type_is_a_setting():
    dialogue = Dialogue(files={"/a": b"\n"}, settings=FTPSettings(default_type="I")).hears(220)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("RETR a").hears(150).hears(226).data(b"\n")


@pytest.mark.parametrize("argument", ["F", "f"])
def test_stru_f_is_200(argument):
    Dialogue(login="ann").says(f"STRU {argument}").hears(200)


@pytest.mark.parametrize("argument", ["R", "r"])
def test_stru_r_is_200(argument):
    Dialogue(login="ann").says(f"STRU {argument}").hears(200)


def test_stru_p_is_504():
    Dialogue(login="ann").says("STRU P").hears(504)


@pytest.mark.parametrize("argument", ["S", "s", "B", "C"])
def test_mode_is_200(argument):
    Dialogue(login="ann").says(f"MODE {argument}").hears(200)


def test_mode_z_is_504_unless_it_is_switched_on():
    Dialogue(login="ann").says("MODE Z").hears(504).says("OPTS MODE Z LEVEL 3").hears(501)
    Dialogue(login="ann", settings=DEFLATING).says("MODE Z").hears(200, "Mode is DEFLATE.")


@pytest.mark.parametrize(("option", "answer"), [("LEVEL 9", 9), ("level 1", 1), ("ENGINE ZLIB", 6)])
def test_level_of_mode_z_is_an_option(option, answer):
    Dialogue(login="ann", settings=DEFLATING).says(f"OPTS MODE Z {option}").hears(200, f"MODE Z ENGINE ZLIB LEVEL {answer}.")


@pytest.mark.parametrize("option", ["", "Z", "Z LEVEL", "Z LEVEL 0", "Z LEVEL 10", "Z LEVEL x", "Z ENGINE LZMA", "B LEVEL 1"])
def test_other_options_of_mode_are_501(option):
    Dialogue(login="ann", settings=DEFLATING).says(f"OPTS MODE {option}").hears(501)


def test_feat_shows_mode_z_where_it_is_served():
    assert " MODE Z" in Dialogue(login="ann", settings=DEFLATING).says("FEAT").hears(211).last.lines
    assert " MODE Z" not in Dialogue(login="ann").says("FEAT").hears(211).last.lines


def test_rein_brings_stream_and_file_back():
    dialogue = Dialogue(login="ann", files={"/a": b"x"}).says("MODE B").hears(200).says("STRU R").hears(200)
    dialogue.says("REIN").hears(220).says("USER ann").hears(331).says("PASS secret").hears(230)
    dialogue.says("RETR a").hears(150).hears(226).data(b"x")


@pytest.mark.parametrize("line", ["STRU", "STRU X", "MODE", "MODE X", "TYPE"])
def test_what_there_is_not_is_501(line):
    Dialogue(login="ann").says(line).hears(501)
