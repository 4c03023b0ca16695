from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ftpd.errors import NoSpace, NotPermitted, Unavailable
from ftpd.events import FileChanged
from ftpd.paths import ROOT, VirtualPath
from ftpd.storage.memory import MemoryFilesystem, MemorySettings, MemoryStore
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import SlowStore
from ftpd.testing.server import Server
from ftpd.values import Ability, Account, Permission, Rule

FILES = {"/a": b"first ", "/b": b"second ", "/c": b"third", "/d": None, "/two words": b"spaced"}


def ann(**arguments):
    return Dialogue(login="ann", **{"files": FILES, **arguments})


def bob(allows, **arguments):
    account = Account("bob", rules=(Rule(ROOT, allows),))
    return Dialogue(login="bob", accounts=[account], files=FILES, **arguments)


def is_as_before(dialogue):
    return dialogue.server.tree() == FILES


def test_the_sources_are_combined_in_order_and_removed():
    dialogue = ann().says("COMB whole a b c").hears(250, "/whole is complete: 3 files combined, 18 bytes.")
    assert dialogue.server.tree() == {"/whole": b"first second third", "/d": None, "/two words": b"spaced"}


def test_they_go_behind_what_the_target_has():
    dialogue = ann().says("COMB c a").hears(250)
    assert dialogue.server.tree() == {"/c": b"thirdfirst ", "/b": b"second ", "/d": None, "/two words": b"spaced"}


def test_names_may_be_quoted():
    ann().says('COMB "d/new ""name""" "two words" a').hears(250).stored('/d/new "name"', b"spacedfirst ")


def test_names_are_relative_to_the_working_directory():
    ann().says("CWD d").hears(250).says("COMB whole ../a /b").hears(250).stored("/d/whole", b"first second ")


def test_empty_sources_count():
    ann(files={"/a": b"", "/b": b""}).says("COMB whole a b").hears(250).stored("/whole", b"")


def test_observers_hear_of_the_target_and_then_of_each_source():
    dialogue = ann().says("COMB whole a b").hears(250)
    changes = [(event.change, event.path) for event in dialogue.events(FileChanged)]
    assert changes == [("combined", "/whole"), ("removed", "/a"), ("removed", "/b")]


@pytest.mark.parametrize("argument", ["", "whole", '"whole"', 'whole "a', 'whole "a"b', "a a", "whole a a", "whole a ./a", "a /a"])
def test_what_names_a_file_twice_or_none_is_501(argument):
    assert is_as_before(ann().says(f"COMB {argument}").hears(501))


@pytest.mark.parametrize("argument", ["whole none", "whole a none", "whole a d", "d a", "/ a", "none/whole a", "a/whole b"])
def test_what_cannot_be_combined_changes_nothing(argument):
    assert is_as_before(ann().says(f"COMB {argument}").hears(550))


@pytest.mark.parametrize("missing", [Permission.READ, Permission.DELETE, Permission.CREATE])
def test_each_permission_is_needed_before_anything_changes(missing):
    assert is_as_before(bob(Permission.ALL & ~missing).says("COMB whole a b").hears(550))


def test_without_overwrite_nothing_goes_behind_what_is_there():
    assert is_as_before(bob(Permission.ALL & ~Permission.OVERWRITE).says("COMB c a b").hears(550))


@pytest.mark.parametrize("line", ["COMB whole cut b", "COMB cut a b"])
@pytest.mark.parametrize("published", [True, False])
def test_of_a_cut_upload_nothing_is_lost(line, published):
    files = {**FILES, "/cut": b"old"} if published else FILES
    dialogue = ann(files=files).says("TYPE I").hears(200).says("STOR cut").hears(150).sends(b"most of it").resets().hears(426)
    dialogue.says(line).hears(550).says("SIZE cut").hears(213, "10")
    assert dialogue.server.tree() == files


