from __future__ import annotations

import pytest

from ftpd.events import FileChanged
from ftpd.ftp.settings import FileSettings, FTPSettings
from ftpd.paths import VirtualPath
from ftpd.storage.memory import MemorySettings, MemoryStore
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import SlowStore
from ftpd.testing.server import Server
from ftpd.values import Account, Permission, Rule

FILES = {"/a": b"content", "/b c": b"", "/t/a": b"1", "/t/d/b": b"22", "/t/d/e": None, "/u": None}


def ann(**arguments):
    return Dialogue(login="ann", **{"files": FILES, **arguments})


def bob(*rules, **arguments):
    account = Account("bob", rules=tuple(Rule(VirtualPath.parse(text), allows) for text, allows in rules), **arguments)
    return Dialogue(login="bob", accounts=[account], files=FILES)


def copied(dialogue, source, target, code=250):
    return dialogue.says(f"SITE CPFR {source}").hears(350).says(f"SITE CPTO {target}").hears(code)


def test_a_file_is_copied():
    dialogue = copied(ann(), "a", "u/new name")
    assert dialogue.last.text == "/a copied to /u/new name, 7 bytes."
    dialogue.stored("/u/new name", b"content").stored("/a", b"content")
    assert [(event.change, event.path, event.target) for event in dialogue.events(FileChanged)] == [("copied", "/a", "/u/new name")]


def test_a_file_that_is_there_is_replaced():
    copied(ann(), "a", "t/a").stored("/t/a", b"content")


def test_a_directory_is_copied_with_all_that_is_in_it():
    dialogue = copied(ann(), "t", "u/t")
    assert dialogue.last.text == "/t copied to /u/t: 2 files of 3 bytes in all."
    assert {name: data for name, data in dialogue.server.tree().items() if name.startswith("/u/")} == {
        "/u/t": None,
        "/u/t/a": b"1",
        "/u/t/d": None,
        "/u/t/d/b": b"22",
        "/u/t/d/e": None,
    }
    assert [event.change for event in dialogue.events(FileChanged)] == ["copied"]


def test_a_private_file_stays_private():
    dialogue = ann().says("SITE CHMOD 600 a").hears(200)
    copied(dialogue, "a", "x").says("OPTS MLST UNIX.mode;").hears(200).says("MLST x").hears(250)
    assert dialogue.last.lines == (" UNIX.mode=0600; /x",)


def test_the_umask_holds_for_copies():
    dialogue = ann().says("SITE UMASK 022").hears(200).says("SITE CHMOD 666 a").hears(200)
    copied(dialogue, "a", "x").says("OPTS MLST UNIX.mode;").hears(200).says("MLST x").hears(250)
    assert dialogue.last.lines == (" UNIX.mode=0644; /x",)


def test_cpto_before_cpfr_is_503():
    ann().says("SITE CPTO x").hears(503)


def test_a_source_is_good_for_one_copy():
    copied(ann(), "a", "x").says("SITE CPTO y").hears(503)


def test_the_source_is_forgotten_with_the_login():
    ann().says("SITE CPFR a").hears(350).says("REIN").hears(220).says("USER ann").hears(331).says("PASS secret").hears(230).says(
        "SITE CPTO x"
    ).hears(503)


def test_cpfr_of_nothing_is_550():
    ann().says("SITE CPFR none").hears(550)


@pytest.mark.parametrize(
    ("source", "target"),
    [("a", "a"), ("a", "/a"), ("a", "t"), ("a", "/"), ("a", "none/x"), ("t", "t"), ("t", "t/x"), ("t", "t/d/x"), ("t", "u"), ("t", "a"), ("/", "x")],
)  # fmt: skip
def test_what_cannot_be_copied_there_is_553_and_changes_nothing(source, target):
    dialogue = copied(ann(), source, target, 553)
    assert dialogue.server.tree() == {**FILES, "/t": None, "/t/d": None}


