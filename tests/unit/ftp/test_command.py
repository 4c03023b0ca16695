from __future__ import annotations

import pytest

from ftpd.errors import BadArgument, BadName
from ftpd.ftp.command import Needs, command, nothing, optional_path, path, table, text
from ftpd.ftp.commands import standard_commands
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.testing.dialogue import Dialogue

# What RFC 959, 1123, 2389, 2428 and 3659 ask for, and what this server promises beside.
SERVED = [
    "USER",
    "PASS",
    "ACCT",
    "REIN",
    "QUIT",
    "CWD",
    "XCWD",
    "CDUP",
    "XCUP",
    "PWD",
    "XPWD",
    "PORT",
    "PASV",
    "EPRT",
    "EPSV",
    "P@SW",
    "TYPE",
    "STRU",
    "MODE",
    "RETR",
    "STOR",
    "STOU",
    "APPE",
    "ALLO",
    "REST",
    "RNFR",
    "RNTO",
    "ABOR",
    "DELE",
    "RMD",
    "XRMD",
    "MKD",
    "XMKD",
    "LIST",
    "NLST",
    "MLSD",
    "MLST",
    "STAT",
    "SIZE",
    "MDTM",
    "MFMT",
    "MFCT",
    "SYST",
    "HELP",
    "NOOP",
    "FEAT",
    "OPTS",
    "CLNT",
    "AUTH",
    "PBSZ",
    "PROT",
    "CCC",
]


@command("XONE", "XUNO", takes=nothing, rfc="test")
async def one(session, _):
    """Say one.

    And no more.
    """
    return Reply(200, "one")


@command("XUNO", takes=nothing, rfc="test")
async def other(session, _):
    """Say one, too."""
    return Reply(200, "one")


@pytest.fixture
def session():
    session = Dialogue(login="ann").session
    session.cwd = VirtualPath.parse("/dir")
    return session


@pytest.mark.parametrize("verb", SERVED)
def test_it_is_served(verb):
    assert verb.encode() in standard_commands()


def test_table_has_a_row_under_each_of_its_names():
    assert dict(table([one])) == {b"XONE": one, b"XUNO": one}


def test_table_cannot_be_changed():
    with pytest.raises(TypeError):
        table([one])[b"XTWO"] = one


def test_verb_that_stands_twice_is_an_error():
    with pytest.raises(ValueError, match="two commands are called XUNO"):
        table([one, other])


def test_summary_is_the_first_line_of_the_docstring():
    assert one.summary == "Say one."


@pytest.mark.parametrize("row", dict.fromkeys(standard_commands().values()), ids=lambda row: row.verb)
def test_row_tells_what_it_is(row):
    assert row.summary
    assert row.rfc
    assert row.needs in (Needs.NOTHING, Needs.LOGIN, Needs.LOGIN | Needs.DATA)


def test_nothing_ignores_what_comes(session):
    assert nothing(session, "0") is None


def test_text_is_taken_as_it_stands(session):
    assert text(session, " a ") == " a "
    with pytest.raises(BadArgument):
        text(session, "")


def test_path_is_relative_to_the_working_directory(session):
    assert path(session, "a ") == VirtualPath(("dir", "a "))
    assert path(session, "/a") == VirtualPath(("a",))
    with pytest.raises(BadArgument):
        path(session, "")
    with pytest.raises(BadName):
        path(session, "a\0")


def test_optional_path_is_the_working_directory_without_one(session):
    assert optional_path(session, "") == VirtualPath(("dir",))
    assert optional_path(session, "..") == VirtualPath(())


def test_rows_that_abor_stops_are_transfers_and_those_that_say_so():
    async def run(session, argument):
        """Do it."""

    rows = [
        command("XFOO", takes=nothing, rfc="none", needs=needs, is_abortable=is_abortable)(run)
        for needs, is_abortable in ((Needs.LOGIN, False), (Needs.LOGIN, True), (Needs.LOGIN | Needs.DATA, False))
    ]
    assert [row.is_abortable for row in rows] == [False, True, True]
