from __future__ import annotations

import pytest

from ftpd.events import FileChanged
from ftpd.ftp.settings import FTPSettings, TimeoutSettings
from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FILES = {"/a": b"", "/b c": b""}


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def mode(dialogue, path):
    dialogue.says("OPTS MLST UNIX.mode;").hears(200).says(f"MLST {path}").hears(250)
    return dialogue.last.lines[0]


def test_site_help_is_214():
    dialogue = ann().says("SITE HELP").hears(214)
    assert " SITE CHMOD mode path" in dialogue.last.lines


@pytest.mark.parametrize("line", ["SITE HELP CHMOD", "site help chmod", "SITE HELP  chmod "])
def test_site_help_of_a_command_is_its_syntax(line):
    ann().says(line).hears(
        214,
        "Syntax:",
        [" SITE CHMOD mode path", " Set the permission bits of a file, in octal.", " Needs a login."],
    )


@pytest.mark.parametrize("line", ["SITE HELP FOO", "SITE HELP RETR", "SITE HELP ?!?"])
def test_site_help_of_what_is_no_site_command_is_501(line):
    ann().says(line).hears(501)


@pytest.mark.parametrize("line", ["SITE", "SITE ", "SITE  CHMOD 644 a"])
def test_site_without_a_command_is_501(line):
    ann().says(line).hears(501)


@pytest.mark.parametrize("line", ["SITE FOO", "SITE CHMODX 644 a"])
def test_unknown_site_command_is_504(line):
    ann().says(line).hears(504)


@pytest.mark.parametrize(("argument", "expected"), [("600", "0600"), ("0640", "0640")])
def test_chmod_is_200(argument, expected):
    dialogue = ann().says(f"SITE CHMOD {argument} a").hears(200)
    assert mode(dialogue, "a") == f" UNIX.mode={expected}; /a"
    assert [event.change for event in dialogue.events(FileChanged)] == ["attributes"]


def test_site_and_its_command_are_case_blind():
    ann().says("site chmod 600 b c").hears(200)


@pytest.mark.parametrize("argument", ["", "600", "999 a", "u+x a", "60000 a"])
def test_chmod_that_cannot_be_read_is_501(argument):
    ann().says(f"SITE CHMOD {argument}").hears(501)


def test_chmod_of_nothing_is_550():
    ann().says("SITE CHMOD 600 none").hears(550)


def test_chmod_without_the_permission_is_550():
    reader = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))
    Dialogue(login="bob", accounts=[reader], files=FILES).says("SITE CHMOD 600 a").hears(550)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("202001020304 a", "20200102030400"),
        ("20200102030405 a", "20200102030405"),
        ("a 20190102030405 20200102030405 20210102030405 UTC", "20200102030405"),
    ],
)
def test_utime_is_200(argument, expected):
    ann().says(f"SITE UTIME {argument}").hears(200).says("MDTM a").hears(213, expected)


def test_utime_of_a_name_with_spaces():
    ann().says("SITE UTIME 20200102030405 b c").hears(200).says("MDTM b c").hears(213, "20200102030405")


@pytest.mark.parametrize("argument", ["", "a", "2020 a", "20201302030405 a"])
def test_utime_that_cannot_be_read_is_501(argument):
    ann().says(f"SITE UTIME {argument}").hears(501)


def test_utime_of_nothing_is_550():
    ann().says("SITE UTIME 20200102030405 none").hears(550)


def test_umask_is_200_and_takes_bits_from_new_files():
    dialogue = ann().says("SITE UMASK 077").hears(200, "Umask is 077.").says("STOR new").hears(150).ends().hears(226)
    assert mode(dialogue, "new") == " UNIX.mode=0600; /new"
    dialogue.says("MKD sub").hears(257)
    assert mode(dialogue, "sub") == " UNIX.mode=0700; /sub"


def test_umask_without_a_mask_tells_it():
    ann().says("SITE UMASK").hears(200, "Umask is the server's own.").says("SITE UMASK 22").hears(200).says("SITE UMASK").hears(
        200, "Umask is 022."
    )


@pytest.mark.parametrize("argument", ["8", "1000", "-1", "x"])
def test_umask_that_is_none_is_501(argument):
    ann().says(f"SITE UMASK {argument}").hears(501)


def test_idle_tells_and_shortens_the_timeout():
    dialogue = ann().says("SITE IDLE").hears(200, "Idle timeout is 300 seconds, 300 at most.")
    dialogue.says("SITE IDLE 10").hears(200, "Idle timeout is 10 seconds.").waits(12).hears(421).is_closed()


def test_idle_cannot_be_lengthened():
    ann(settings=FTPSettings(timeouts=TimeoutSettings(idle=20))).says("SITE IDLE 21").hears(501)


@pytest.mark.parametrize("argument", ["0", "-1", "x", "9" * 20])
def test_idle_that_is_no_time_is_501(argument):
    ann().says(f"SITE IDLE {argument}").hears(501)


@pytest.mark.parametrize("line", ["SITE CHMOD 600 a", "SITE UTIME 20200102030405 a", "SITE UMASK", "SITE IDLE"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)
