"""Checks on transfers: RETR, STOR, APPE, STOU, what is stored and when that is said (RFC 959 4.1.3, 5.4; RFC 1123 4.1.2.9, 4.1.3.3)."""

from __future__ import annotations

import re
import time

from ftpd.conformance.check import Start, check
from ftpd.conformance.conversation import shown
from ftpd.conformance.finding import Unclear, demand, lacking, remark, unclear
from ftpd.conformance.probe import Probe, passive_verb
from ftpd.conformance.run import FIXTURE, TEXT
from ftpd.dialogue import Broken, Heard, connect

_EVERY_BYTE = bytes(range(256)) * 40
_LOOKING_SECONDS = 12.0  # for a data connection that nobody has announced
_LINES = b"a\r\nb\r\n"
_MUCH = 24 * 1024 * 1024  # bytes: more than the socket buffers of both sides take


@check(959, "3.1.1.3", writes=True)
def image_is_kept(probe: Probe) -> None:
    """What is stored in TYPE I comes back byte for byte."""
    probe.store("STOR image", _EVERY_BYTE)
    demand(probe.fetch("RETR image") == _EVERY_BYTE, "it comes back changed")


@check(959, "3.1.1.1", writes=True)
def ascii_is_sent_with_crlf(probe: Probe) -> None:
    """In TYPE A the server's own line ends are sent as CR LF."""
    own = _own_lines(probe)
    if own == _LINES:
        unclear("a text is kept with CR LF: that may be this system's line end, or nothing is converted")
    probe.store("STOR own", own)
    probe.needs("TYPE A", 200)
    content = probe.fetch("RETR own")
    demand(content == _LINES, f"lines that were stored as {own!a} come as {content[:40]!a}")


@check(959, "3.1.1.1", writes=True)
def ascii_is_stored_as_the_server_has_lines(probe: Probe) -> None:
    """In TYPE A the CR LF of the wire becomes the server's own line end."""
    own = _own_lines(probe)
    if own == _LINES and "UNIX" in probe.say("SYST").text.upper():
        remark("a text is kept with CR LF by a server that calls itself UNIX, which some do on other systems")
    demand(own in (_LINES, b"a\nb\n", b"a\rb\r"), f"two lines are stored as {own[:40]!a}")


@check(959, "3.1.1.1", writes=True)
def ascii_comes_back(probe: Probe) -> None:
    """A text that is stored in TYPE A comes back the same in TYPE A."""
    _demand_back(probe, b"one\r\ntwo\r\n\r\nlast\r\n")


@check(959, "3.1.1.1", writes=True, is_advice=True)
def ascii_keeps_a_lone_cr(probe: Probe) -> None:
    """In TYPE A a CR that ends no line is kept (Telnet has no CR alone, and files have)."""
    _demand_back(probe, b"two\rhalf\r\n")


def _own_lines(probe: Probe) -> bytes:
    """Return what a text of two lines is on the server."""
    probe.needs("TYPE A", 200)
    probe.store("STOR lines", _LINES)
    probe.needs("TYPE I", 200)
    return probe.fetch("RETR lines")


def _demand_back(probe: Probe, text: bytes) -> None:
    probe.needs("TYPE A", 200)
    probe.store("STOR text", text)
    content = probe.fetch("RETR text")
    demand(content == text, f"it comes back as {content[:40]!a}")


@check(959, "5.4", writes=True)
def a_transfer_begins_with_1yz_and_ends_with_2yz(probe: Probe) -> None:
    """A transfer gets 125 or 150 before it and 226 or 250 behind it."""
    moved = probe.download(f"RETR {FIXTURE}")
    demand(moved.begun.code in (125, 150), f"it begins with {moved.begun.code}")
    demand(moved.final.code in (226, 250), f"it ends with {moved.final.code}")


@check(959, "5.4")
def retr_of_what_is_missing_is_550(probe: Probe) -> None:
    """RETR of what is not there is refused with 550."""
    moved = probe.download("RETR missing-8c1d")
    demand(moved.final.code >= 400, f"it ends with {moved.final.code}")
    if moved.final.code not in (550, 450):
        remark(f"it is refused with {moved.final.code}")
    if moved.begun.is_preliminary:
        remark("it is refused after a 1yz only")


