from __future__ import annotations

import pytest

from ftpd.events import FileChanged
from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FILES = {"/dir": None, "/file": b"one\ntwo\r\nthree", "/big": b"\n" * (1024 * 1024 + 1)}
READER = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def test_dele_is_250():
    dialogue = ann().says("DELE file").hears(250, "/file deleted.").stored("/file", None)
    assert [(event.change, event.path) for event in dialogue.events(FileChanged)] == [("removed", "/file")]


def test_dele_of_a_directory_is_550():
    ann().says("DELE dir").hears(550, "/dir: Is a directory.")


def test_dele_of_nothing_is_550():
    ann().says("DELE none").hears(550)


def test_dele_without_a_path_is_501():
    ann().says("DELE").hears(501)


def test_dele_without_the_permission_is_550():
    dialogue = Dialogue(login="bob", accounts=[READER], files=FILES).says("DELE file").hears(550)
    dialogue.stored("/file", FILES["/file"])


def test_size_is_213_with_the_bytes_as_stored_in_type_i():
    ann().says("SIZE file").hears(213, "14")


def test_size_in_type_a_counts_what_would_be_sent():
    ann(is_ascii=True).says("SIZE file").hears(213, "15").says("RETR file").hears(150).hears(226).data(b"one\r\ntwo\r\nthree")


def test_size_in_type_a_of_a_large_file_is_550():
    ann(is_ascii=True).says("SIZE big").hears(550, "/big: Too large to be counted in TYPE A; use TYPE I.")


def test_size_of_a_directory_is_550():
    ann().says("SIZE dir").hears(550, "/dir: Not a regular file.")


def test_size_of_nothing_is_550():
    ann().says("SIZE none").hears(550)


def test_size_without_a_path_is_501():
    ann().says("SIZE").hears(501)


def test_mfmt_is_213_and_mdtm_tells_it():
    dialogue = ann().says("MFMT 20200102030405 file").hears(213, "Modify=20200102030405; /file")
    dialogue.says("MDTM file").hears(213, "20200102030405")
    assert [(event.change, event.path) for event in dialogue.events(FileChanged)] == [("attributes", "/file")]


def test_mdtm_with_a_time_sets_it():
    ann().says("MDTM 20200102030405 file").hears(213).says("MDTM file").hears(213, "20200102030405")


def test_mdtm_takes_a_file_that_is_called_like_a_time_for_the_file():
    name = "20200102030405 file"
    dialogue = Dialogue(login="ann", files={f"/{name}": b"", "/file": b""})
    dialogue.says(f"MFMT 20210102030405 {name}").hears(213).says(f"MDTM {name}").hears(213, "20210102030405")


def test_mdtm_of_nothing_is_550():
    ann().says("MDTM none").hears(550)


def test_mdtm_with_a_time_and_no_such_file_is_550():
    ann().says("MDTM 20200102030405 none").hears(550, "/none: No such file or directory.")


def test_mdtm_with_an_impossible_time_is_501():
    ann().says("MDTM 20201302030405 file").hears(501)


def test_mdtm_without_an_argument_is_501():
    ann().says("MDTM").hears(501)


def test_mdtm_with_a_time_needs_the_permission():
    Dialogue(login="bob", accounts=[READER], files=FILES).says("MDTM 20200102030405 file").hears(550)


def test_mdtm_with_a_time_and_a_name_of_several_words():
    dialogue = Dialogue(login="ann", files={"/a b": b""})
    dialogue.says("MDTM 20200102030405 a b").hears(213).says("MDTM a b").hears(213, "20200102030405")


@pytest.mark.parametrize("argument", ["", "20200102030405", "2020 file", "x file", "20200102030461 file"])
def test_mfmt_with_a_bad_argument_is_501(argument):
    ann().says(f"MFMT {argument}").hears(501)


def test_mfmt_of_nothing_is_550():
    ann().says("MFMT 20200102030405 none").hears(550)


def test_mfmt_after_an_upload_is_allowed_at_once():
    ann().says("STOR new").hears(150).sends(b"x").ends().hears(226).says("MFMT 20200102030405 new").hears(213)


@pytest.mark.parametrize("line", ["DELE a", "SIZE a", "MDTM a", "MFMT 20200102030405 a"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)
