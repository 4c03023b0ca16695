from __future__ import annotations

import pytest

from ftpd.errors import Unavailable
from ftpd.events import FileChanged
from ftpd.ftp.settings import FileSettings, FTPSettings
from ftpd.paths import ROOT, VirtualPath
from ftpd.storage.memory import MemorySettings, MemoryStore
from ftpd.storage.readonly import ReadOnly
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import SlowStore
from ftpd.testing.server import Server
from ftpd.values import Account, Permission, Rule

FILES = {"/a": b"1", "/t/a": b"22", "/t/b": b"333", "/t/d/a": b"4444", "/t/d/e": None, "/u/a": b"5"}
ON = FTPSettings(files=FileSettings(remove_trees=True))


def path(text):
    return VirtualPath.parse(text)


def ann(settings=ON, **arguments):
    return Dialogue(login="ann", settings=settings, files=FILES, **arguments)


def bob(*rules, **arguments):
    """A login with rules of its own."""
    account = Account("bob", rules=tuple(Rule(path(text), allows) for text, allows in rules))
    return Dialogue(login="bob", accounts=[account], settings=ON, files=FILES, **arguments)


def features(dialogue):
    return set(dialogue.says("FEAT").hears(211).last.lines)


# RMDA.


def test_rmda_removes_the_tree_and_nothing_else():
    dialogue = ann().says("RMDA t").hears(250, "/t: 3 files and 3 directories are gone.")
    assert dialogue.server.tree() == {"/a": b"1", "/u": None, "/u/a": b"5"}


def test_a_removed_tree_is_one_event():
    dialogue = ann().says("RMDA t").hears(250)
    assert [(event.change, event.path) for event in dialogue.events(FileChanged)] == [("tree-removed", "/t")]


def test_rmda_is_not_served_unless_switched_on():
    dialogue = ann(FTPSettings()).says("RMDA t").hears(502)
    assert dialogue.server.tree()["/t/a"] == b"22"


@pytest.mark.parametrize("name", ["/", "", ".", "..", "/a", "none", "a/b"])
def test_rmda_of_what_is_no_tree_below_is_refused(name):
    dialogue = ann().says(f"RMDA {name}")
    assert dialogue.heard[-1].code == (501 if not name else 550)
    assert len(dialogue.server.tree()) == 9


@pytest.mark.parametrize("cwd", ["/t", "/t/d", "/t/d/e"])
def test_rmda_of_what_holds_the_working_directory_is_refused(cwd):
    dialogue = ann().says(f"CWD {cwd}").hears(250).says("RMDA /t").hears(550)
    assert len(dialogue.server.tree()) == 9


def test_what_the_rules_protect_stays_and_is_named():
    dialogue = bob(("/", Permission.ALL), ("/t/d", Permission.VIEW)).says("RMDA /t").hears(550)
    assert dialogue.last.text == "/t: 2 files and 0 directories are gone, 2 entries stay:"
    assert [line.partition(":")[0] for line in dialogue.last.lines] == [" /t/d/e", " /t/d/a"]
    assert dialogue.server.tree()["/t/d/a"] == b"4444"
    assert [event.change for event in dialogue.events(FileChanged)] == ["tree-removed-in-part"]


def test_a_place_below_that_may_not_be_seen_stays_whole():
    dialogue = bob(("/", Permission.ALL), ("/t/d", Permission.DELETE | Permission.DIRECTORIES)).says("RMDA /t").hears(550)
    assert dialogue.last.lines == (" /t/d: Permission denied",)
    assert dialogue.server.tree()["/t/d/a"] == b"4444"


def test_rmda_without_the_permission_is_refused_before_anything_is_removed():
    dialogue = bob(("/", Permission.ALL & ~Permission.DIRECTORIES)).says("RMDA /t").hears(550)
    assert not dialogue.events(FileChanged)


def test_without_delete_the_empty_directories_go_and_the_files_stay():
    dialogue = bob(("/", Permission.ALL & ~Permission.DELETE)).says("RMDA /t").hears(550)
    assert {name for name in dialogue.server.tree() if name.startswith("/t")} == {"/t", "/t/a", "/t/b", "/t/d", "/t/d/a"}


def test_of_many_entries_that_stay_ten_are_named():
    files = {f"/t/{number}": b"" for number in range(300)}
    account = Account("bob", rules=(Rule(ROOT, Permission.ALL & ~Permission.DELETE),))
    dialogue = Dialogue(login="bob", accounts=[account], settings=ON, files=files).says("RMDA t").hears(550)
    assert dialogue.last.text == "/t: 0 files and 0 directories are gone, 300 entries stay:"
    assert len(dialogue.last.lines) == 10


def slow():
    """A dialogue over a store in which every call waits."""
    store = SlowStore(MemoryStore())
    server = Server(store=store, settings=ON)
    dialogue = Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS secret")
    store.let_go()
    dialogue.rests().hears(230).says("MKD t")
    store.let_go()
    dialogue.rests().hears(257)
    return dialogue, store


def let_go(dialogue, store, error=None):
    store.let_go(error)
    dialogue.rests()


