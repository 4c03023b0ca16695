from __future__ import annotations

import pytest

from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FILES = {"/dir": None, "/a": b"0123456789", "/text": b"one\ntwo\n", "/empty": b""}


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def test_retr_is_150_with_the_size_and_226():
    dialogue = ann().says("RETR a").hears(150, "Opening BINARY mode data connection for /a (10 bytes).")
    dialogue.hears(226, "Transfer complete.").data(b"0123456789")
    assert dialogue.connection.is_finished
    assert dialogue.connection.is_closed


def test_retr_of_an_empty_file_is_226():
    ann().says("RETR empty").hears(150).hears(226).data(b"")


def test_retr_of_more_than_one_piece_is_byte_exact():
    content = bytes(range(256)) * 4096 + b"x"
    Dialogue(login="ann", files={"/big": content}).says("RETR big").hears(150).hears(226).data(content)


def test_retr_that_connects_after_the_150():
    ann().says("RETR a", connects=False).hears(150).hears_nothing().connects().hears(226).data(b"0123456789")


def test_retr_that_connected_before_the_command():
    ann().says("EPSV").hears(229).connects().says("RETR a").hears(150).hears(226).data(b"0123456789")


def test_retr_of_nothing_is_550_before_the_150():
    ann().says("RETR none").hears(550, "/none: No such file or directory.").hears_nothing()


def test_retr_of_a_directory_is_550_before_the_150():
    ann().says("RETR dir").hears(550, "/dir: Is a directory.").hears_nothing()


def test_retr_without_a_path_is_501():
    ann().says("RETR").hears(501)


def test_retr_with_nul_in_the_name_is_550():
    ann().says(b"RETR a\0").hears(550)


def test_retr_without_a_data_connection_announced_is_425():
    ann().raw(b"RETR a\r\n").hears(425).hears_nothing()


def test_retr_without_the_permission_is_550():
    blind = Account("bob", rules=(Rule(ROOT, Permission.LIST),))
    Dialogue(login="bob", accounts=[blind], files=FILES).says("RETR a").hears(
        550, "/a: Permission denied: this account may not fetch files here."
    )


def test_data_port_is_good_for_one_transfer():
    ann().says("EPSV").hears(229).connects().says("RETR a").hears(150).hears(226).raw(b"RETR a\r\n").hears(425)


def test_retr_whose_client_never_connects_is_425():
    dialogue = ann().says("RETR a", connects=False).hears(150).refuses_data().hears(425, "No data connection in time.")
    assert dialogue.port.is_closed


def test_retr_whose_client_closes_early_is_426():
    dialogue = ann().says("RETR a", reads=False).hears(150).resets().hears(426)
    assert dialogue.connection.is_closed


def test_type_a_sends_crlf():
    ann(is_ascii=True).says("RETR text").hears(150, "Opening ASCII mode data connection for /text.").hears(226).data(
        b"one\r\ntwo\r\n"
    )


def test_type_a_doubles_no_carriage_return():
    Dialogue(login="ann", files={"/a": b"1\r\n2\n"}, is_ascii=True).says("RETR a").hears(150).hears(226).data(b"1\r\n2\r\n")


def test_rest_is_350_and_the_transfer_starts_there():
    ann().says("REST 4").hears(350, "The next transfer starts at 4.").says("RETR a").hears(150).hears(226).data(b"456789")


def test_rest_at_the_end_sends_nothing_and_is_226():
    ann().says("REST 10").hears(350).says("RETR a").hears(150).hears(226).data(b"")


def test_rest_beyond_the_end_is_554_before_the_150():
    ann().says("REST 11").hears(350).says("RETR a").hears(554).hears_nothing()


def test_rest_in_type_a_counts_bytes_on_the_wire():
    ann(is_ascii=True).says("REST 4").hears(350).says("RETR text").hears(150).hears(226).data(b"\ntwo\r\n")


@pytest.mark.parametrize("argument", ["", "x", "-1", "1.5", "9223372036854775808", "99999999999999999999", "\u0661", "1 2"])
def test_rest_that_is_no_offset_is_501(argument):
    ann().says(f"REST {argument}").hears(501)


def test_largest_offset_is_350():
    ann().says("REST 9223372036854775807").hears(350)


