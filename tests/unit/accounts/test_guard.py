from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.accounts.guard import Guard, GuardedUpload
from ftpd.errors import BadOffset, NotFound, NotPermitted, OverQuota, Unsupported
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import FilePath
from ftpd.storage.layer import Layer
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.storage.memory import MemoryStore
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.values import Ability, Account, Attributes, Permission, Rule, WriteMode

LIST, READ, CREATE, OVERWRITE = Permission.LIST, Permission.READ, Permission.CREATE, Permission.OVERWRITE
DELETE, RENAME, DIRECTORIES, ATTRIBUTES = Permission.DELETE, Permission.RENAME, Permission.DIRECTORIES, Permission.ATTRIBUTES

OPERATIONS = {
    "open_directory": (LIST, lambda guard, path: guard.open_directory(path)),
    "open_read": (READ, lambda guard, path: guard.open_read(path)),
    "make_directory": (DIRECTORIES, lambda guard, path: guard.make_directory(path)),
    "remove_directory": (DIRECTORIES, lambda guard, path: guard.remove_directory(path)),
    "remove_file": (DELETE, lambda guard, path: guard.remove_file(path)),
    "set_attributes": (ATTRIBUTES, lambda guard, path: guard.set_attributes(path, Attributes(mode=0o600))),
}


def path(text):
    return VirtualPath.parse(text)


@pytest.fixture
def files(recorded_files):
    return recorded_files({"/old": 10, "/incoming/there": 10, "/pub/f": 10, "/incoming": 0})


def guard(files, allows=Permission.ALL, rules=None, **limits):
    account = Account(
        "ann", rules=(Rule(ROOT, allows), *(Rule(path(where), what) for where, what in (rules or {}).items())), **limits
    )
    return Guard(files, account)


def store(guard, name, mode=WriteMode.REPLACE, **more):
    return finish(guard.open_write(path(name), mode=mode, **more))


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_passes_with_its_permission_alone(files, name):
    permission, call = OPERATIONS[name]
    finish(call(guard(files, permission), path("/x")))
    assert files.calls == [(name, "/x")]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_refused_with_every_other_permission(files, name):
    permission, call = OPERATIONS[name]
    with pytest.raises(NotPermitted):
        finish(call(guard(files, Permission.ALL & ~permission), path("/x")))
    assert files.calls == []


@pytest.mark.parametrize("allows", [LIST, READ])
def test_listing_or_reading_lets_describe(files, allows):
    assert finish(guard(files, allows).stat(path("/old"))).size == 10


def test_describing_is_refused_without_both(files):
    with pytest.raises(NotPermitted):
        finish(guard(files, Permission.WRITE).stat(path("/old")))
    with pytest.raises(NotPermitted):
        finish(guard(files, Permission.WRITE).stat(ROOT))
    assert files.calls == []


def test_the_longest_matching_rule_counts_whatever_the_order():
    rules = {"/a/b": READ, "/a": LIST, "/a/b/c": CREATE}
    guarded = guard(None, DELETE, rules)
    assert guarded.permissions(path("/a/b/c/d")) == CREATE
    assert guarded.permissions(path("/a/b/x")) == READ
    assert guarded.permissions(path("/a")) == LIST
    assert guarded.permissions(path("/ab")) == DELETE
    assert guarded.permissions(ROOT) == DELETE


def test_without_a_rule_nothing_is_allowed():
    assert Guard(None, Account("ann", rules=())).permissions(ROOT) is Permission.NONE


def test_exceptions_are_the_entries_of_a_directory_with_rules_of_their_own():
    guarded = guard(None, LIST, {"/a": READ, "/b/c": CREATE, "/b/c/d": DELETE})
    assert guarded.exceptions(ROOT) == {"a": READ}
    assert guarded.exceptions(path("/b")) == {"c": CREATE}
    assert guarded.exceptions(path("/a")) == {}