def test_an_aborted_removal_removes_nothing_more():
    dialogue, store = slow()
    dialogue.says("RMDA t").hears_nothing()
    while store.waiting != ["remove_directory"]:
        let_go(dialogue, store)
    dialogue.says("ABOR").hears(426).hears(226)
    assert store.waiting == []


def test_noop_and_stat_are_answered_beside_a_removal():
    dialogue, store = slow()
    dialogue.says("RMDA t")
    while store.waiting != ["remove_directory"]:
        let_go(dialogue, store)
    dialogue.says("NOOP").hears(200)
    dialogue.says("STAT").hears(211)
    let_go(dialogue, store)
    dialogue.hears(250)


def test_a_lost_connection_ends_the_removal():
    dialogue, store = slow()
    dialogue.says("RMDA t")
    while store.waiting != ["remove_directory"]:
        let_go(dialogue, store)
    dialogue.hangs_up()
    assert store.waiting == []


def test_what_the_store_cannot_remove_now_stays():
    dialogue, store = slow()
    dialogue.says("RMDA t")
    while store.waiting != ["remove_directory"]:
        let_go(dialogue, store)
    let_go(dialogue, store, Unavailable(path("/t")))
    dialogue.hears(550)
    assert dialogue.last.lines == (" /t: Temporarily unavailable; try again later",)


# DSIZ.


def test_dsiz_counts_the_files_of_a_tree():
    ann().says("DSIZ t").hears(213, "9").says("DSIZ").hears(213, "11").says("DSIZ /u").hears(213, "1")


def test_dsiz_of_an_empty_directory_is_0():
    ann().says("DSIZ t/d/e").hears(213, "0")


@pytest.mark.parametrize("name", ["a", "none", "a/b"])
def test_dsiz_of_what_is_no_directory_is_550(name):
    ann().says(f"DSIZ {name}").hears(550)


def test_dsiz_counts_what_this_login_may_see():
    bob(("/", Permission.VIEW), ("/t/d", Permission.NONE)).says("DSIZ /").hears(213, "7")


def test_dsiz_where_nothing_may_be_seen_is_550():
    bob(("/", Permission.VIEW), ("/t", Permission.NONE)).says("DSIZ /t/d").hears(550)


def test_dsiz_of_what_may_be_read_and_not_listed_is_550():
    bob(("/", Permission.READ)).says("DSIZ /t").hears(550)


def test_dsiz_of_more_entries_than_are_counted_is_550():
    dialogue = ann(FTPSettings(files=FileSettings(max_entries=8))).says("DSIZ /").hears(550)
    assert "8 entries" in dialogue.last.text
    ann(FTPSettings(files=FileSettings(max_entries=9))).says("DSIZ /").hears(213, "11")


def test_dsiz_that_takes_too_long_is_550():
    dialogue, store = slow()
    dialogue.says("DSIZ /")
    let_go(dialogue, store)
    dialogue.server.clock.pump([1] * 31)
    while store.waiting:
        let_go(dialogue, store)
    dialogue.hears(550)
    assert "30 seconds" in dialogue.last.text


def test_dsiz_can_be_aborted():
    dialogue, store = slow()
    dialogue.says("DSIZ /")
    let_go(dialogue, store)
    dialogue.says("ABOR").hears(426).hears(226)


# AVBL.


def test_avbl_tells_what_the_store_has_left():
    dialogue = Dialogue(login="ann", store=MemoryStore(MemorySettings(capacity=1000)), files={"/d/a": b"x" * 100})
    dialogue.says("AVBL").hears(213, "900").says("AVBL d").hears(213, "900")


def test_avbl_is_no_more_than_the_largest_file():
    account = Account("bob", rules=(Rule(ROOT, Permission.ALL),), max_file_size=7)
    Dialogue(login="bob", accounts=[account]).says("AVBL").hears(213, "7")


def test_avbl_is_0_where_nothing_may_be_stored():
    bob(("/", Permission.VIEW)).says("AVBL").hears(213, "0")


def test_avbl_of_a_drop_box_is_told():
    bob(("/", Permission.CREATE)).says("AVBL").hears(213)


def test_avbl_where_nothing_is_allowed_is_550():
    bob(("/", Permission.ALL), ("/t", Permission.NONE)).says("AVBL t").hears(550)


@pytest.mark.parametrize("name", ["a", "none"])
def test_avbl_of_what_is_no_directory_is_550(name):
    ann().says(f"AVBL {name}").hears(550)


def test_avbl_of_a_read_only_server_is_0():
    Dialogue(login="ann", store=ReadOnly(MemoryStore())).says("AVBL").hears(213, "0").says("AVBL none").hears(550)


# FEAT.


def test_feat_shows_what_is_switched_on_and_allowed():
    assert {" RMDA directoryname", " DSIZ", " AVBL"} <= features(ann())
    assert " RMDA directoryname" not in features(ann(FTPSettings()))
    assert " RMDA directoryname" not in features(bob(("/", Permission.VIEW)))
    assert " RMDA directoryname" in features(bob(("/", Permission.VIEW), ("/t", Permission.ALL)))


@pytest.mark.parametrize("line", ["RMDA t", "DSIZ t", "AVBL"])
def test_before_login_it_is_530(line):
    Dialogue(settings=ON).hears(220).says(line).hears(530)
