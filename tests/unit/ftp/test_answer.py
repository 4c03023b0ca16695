from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from ftpd.ftp.answer import answer, row_of
from ftpd.ftp.command import Needs, command, nothing, text
from ftpd.ftp.commands import standard_commands
from ftpd.ftp.settings import FTPSettings
from ftpd.ftp.wire.lines import TOO_LONG
from ftpd.ftp.wire.replies import Reply
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.login_contract import recorded_log


@command("XWAIT", takes=nothing, rfc="test")
async def xwait(session, _):
    """Wait until the test goes on."""
    session.client = Deferred()
    return await session.client


@command("XFAIL", takes=nothing, rfc="test")
async def xfail(session, _):
    """Fail as only a bug does."""
    raise KeyError("hunter2")


@command("XECHO", takes=text, rfc="test", needs=Needs.LOGIN)
async def xecho(session, said):
    """Say it again."""
    return Reply(200, said)


COMMANDS = {**standard_commands(), b"XWAIT": xwait, b"XFAIL": xfail, b"XECHO": xecho}


def ann():
    return Dialogue(login="ann", commands=COMMANDS)


def test_command_that_never_waits_is_answered_at_once():
    assert answer(ann().session, b"NOOP") == Reply(200, "OK.")


def test_command_that_waits_is_answered_later():
    session = ann().session
    reply = answer(session, b"XWAIT")
    session.client.callback(Reply(200, "now"))
    results = []
    reply.addCallback(results.append)
    assert results == [Reply(200, "now")]


def test_cancelled_command_is_a_reply():
    reply = answer(ann().session, b"XWAIT")
    reply.cancel()
    results = []
    reply.addCallback(results.append)
    assert results == [Reply(451, "Command cancelled.")]


def test_command_of_an_embedder_is_served():
    ann().says("XECHO  a ").hears(200, " a ")


def test_command_of_an_embedder_needs_what_its_row_says():
    Dialogue(commands=COMMANDS).hears(220).says("XECHO a").hears(530)


def test_command_that_fails_in_an_unforeseen_way_is_451_and_one_traceback():
    dialogue = ann()
    with recorded_log() as log:
        dialogue.says("XFAIL").hears(451, "Local error in processing; the operator's log tells more.")
    assert sum("log_failure" in event for event in log) == 1
    dialogue.says("NOOP").hears(200)


@pytest.mark.parametrize("line", [b"noop", b"NoOp", b"NOOP 1"])
def test_verbs_are_case_blind(line):
    assert answer(ann().session, line) == Reply(200, "OK.")


def test_verbs_are_folded_in_ascii_only():
    assert answer(ann().session, "S\u0131ZE a".encode()).code == 500


def test_line_too_long_is_500():
    session = ann().session
    assert answer(session, TOO_LONG) == Reply(500, "Line too long.")
    assert row_of(session, TOO_LONG) is None


def test_denied_command_is_502():
    Dialogue(login="ann", settings=FTPSettings(deny_commands=("DELE",))).says("DELE a").hears(502).says("dele a").hears(502)


def test_denied_command_is_denied_under_its_aliases():
    Dialogue(login="ann", settings=FTPSettings(deny_commands=("mkd",))).says("XMKD a").hears(502)


def test_alias_can_be_denied_alone():
    Dialogue(login="ann", settings=FTPSettings(deny_commands=("XMKD",))).says("XMKD a").hears(502).says("MKD a").hears(257)


def test_denied_site_is_denied_as_a_whole():
    dialogue = Dialogue(login="ann", settings=FTPSettings(deny_commands=("SITE",)))
    dialogue.says("SITE CHMOD 600 a").hears(502).says("SITE HELP").hears(502)


def test_denied_site_command_is_502():
    Dialogue(login="ann", settings=FTPSettings(deny_commands=("SITE CHMOD",))).says("SITE CHMOD 600 a").hears(502).says(
        "SITE HELP"
    ).hears(214)


def test_command_that_is_not_among_the_allowed_is_502():
    settings = FTPSettings(allow_commands=("USER", "PASS", "TYPE", "QUIT", "CWD"))
    Dialogue(login="ann", settings=settings).says("PWD").hears(502).says("XCWD /").hears(250).says("FOO").hears(500)
