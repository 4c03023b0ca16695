from __future__ import annotations

import pytest

from ftpd.events import FileChanged
from ftpd.ftp.settings import FileSettings, FTPSettings
from ftpd.paths import ROOT
from ftpd.storage.layer import Layer
from ftpd.storage.memory import MemoryStore
from ftpd.storage.readonly import ReadOnly
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Ability, Account, Permission, Rule

FILES = {"/a": b"", "/b c; d=e;": b"", "/d": None}
OWNERS = FTPSettings(files=FileSettings(change_owners=True))


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def facts(dialogue, name):
    dialogue.says("OPTS MLST modify;UNIX.mode;").hears(200).says(f"MLST {name}").hears(250)
    return dialogue.last.lines[0]


def feature(dialogue):
    return next((line for line in dialogue.says("FEAT").hears(211).last.lines if line.startswith(" MFF")), None)


@pytest.mark.parametrize(
    ("argument", "reply", "stored"),
    [
        ("Modify=20200102030405; a", "Modify=20200102030405; /a", " modify=20200102030405;UNIX.mode=0644; /a"),
        ("modify=20200102030405 a", "Modify=20200102030405; /a", " modify=20200102030405;UNIX.mode=0644; /a"),
        ("Modify=20200102030405;UNIX.mode=0600; a", "Modify=20200102030405;UNIX.mode=0600; /a", " modify=20200102030405;UNIX.mode=0600; /a"),
        ("unix.MODE=600;MODIFY=20200102030405.123; a", "UNIX.mode=0600;Modify=20200102030405; /a", " modify=20200102030405;UNIX.mode=0600; /a"),
    ],
)  # fmt: skip
def test_facts_are_changed_and_told(argument, reply, stored):
    dialogue = ann().says(f"MFF {argument}").hears(213, reply)
    assert facts(dialogue, "a") == stored
    assert [(event.change, event.path) for event in dialogue.events(FileChanged)] == [("attributes", "/a")]


def test_a_name_with_everything_in_it_is_a_name():
    ann().says("MFF UNIX.mode=600; b c; d=e;").hears(213, "UNIX.mode=0600; /b c; d=e;")


def test_a_directory_has_facts_too():
    ann().says("MFF UNIX.mode=700; d").hears(213, "UNIX.mode=0700; /d")


@pytest.mark.parametrize("argument", ["Size=5; a", "Perm=r; a", "UNIX.owner=0; a", "UNIX.group=0; a", "Modify=20200102030405;Media-Type=text/plain; a"])  # fmt: skip
def test_a_fact_that_cannot_be_changed_is_504_and_nothing_is_changed(argument):
    dialogue = ann().says(f"MFF {argument}").hears(504)
    assert not dialogue.events(FileChanged)


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "a",
        "Modify=20200102030405;",
        "Modify=20200102030405;a",
        "Modify; a",
        "Modify=; a",
        "Modify=2020; a",
        "Modify=20201302030405; a",
        "UNIX.mode=8; a",
        "UNIX.mode=4755; a",
        "UNIX.mode=rwx; a",
        "Modify=20200102030405;modify=20200102030406; a",
        "Modify=20200102030405;;UNIX.mode=600; a",
        "=5; a",
    ],
)
def test_what_cannot_be_read_is_501_and_nothing_is_changed(argument):
    dialogue = ann().says(f"MFF {argument}").hears(501)
    assert not dialogue.events(FileChanged)


def test_of_several_facts_all_are_changed_or_none():
    dialogue = ann()
    before = facts(dialogue, "a")
    dialogue.says("MFF UNIX.mode=600;Modify=20201302030405; a").hears(501)
    assert facts(dialogue, "a") == before


@pytest.mark.parametrize("argument", ["UNIX.owner=-1; a", "UNIX.owner=root; a", "UNIX.group=4294967295; a", "UNIX.group=١; a"])
def test_an_owner_that_is_no_number_is_501(argument):
    ann(settings=OWNERS).says(f"MFF {argument}").hears(501)


def test_a_store_without_owners_says_so():
    ann(settings=OWNERS).says("MFF UNIX.owner=0; a").hears(550)


def test_mff_of_nothing_is_550():
    ann().says("MFF Modify=20200102030405; none").hears(550)


def test_mff_without_the_permission_is_refused():
    reader = Account("bob", rules=(Rule(ROOT, Permission.ALL), Rule(ROOT.child("d"), Permission.VIEW)))
    Dialogue(login="bob", accounts=[reader], files=FILES).says("MFF Modify=20200102030405; d").hears(550)


