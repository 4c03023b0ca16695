from __future__ import annotations

import zlib

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftpd.ftp.settings import FTPSettings, HashSettings
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import Size
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FILES = {
    "/dir": None,
    "/hello": b"hello",
    "/empty": b"",
    "/with space": b"hello",
    "/report 0 3": b"abc",
    "/report": b"hello",
    "/a,b": b"hello",
    '/the "best"': b"hello",
    '/"marked"': b"abc",
}
SHA_256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"  # of hello
SHA_1 = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"
SHA_512 = "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043"
MD5 = "5d41402abc4b2a76b9719d911017c592"
CRC32 = "3610a686"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SHA_256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
MD5_OF_ELL = "3123059C1C816471780539F6B6B738DC"
MD5_OF_ABC = "900150983cd24fb0d6963f7d28e17f72"
CRC32_OF_ABC = "352441C2"

LISTER = Account("bob", rules=(Rule(ROOT, Permission.LIST),))
PARTLY = Account("eve", rules=(Rule(ROOT, Permission.LIST), Rule(VirtualPath.parse("/dir"), Permission.VIEW)))


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def features(dialogue):
    return {line.removeprefix(" ") for line in dialogue.says("FEAT").hears(211).last.lines}


def limited(**limits):
    return ann(settings=attrs.evolve(FTPSettings(), hashes=HashSettings(**limits)))


# HASH.


def test_hash_tells_algorithm_range_digest_and_name():
    ann().says("HASH hello").hears(213, f"SHA-256 0-4 {SHA_256} hello")


def test_hash_is_the_same_in_type_a():
    ann(is_ascii=True).says("HASH hello").hears(213, f"SHA-256 0-4 {SHA_256} hello")


def test_range_of_an_empty_file_is_0_to_0():
    ann().says("HASH empty").hears(213, f"SHA-256 0-0 {EMPTY} empty")


def test_hash_of_a_name_with_a_space_needs_no_marks():
    ann().says("HASH with space").hears(213, f"SHA-256 0-4 {SHA_256} with space")


def test_hash_takes_a_name_between_quotation_marks():
    ann().says('HASH "with space"').hears(213, f'SHA-256 0-4 {SHA_256} "with space"')


def test_hash_of_a_name_that_has_quotation_marks_itself_is_of_that_file():
    ann().says('HASH "marked"').hears(213, f'SHA-256 0-2 {SHA_256_OF_ABC} "marked"')


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("SHA-1", SHA_1), ("SHA-512", SHA_512), ("MD5", MD5), ("CRC32", CRC32), ("SHA-256", SHA_256)]
)
def test_opts_chooses_the_algorithm(algorithm, digest):
    dialogue = ann().says(f"OPTS HASH {algorithm}").hears(200, algorithm)
    dialogue.says("HASH hello").hears(213, f"{algorithm} 0-4 {digest} hello")


@pytest.mark.parametrize("name", ["blake2b", "BLAKE2B"])
def test_algorithm_may_be_named_in_any_case(name):
    ann().says(f"OPTS HASH {name}").hears(200, "BLAKE2b")


def test_opts_without_a_name_tells_the_algorithm():
    ann().says("OPTS HASH").hears(200, "SHA-256").says("OPTS HASH sha-1").hears(200).says("OPTS HASH").hears(200, "SHA-1")


def test_unknown_algorithm_is_501_and_changes_nothing():
    dialogue = ann().says("OPTS HASH CRC-37").hears(501, "Unknown algorithm, current selection not changed.")
    dialogue.says("OPTS HASH").hears(200, "SHA-256")


def test_rein_goes_back_to_the_first_algorithm():
    dialogue = ann().says("OPTS HASH MD5").hears(200)
    dialogue.session.reset_parameters()
    dialogue.says("OPTS HASH").hears(200, "SHA-256")


def test_hash_honours_a_rang():
    ann().says("RANG 0 2").hears(350).says("HASH report 0 3").hears(213, f"SHA-256 0-2 {SHA_256_OF_ABC} report 0 3")


