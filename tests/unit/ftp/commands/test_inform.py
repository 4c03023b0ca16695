from __future__ import annotations

import pytest
from twisted.logger import globalLogPublisher

from ftpd.ftp.commands import KNOWN_VERBS
from ftpd.ftp.settings import FTPSettings, ListingSettings, PassiveSettings
from ftpd.testing.dialogue import Dialogue

FILES = {"/dir/x": b"", "/a": b"123"}


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("NOOP", 200),
        ("SYST", 215),
        ("HELP", 214),
        ("FEAT", 211),
        ("OPTS UTF8 ON", 200),
        ("CLNT x", 200),
        ("STAT", 211),
        ("TYPE I", 200),
    ],
)
def test_before_login_is_answered(line, code):
    Dialogue().hears(220).says(line).hears(code)


def test_noop_ignores_an_argument():
    ann().says("NOOP 0").hears(200)


def test_syst_is_unix():
    ann().says("SYST").hears(215, "UNIX Type: L8")


def test_help_lists_the_commands():
    dialogue = ann().says("HELP").hears(214)
    words = " ".join(dialogue.last.lines).split()
    assert {"USER", "RETR", "ABOR"} <= set(words)
    assert words.count("SITE") == 1


def test_help_of_a_command_is_its_syntax():
    ann().says("HELP retr").hears(
        214, "Syntax:", [" RETR path", " Send the file at the path, starting at the pending REST offset."]
    )


@pytest.mark.parametrize("line", ["HELP SITE", "HELP site"])
def test_help_site_is_214(line):
    dialogue = ann().says(line).hears(214)
    assert "SITE CHMOD" in " ".join(dialogue.last.lines)


def test_help_of_a_site_command_is_its_syntax():
    dialogue = ann().says("HELP SITE CHMOD").hears(214)
    assert dialogue.last.lines[0] == " SITE CHMOD mode path"


def test_help_of_nothing_is_501():
    ann().says("HELP FOO").hears(501)


def test_feat_lines_have_one_space():
    dialogue = ann().says("FEAT").hears(211, "Extensions:")
    assert list(dialogue.last.lines) == [
        " CLNT",
        " EPRT",
        " EPSV",
        " HOST",
        " MDTM",
        " MFMT",
        " MLST type*;size*;modify*;perm*;unique;UNIX.mode;UNIX.owner;UNIX.group;",
        " REST STREAM",
        " SIZE",
        " UTF8",
        " TVFS",
    ]


def test_feat_does_not_advertise_what_is_denied():
    dialogue = ann(settings=FTPSettings(deny_commands=("MLST", "REST"))).says("FEAT").hears(211)
    assert [line for line in dialogue.last.lines if "MLST" in line or "REST" in line] == []


def test_feat_does_not_advertise_epsv_where_passive_mode_is_off():
    dialogue = ann(settings=FTPSettings(passive=PassiveSettings(enabled=False))).says("FEAT").hears(211)
    assert " EPSV" not in dialogue.last.lines


@pytest.mark.parametrize("argument", ["UTF8 ON", "UTF8", "utf8 on", "UTF-8 ON", "UTF8 NLST"])
def test_opts_utf8_is_200(argument):
    ann().says(f"OPTS {argument}").hears(200)


def test_opts_utf8_off_is_501():
    ann().says("OPTS UTF8 OFF").hears(501)


def test_opts_mlst_is_200_and_changes_feat_and_facts():
    dialogue = ann().says("OPTS MLST size;type;none;").hears(200, "MLST OPTS type;size;").says("FEAT").hears(211)
    assert " MLST type*;size*;modify;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;" in dialogue.last.lines
    dialogue.says("MLST a").hears(250, "Listing /a", [" type=file;size=3; /a"])


def test_opts_mlst_without_facts_is_200():
    ann().says("OPTS MLST").hears(200, "MLST OPTS").says("MLST a").hears(250, "Listing /a", ["  /a"])


@pytest.mark.parametrize("argument", ["", "FOO", "HASH SHA-256"])
def test_opts_of_what_has_none_is_501(argument):
    ann().says(f"OPTS {argument}").hears(501)


def test_clnt_is_told_to_the_log_once_somebody_has_logged_in():
    log = []
    globalLogPublisher.addObserver(log.append)
    try:
        Dialogue().hears(220).says("CLNT Early 1").hears(200)
        Dialogue().hears(220).says("CLNT NcFTP 3.2").hears(200).says("USER ann").hears(331).says("PASS secret").hears(230)
        ann().says("CLNT FileZilla").hears(200)
    finally:
        globalLogPublisher.removeObserver(log.append)
    assert [event["client"] for event in log if "client" in event] == ["NcFTP 3.2", "FileZilla"]


def test_clnt_without_a_name_is_501():
    ann().says("CLNT").hears(501)


def test_stat_tells_the_session():
    dialogue = ann().says("CLNT tester").hears(200).says("STAT").hears(211, "Status:")
    assert " Connected from 127.0.0.1" in dialogue.last.lines
    assert " Logged in as ann" in dialogue.last.lines
    assert dialogue.last.last == "End of status"


def test_stat_of_a_directory_is_212_with_indented_rows():
    dialogue = ann().says("STAT dir").hears(212)
    assert [line[:11] for line in dialogue.last.lines] == [" -rw-r--r--"]


def test_stat_of_a_file_is_213():
    dialogue = ann().says("STAT a").hears(213)
    assert len(dialogue.last.lines) == 1


def test_stat_of_a_pattern_is_212():
    dialogue = ann().says("STAT *").hears(212)
    assert len(dialogue.last.lines) == 2


def test_stat_of_nothing_is_550():
    ann().says("STAT none").hears(550)


def test_stat_of_a_path_before_login_is_530():
    Dialogue().hears(220).says("STAT /").hears(530)


def test_stat_of_a_large_directory_is_cut():
    settings = FTPSettings(listing=ListingSettings(max_matches=10))
    dialogue = Dialogue(login="ann", files={f"/{number}": b"" for number in range(20)}, settings=settings).says("STAT /").hears(212)
    assert len(dialogue.last.lines) == 10
    assert dialogue.last.last == "Only the first 10 are shown; use LIST"


@pytest.mark.parametrize("verb", sorted(KNOWN_VERBS))
def test_known_command_that_is_not_served_is_502(verb):
    ann().says(verb).hears(502)


@pytest.mark.parametrize("line", ["FOO", "", " ", " NOOP", "\tNOOP", "RETRX a", "\x00", "\u0131dle"])
def test_unknown_command_is_500(line):
    ann().says(line).hears(500).says("NOOP").hears(200)