def test_feat_shows_the_facts_that_this_login_can_change():
    reader = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))
    assert feature(ann()) == " MFF Modify;Create;UNIX.mode;"
    assert feature(ann(settings=OWNERS)) == " MFF Modify;Create;UNIX.group;UNIX.owner;UNIX.mode;"
    assert feature(Dialogue().hears(220)) == " MFF Modify;Create;UNIX.mode;"
    assert feature(Dialogue(login="bob", accounts=[reader])) is None
    assert feature(Dialogue(login="ann", store=ReadOnly(MemoryStore()))) is None


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MFCT 20200102030405 a", "Create=20200102030405; /a"),
        ("MFCT 20200102030405.123 a", "Create=20200102030405; /a"),
        ("MFF Create=20200102030405; a", "Create=20200102030405; /a"),
        ("MFF UNIX.mode=600;create=20200102030405; a", "UNIX.mode=0600;Create=20200102030405; /a"),
        ("MFCT 20200102030405 b c; d=e;", "Create=20200102030405; /b c; d=e;"),
        ("MFCT 20200102030405 d", "Create=20200102030405; /d"),
    ],
)
def test_the_time_of_creation_is_set_and_told(line, reply):
    name = reply.rpartition("/")[2]
    dialogue = ann().says(line).hears(213, reply).says("OPTS MLST create;").hears(200)
    dialogue.says(f"MLST {name}").hears(250, f"Listing /{name}", [f" create=20200102030405; /{name}"])
    assert [(event.change, event.path) for event in dialogue.events(FileChanged)] == [("attributes", f"/{name}")]


class Undated(MemoryStore):
    """A store that tells no times of creation, and keeps none."""

    async def open(self, account):
        return _UndatedFiles(await super().open(account))


class _UndatedFiles(Layer):
    abilities = Ability.MODES | Ability.TIMES

    async def stat(self, path):
        return (await super().stat(path))._replace(created_ns=None)

    async def set_attributes(self, path, changes):
        assert changes.created_ns is None
        await super().set_attributes(path, changes)


class Forgetful(MemoryStore):
    """A store that keeps a time of creation which it may not read again."""

    async def open(self, account):
        return _ForgetfulFiles(await super().open(account))


class _ForgetfulFiles(Layer):
    async def stat(self, path):
        return (await super().stat(path))._replace(created_ns=None)

    async def created_ns(self, path):
        return None


def test_a_store_without_times_of_creation_says_so_in_feat_and_by_504():
    dialogue = Dialogue(login="ann", store=Undated()).says("MKD d").hears(257)
    assert feature(dialogue) == " MFF Modify;UNIX.mode;"
    assert not [line for line in dialogue.last.lines if line == " MFCT" or "create" in line]
    dialogue.says("MFCT 20200102030405 d").hears(504).says("MFF Create=20200102030405; d").hears(504)
    dialogue.says("OPTS MLST type;create;").hears(200, "MLST OPTS type;")
    dialogue.says("MLST d").hears(250, "Listing /d", [" type=dir; /d"])


def test_a_time_that_cannot_be_read_again_is_told_as_it_was_given():
    dialogue = Dialogue(login="ann", store=Forgetful()).says("MKD d").hears(257)
    dialogue.says("MFCT 20200102030405 d").hears(213, "Create=20200102030405; /d")
    dialogue.says("OPTS MLST type;create;").hears(200).says("MLST d").hears(250, "Listing /d", [" type=dir; /d"])


def test_mfct_of_nothing_is_550():
    ann().says("MFCT 20200102030405 none").hears(550)


def test_mfct_without_the_permission_is_refused():
    reader = Account("bob", rules=(Rule(ROOT, Permission.ALL), Rule(ROOT.child("d"), Permission.VIEW)))
    dialogue = Dialogue(login="bob", accounts=[reader], files=FILES).says("MFCT 20200102030405 d").hears(550)
    assert dialogue.events(FileChanged) == []


@pytest.mark.parametrize("argument", ["", "a", "20200102030405", "2020 a"])
def test_mfct_with_a_bad_argument_is_501(argument):
    ann().says(f"MFCT {argument}").hears(501)


@pytest.mark.parametrize("line", ["MFF Modify=20200102030405; a", "MFCT 20200102030405 a"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)


@pytest.mark.parametrize("line", ["MFF Modify=20200102030405; a", "MFMT 20200102030405 a", "MDTM 20200102030405 a", "MFCT 20200102030405 a"])  # fmt: skip
def test_who_may_not_see_a_file_is_refused_before_it_is_changed(line):
    blind = Account("bob", rules=(Rule(ROOT, Permission.ATTRIBUTES),))
    dialogue = Dialogue(login="bob", accounts=[blind], files=FILES).says(line).hears(550)
    assert dialogue.events(FileChanged) == []