class TestUploadOnlyDirectory:
    @pytest.fixture
    def guarded(self, files):
        return guard(files, Permission.VIEW, {"/incoming": CREATE})

    def test_a_file_can_be_stored(self, files, guarded):
        store(guarded, "/incoming/new")
        assert files.calls == [("open_write", "/incoming/new", "CREATE", 0, None)]

    def test_a_file_can_be_stored_under_a_unique_name(self, files, guarded):
        store(guarded, "/incoming/new", WriteMode.UNIQUE)
        assert files.calls == [("open_write", "/incoming/new", "UNIQUE", 0, None)]

    def test_the_directory_itself_can_be_seen_and_entered(self, guarded):
        assert finish(guarded.stat(path("/incoming"))).name == "incoming"

    @pytest.mark.parametrize("name", ["/incoming/there", "/incoming/none"])
    @pytest.mark.parametrize("operation", [*OPERATIONS, "stat"])
    def test_nothing_else_is_possible_and_no_name_is_given_away(self, files, guarded, operation, name):
        call = OPERATIONS[operation][1] if operation != "stat" else lambda guard, where: guard.stat(where)
        with pytest.raises(NotPermitted):
            finish(call(guarded, path(name)))
        assert files.calls == []

    def test_it_can_not_be_listed(self, guarded):
        with pytest.raises(NotPermitted):
            finish(guarded.open_directory(path("/incoming")))

    @pytest.mark.parametrize("mode", [WriteMode.APPEND, WriteMode.RESUME])
    def test_what_is_there_is_not_appended_to(self, files, guarded, mode):
        with pytest.raises(NotPermitted):
            store(guarded, "/incoming/there", mode)
        assert files.upload is None

    def test_files_are_not_renamed_into_or_out_of_it(self, guarded):
        for old, new in (("/incoming/there", "/pub/x"), ("/pub/f", "/incoming/x"), ("/incoming/there", "/incoming/x")):
            with pytest.raises(NotPermitted):
                finish(guarded.rename(path(old), path(new)))


class TestStoring:
    @pytest.mark.parametrize("mode", WriteMode)
    def test_with_both_permissions_the_mode_goes_through_and_nothing_is_looked_up(self, files, mode):
        store(guard(files, CREATE | OVERWRITE), "/old", mode, expected_size=3)
        assert files.calls == [("open_write", "/old", mode.name, 0, 3)]

    def test_without_overwrite_a_replacement_becomes_a_creation(self, files):
        store(guard(files, CREATE), "/old")
        assert files.calls == [("open_write", "/old", "CREATE", 0, None)]

    @pytest.mark.parametrize("mode", [WriteMode.APPEND, WriteMode.RESUME])
    def test_without_overwrite_the_first_append_becomes_a_creation(self, files, mode):
        store(guard(files, CREATE), "/new", mode)
        assert files.calls[-1] == ("open_write", "/new", "CREATE", 0, None)

    def test_without_overwrite_there_is_nothing_to_resume(self, files):
        with pytest.raises(BadOffset):
            store(guard(files, CREATE), "/new", WriteMode.RESUME, offset=5)
        assert files.upload is None

    @pytest.mark.parametrize("mode", [WriteMode.REPLACE, WriteMode.APPEND, WriteMode.RESUME])
    def test_without_create_only_what_is_there_is_written(self, files, mode):
        store(guard(files, OVERWRITE), "/old", mode)
        assert files.calls[-1] == ("open_write", "/old", mode.name, 0, None)
        with pytest.raises(NotPermitted):
            store(guard(files, OVERWRITE), "/new", mode)

    @pytest.mark.parametrize("mode", [WriteMode.CREATE, WriteMode.UNIQUE])
    def test_without_create_no_new_name_is_made(self, files, mode):
        with pytest.raises(NotPermitted):
            store(guard(files, OVERWRITE), "/new", mode)
        assert files.calls == []

    @pytest.mark.parametrize("mode", WriteMode)
    def test_without_both_nothing_is_written_and_nothing_looked_up(self, files, mode):
        with pytest.raises(NotPermitted):
            store(guard(files, Permission.ALL & ~(CREATE | OVERWRITE)), "/old", mode)
        assert files.calls == []