def test_who_may_only_create_there_makes_a_new_target():
    account = Account("bob", rules=(Rule(ROOT, Permission.READ | Permission.DELETE), Rule(VirtualPath(("d",)), Permission.CREATE)))
    dialogue = Dialogue(login="bob", accounts=[account], files={**FILES, "/d/there": b"old"})
    dialogue.says("COMB d/there a b").hears(550).stored("/d/there", b"old").stored("/a", b"first ")
    dialogue.says("COMB d/whole a b").hears(250).stored("/d/whole", b"first second ")


def test_the_largest_file_holds_for_the_whole():
    account = Account("bob", rules=(Rule(ROOT, Permission.ALL),), max_file_size=12)
    assert is_as_before(Dialogue(login="bob", accounts=[account], files=FILES).says("COMB whole a b").hears(552))


def test_a_full_disk_leaves_everything_as_it_was():
    store = MemoryStore(MemorySettings(capacity=30))
    dialogue = ann(store=store, files={"/a": b"x" * 10, "/b": b"y" * 10}).says("COMB whole a b").hears(452)
    assert dialogue.server.tree() == {"/a": b"x" * 10, "/b": b"y" * 10}
    assert store.used == 20


def test_a_disk_that_fills_up_meanwhile_leaves_everything_as_it_was(monkeypatch):
    dialogue = ann()
    monkeypatch.setattr("ftpd.storage.memory.MemoryStore.reserve", _full)
    assert is_as_before(dialogue.says("COMB c a b").hears(452))


def _full(store, size):
    if size > 0:
        raise NoSpace


def test_onto_a_file_in_a_store_that_writes_in_place_it_is_refused(monkeypatch):
    monkeypatch.setattr(MemoryFilesystem, "abilities", Ability.NONE)
    assert is_as_before(ann().says("COMB c a b").hears(550))
    ann().says("COMB whole a b").hears(250)


def test_a_source_that_cannot_be_removed_is_told_and_the_target_stands(monkeypatch):
    async def refuse(files, path):
        raise NotPermitted(path)

    monkeypatch.setattr(MemoryFilesystem, "remove_file", refuse)
    dialogue = ann().says("COMB whole a b").hears(250)
    assert dialogue.last.text.endswith("13 bytes. Not removed: /a, /b.")
    dialogue.stored("/whole", b"first second ").stored("/a", b"first ")


def slow():
    """A dialogue over a store in which every call but the writing waits, with files "a" and "b"."""
    store = SlowStore(MemoryStore())
    server = Server(store=store)
    dialogue = Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS secret")
    store.let_go()
    dialogue.rests().hears(230)
    for name in "ab":
        dialogue.says(f"STOR {name}")
        store.let_go()
        dialogue.rests().hears(150).sends(name.encode()).ends().hears(226)
    return dialogue, store


def let_go(dialogue, store, until=None, times=1):
    for _ in range(times):
        store.let_go()
        dialogue.rests()


def names(store):
    return set(store._store._top.entries)


# Each part is opened to be looked at, the target is looked for and opened, then each part is read and looked at again.
@pytest.mark.parametrize("steps", range(8))
def test_an_abort_before_it_is_published_leaves_everything_as_it_was(steps):
    dialogue, store = slow()
    dialogue.says("COMB whole a b")
    let_go(dialogue, store, times=steps)
    dialogue.says("ABOR").hears(426).hears(226)
    assert store.waiting == []
    assert names(store) == {"a", "b"}


def test_an_abort_once_it_is_published_keeps_the_rest_of_the_sources():
    dialogue, store = slow()
    dialogue.says("COMB whole a b")
    while store.waiting != ["remove_file"]:
        let_go(dialogue, store)
    dialogue.says("ABOR").hears_nothing()
    let_go(dialogue, store)
    dialogue.hears(250).hears(226)
    assert dialogue.heard[-2].text.endswith("Not removed: /b.")
    assert names(store) == {"whole", "b"}


def test_a_connection_that_is_lost_meanwhile_leaves_everything_as_it_was():
    dialogue, store = slow()
    dialogue.says("COMB whole a b")
    let_go(dialogue, store, times=4)
    dialogue.hangs_up()
    assert store.waiting == []
    assert names(store) == {"a", "b"}


