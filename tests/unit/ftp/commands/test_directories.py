from __future__ import annotations

import pytest

from ftpd.events import FileChanged
from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FILES = {"/dir/sub": None, "/file": b"x"}
READER = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))


def ann():
    return Dialogue(login="ann", files=FILES)


@pytest.mark.parametrize("verb", ["CWD", "XCWD", "cwd", "Cwd"])
def test_cwd_is_250(verb):
    ann().says(f"{verb} dir").hears(250, "Working directory is /dir").says("PWD").hears(257, '"/dir" is the working directory.')


@pytest.mark.parametrize("line", ["CWD", "CWD ", "CWD ."])
def test_cwd_without_a_path_stays(line):
    ann().says("CWD dir").hears(250).says(line).hears(250).says("PWD").hears(257, '"/dir" is the working directory.')


def test_cwd_to_nothing_is_550():
    ann().says("CWD none").hears(550, "/none: No such file or directory.")


def test_cwd_to_a_file_is_550():
    ann().says("CWD file").hears(550, "/file: Not a directory.")


def test_cwd_that_fails_changes_nothing():
    ann().says("CWD dir").hears(250).says("CWD none").hears(550).says("PWD").hears(257, '"/dir" is the working directory.')


def test_cwd_with_nul_is_550():
    ann().says(b"CWD a\0b").hears(550)


def test_cwd_cannot_leave_the_root():
    ann().says("CWD ../../../dir/../..").hears(250).says("PWD").hears(257, '"/" is the working directory.')


def test_cwd_with_a_million_slashes_is_too_long_a_line():
    ann().says("CWD " + "/" * 1_000_000).hears(500).says("NOOP").hears(200)


def test_only_one_space_separates_verb_and_path():
    dialogue = Dialogue(login="ann", files={"/ lead": None, "/trail ": None})
    dialogue.says("CWD  lead").hears(250, "Working directory is / lead")
    dialogue.says("CWD /trail ").hears(250, "Working directory is /trail ")
    dialogue.says("CWD /trail").hears(550)


@pytest.mark.parametrize("verb", ["CDUP", "XCUP"])
def test_cdup_is_250(verb):
    ann().says("CWD dir/sub").hears(250).says(verb).hears(250, "Working directory is /dir")


def test_cdup_at_the_root_is_250_and_stays():
    ann().says("CDUP").hears(250).says("PWD").hears(257, '"/" is the working directory.')


@pytest.mark.parametrize("verb", ["PWD", "XPWD"])
def test_pwd_is_257(verb):
    ann().says(verb).hears(257, '"/" is the working directory.')


def test_pwd_doubles_quotation_marks():
    dialogue = Dialogue(login="ann", files={'/a"b': None})
    dialogue.says('CWD a"b').hears(250).says("PWD").hears(257, '"/a""b" is the working directory.')


def test_pwd_gives_invalid_utf8_back_as_it_came():
    dialogue = ann().says(b"MKD caf\xe9").hears(257)
    assert dialogue.transport.writes[-1] == b'257 "/caf\xe9" created.\r\n'
    dialogue.says(b"CWD caf\xe9").hears(250).says("PWD").hears(257)
    assert dialogue.transport.writes[-1] == b'257 "/caf\xe9" is the working directory.\r\n'


@pytest.mark.parametrize("verb", ["MKD", "XMKD"])
def test_mkd_is_257_with_the_absolute_path(verb):
    dialogue = ann().says("CWD dir").hears(250).says(f"{verb} new").hears(257, '"/dir/new" created.')
    dialogue.stored("/dir/new", None)
    assert "/dir/new" in dialogue.server.tree()
    assert [(event.change, event.path) for event in dialogue.events(FileChanged)] == [("directory-made", "/dir/new")]


def test_mkd_doubles_quotation_marks():
    ann().says('MKD a"b').hears(257, '"/a""b" created.')


def test_carriage_return_in_a_name_is_not_echoed():
    dialogue = ann().raw(b"MKD a\r\x00226 done\r\n").hears(257)
    assert dialogue.transport.writes[-1] == b'257 "/a?226 done" created.\r\n'


def test_mkd_of_what_is_there_is_550():
    ann().says("MKD dir").hears(550, "/dir: Already exists.")


def test_mkd_below_nothing_is_550():
    ann().says("MKD none/sub").hears(550)


def test_mkd_without_a_path_is_501():
    ann().says("MKD").hears(501, "An argument is needed; HELP with the name of the command tells which.")


def test_mkd_without_the_permission_is_550():
    Dialogue(login="bob", accounts=[READER]).says("MKD new").hears(
        550, "/new: Permission denied: this account may not make or remove directories here."
    )


def test_mkd_of_a_name_too_long_is_550():
    ann().says("MKD " + "x" * 4096).hears(550)


@pytest.mark.parametrize("verb", ["RMD", "XRMD"])
def test_rmd_is_250(verb):
    dialogue = ann().says(f"{verb} dir/sub").hears(250, "/dir/sub removed.")
    assert "/dir/sub" not in dialogue.server.tree()
    assert [(event.change, event.path) for event in dialogue.events(FileChanged)] == [("directory-removed", "/dir/sub")]


def test_rmd_of_what_is_not_empty_is_550():
    ann().says("RMD dir").hears(550, "/dir: Directory not empty.")


def test_rmd_of_a_file_is_550():
    ann().says("RMD file").hears(550)


def test_rmd_of_nothing_is_550():
    ann().says("RMD none").hears(550)


def test_rmd_of_the_root_is_550():
    ann().says("RMD /").hears(550)


def test_rmd_without_a_path_is_501():
    ann().says("RMD").hears(501)


@pytest.mark.parametrize("verb", ["CWD /", "CDUP", "PWD", "MKD a", "RMD a"])
def test_before_login_it_is_530(verb):
    Dialogue().hears(220).says(verb).hears(530)