@check(959, "5.4", writes=True, is_advice=True)
def retr_of_a_directory_is_550(probe: Probe) -> None:
    """RETR of a directory is refused with 550."""
    probe.final("MKD folder")
    moved = probe.download("RETR folder")
    demand(moved.final.code >= 400, f"it ends with {moved.final.code}")


@check(959, "5.4", writes=True)
def stor_where_no_directory_is(probe: Probe) -> None:
    """STOR into a directory that is not there is refused with 553 (or 550)."""
    moved = probe.upload("STOR missing-8c1d/file", b"x")
    if moved.is_done:
        remark("the directory is made")
    demand(moved.final.code >= 400, f"it ends with {moved.final.code}")
    if moved.final.code not in (553, 550, 450, 451):
        remark(f"it is refused with {moved.final.code}")


@check(959, "4.1.3", writes=True)
def stor_replaces(probe: Probe) -> None:
    """STOR over a longer file leaves nothing of it."""
    probe.store("STOR again", b"long content")
    probe.store("STOR again", b"short")
    demand(probe.fetch("RETR again") == b"short", "the file is not what was stored last")


@check(959, "4.1.3", writes=True)
def empty_file(probe: Probe) -> None:
    """An empty file can be stored and fetched."""
    probe.store("STOR nothing", b"")
    demand(probe.fetch("RETR nothing") == b"", "it comes back with something in it")


@check(959, "4.1.3", writes=True)
def appe_appends(probe: Probe) -> None:
    """APPE writes behind what is there, and makes a file where there is none."""
    probe.final("DELE appended")
    probe.store("APPE appended", b"one")
    probe.store("APPE appended", b"two")
    demand(probe.fetch("RETR appended") == b"onetwo", "the two parts are not one behind the other")


@check(1123, "4.1.2.9", writes=True)
def stou_names_its_file(probe: Probe) -> None:
    """STOU tells the name of the file in its 1yz reply: FILE: name."""
    moved = probe.upload("STOU", b"unique")
    if not moved.begun.is_preliminary:
        lacking(f"STOU is answered by {moved.final.code}")
    demand(moved.is_done, f"it ends with {moved.final.code}")
    words = (line[4:].decode("utf-8", "surrogateescape") for line in moved.begun.lines)  # Pure-FTPd has it in the first of two
    match = next(filter(None, (re.fullmatch(r"FILE: (.+)", line) for line in words)), None)
    demand(match, f"it begins with {shown(moved.begun.raw)}")
    assert match is not None
    demand(probe.fetch(f"RETR {match[1]}") == b"unique", f"{match[1]!a} is not the file")


@check(959, "4.1.3", writes=True)
def stou_makes_another_each_time(probe: Probe) -> None:
    """Two STOU make two files."""
    before = len(probe.fetch("NLST").splitlines())
    for _ in range(2):
        if not probe.upload("STOU", b"x").begun.is_preliminary:
            lacking("STOU is not served without an argument")
    made = len(probe.fetch("NLST").splitlines()) - before
    demand(made == 2, f"{made} files have been made")


@check(959, "5.4", start=Start.OWN)
def transfer_without_data_connection(probe: Probe) -> None:
    """A transfer that no data connection was announced for ends with 425."""
    heard = _answered_late(probe, "LIST")
    demand(heard.code >= 400, f"it is answered by {heard.code}")
    if heard.code not in (425, 426, 530):
        remark(f"it is refused with {heard.code}")


@check(959, "5.4", start=Start.OWN, writes=True)
def the_226_of_a_download_waits_for_the_data(probe: Probe) -> None:
    """226 is not said before a download's bytes have been taken."""
    probe.store("STOR much", b"\0" * _MUCH)
    with probe.data() as plain:
        demand(probe.say("RETR much").is_preliminary, "RETR is refused")
        with probe.covered(plain) as data:
            demand(probe.is_quiet(1.0), "a final reply comes while most of the file is not taken")
            probe.control.timeout = max(probe.control.timeout, 15.0)
            demand(len(probe.read(data)) == _MUCH, "the file is not whole")
    demand(probe.hear().code in (226, 250), "it does not end with 226")


