from __future__ import annotations

import pytest

from ftpd.events import TransferEnded
from ftpd.ftp.settings import FTPSettings, HashSettings
from ftpd.paths import ROOT
from ftpd.storage.memory import MemorySettings, MemoryStore
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Outcome, Permission, Rule

FILES = {"/dir": None, "/old": b"0123456789"}
ALL = (Rule(ROOT, Permission.ALL),)


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def small(capacity=20):
    return Dialogue(login="ann", store=MemoryStore(MemorySettings(capacity=capacity)), files=FILES)


def test_stor_is_150_and_226_when_it_is_stored():
    dialogue = ann().says("STOR new").hears(150, "Opening BINARY mode data connection for /new.")
    dialogue.sends(b"abc").sends(b"def").stored("/new", None).ends().hears(226).stored("/new", b"abcdef")


def test_stor_of_nothing_is_an_empty_file():
    ann().says("STOR new").hears(150).ends().hears(226).stored("/new", b"")


def test_stor_replaces_when_it_has_arrived_whole():
    ann().says("STOR old").hears(150).sends(b"new").stored("/old", b"0123456789").ends().hears(226).stored("/old", b"new")


def test_stor_onto_a_directory_is_553_before_the_150():
    ann().says("STOR dir").hears(553, "/dir: Is a directory.").hears_nothing()


def test_stor_below_nothing_is_553():
    ann().says("STOR none/new").hears(553)


def test_stor_with_nul_in_the_name_is_553():
    ann().says(b"STOR a\0b").hears(553)


def test_stor_without_a_path_is_501():
    ann().says("STOR").hears(501)


def test_stor_without_the_permission_is_553():
    reader = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))
    Dialogue(login="bob", accounts=[reader]).says("STOR new").hears(
        553, "/new: Permission denied: this account may not store new files here."
    )


def test_stor_without_a_data_connection_announced_is_425():
    ann().raw(b"STOR new\r\n").hears(425)


def test_reset_during_upload_is_not_226():
    dialogue = ann().says("STOR new").hears(150).sends(b"half").resets().hears(426).stored("/new", None)
    assert [event.outcome for event in dialogue.events(TransferEnded)] == [Outcome.PEER_FAULT]


def test_reset_during_an_overwrite_leaves_the_old_file():
    ann().says("STOR old").hears(150).sends(b"half").resets().hears(426).stored("/old", b"0123456789")


def test_stall_during_upload_is_426_and_nothing_is_stored():
    ann().says("STOR new").hears(150).sends(b"half").waits(300).hears(426).stored("/new", None)


def test_full_disk_is_552_and_the_session_goes_on():
    dialogue = small().says("STOR new").hears(150).sends(b"x" * 100).hears(552).stored("/new", None).says("NOOP").hears(200)
    dialogue.stored("/old", b"0123456789")


def test_file_larger_than_the_account_may_store_is_552():
    bob = Account("bob", rules=ALL, max_file_size=5)
    Dialogue(login="bob", accounts=[bob]).says("STOR new").hears(150).sends(b"123456").hears(552).stored("/new", None)


def test_file_just_as_large_as_the_account_may_store_is_226():
    bob = Account("bob", rules=ALL, max_file_size=5)
    Dialogue(login="bob", accounts=[bob]).says("STOR new").hears(150).sends(b"12345").ends().hears(226).stored("/new", b"12345")


def test_type_a_stores_line_feeds_whatever_the_chunks():
    dialogue = ann(is_ascii=True).says("STOR new").hears(150).sends(b"one\r").sends(b"\ntwo\r\n").sends(b"\r").ends().hears(226)
    dialogue.stored("/new", b"one\ntwo\n\r")


def test_rest_and_stor_resume_a_published_file():
    ann().says("REST 4").hears(350).says("STOR old").hears(150).sends(b"xyz").ends().hears(226).stored("/old", b"0123xyz789")


def test_rest_and_stor_resume_a_cut_upload():
    dialogue = ann().says("STOR new").hears(150).sends(b"half").resets().hears(426).says("SIZE new").hears(213, "4")
    dialogue.says("REST 4").hears(350).says("STOR new").hears(150).sends(b"way").ends().hears(226).stored("/new", b"halfway")


def test_rest_beyond_the_end_and_stor_is_554():
    ann().says("REST 5").hears(350).says("STOR new").hears(554).hears_nothing()


