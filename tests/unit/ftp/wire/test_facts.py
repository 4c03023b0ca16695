"""Facts: what MLST and MLSD say of a file."""

from __future__ import annotations

import tracemalloc

import pytest

from ftpd.errors import BadArgument
from ftpd.ftp.wire.facts import DEFAULT_FACTS, FACTS, FactFormat, feat_line, format_time, opts_line, parse_time, select_facts
from ftpd.values import FileInfo, FileKind, Permission

FILE = FileInfo("a.txt", FileKind.FILE, 12, 1_000_000_000_999_999_999, 0o640, 1, "ann", "staff", "803g1")
DIRECTORY = FileInfo("d", FileKind.DIRECTORY, 4096, 0, 0o755)
SECOND = 1_000_000_000


def facts(info: FileInfo, *selected: str, allows: Permission = Permission.ALL) -> str:
    return FactFormat(selected, allows).row(info)


def test_a_time_is_utc_without_fraction() -> None:
    assert format_time(1_000_000_000_999_999_999) == "20010909014640"


def test_the_epoch_is_a_time() -> None:
    assert format_time(0) == "19700101000000"


def test_a_time_before_the_epoch_is_rounded_down() -> None:
    assert format_time(-1) == "19691231235959"


def test_years_keep_to_four_digits() -> None:
    assert format_time(-(10**20)) == "00010101000000"
    assert format_time(10**21) == "99991231235959"


def test_a_time_is_read_as_utc() -> None:
    assert parse_time("20010909014640") == 1_000_000_000 * SECOND


def test_a_fraction_is_kept_to_the_nanosecond() -> None:
    assert parse_time("19700101000000.5") == 500_000_000
    assert parse_time("19700101000000.0000000019") == 1


def test_a_fraction_before_the_epoch_still_counts_forward() -> None:
    assert parse_time("19691231235959.25") == -750_000_000


def test_a_leap_second_is_the_next_minute() -> None:
    assert parse_time("20161231235960") == parse_time("20170101000000")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2001090901464",
        "200109090146400",
        "20010909014640.",
        "20010909014640.x",
        " 20010909014640",
        "20010909014640 ",
        "20011309014640",
        "20010230014640",
        "20010909244640",
        "20010909016040",
        "20010909014661",
        "00000101000000",
        "+2001090901464",
        "2001090901464\u0661",
        "20010909014640\n",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadArgument):
        parse_time(text)


def test_feat_marks_what_is_sent() -> None:
    assert feat_line(DEFAULT_FACTS) == "MLST type*;size*;modify*;create;perm*;unique;UNIX.mode;UNIX.owner;UNIX.group;"


def test_facts_that_are_not_offered_are_neither_told_nor_chosen() -> None:
    assert feat_line(DEFAULT_FACTS, ("type", "size")) == "MLST type*;size*;"
    assert select_facts("type;create;", ("type", "size")) == ("type",)


def test_opts_selects_in_any_case_and_ignores_the_unknown() -> None:
    assert select_facts("SIZE;Type;unix.MODE;media-type;size;") == ("type", "size", "UNIX.mode")


def test_opts_needs_no_last_semicolon() -> None:
    assert select_facts("type;size") == ("type", "size")


@pytest.mark.parametrize("text", ["", ";", "unknown;"])
def test_opts_can_select_nothing(text: str) -> None:
    assert select_facts(text) == ()


def test_opts_is_answered_with_the_selection() -> None:
    assert opts_line(("type", "UNIX.mode")) == "MLST OPTS type;UNIX.mode;"
    assert opts_line(()) == "MLST OPTS"


def test_the_default_row() -> None:
    assert facts(FILE, *DEFAULT_FACTS) == "type=file;size=12;modify=20010909014640;perm=adfrw; a.txt"


def test_every_fact() -> None:
    assert facts(FILE, *FACTS) == (
        "type=file;size=12;modify=20010909014640;unique=803g1;perm=adfrw;UNIX.mode=0640;UNIX.owner=ann;UNIX.group=staff; a.txt"
    )


def test_a_time_of_creation_is_a_fact_like_that_of_the_last_change() -> None:
    born = FILE._replace(created_ns=-1)
    assert facts(born, "type", "create") == "type=file;create=19691231235959; a.txt"
    assert facts(born, "create", "unique") == "unique=803g1;create=19691231235959; a.txt"
    assert facts(born, *DEFAULT_FACTS) == "type=file;size=12;modify=20010909014640;perm=adfrw; a.txt"


def test_a_time_of_creation_that_nobody_knows_is_left_out() -> None:
    assert facts(FILE, "type", "create") == "type=file; a.txt"


def test_only_who_chose_the_time_of_creation_asks_for_it() -> None:
    assert FactFormat(("type", "create"), Permission.ALL).tells_creation
    assert not FactFormat(DEFAULT_FACTS, Permission.ALL).tells_creation


def test_no_facts_leave_the_space_and_the_name() -> None:
    assert facts(FILE) == " a.txt"


def test_a_directory_has_no_size() -> None:
    assert facts(DIRECTORY, "type", "size") == "type=dir; d"


def test_a_store_without_unique_tokens_sends_none() -> None:
    assert facts(DIRECTORY, "type", "unique") == "type=dir; d"


def test_the_listed_directory_is_cdir() -> None:
    assert FactFormat(("type",), Permission.ALL, directory_type="cdir").row(DIRECTORY) == "type=cdir; d"


def test_spaces_in_a_name_stay() -> None:
    assert facts(FILE._replace(name=" a b "), "size") == "size=12;  a b "


def test_a_link_shows_its_target() -> None:
    assert facts(FileInfo("l", FileKind.LINK, target="/a/b"), "type") == "type=OS.unix=slink:/a/b; l"