def test_mode_bits_go_through(files):
    store(guard(files), "/new", permissions=0o640)
    assert files.permissions == 0o640
    finish(guard(files).make_directory(path("/d"), permissions=0o750))
    assert files.permissions == 0o750


class TestRename:
    def test_both_ends_need_the_permission(self, files):
        guarded = guard(files, Permission.VIEW, {"/mine": RENAME})
        for old, new in (("/a", "/mine/b"), ("/mine/a", "/b")):
            with pytest.raises(NotPermitted):
                finish(guarded.rename(path(old), path(new)))
        finish(guarded.rename(path("/mine/a"), path("/mine/b")))
        assert files.calls[-1] == ("rename", "/mine/a", "/mine/b")

    def test_a_taken_name_needs_overwrite(self, files):
        with pytest.raises(NotPermitted):
            finish(guard(files, RENAME).rename(path("/a"), path("/old")))
        finish(guard(files, RENAME | OVERWRITE).rename(path("/a"), path("/old")))
        assert files.calls == [("stat", "/old"), ("rename", "/a", "/old")]

    def test_a_free_name_does_not(self, files):
        finish(guard(files, RENAME).rename(path("/old"), path("/new")))
        assert files.calls[-1] == ("rename", "/old", "/new")

    @pytest.mark.parametrize("old", ["/a", "/a/secret"])
    def test_a_place_with_rules_in_it_is_not_moved_from_under_them(self, files, old):
        guarded = guard(files, Permission.ALL, {"/a/secret": RENAME | LIST})
        with pytest.raises(NotPermitted):
            finish(guarded.rename(path(old), path("/b")))
        with pytest.raises(NotPermitted):
            finish(guarded.rename(path("/b"), path(old)))
        assert files.calls == []


class TestLargestFile:
    def test_without_a_limit_there_is_no_ceiling(self, files):
        assert store(guard(files), "/new").ceiling is None

    def test_the_ceiling_counts_from_where_writing_starts(self, files):
        guarded = guard(files, max_file_size=100)
        assert store(guarded, "/new").ceiling == 100
        assert store(guarded, "/old", WriteMode.APPEND).ceiling == 90
        assert store(guarded, "/old", WriteMode.RESUME, offset=4).ceiling == 96

    @pytest.mark.parametrize(("largest", "expected"), [(40, 40), (60, 50)])
    def test_the_tighter_of_the_stores_bound_and_ours_is_the_ceiling(self, files, largest, expected):
        store(guard(files), "/new")
        files.upload.ceiling = 50
        assert GuardedUpload(files.upload, largest).ceiling == expected

    def test_an_announced_size_beyond_it_is_refused_before_the_store_is_asked(self, files):
        with pytest.raises(OverQuota, match="Larger than the 100 bytes that one file may have"):
            store(guard(files, max_file_size=100), "/new", expected_size=101)
        assert files.calls == []

    def test_an_announced_size_up_to_it_is_taken(self, files):
        assert store(guard(files, max_file_size=100), "/new", expected_size=100).ceiling == 100

    def test_resuming_behind_it_is_refused(self, files):
        with pytest.raises(OverQuota):
            store(guard(files, max_file_size=100), "/old", WriteMode.RESUME, offset=101)
        assert files.calls == []

    def test_appending_to_a_larger_file_is_refused_and_the_upload_freed(self, files):
        with pytest.raises(OverQuota):
            store(guard(files, max_file_size=5), "/old", WriteMode.APPEND)
        assert files.upload.calls == ["abandon"]

    def test_a_write_up_to_it_passes_and_one_beyond_writes_nothing(self, files):
        upload = store(guard(files, max_file_size=8), "/new")
        finish(upload.write_at(0, b"12345678"))
        with pytest.raises(OverQuota):
            finish(upload.write_at(8, b"9"))
        with pytest.raises(OverQuota):
            finish(upload.write_at(0, memoryview(bytearray(9))))
        assert files.upload.calls == [("write_at", 0, b"12345678")]