@check(959, "5.4", start=Start.OWN, writes=True)
def a_reset_upload_is_not_226(probe: Probe) -> None:
    """An upload whose data connection breaks is not told to be stored: 426 or 451."""
    with probe.data() as plain:
        demand(probe.say("STOR cut").is_preliminary, "STOR is refused")
        data = probe.covered(plain)
        data.sendall(b"half of it")
        time.sleep(0.2)  # for the bytes to get there; the reset must not overtake them
        probe.reset(data)
    code = probe.hear().code
    demand(code not in (226, 250), f"it is answered by {code}: the client takes half a file for a whole one")


@check(959, "5.4", start=Start.OWN, writes=True)
def a_download_that_is_broken_off_is_not_226(probe: Probe) -> None:
    """A download that the client breaks off ends with 426 (or 451), and the server goes on."""
    probe.store("STOR much", b"\0" * _MUCH)
    with probe.data() as plain:
        demand(probe.say("RETR much").is_preliminary, "RETR is refused")
        data = probe.covered(plain)
        data.recv(1000)
        probe.reset(data)
    code = probe.hear().code
    demand(code >= 400, f"it is answered by {code}")
    demand(probe.say("NOOP").code == 200, "NOOP is not answered by 200 afterwards")


@check(959, "4.2", start=Start.OWN, writes=True, is_advice=True)
def noop_during_a_transfer(probe: Probe) -> None:
    """A command that comes while data move is answered at once, or in its turn."""
    _beside_a_download(probe, "NOOP", 200)


@check(959, "4.1.3", start=Start.OWN, writes=True)
def stat_during_a_transfer(probe: Probe) -> None:
    """STAT during a transfer tells how it stands, or is answered behind it."""
    _beside_a_download(probe, "STAT", 211)


def _beside_a_download(probe: Probe, line: str, code: int) -> None:
    probe.store("STOR much", b"\0" * _MUCH)
    with probe.data() as plain:
        demand(probe.say("RETR much").is_preliminary, "RETR is refused")
        with probe.covered(plain) as data:
            probe.send(line, is_beside=True)
            is_late = probe.is_late(1.5)
            probe.control.timeout = max(probe.control.timeout, 15.0)
            probe.read(data)
    codes = [probe.hear().code for _ in range(2)]
    demand({226, 250}.intersection(codes), f"the transfer does not end with 226: {codes}")
    demand(code in codes, f"{line} is not answered by {code}: {codes} are heard")
    if is_late:
        remark(f"{line} is answered after the transfer only")


@check(959, "3.2", writes=True)
def the_client_may_connect_late(probe: Probe) -> None:
    """A client may send the command first and connect to the passive port then."""
    heard = probe.needs(passive_verb(probe), 227, 229)
    probe.send(f"RETR {FIXTURE}")
    time.sleep(0.2)  # the command shall be there before the connection
    try:
        plain = connect(probe.control, heard)
    except Broken as error:
        raise Unclear(f"no data connection: {error}") from error
    with plain:
        plain.settimeout(probe.control.timeout)
        first = probe.hear()
        demand(first.is_preliminary, f"RETR is answered by {first.code}")
        demand(probe.take(plain) == TEXT, "the file is not whole")
    demand(probe.hear().code in (226, 250), "it does not end with 226")


@check(959, "3.3", writes=True)
def a_data_connection_carries_one_file(probe: Probe) -> None:
    """In MODE S the end of the file is the end of the data connection, and a passive port is good for one transfer."""
    probe.fetch(f"RETR {FIXTURE}")
    heard = _answered_late(probe, f"RETR {FIXTURE}")
    demand(heard.code >= 400, f"a second RETR without PASV is answered by {heard.code}")


def _answered_late(probe: Probe, line: str) -> Heard:
    """Return the final reply to *line*, for which there is no data connection: some servers look for one, and how long is nowhere said."""
    probe.send(line)
    probe.control.timeout = max(probe.control.timeout, _LOOKING_SECONDS)
    for _ in range(2):
        if probe.is_late(_LOOKING_SECONDS):
            unclear(f"no final reply within {_LOOKING_SECONDS:.0f} seconds")
        heard = probe.hear()
        if not heard.is_preliminary:
            break
    return heard


@check(959, "5.4", writes=True)
def many_small_transfers(probe: Probe) -> None:
    """Twenty transfers one behind the other are all right."""
    for number in range(20):
        content = probe.fetch(f"RETR {FIXTURE}")
        demand(content == TEXT, f"the {number + 1}th is {content[:40]!a}")
