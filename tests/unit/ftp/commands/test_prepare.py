from __future__ import annotations

import pytest

from ftpd.ftp.settings import FTPSettings
from ftpd.paths import ROOT, VirtualPath
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FILES = {"/a": b"123", "/dir/x": b""}
READER = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))
DROPPER = Account("dan", rules=(Rule(ROOT, Permission.VIEW), Rule(VirtualPath.parse("/dir"), Permission.CREATE)))


def logged_in(name="ann", **arguments):
    return Dialogue(login=name, files=FILES, accounts=[READER, DROPPER], **arguments)


@pytest.mark.parametrize(
    "line",
    ["RETR a", "retr a", "LIST", "LIST -la dir", "NLST *.x", "MLSD dir", "STOR new", "STOR a", "APPE a", "STOU", "STOU wish"],
)
def test_what_can_be_served_is_200(line):
    logged_in().says(f"PRET {line}").hears(200)


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("ann", "RETR missing", "/missing: No such file or directory."),
        ("ann", "RETR dir", "/dir: Is a directory."),
        ("ann", "LIST missing", "/missing: No such file or directory."),
        ("ann", "STOR dir", "/dir: Is a directory."),
        ("ann", "STOR a/b", "/a/b: Not a directory."),
        ("bob", "STOR new", "/new: Permission denied: this account may not store new files here."),
        ("bob", "STOR a", "/a: Permission denied: this account may not replace or extend files here."),
        ("bob", "STOU", "/: Permission denied: this account may not store new files here."),
    ],
)
def test_what_would_be_refused_is_refused_now(name, line, words):
    logged_in(name).says(f"PRET {line}").hears(550, words)


def test_a_store_only_directory_takes_what_comes():
    logged_in("dan").says("PRET STOR dir/new").hears(200)


def test_nothing_is_made():
    dialogue = logged_in().says("PRET STOR new").hears(200).says("PRET STOU").hears(200)
    assert dialogue.server.tree() == {"/a": b"123", "/dir": None, "/dir/x": b""}


@pytest.mark.parametrize("line", ["NOOP", "", "DELE a", "\u0131", "RETRX a"])
def test_anything_but_a_transfer_is_refused(line):
    dialogue = logged_in().says(f"PRET {line}")
    assert dialogue.heard[-1].code in (501, 504)


def test_a_transfer_that_is_not_served_is_refused():
    logged_in(settings=FTPSettings(deny_commands=("STOU",))).says("PRET STOU").hears(504)


def test_a_pending_rest_stays():
    logged_in().says("REST 1").hears(350).says("PRET RETR a").hears(200).says("RETR a").hears(150).hears(226).data(b"23")
