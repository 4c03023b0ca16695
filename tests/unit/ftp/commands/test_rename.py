from __future__ import annotations

import pytest

from ftpd.events import FileChanged
from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import Server
from ftpd.values import Account, Permission, Rule

FILES = {"/a": b"1", "/b": b"2", "/dir/c": b"3"}


def ann():
    return Dialogue(login="ann", files=FILES)


def test_rename_is_350_and_250():
    dialogue = ann().says("RNFR a").hears(350).says("RNTO new").hears(250, "/a is now /new.")
    dialogue.stored("/a", None).stored("/new", b"1")
    assert [(event.change, event.path, event.target) for event in dialogue.events(FileChanged)] == [("renamed", "/a", "/new")]


def test_rename_replaces_a_file_as_posix_does():
    ann().says("RNFR a").hears(350).says("RNTO b").hears(250).stored("/b", b"1")


def test_other_commands_may_stand_between_rnfr_and_rnto():
    ann().says("RNFR a").hears(350).says("NOOP").hears(200).says("CWD dir").hears(250).says("RNTO d").hears(250).stored(
        "/dir/d", b"1"
    )


def test_rnto_first_is_503():
    ann().says("RNTO b").hears(503, "Send RNFR first.")


def test_rnto_twice_is_503():
    ann().says("RNFR a").hears(350).says("RNTO x").hears(250).says("RNTO y").hears(503)


def test_rnto_that_failed_needs_a_new_rnfr():
    ann().says("RNFR a").hears(350).says("RNTO none/x").hears(553).says("RNTO x").hears(503)


def test_rnfr_of_nothing_is_550():
    ann().says("RNFR none").hears(550)


@pytest.mark.parametrize("verb", ["RNFR", "RNTO"])
def test_without_a_path_it_is_501(verb):
    ann().says(verb).hears(501)


def test_rnto_onto_a_directory_is_553():
    ann().says("RNFR a").hears(350).says("RNTO dir").hears(553)


def test_rnto_of_a_directory_into_itself_is_553():
    ann().says("RNFR dir").hears(350).says("RNTO dir/below").hears(553)


def test_rnto_without_the_permission_is_553():
    reader = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))
    Dialogue(login="bob", accounts=[reader], files=FILES).says("RNFR a").hears(350).says("RNTO x").hears(553)


def test_rnfr_of_one_login_is_not_the_next_ones():
    server = Server(files=FILES, accounts=[Account("bob", rules=(Rule(ROOT, Permission.ALL),))])
    dialogue = Dialogue(login="ann", server=server).says("RNFR a").hears(350)
    dialogue.says("USER bob").hears(331).says("PASS secret").hears(230).says("RNTO x").hears(503)


@pytest.mark.parametrize("line", ["RNFR a", "RNTO a"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)


def test_a_refused_rnfr_takes_back_the_earlier_one() -> None:
    dialogue = Dialogue(login="ann", files={"/kept": b"x"})
    dialogue.says("RNFR kept").hears(350).says("RNFR missing").hears(550).says("RNTO stolen").hears(503)
    dialogue.stored("/kept", b"x")
