from __future__ import annotations

import pytest

from ftpd.ftp.settings import FTPSettings
from ftpd.testing.dialogue import Dialogue


@pytest.mark.parametrize("argument", ["A", "a", "A N", "a n"])
def test_type_a_is_200(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(200, "Type is ASCII.")


@pytest.mark.parametrize("argument", ["I", "i", "L 8", "L8", "l 8"])
def test_type_i_is_200(argument):
    Dialogue(login="ann", is_ascii=True).says(f"TYPE {argument}").hears(200, "Type is BINARY.")


@pytest.mark.parametrize("argument", ["E", "E N", "A T", "A C", "L 7", "L 16"])
def test_type_that_is_known_and_not_served_is_504(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(504)


@pytest.mark.parametrize("argument", ["", " ", "X", "AA", "I N", "Binary"])
def test_type_that_there_is_not_is_501(argument):
    Dialogue(login="ann").says(f"TYPE {argument}").hears(501)


def test_type_that_is_refused_changes_nothing():
    Dialogue(login="ann", files={"/a": b"\n"}).says("TYPE E").hears(504).says("RETR a").hears(150).hears(226).data(b"\n")


def test_type_before_any_type_is_ascii_as_the_rfc_says():
    dialogue = Dialogue(files={"/a": b"\n"}).hears(220).says("USER ann").hears(331).says("PASS secret").hears(230)
    dialogue.says("RETR a").hears(150).hears(226).data(b"\r\n")


def test_type_before_any_type_is_a_setting():
    dialogue = Dialogue(files={"/a": b"\n"}, settings=FTPSettings(default_type="I")).hears(220)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("RETR a").hears(150).hears(226).data(b"\n")


@pytest.mark.parametrize("argument", ["F", "f"])
def test_stru_f_is_200(argument):
    Dialogue(login="ann").says(f"STRU {argument}").hears(200)


@pytest.mark.parametrize("argument", ["R", "P"])
def test_other_structures_are_504(argument):
    Dialogue(login="ann").says(f"STRU {argument}").hears(504)


@pytest.mark.parametrize("argument", ["S", "s"])
def test_mode_s_is_200(argument):
    Dialogue(login="ann").says(f"MODE {argument}").hears(200)


@pytest.mark.parametrize("argument", ["B", "C", "Z"])
def test_other_modes_are_504(argument):
    Dialogue(login="ann").says(f"MODE {argument}").hears(504)


@pytest.mark.parametrize("line", ["STRU", "STRU X", "MODE", "MODE X", "TYPE"])
def test_what_there_is_not_is_501(line):
    Dialogue(login="ann").says(line).hears(501)