def test_rang_that_goes_on_behind_the_end_ends_there():
    ann().says("RANG 0 49").hears(350).says("HASH hello").hears(213, f"SHA-256 0-4 {SHA_256} hello")


def test_rang_that_begins_behind_the_end_is_551():
    dialogue = ann().says("RANG 5 9").hears(350)
    dialogue.says("HASH hello").hears(551, "/hello: The range begins behind the end of the file.")


def test_rang_is_for_one_hash():
    dialogue = ann().says("RANG 1 3").hears(350).says("HASH hello").hears(213)
    dialogue.says("HASH hello").hears(213, f"SHA-256 0-4 {SHA_256} hello")


def test_hash_of_a_large_file_is_made_in_a_dialogue_too():
    content = b"x" * (300 * 1024)
    dialogue = Dialogue(login="ann", files={"/large": content}).says("OPTS HASH CRC32").hears(200)
    dialogue.says("HASH large").hears(213, f"CRC32 0-307199 {zlib.crc32(content):08x} large")


def test_hash_of_nothing_is_550():
    ann().says("HASH none").hears(550, "/none: No such file or directory.")


def test_hash_of_a_directory_is_553():
    ann().says("HASH dir").hears(553, "/dir: Is a directory.")


def test_hash_without_the_permission_to_read_is_552():
    Dialogue(login="bob", accounts=[LISTER], files=FILES).says("HASH hello").hears(
        552, "/hello: Permission denied: this account may not fetch files here."
    )


def test_hash_of_more_than_is_allowed_is_556():
    limited(max_bytes=Size(4)).says("HASH hello").hears(
        556, "/hello: More than the 4 bytes that one request may have hashed here."
    ).says("RANG 0 3").hears(350).says("HASH hello").hears(213)


def test_hash_without_a_path_is_501():
    ann().says("HASH").hears(501)


def test_hash_before_the_login_is_530():
    Dialogue(files=FILES).hears(220).says("HASH hello").hears(530)


# XCRC and its kind.


@pytest.mark.parametrize(
    ("verb", "digest"),
    [("XCRC", CRC32), ("XMD5", MD5), ("XSHA", SHA_1), ("XSHA1", SHA_1), ("XSHA256", SHA_256), ("XSHA512", SHA_512)],
)
def test_x_commands_tell_the_digest_alone(verb, digest):
    ann().says(f"{verb} hello").hears(250, digest.upper())


@pytest.mark.parametrize(
    "argument",
    [
        "with space",
        '"with space"',
        '"/with space"',
        '"with space" 0 5',
        '"with space"  0  5 ',
        "with space 0 5",
        '"the ""best""" 0 5',
        'the "best"',
        '"a,b"',
    ],
)
def test_x_commands_take_names_with_and_without_marks(argument):
    ann().says(f"XMD5 {argument}").hears(250, MD5.upper())


@pytest.mark.parametrize("argument", ['"hello" 1 4', "hello 1 4"])
def test_range_is_from_the_first_offset_up_to_the_second(argument):
    ann().says(f"XMD5 {argument}").hears(250, MD5_OF_ELL)


def test_file_whose_name_ends_in_two_numbers_is_itself():
    ann().says("XMD5 report 0 3").hears(250, MD5_OF_ABC.upper())


def test_marks_say_that_the_numbers_are_a_range():
    ann().says('XCRC "report 0 3" 0 3').hears(250, CRC32_OF_ABC).says('XMD5 "report" 0 5').hears(250, MD5.upper())


def test_name_that_ends_in_one_number_is_a_name():
    ann().says("XMD5 report 0").hears(550, "/report 0: No such file or directory.")


@pytest.mark.parametrize(
    "argument", ['"hello" 3', '"hello" 1 2 3', '"hello" x y', '"hello"x', '"hello" -1 2', '"hello" 3 3', "hello 3 1", '""']
)
def test_wrong_ranges_and_names_are_501(argument):
    ann().says(f"XCRC {argument}").hears(501)


@pytest.mark.parametrize("argument", ['"hello" 0 6', "hello 4 9", '"hello" 0 9999999999999999999', '"empty" 0 1'])
def test_range_behind_the_end_is_550(argument):
    ann().says(f"XCRC {argument}").hears(550)