def test_an_upload_passes_everything_else_on(files):
    upload = store(guard(files), "/new", WriteMode.RESUME, offset=3)
    assert (upload.path, upload.start, upload.descriptor()) == (path("/new"), 3, 7)
    assert finish(upload.commit()).name == "new"
    finish(upload.abandon())
    finish(upload.abandon(keeps=False))
    assert files.upload.calls == ["commit", "abandon", "abandon, keeping nothing"]


def test_abilities_and_close_are_the_stores(files):
    guarded = guard(files)
    assert guarded.abilities is Ability.RESUME
    finish(guarded.close())
    assert files.calls == ["close"]


names = st.sampled_from("abc")
paths = st.builds(lambda parts: VirtualPath(tuple(parts)), st.lists(names, max_size=4))


@given(rules=st.dictionaries(paths, st.sampled_from(list(Permission)), max_size=6), wanted=paths)
def test_permissions_are_those_of_the_nearest_place_above_that_has_a_rule(rules, wanted):
    guarded = Guard(None, Account("ann", rules=tuple(Rule(where, allows) for where, allows in rules.items())))
    above = [VirtualPath(wanted.parts[:length]) for length in range(len(wanted.parts), -1, -1)]
    assert guarded.permissions(wanted) == next((rules[place] for place in above if place in rules), Permission.NONE)


@given(rules=st.dictionaries(paths, st.sampled_from(list(Permission)), max_size=6), directory=paths, name=names)
def test_exceptions_and_the_directory_give_what_each_entry_has(rules, directory, name):
    rules = {ROOT: Permission.LIST, **rules}
    guarded = Guard(None, Account("ann", rules=tuple(Rule(where, allows) for where, allows in rules.items())))
    allows = guarded.exceptions(directory).get(name, guarded.permissions(directory))
    assert allows == guarded.permissions(directory.child(name))


def test_permission_anywhere_is_that_of_the_root_or_of_a_rule(files):
    account = guard(files, LIST, {"/incoming": CREATE})
    assert [account.permits_anywhere(one) for one in (LIST, CREATE, READ)] == [True, True, False]


def stored_as(guard, name, content):
    file = store(guard, name)
    finish(file.write_at(0, content))
    return finish(file.commit())


def read_again(guard, name, info):
    file = finish(guard.reopen(path(name), info))
    content = finish(file.read_at(0, 100))
    finish(file.close())
    return content


@pytest.fixture(params=["memory", "disk"])
def dropping(request, tmp_path):
    """Return what makes a guard over the same store each time, for an account that may store only."""
    disk = LocalStore(LocalSettings(root=FilePath(str(tmp_path)), durable="none"), InlineThreads())
    kept = MemoryStore() if request.param == "memory" else disk
    account = Account("drop", rules=(Rule(ROOT, CREATE | OVERWRITE),))
    return lambda: Guard(finish(kept.open(account)), account)


def test_what_was_just_stored_can_be_opened_again_without_the_permission_to_read(dropping):
    account = dropping()
    info = stored_as(account, "/file", b"content")
    with pytest.raises(NotPermitted):
        finish(account.open_read(path("/file")))
    assert read_again(account, "/file", info) == b"content"


@pytest.mark.parametrize("later", [b"another", b"content"])
def test_what_somebody_else_has_stored_since_is_not_found(dropping, later):
    account = dropping()
    info = stored_as(account, "/file", b"content")
    stored_as(dropping(), "/file", later)
    with pytest.raises(NotFound):
        finish(account.reopen(path("/file"), info))


class Doorkeeper:
    """A filesystem with a say in what may be entered."""

    def __init__(self):
        self.asked = []

    async def enter(self, path):
        self.asked.append(str(path))
        raise NotPermitted(path)


def test_a_store_with_a_say_in_it_is_asked_what_may_be_entered():
    files = Doorkeeper()
    with pytest.raises(NotPermitted):
        finish(Guard(files, Account("ann")).enter(VirtualPath.parse("/d")))
    assert files.asked == ["/d"]


