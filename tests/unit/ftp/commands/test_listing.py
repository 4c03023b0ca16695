from __future__ import annotations

import pytest

from ftpd.ftp.settings import FTPSettings, ListingSettings
from ftpd.paths import ROOT, VirtualPath
from ftpd.storage.memory import MemoryFilesystem, MemoryStore
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FILES = {"/a.txt": b"123", "/b.csv": b"", "/dir/c.txt": b"1", "/dir/sub/d": b"", "/-x": b""}


def ann(files=FILES, **arguments):
    return Dialogue(login="ann", files=files, **arguments)


def listed(dialogue):
    """The lines that the last listing brought."""
    dialogue.hears(150).hears(226)
    text = dialogue.connection.received.decode("utf-8", "surrogateescape")
    assert text.endswith("\r\n") or not text
    return text.split("\r\n")[:-1]


def names(dialogue):
    return [row.split(None, 8)[8] for row in listed(dialogue) if row[:1] in "-d"]


# LIST


def test_list_sends_rows_like_ls():
    dialogue = ann({"/dir": None, "/a": b"123"}).says("MFMT 20100102030405 a").hears(213).says("MFMT 20100102030405 dir").hears(213)
    assert listed(dialogue.says("LIST")) == [
        "drwxr-xr-x   2 ftp      ftp                 0 Jan  2  2010 dir",
        "-rw-r--r--   1 ftp      ftp                 3 Jan  2  2010 a",
    ]


@pytest.mark.parametrize("flags", ["-a", "-la", "-l", "-CF", "-a -l", "--"])
def test_list_takes_flags(flags):
    assert names(ann().says(f"LIST {flags}")) == ["a.txt", "b.csv", "dir", "-x"]


@pytest.mark.parametrize("argument", ["dir", "-a dir", "/dir", "dir/", "./dir"])
def test_list_of_a_directory(argument):
    assert names(ann().says(f"LIST {argument}")) == ["c.txt", "sub"]


def test_list_of_a_file_is_its_row():
    assert names(ann().says("LIST a.txt")) == ["a.txt"]


@pytest.mark.parametrize("argument", ["./-x", "-- -x"])
def test_file_that_looks_like_a_flag_is_reachable(argument):
    assert names(ann().says(f"LIST {argument}")) == ["-x"]


def test_list_of_a_pattern():
    assert names(ann().says("LIST *.txt")) == ["a.txt"]


def test_list_of_a_pattern_in_a_directory():
    assert names(ann().says("LIST dir/*.t?t")) == ["c.txt"]


def test_list_of_a_pattern_that_matches_nothing_is_226_and_empty():
    assert listed(ann().says("LIST *.none")) == []


def test_file_whose_name_is_a_pattern_comes_before_what_matches_it():
    assert names(ann({"/a[1]": b"", "/a1": b""}).says("LIST a[1]")) == ["a[1]"]


def test_list_of_nothing_is_550():
    ann().says("LIST none").hears(550).hears_nothing()


def test_list_of_an_empty_directory_is_226():
    assert listed(ann({}).says("LIST")) == []


def test_list_without_a_data_connection_announced_is_425():
    ann().raw(b"LIST\r\n").hears(425)


def test_list_without_the_permission_is_550():
    blind = Account("bob", rules=(Rule(ROOT, Permission.READ),))
    Dialogue(login="bob", accounts=[blind], files=FILES).says("LIST").hears(550)


def test_who_may_read_and_not_list_sees_the_row_of_a_file():
    reader = Account("bob", rules=(Rule(ROOT, Permission.READ),))
    dialogue = Dialogue(login="bob", accounts=[reader], files=FILES)
    assert names(dialogue.says("LIST a.txt")) == ["a.txt"]
    dialogue.says("MLSD a.txt").hears(501)
    dialogue.says("LIST dir").hears(550)
    dialogue.says("MLSD dir").hears(550)


@pytest.mark.parametrize("line", ["LIST dir", "NLST dir", "MLSD dir"])
def test_a_directory_is_opened_without_a_look_at_it_before(line, monkeypatch):
    monkeypatch.delattr(MemoryFilesystem, "stat")
    listed(ann().says(line))


def test_list_r_descends():
    last_words = [row.rpartition(" ")[2] for row in listed(ann().says("LIST -R"))]
    assert last_words == ["a.txt", "b.csv", "dir", "-x", "", "/dir:", "c.txt", "sub", "", "/dir/sub:", "d"]


def test_list_r_descends_no_deeper_than_the_setting():
    settings = FTPSettings(listing=ListingSettings(max_depth=1))
    assert [row for row in listed(ann(settings=settings).says("LIST -R")) if row.endswith(":")] == ["/dir:"]


def test_list_r_notes_no_more_directories_than_the_setting():
    settings = FTPSettings(listing=ListingSettings(max_matches=2))
    dialogue = ann({f"/{number}": None for number in range(5)}, settings=settings)
    assert len([row for row in listed(dialogue.says("LIST -R")) if row.endswith(":")]) == 2


def test_list_d_is_the_directory_itself():
    assert names(ann().says("LIST -d dir")) == ["dir"]
    assert names(ann().says("LIST -d")) == ["."]


def test_pattern_matches_no_more_names_than_the_setting():
    settings = FTPSettings(listing=ListingSettings(max_matches=2))
    assert len(names(ann({f"/{number}": b"" for number in range(5)}, settings=settings).says("LIST *"))) == 2