@pytest.mark.parametrize(("argument", "code"), [("none", 550), ("dir", 550), ("", 501)])
def test_what_is_no_file_is_refused(argument, code):
    ann().says(f"XSHA {argument}".rstrip()).hears(code)


def test_x_command_without_the_permission_to_read_is_550():
    Dialogue(login="bob", accounts=[LISTER], files=FILES).says("XCRC hello").hears(
        550, "/hello: Permission denied: this account may not fetch files here."
    )


def test_x_command_on_more_than_is_allowed_is_550():
    limited(max_bytes=Size(4)).says("XCRC hello").hears(550)


def test_many_spaces_are_no_riddle():
    ann().says("XCRC hello" + " " * 3000 + "x").hears(550).says("MMD5 hello" + " " * 3000 + "x").hears(504)


NAMES = st.text(st.characters(blacklist_characters="/\0\r\n", blacklist_categories=("Cs",)), min_size=1, max_size=30).filter(
    lambda name: name not in (".", "..")
)


@given(name=NAMES, bounds=st.none() | st.tuples(st.integers(0, 4), st.integers(1, 5)).filter(lambda pair: pair[0] < pair[1]))
def test_any_name_between_marks_is_found(name, bounds):
    start, end = bounds or (0, 5)
    marked = '"' + name.replace('"', '""') + '"'
    offsets = f" {start} {end}" if bounds else ""
    dialogue = Dialogue(login="ann", files={"/" + name: b"hello"}).says(f"XCRC {marked}{offsets}")
    dialogue.hears(250, f"{zlib.crc32(b'hello'[start:end]):08X}").says(f"MD5 {marked}").hears(251)
    dialogue.says(f"MMD5 {marked}, {marked}").hears(252, f"{marked} {MD5.upper()}, {marked} {MD5.upper()}")


@given(name=NAMES.filter(lambda name: name[0] != '"'))
@example(name="0 0 0")
def test_any_name_without_marks_is_found(name):
    Dialogue(login="ann", files={"/" + name: b"hello"}).says(f"XMD5 {name}").hears(250, MD5.upper()).says(f"HASH {name}").hears(213)


@pytest.mark.parametrize("verb", ["HASH", "XCRC", "MD5", "MMD5", "OPTS HASH"])
@given(argument=st.text(st.sampled_from('" ,0123456789abc/.\\'), max_size=40))
def test_no_argument_is_a_fault_of_ours(verb, argument):
    dialogue = ann().says(f"{verb} {argument}")
    assert dialogue.codes[-1] in (200, 213, 250, 251, 252, 501, 504, 550, 551, 553), argument


# MD5 and MMD5.


def test_md5_is_251_with_the_name_as_it_was_written():
    ann().says("MD5 hello").hears(251, f"hello {MD5.upper()}").says('MD5 "dir/../with space"').hears(
        251, f'"dir/../with space" {MD5.upper()}'
    )


@pytest.mark.parametrize(("argument", "code"), [("none", 550), ('"dir"', 504), ("dir", 504), ("", 501), ('""', 501)])
def test_md5_of_no_file_is_refused(argument, code):
    ann().says(f"MD5 {argument}".rstrip()).hears(code)


def test_mmd5_of_several_files_is_252():
    expected = f'hello {MD5.upper()}, "with space" {MD5.upper()}, report 0 3 {MD5_OF_ABC.upper()}, "a,b" {MD5.upper()}'
    ann().says('MMD5 hello, "with space",report 0 3 , "a,b"').hears(252, expected)


def test_mmd5_of_one_file_is_251():
    ann().says("MMD5 hello").hears(251, f"hello {MD5.upper()}").says("MMD5 hello,").hears(251)


@pytest.mark.parametrize("argument", ['hello, "dir"', "hello, none", "none, hello", "hello, hello/below"])
def test_mmd5_of_what_is_no_file_is_504_for_all(argument):
    ann().says(f"MMD5 {argument}").hears(504)


@pytest.mark.parametrize("argument", ["", " ", ",", "hello,,hello", '"hello" "hello"', '"hello" x, hello'])
def test_mmd5_of_what_are_no_paths_is_501(argument):
    ann().says(f"MMD5 {argument}").hears(501)