def test_a_source_that_changes_meanwhile_ends_it():
    dialogue, store = slow()
    dialogue.says("COMB whole a b")
    while len(store.waiting) and store.waiting != ["open_write"]:
        let_go(dialogue, store)
    store._store._top.entries["a"].data += b"more"
    while store.waiting:
        let_go(dialogue, store)
    dialogue.hears(451)
    assert names(store) == {"a", "b"}


def test_a_source_that_changes_once_it_is_read_stays():
    dialogue, store = slow()
    dialogue.says("COMB whole a b")
    while store.waiting != ["remove_file"]:
        let_go(dialogue, store)
    store._store._top.entries["b"].modified_ns += 1
    while store.waiting:
        let_go(dialogue, store)
    dialogue.hears(250)
    assert dialogue.last.text.endswith("Not removed: /b.")
    assert names(store) == {"whole", "b"}


def test_a_target_that_somebody_else_made_meanwhile_is_not_replaced():
    dialogue, store = slow()
    dialogue.says("COMB whole a b")
    while store.waiting != ["open_write"]:
        let_go(dialogue, store)
    let_go(dialogue, store)
    entries = store._store._top.entries
    entries["whole"] = entries["a"].__class__(99, 0o644)
    while store.waiting:
        let_go(dialogue, store)
    dialogue.hears(550)
    assert names(store) == {"a", "b", "whole"}
    assert entries["whole"].number == 99


def test_a_store_that_does_not_answer_leaves_everything_as_it_was():
    dialogue, store = slow()
    dialogue.says("COMB whole a b")
    let_go(dialogue, store, times=4)
    store.let_go(Unavailable(VirtualPath.parse("/a")))
    dialogue.rests().hears(451)
    assert names(store) == {"a", "b"}


@pytest.mark.parametrize("allows", [Permission.VIEW, Permission.ALL & ~Permission.DELETE])
def test_feat_does_not_show_what_this_login_may_not(allows):
    assert " COMB target;source_list" not in bob(allows).says("FEAT").hears(211).last.lines
    assert " COMB target;source_list" in ann().says("FEAT").hears(211).last.lines


def test_before_login_it_is_530():
    Dialogue().hears(220).says("COMB a b").hears(530)


class CombinedFiles(RuleBasedStateMachine):
    """COMB against a model of it: a dictionary."""

    def __init__(self):
        super().__init__()
        self.dialogue = Dialogue(login="ann")
        self.model: dict[str, bytes] = {}

    NAMES = st.sampled_from(["a", "b", "c", "with space", 'quo"te'])

    @rule(name=NAMES, data=st.binary(max_size=300))
    def store(self, name, data):
        self.dialogue.says(f"STOR {name}").hears(150).sends(data).ends().hears(226)
        self.model[name] = data

    @rule(whole=NAMES, sources=st.lists(NAMES, max_size=5))
    def combine(self, whole, sources):
        words = " ".join('"' + name.replace('"', '""') + '"' for name in (whole, *sources))
        self.dialogue.says(f"COMB {words}").hears(self.expected(whole, sources))

    def expected(self, target, sources):
        if not sources or len({target, *sources}) <= len(sources):
            return 501
        if not all(name in self.model for name in sources):
            return 550
        content = b"".join(self.model[name] for name in sources)
        self.model[target] = self.model.get(target, b"") + content
        for name in sources:
            del self.model[name]
        return 250

    @invariant()
    def is_as_the_model_says(self):
        assert self.dialogue.server.tree() == {f"/{name}": data for name, data in self.model.items()}


TestCombinedFilesAndModel = CombinedFiles.TestCase


@given(st.text(max_size=100).filter(lambda text: not set(text) & set("\r\n\0")))
def test_any_argument_has_one_reply_and_loses_no_bytes(argument):
    dialogue = ann().says(f"COMB {argument}")
    assert len(dialogue.heard) == 1
    stored = b"".join(content for content in dialogue.server.tree().values() if content)
    assert sorted(stored) == sorted(b"".join(content for content in FILES.values() if content))