@pytest.mark.parametrize(
    "rules",
    [
        (("/", Permission.ALL & ~Permission.READ),),
        (("/", Permission.ALL & ~Permission.CREATE),),
        (("/", Permission.ALL), ("/a", Permission.LIST)),
        (("/", Permission.ALL), ("/x", Permission.VIEW)),
    ],
)
def test_read_there_and_create_here_are_needed(rules):
    copied(bob(*rules), "a", "x", 553).stored("/x", None)


def test_without_overwrite_nothing_is_replaced():
    copied(bob(("/", Permission.ALL & ~Permission.OVERWRITE)), "a", "t/a", 553).stored("/t/a", b"1")


def test_a_directory_needs_the_permission_to_make_one():
    copied(bob(("/", Permission.ALL & ~Permission.DIRECTORIES)), "t", "x", 553)


def test_what_may_not_be_read_further_down_ends_the_copy_and_is_named():
    dialogue = copied(bob(("/", Permission.ALL), ("/t/d/b", Permission.LIST)), "t", "x", 553)
    assert dialogue.last.text.startswith("/t/d/b: Permission denied")
    dialogue.stored("/x/a", b"1").stored("/x/d/b", None)
    assert [event.change for event in dialogue.events(FileChanged)] == ["copied-in-part"]


def test_the_largest_file_holds_for_copies():
    copied(bob(("/", Permission.ALL), max_file_size=6), "a", "x", 552).stored("/x", None)


def test_a_full_disk_leaves_nothing_of_the_file():
    store = MemoryStore(MemorySettings(capacity=15))
    copied(ann(store=store, files={"/a": b"0123456789"}), "a", "x", 452).stored("/x", None)
    assert store.used == 10


def test_more_entries_than_are_copied_at_once_end_the_copy():
    dialogue = copied(ann(settings=FTPSettings(files=FileSettings(max_entries=3))), "t", "x", 553)
    assert "3 entries" in dialogue.last.text
    copied(ann(settings=FTPSettings(files=FileSettings(max_entries=4))), "t", "x")


def slow():
    """A dialogue over a store in which every call but the writing waits, in the middle of SITE CPTO of a directory with one file."""
    store = SlowStore(MemoryStore())
    server = Server(store=store)
    dialogue = Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS secret")
    let_go(dialogue, store)
    dialogue.hears(230).says("MKD t")
    let_go(dialogue, store)
    dialogue.hears(257).says("STOR t/a")
    let_go(dialogue, store)
    dialogue.hears(150).sends(b"content").ends().hears(226).says("SITE CPFR t")
    let_go(dialogue, store)
    return dialogue.hears(350).says("SITE CPTO x"), store


def let_go(dialogue, store):
    store.let_go()
    dialogue.rests()


@pytest.mark.parametrize("steps", range(7))
def test_an_aborted_copy_leaves_no_part_of_a_file(steps):
    dialogue, store = slow()
    for _ in range(steps):
        let_go(dialogue, store)
    dialogue.says("ABOR").hears(426).hears(226)
    assert store.waiting == []
    left = store._store._top.entries.get("x")
    assert left is None or left.entries == {}


def test_a_lost_connection_ends_the_copy():
    dialogue, store = slow()
    for _ in range(5):
        let_go(dialogue, store)
    dialogue.hangs_up()
    assert store.waiting == []
    assert store._store._top.entries["x"].entries == {}


def test_stat_tells_of_the_copy_meanwhile():
    dialogue, store = slow()
    for _ in range(3):
        let_go(dialogue, store)
    dialogue.says("STAT").hears(211)
    assert any("SITE CPTO /x" in line for line in dialogue.last.lines)


def test_feat_shows_it_to_those_who_may():
    assert " SITE COPY" in ann().says("FEAT").hears(211).last.lines
    assert " SITE COPY" not in bob(("/", Permission.VIEW)).says("FEAT").hears(211).last.lines
    assert " SITE COPY" not in bob(("/", Permission.CREATE)).says("FEAT").hears(211).last.lines


@pytest.mark.parametrize("line", ["SITE CPFR a", "SITE CPTO a"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)


def test_a_drop_box_can_be_copied_into():
    dialogue = bob(("/", Permission.ALL), ("/u", Permission.CREATE))
    copied(dialogue, "a", "u/a").stored("/u/a", b"content")