def test_mmd5_of_more_than_is_allowed_is_550():
    limited(max_bytes=Size(9)).says("MMD5 hello").hears(251).says("MMD5 hello, hello").hears(550)


# FEAT.

SHOWN = {
    "HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32;BLAKE2b;BLAKE2s;",
    "XCRC filename;start;end",
    "XMD5 filename;start;end",
    "XSHA filename;start;end",
    "XSHA1 filename;start;end",
    "XSHA256 filename;start;end",
    "XSHA512 filename;start;end",
    "MD5",
    "MMD5",
}


def test_feat_shows_the_commands_and_stars_the_algorithm():
    dialogue = ann()
    assert features(dialogue) >= SHOWN
    dialogue.says("OPTS HASH BLAKE2s").hears(200)
    assert "HASH SHA-256;SHA-512;SHA-1;MD5;CRC32;BLAKE2b;BLAKE2s*;" in features(dialogue)


def test_feat_shows_them_before_the_login_too():
    assert features(Dialogue(files=FILES).hears(220)) >= SHOWN


@pytest.mark.parametrize(("account", "is_shown"), [(LISTER, False), (PARTLY, True)])
def test_feat_shows_them_to_who_may_read_something(account, is_shown):
    dialogue = Dialogue(login=account.name, accounts=[account], files=FILES)
    assert features(dialogue) & SHOWN == (SHOWN if is_shown else set())


# While it runs.


@pytest.fixture
def busy():
    """A session whose HASH waits for its turn, which another has."""
    dialogue = limited(max_at_once=1)
    places = dialogue.session.factory.digests._places[None]
    assert places.acquire().called
    dialogue.says("HASH hello").hears_nothing()
    return dialogue, places


def test_hash_waits_for_its_turn(busy):
    dialogue, places = busy
    places.release()
    dialogue.hears(213, f"SHA-256 0-4 {SHA_256} hello")


def test_noop_is_answered_beside(busy):
    dialogue, places = busy
    dialogue.says("NOOP").hears(200)
    places.release()
    dialogue.hears(213)


def test_stat_tells_how_far_it_is(busy):
    dialogue, places = busy
    dialogue.waits(3).says("STAT").hears(211)
    assert dialogue.last.lines[-3:-1] == (" HASH /hello", " 0 of 5 bytes in 3 seconds")
    places.release()
    dialogue.hears(213).says("STAT").hears(211)
    assert dialogue.last.lines[-1] == " No transfer under way"


def test_other_commands_wait_for_it(busy):
    dialogue, places = busy
    dialogue.says("DELE hello").hears_nothing()
    places.release()
    dialogue.hears(213).hears(250).stored("/hello", None)


def test_abor_stops_it_with_426_and_226(busy):
    dialogue, places = busy
    dialogue.says("ABOR").hears(426, "Transfer aborted.").hears(226)
    places.release()
    dialogue.says("HASH hello").hears(213)


def test_lost_connection_stops_it(busy):
    dialogue, places = busy
    dialogue.hangs_up()
    assert dialogue.server.logouts == 1
    places.release()
    assert places.acquire().called


def test_shutdown_stops_it_with_426_and_421(busy):
    dialogue, _ = busy
    dialogue.server.factory.close_sessions()
    dialogue.hears(426, "The server is shutting down.").hears(421).hangs_up()
    assert dialogue.server.logouts == 1


def test_wait_that_is_too_long_is_450(busy):
    dialogue, _ = busy
    dialogue.waits(300).hears(450, "/hello: Other files are being hashed; try again later.")


def test_mmd5_that_is_stopped_in_the_middle_tells_nothing():
    dialogue = limited(max_at_once=1)
    digests = dialogue.session.factory.digests
    of, places = digests.of, digests._places[None]

    async def first_alone(*arguments):
        hashed = await of(*arguments)
        assert places.acquire().called
        return hashed

    digests.of = first_alone
    dialogue.says("MMD5 hello, report").hears_nothing().says("ABOR").hears(426).hears(226)