def test_rest_and_stor_in_type_a_is_554():
    ann(is_ascii=True).says("REST 4").hears(350).says("STOR old").hears(554).stored("/old", b"0123456789")


def test_appe_stores_behind_what_is_there():
    ann().says("APPE old").hears(150).sends(b"abc").ends().hears(226).stored("/old", b"0123456789abc")


def test_appe_makes_a_new_file():
    ann().says("APPE new").hears(150).sends(b"abc").ends().hears(226).stored("/new", b"abc")


def test_appe_with_rest_is_stor_at_the_offset():
    ann().says("REST 2").hears(350).says("APPE old").hears(150).sends(b"ab").ends().hears(226).stored("/old", b"01ab456789")


def test_appe_onto_a_directory_is_550():
    ann().says("APPE dir").hears(550)


def test_stou_names_the_file_in_the_150():
    ann().says("STOU old").hears(150, "FILE: /old.1").sends(b"x").ends().hears(226).stored("/old.1", b"x").stored(
        "/old", b"0123456789"
    )


def test_stou_without_a_name_chooses_one():
    ann().says("STOU").hears(150, "FILE: /upload").ends().hears(226).says("STOU").hears(150, "FILE: /upload.1").ends().hears(226)


def test_stou_without_the_permission_is_553():
    reader = Account("bob", rules=(Rule(ROOT, Permission.VIEW),))
    Dialogue(login="bob", accounts=[reader]).says("STOU").hears(553)


def test_new_file_is_there_at_once_for_the_same_session():
    ann().says("STOR new").hears(150).sends(b"abc").ends().hears(226).says("SIZE new").hears(213, "3")


@pytest.mark.parametrize("argument", ["10", "10 R 5", "10 r 5", "0"])
def test_allo_is_200(argument):
    ann().says(f"ALLO {argument}").hears(200)


@pytest.mark.parametrize("argument", ["", "x", "-1", "10 R", "10 X 5"])
def test_allo_that_is_no_size_is_501(argument):
    ann().says(f"ALLO {argument}").hears(501)


def test_allo_of_more_than_the_account_may_store_refuses_the_stor_at_once():
    bob = Account("bob", rules=ALL, max_file_size=5)
    Dialogue(login="bob", accounts=[bob]).says("ALLO 6").hears(200).says("STOR new").hears(552).hears_nothing()


def test_allo_of_more_than_the_disk_has_refuses_the_stor_at_once():
    small().says("ALLO 100").hears(200).says("STOR new").hears(452).hears_nothing()


def test_allo_counts_for_one_stor():
    dialogue = small().says("ALLO 100").hears(200).says("STOR new").hears(452)
    dialogue.says("STOR new").hears(150).sends(b"x").ends().hears(226)


@pytest.mark.parametrize("line", ["STOR a", "APPE a", "STOU", "ALLO 1"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)


# The receipt.


def test_226_of_an_upload_tells_size_and_seconds():
    dialogue = ann().says("STOR new").hears(150).sends(b"abcdef")
    dialogue.ends().hears(226, "Transfer complete: 6 bytes stored in 0.000 s.")


def test_226_tells_what_came_where_that_is_another_number():
    dialogue = ann().says("APPE old").hears(150).sends(b"abc").ends()
    dialogue.hears(226, "Transfer complete: 13 bytes stored in 0.000 s; 3 bytes came.")
    dialogue = ann().says("TYPE A").hears(200).says("STOR new").hears(150).sends(b"a\r\nb\r\n").ends()
    dialogue.hears(226, "Transfer complete: 4 bytes stored in 0.000 s; 6 bytes came.")


def test_226_tells_the_digest_of_what_is_stored_where_that_is_set():
    settings = FTPSettings(hashes=HashSettings(upload_digest=True))
    dialogue = ann(settings=settings).says("STOR new").hears(150).sends(b"abc").ends()
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    dialogue.hears(226, f"Transfer complete: 3 bytes stored in 0.000 s; SHA-256 {abc}.")


def test_nobody_learns_the_digest_of_what_others_have_stored_by_appending_to_it():
    settings = FTPSettings(hashes=HashSettings(upload_digest=True))
    blind = (Rule(ROOT, Permission.WRITE),)
    dialogue = Dialogue(login="ann", files=FILES, settings=settings, accounts=[Account(name="ann", rules=blind)])
    dialogue.says("APPE old").hears(150).sends(b"abc").ends()
    dialogue.hears(226, "Transfer complete: 13 bytes stored in 0.000 s; 3 bytes came.")