def test_rest_is_consumed_by_the_transfer():
    dialogue = ann().says("REST 4").hears(350).says("RETR a").hears(150).hears(226)
    dialogue.says("RETR a").hears(150).hears(226).data(b"0123456789")


def test_rest_is_consumed_by_a_transfer_that_failed():
    ann().says("REST 4").hears(350).says("RETR none").hears(550).says("RETR a").hears(150).hears(226).data(b"0123456789")


@pytest.mark.parametrize("line", ["EPSV", "PASV", "PORT 127,0,0,1,16,1", "TYPE I", "MODE S", "STRU F", "NOOP", "SIZE a", "MDTM a", "STAT", "PWD", "FEAT"])  # fmt: skip
def test_rest_is_kept_by(line):
    dialogue = ann().says("REST 4").hears(350).says(line)
    dialogue.hears(dialogue.heard[-1].code).says("RETR a").hears(150).hears(226).data(b"456789")


@pytest.mark.parametrize("line", ["CWD /", "DELE none", "MKD x", "RNFR a", "LIST", "ABOR", "SITE CHMOD 644 a"])
def test_rest_is_forgotten_by(line):
    dialogue = ann().says("REST 4").hears(350).says(line)
    while dialogue._next < len(dialogue.heard):
        dialogue.hears(dialogue.heard[dialogue._next].code)
    dialogue.says("RETR a").hears(150).hears(226).data(b"0123456789")


def test_rest_0_is_350():
    ann().says("REST 0").hears(350).says("RETR a").hears(150).hears(226).data(b"0123456789")


@pytest.mark.parametrize("line", ["RETR a", "REST 0"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)


# RANG.


def test_range_is_sent_with_both_ends():
    dialogue = ann().says("RANG 2 5").hears(350, "The next transfer is of bytes 2 to 5.").says("RETR a")
    dialogue.hears(150, "Opening BINARY mode data connection for /a (4 bytes).").hears(226).data(b"2345")


def test_range_that_ends_behind_the_file_ends_with_it():
    ann().says("RANG 7 99").hears(350).says("RETR a").hears(150).hears(226).data(b"789")


@pytest.mark.parametrize("line", ["RANG 0 0", "RANG 9 9"])
def test_range_of_one_byte(line):
    content = b"0123456789"[int(line[-1])]
    ann().says(line).hears(350).says("RETR a").hears(150).hears(226).data(bytes([content]))


def test_range_behind_the_file_is_554():
    ann().says("RANG 10 12").hears(350).says("RETR a").hears(554)


def test_range_is_good_for_one_transfer():
    ann().says("RANG 2 5").hears(350).says("RETR a").hears(150).hears(226).says("RETR a").hears(150).hears(226).data(b"0123456789")


def test_range_is_forgotten_by_a_command_in_between():
    ann().says("RANG 2 5").hears(350).says("CWD /").hears(250).says("RETR a").hears(150).hears(226).data(b"0123456789")


def test_rang_1_0_takes_the_range_back():
    ann().says("RANG 2 5").hears(350).says("RANG 1 0").hears(350).says("RETR a").hears(150).hears(226).data(b"0123456789")


def test_the_later_of_rest_and_rang_counts():
    ann().says("RANG 2 5").hears(350).says("REST 8").hears(350).says("RETR a").hears(150).hears(226).data(b"89")
    ann().says("REST 8").hears(350).says("RANG 2 5").hears(350).says("RETR a").hears(150).hears(226).data(b"2345")


@pytest.mark.parametrize(
    "line", ["RANG", "RANG 1", "RANG 5 2", "RANG -1 5", "RANG 1 x", "RANG 1 2 3", "RANG 1 9223372036854775808"]
)
def test_range_that_is_none_is_501(line):
    ann().says(line).hears(501)


@pytest.mark.parametrize("form", ["TYPE A", "STRU R", "MODE B"])
def test_rang_is_504_where_bytes_on_the_wire_are_others_than_those_of_the_file(form):
    ann().says(form).hears(200).says("RANG 0 1").hears(504)
    ann().says("RANG 0 1").hears(350).says(form).hears(200).says("RETR a").hears(504)


def test_rang_is_not_for_uploads():
    ann().says("RANG 0 1").hears(350).says("STOR new").hears(504)