@pytest.mark.parametrize("target", [None, "", "a b", "a;type=dir", "a\r\nb", "ü"])
def test_a_target_that_would_end_the_fact_is_left_out(target: str | None) -> None:
    assert facts(FileInfo("l", FileKind.LINK, target=target), "type") == "type=OS.unix=symlink; l"


def test_two_links_of_one_mode_show_two_targets() -> None:
    row = FactFormat(("type",), Permission.ALL).row
    assert [row(FileInfo("l", FileKind.LINK, target=target)) for target in ("a", "b")] == [
        "type=OS.unix=slink:a; l",
        "type=OS.unix=slink:b; l",
    ]


def test_what_is_neither_file_nor_directory_nor_link_says_so() -> None:
    assert facts(FileInfo("p", FileKind.OTHER), "type", "size", "perm") == "type=OS.unix=other;perm=df; p"


def test_owners_with_spaces_do_not_end_the_facts() -> None:
    info = FILE._replace(owner="domain users", group="a;b")
    assert facts(info, "UNIX.owner", "UNIX.group") == "UNIX.owner=domain_users;UNIX.group=a_b; a.txt"


def test_special_bits_are_in_the_mode() -> None:
    assert facts(FILE._replace(mode=0o4755), "UNIX.mode") == "UNIX.mode=4755; a.txt"


@pytest.mark.parametrize(
    ("allows", "letters"),
    [
        (Permission.NONE, ""),
        (Permission.VIEW, "r"),
        (Permission.LIST, ""),
        (Permission.CREATE, ""),
        (Permission.OVERWRITE, "aw"),
        (Permission.DELETE, "d"),
        (Permission.RENAME, "f"),
        (Permission.ALL, "adfrw"),
    ],
)
def test_permissions_of_a_file(allows: Permission, letters: str) -> None:
    assert facts(FILE, "perm", allows=allows) == f"perm={letters}; a.txt"


@pytest.mark.parametrize(
    ("allows", "letters"),
    [
        (Permission.NONE, ""),
        (Permission.VIEW, "el"),
        (Permission.CREATE, "ce"),
        (Permission.DELETE, "ep"),
        (Permission.RENAME, "ef"),
        (Permission.DIRECTORIES, "dem"),
        (Permission.ALL, "cdeflmp"),
    ],
)
def test_permissions_of_a_directory(allows: Permission, letters: str) -> None:
    assert facts(DIRECTORY, "perm", allows=allows) == f"perm={letters}; d"


def test_an_entry_with_a_rule_of_its_own_shows_it() -> None:
    row = FactFormat(("perm",), Permission.VIEW, {"incoming": Permission.CREATE}).row
    names = ("pub", "incoming", "other")
    assert [row(DIRECTORY._replace(name=name)) for name in names] == ["perm=el; pub", "perm=ce; incoming", "perm=el; other"]


def test_remembered_rows_do_not_mix() -> None:
    row = FactFormat(("type", "UNIX.mode", "UNIX.owner"), Permission.ALL).row
    infos = [FILE, DIRECTORY, FILE._replace(mode=0o600), FILE._replace(owner="bob"), FILE]
    assert [row(info) for info in infos] == [
        "type=file;UNIX.mode=0640;UNIX.owner=ann; a.txt",
        "type=dir;UNIX.mode=0755;UNIX.owner=ftp; d",
        "type=file;UNIX.mode=0600;UNIX.owner=ann; a.txt",
        "type=file;UNIX.mode=0640;UNIX.owner=bob; a.txt",
        "type=file;UNIX.mode=0640;UNIX.owner=ann; a.txt",
    ]


def test_more_days_and_owners_than_are_remembered_stay_right() -> None:
    row = FactFormat(("modify", "UNIX.owner"), Permission.ALL).row
    rows = [row(FILE._replace(modified_ns=day * 86_400 * SECOND, owner=str(day))) for day in range(3000)]
    assert rows[0] == "modify=19700101000000;UNIX.owner=0; a.txt"
    assert rows[1024] == "modify=19721021000000;UNIX.owner=1024; a.txt"
    assert rows[2999] == "modify=19780319000000;UNIX.owner=2999; a.txt"


def test_memory_does_not_grow_with_the_directory() -> None:
    row = FactFormat(FACTS, Permission.ALL).row
    tracemalloc.start()
    try:
        for number in range(20_000):
            row(FILE._replace(modified_ns=number * 86_400 * SECOND, owner=str(number)))
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_files_that_are_alike_are_written_as_if_each_were_described() -> None:
    form = FactFormat(DEFAULT_FACTS, Permission.ALL)
    write = form.alike(FILE)
    assert write is not None
    assert write("b", 7, 60) == form.row(FILE._replace(name="b", size=7, modified_ns=60 * SECOND + 999))
    assert write("b", 7, 60) == "type=file;size=7;modify=19700101000100;perm=adfrw; b"


def test_files_that_show_what_is_unique_are_not_alike() -> None:
    assert FactFormat(FACTS, Permission.ALL).alike(FILE) is None


def test_files_that_show_when_they_were_created_are_not_alike() -> None:
    assert FactFormat(("create",), Permission.ALL).alike(FILE) is None


def test_files_are_not_alike_where_one_has_a_rule_of_its_own() -> None:
    assert FactFormat(("perm",), Permission.VIEW, {"incoming": Permission.CREATE}).alike(FILE) is None


@pytest.mark.parametrize(("seconds", "text"), [(2**62, "99991231235959"), (-(2**62), "00010101000000")])
def test_an_impossible_year_is_the_nearest_that_can_be_written(seconds: int, text: str) -> None:
    assert facts(FILE._replace(modified_ns=seconds * SECOND), "modify") == f"modify={text}; a.txt"
