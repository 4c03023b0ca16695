from __future__ import annotations

import os

import pytest

from ftpd.events import FileChanged
from ftpd.ftp.settings import FileSettings, FTPSettings
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import FilePath
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.storage.memory import MemoryStore
from ftpd.storage.readonly import ReadOnly
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import InlineThreads
from ftpd.values import Account, Permission, Rule

ON = FTPSettings(files=FileSettings(make_links=True))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "home" / "ann").mkdir(parents=True)
    (tmp_path / "a").write_text("content")
    return tmp_path


@pytest.fixture
def ann(root):
    def dialogue(settings=ON, account=None, **storage):
        store = LocalStore(LocalSettings(root=FilePath(str(root)), **{"durable": "none", **storage}), InlineThreads())
        account = account or Account("ann", rules=(Rule(ROOT, Permission.ALL),))
        return Dialogue(login=account.name, store=store, accounts=[account], settings=settings)

    return dialogue


def features(dialogue):
    return dialogue.says("FEAT").hears(211).last.lines


@pytest.mark.parametrize(
    ("argument", "name", "text"),
    [
        ("a l", "l", "a"),
        ("/a d/l", "d/l", "../a"),
        ("d d/e/l", "d/e/l", "../../d"),
        ("/ d/l", "d/l", "../"),
        ("../../../../etc/passwd d/l", "d/l", "../etc/passwd"),
        ("/etc/passwd l", "l", "etc/passwd"),
        ("none l", "l", "none"),
        ('"two words" "a link"', "a link", "two words"),
        ("l l", "l", "l"),
    ],
)
def test_the_text_of_a_link_stays_within_the_root_for_every_program(ann, root, argument, name, text):
    ann().says(f"SITE SYMLINK {argument}").hears(200)
    assert os.path.normpath(os.readlink(root / name)) == os.path.normpath(text)
    assert os.path.realpath(root / name).startswith(str(root)) or text == name


def test_a_link_is_told_to_observers(ann):
    dialogue = ann().says("SITE SYMLINK a d/l").hears(200, "/d/l leads to /a.")
    assert [(event.change, event.path, event.target) for event in dialogue.events(FileChanged)] == [("linked", "/d/l", "/a")]


def test_names_are_relative_to_the_working_directory(ann, root):
    ann().says("CWD d").hears(250).says("SITE SYMLINK e ../l").hears(200)
    assert os.readlink(root / "l") == "d/e"


def test_what_the_link_leads_to_is_fetched_through_it(ann):
    ann().says("SITE SYMLINK a d/l").hears(200).says("SIZE d/l").hears(213, "7")


def test_within_a_home_nothing_leads_out_of_it(ann, root):
    account = Account("ann", home=VirtualPath.parse("/home/ann"), rules=(Rule(ROOT, Permission.ALL),))
    ann(account=account).says("SITE SYMLINK ../../a l").hears(200).says("SIZE l").hears(550)
    assert os.readlink(root / "home" / "ann" / "l") == "a"


@pytest.mark.parametrize("argument", ["", "a", "a b c", '"a" "b', 'a "b"c'])
def test_what_are_not_two_names_is_501(ann, argument):
    ann().says(f"SITE SYMLINK {argument}").hears(501)


@pytest.mark.parametrize("argument", ["a d", "x a", "a none/l", "a a/l", "a /", f"a {'n' * 256}"])
def test_where_no_link_can_be_it_is_550(ann, argument):
    ann().says(f"SITE SYMLINK {argument}").hears(550)


def test_no_link_is_made_behind_a_link(ann, root):
    (root / "through").symlink_to("d/e")
    ann().says("SITE SYMLINK ../a through/l").hears(550)
    assert os.listdir(root / "d" / "e") == []


def test_it_is_not_served_unless_switched_on(ann, root):
    ann(FTPSettings()).says("SITE SYMLINK a l").hears(502)
    assert not os.path.lexists(root / "l")


@pytest.mark.parametrize("links", ["deny", "hide"])
def test_where_links_are_not_followed_none_is_made(ann, root, links):
    ann(symlinks=links).says("SITE SYMLINK a l").hears(550)
    assert not os.path.lexists(root / "l")


def test_an_account_with_rules_for_subtrees_makes_none(ann, root):
    account = Account("bob", rules=(Rule(ROOT, Permission.ALL), Rule(VirtualPath.parse("/d"), Permission.NONE)))
    dialogue = ann(account=account).says("SITE SYMLINK d l").hears(550)
    assert not os.path.lexists(root / "l")
    assert " SITE SYMLINK" not in features(dialogue)


def test_create_is_needed(ann, root):
    account = Account("bob", rules=(Rule(ROOT, Permission.ALL & ~Permission.CREATE),))
    dialogue = ann(account=account).says("SITE SYMLINK a l").hears(550)
    assert not os.path.lexists(root / "l")
    assert " SITE SYMLINK" not in features(dialogue)


def test_a_store_without_links_says_so():
    dialogue = Dialogue(login="ann", settings=ON).says("SITE SYMLINK a l").hears(550)
    assert " SITE SYMLINK" not in features(dialogue)


def test_a_read_only_server_makes_none():
    dialogue = Dialogue(login="ann", settings=ON, store=ReadOnly(MemoryStore())).says("SITE SYMLINK a l").hears(550)
    assert " SITE SYMLINK" not in features(dialogue)


def test_feat_shows_it_where_it_is_switched_on(ann):
    assert " SITE SYMLINK" in features(ann())
    assert " SITE SYMLINK" not in features(ann(FTPSettings()))


def test_before_login_it_is_530():
    Dialogue(settings=ON).hears(220).says("SITE SYMLINK a l").hears(530)