def test_name_with_a_line_feed_is_left_out_of_listings():
    store = MemoryStore()
    dialogue = Dialogue(login="ann", store=store, files={"/good": b"", "/evil": b""})
    folder = store._top.entries
    folder["a\r\n-rw-r--r-- 1 root root 0 Jan  1  2020 forged"] = folder.pop("evil")
    assert names(dialogue.says("LIST")) == ["good"]
    assert listed(dialogue.says("NLST")) == ["good"]
    assert [row.partition(" ")[2] for row in listed(dialogue.says("MLSD"))] == ["good"]


def test_name_with_a_carriage_return_is_left_out_of_listings():
    dialogue = ann({"/good": b"", "/a\rb": b""})
    assert listed(dialogue.says("NLST")) == ["good"]


def test_name_that_is_not_utf8_round_trips():
    dialogue = ann({}).says(b"STOR caf\xe9").hears(150).ends().hears(226).says("NLST").hears(150).hears(226).data(b"caf\xe9\r\n")
    dialogue.says(b"RETR caf\xe9").hears(150).hears(226).data(b"")


@pytest.mark.parametrize("name", [" lead", "trail ", 'quo"te', "back\\slash", "ü"])
def test_odd_name_round_trips(name):
    dialogue = ann({f"/{name}": b"x"})
    assert listed(dialogue.says("NLST")) == [name]
    dialogue.says(f"RETR {name}").hears(150).hears(226).data(b"x")


def test_listing_of_very_many_entries_is_whole():
    dialogue = ann({f"/{number:05d}": b"" for number in range(3000)})
    assert len(listed(dialogue.says("NLST"))) == 3000


# NLST


def test_nlst_sends_names():
    assert listed(ann().says("NLST")) == ["a.txt", "b.csv", "dir", "-x"]


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("dir", ["dir/c.txt", "dir/sub"]),
        ("/dir", ["/dir/c.txt", "/dir/sub"]),
        ("dir/", ["dir/c.txt", "dir/sub"]),
        ("/", ["/a.txt", "/b.csv", "/dir", "/-x"]),
        ("*.txt", ["a.txt"]),
        ("dir/*.txt", ["dir/c.txt"]),
        ("-CF", ["a.txt", "b.csv", "dir", "-x"]),
        ("a.txt", ["a.txt"]),
        ("dir/c.txt", ["dir/c.txt"]),
        ("/a.txt", ["/a.txt"]),
    ],
)
def test_nlst_sends_paths_that_the_client_may_send_back(argument, expected):
    assert listed(ann().says(f"NLST {argument}")) == expected


def test_nlst_of_a_directory_whose_name_is_a_pattern():
    assert listed(ann({"/a[1]/b": b""}).says("NLST a[1]")) == ["a[1]/b"]


def test_nlst_of_an_empty_directory_is_226():
    assert listed(ann({}).says("NLST")) == []


def test_nlst_of_nothing_is_550():
    ann().says("NLST none").hears(550)


# MLSD, MLST


def test_mlsd_sends_facts():
    dialogue = ann({"/dir": None, "/a": b"123"}).says("MFMT 20100102030405 a").hears(213).says("MFMT 20100102030405 dir").hears(213)
    assert listed(dialogue.says("MLSD")) == [
        "type=dir;modify=20100102030405;perm=cdeflmp; dir",
        "type=file;size=3;modify=20100102030405;perm=adfrw; a",
    ]


def test_mlsd_tells_times_of_creation_to_who_asked_for_them():
    dialogue = ann({"/dir": None, "/a": b"123"}).says("MFCT 20100102030405 a").hears(213).says("MFCT 20110102030405 dir").hears(213)
    assert all("create" not in row for row in listed(dialogue.says("MLSD")))
    dialogue.says("OPTS MLST type;create;").hears(200, "MLST OPTS type;create;")
    assert listed(dialogue.says("MLSD")) == ["type=dir;create=20110102030405; dir", "type=file;create=20100102030405; a"]


def test_mlsd_perm_tells_what_the_account_may():
    rules = (Rule(ROOT, Permission.VIEW), Rule(VirtualPath.parse("/in"), Permission.CREATE))
    dialogue = (
        Dialogue(login="bob", accounts=[Account("bob", rules=rules)], files={"/in": None, "/a": b""})
        .says("OPTS MLST perm;")
        .hears(200)
    )
    assert listed(dialogue.says("MLSD")) == ["perm=ce; in", "perm=r; a"]


def test_mlsd_of_nothing_is_550():
    ann().says("MLSD none").hears(550)


def test_mlsd_of_a_file_is_501():
    ann().says("MLSD a.txt").hears(501)


def test_mlsd_of_a_relative_path():
    assert [row.partition(" ")[2] for row in listed(ann().says("MLSD dir"))] == ["c.txt", "sub"]


def test_mlst_is_250_with_one_space_and_the_full_path():
    dialogue = ann().says("MFMT 20100102030405 a.txt").hears(213).says("MLST a.txt")
    dialogue.hears(250, "Listing /a.txt", [" type=file;size=3;modify=20100102030405;perm=adfrw; /a.txt"])


def test_mlst_without_a_path_is_the_working_directory():
    dialogue = ann().says("CWD dir").hears(250).says("MLST").hears(250)
    assert dialogue.last.lines[0].endswith(" /dir")


def test_mlst_knows_no_patterns():
    ann().says("MLST *.txt").hears(550)


def test_mlst_of_nothing_is_550():
    ann().says("MLST none").hears(550)


@pytest.mark.parametrize("line", ["LIST", "NLST", "MLSD", "MLST"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)