def test_a_store_without_a_say_in_it_lets_everybody_enter():
    finish(Guard(finish(MemoryStore().open(Account("ann"))), Account("ann")).enter(VirtualPath.parse("/none")))


# What only some stores can do.


def refused(call):
    with pytest.raises(NotPermitted):
        finish(call)


class Able(Layer):
    """Adds to a store without files what `spi` knows besides."""

    def __init__(self, files):
        super().__init__(files)
        self.calls = files.calls
        self.rules = None

    @property
    def abilities(self):
        return Ability.LINKS

    async def make_link(self, path, target):
        self.calls.append(("make_link", str(path), str(target)))

    async def available_bytes(self, path):
        return 1000

    async def created_ns(self, path):
        self.calls.append(("created_ns", str(path)))
        return 5

    async def remove_tree(self, path, rules):
        self.rules = rules
        return "a removal"


@pytest.fixture
def able(files):
    return Able(files)


def test_a_time_of_creation_is_told_to_who_may_describe(able):
    assert finish(guard(able, LIST).stat_dated(path("/old"))).created_ns == 5
    assert able.calls == [("stat", "/old"), ("created_ns", "/old")]
    refused(guard(able, Permission.WRITE).stat_dated(path("/old")))
    assert able.calls == [("stat", "/old"), ("created_ns", "/old")]


def test_nobody_is_asked_for_a_time_of_creation_that_is_known_or_cannot_be(files):
    assert finish(guard(files).stat_dated(path("/old"))).created_ns is None
    memory = finish(MemoryStore().open(Account("ann")))
    assert finish(guard(memory).stat_dated(ROOT)) == finish(memory.stat(ROOT))


def test_a_link_needs_create_at_its_place_and_no_rules_below(able):
    finish(guard(able, CREATE).make_link(path("/l"), path("/old")))
    assert able.calls == [("make_link", "/l", "/old")]
    refused(guard(able, Permission.ALL & ~CREATE).make_link(path("/l"), path("/old")))
    refused(guard(able, rules={"/pub": Permission.NONE}).make_link(path("/l"), path("/pub")))
    refused(guard(able, rules={"/pub": Permission.ALL}).make_link(path("/l"), path("/old")))


def test_who_can_link_is_told(able, files):
    assert guard(able).can_link
    assert not guard(able, rules={"/pub": Permission.ALL}).can_link
    assert not guard(files).can_link


def test_the_room_is_no_more_than_the_largest_file_and_nothing_for_readers(able):
    assert finish(guard(able).available_bytes(ROOT)) == 1000
    assert finish(guard(able, CREATE, max_file_size=10).available_bytes(ROOT)) == 10
    assert finish(guard(able, Permission.VIEW).available_bytes(ROOT)) == 0
    refused(guard(able, Permission.NONE).available_bytes(ROOT))


def test_what_the_store_cannot_do_is_unsupported(files):
    for call in (guard(files).make_link(path("/l"), path("/old")), guard(files).available_bytes(ROOT)):
        with pytest.raises(Unsupported):
            finish(call)


def test_a_tree_needs_directories_at_its_top_and_each_entry_its_own(able):
    refused(guard(able, Permission.ALL & ~DIRECTORIES).remove_tree(path("/pub")))
    guarded = guard(able, DIRECTORIES | LIST, {"/pub/f": Permission.NONE, "/pub/d": DELETE})
    assert finish(guarded.remove_tree(path("/pub"))) == "a removal"
    rules = able.rules
    assert rules.may_enter(path("/pub"))
    assert not rules.may_enter(path("/pub/d"))
    assert rules.may_remove(path("/pub/x"), is_directory=True)
    assert not rules.may_remove(path("/pub/x"), is_directory=False)
    assert not rules.may_remove(path("/pub/f"), is_directory=True)
    assert rules.may_remove(path("/pub/d/x"), is_directory=False)


def test_a_demand_is_for_all_that_is_named(files):
    guard(files, READ | DELETE).demand(path("/old"), READ | DELETE)
    with pytest.raises(NotPermitted):
        guard(files, READ).demand(path("/old"), READ | DELETE)
