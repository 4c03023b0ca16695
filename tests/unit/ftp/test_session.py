from __future__ import annotations

import pytest

from ftpd.errors import DataConnectionFailed, NotLoggedIn
from ftpd.ftp.session import Transfer
from ftpd.ftp.wire.facts import DEFAULT_FACTS
from ftpd.paths import ROOT, VirtualPath
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule


@pytest.fixture
def dialogue():
    return Dialogue(login="ann")


def port_of(dialogue):
    return dialogue.server.ports.listen(dialogue.session.peer)


def test_new_session_is_nobodys():
    session = Dialogue().session
    assert not session.is_logged_in
    assert session.account_name is None
    with pytest.raises(NotLoggedIn):
        session.files.permissions(ROOT)


def test_confined_account_starts_at_the_root():
    bob = Account("bob", home=VirtualPath.parse("/home/bob"), rules=(Rule(ROOT, Permission.ALL),))
    assert Dialogue(login="bob", accounts=[bob]).session.cwd == ROOT


def test_account_that_is_not_confined_starts_at_home():
    bob = Account("bob", home=VirtualPath.parse("/home/bob"), is_confined=False, rules=(Rule(ROOT, Permission.ALL),))
    Dialogue(login="bob", accounts=[bob]).says("PWD").hears(257, '"/home/bob" is the working directory.').says("CWD /").hears(250)


def test_second_logout_calls_nothing(dialogue):
    dialogue.session.log_out()
    dialogue.session.log_out()
    assert dialogue.server.logouts == 1


def test_data_port_is_taken_once(dialogue):
    port = port_of(dialogue)
    dialogue.session.use_data(port)
    assert dialogue.session.take_data() is port
    with pytest.raises(DataConnectionFailed):
        dialogue.session.take_data()


def test_new_data_port_closes_the_one_before(dialogue):
    first, second = port_of(dialogue), port_of(dialogue)
    dialogue.session.use_data(first)
    dialogue.session.use_data(second)
    assert (first.is_closed, second.is_closed) == (True, False)


def test_reset_parameters_are_those_of_a_new_connection(dialogue):
    session = dialogue.session
    session.restart, session.rename_from, session.is_extended_only = 5, ROOT, True
    session.facts, session.umask, session.expected_size = (), 0o77, 10
    session.reset_parameters()
    assert (session.restart, session.rename_from, session.is_extended_only) == (0, None, False)
    assert (session.facts, session.umask, session.expected_size) == (DEFAULT_FACTS, None, None)
    assert session.representation.value == "A"


def test_umask_takes_bits_away(dialogue):
    assert dialogue.session.permissions(0o666) is None
    dialogue.session.umask = 0o027
    assert dialogue.session.permissions(0o666) == 0o640


def test_transfer_that_has_not_begun_has_moved_nothing():
    assert Transfer("RETR", "download", ROOT, 5, 0.0).moved == 0
