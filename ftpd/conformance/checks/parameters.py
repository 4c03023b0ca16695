"""Checks on TYPE, STRU and MODE (RFC 959 3.1 to 3.4, 5.1, 5.3; RFC 1123 4.1.2.1, 4.1.2.13)."""

from __future__ import annotations

import socket
from contextlib import suppress

from ftpd.conformance.check import Start, check
from ftpd.conformance.finding import demand, lacking, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE, TEXT

_END_SECONDS = 1.0  # in which a server that closes the data connection behind the last block has done so


@check(959, "3.1.1.1")
def type_a_is_200(probe: Probe) -> None:
    """TYPE A is there: every server must have it."""
    _taken(probe, "TYPE A")


@check(959, "3.1.1.5.1")
def type_a_n_is_200(probe: Probe) -> None:
    """TYPE A N, the same with its second parameter written out."""
    _taken(probe, "TYPE A N")


@check(1123, "4.1.2.1")
def type_i_is_200(probe: Probe) -> None:
    """TYPE I is there: every server must have it."""
    _taken(probe, "TYPE I")


@check(1123, "4.1.2.1")
def type_l_8_is_200(probe: Probe) -> None:
    """TYPE L 8 is there, and the same as TYPE I."""
    _taken(probe, "TYPE L 8")


@check(959, "3.1.1.2")
def type_e_is_200(probe: Probe) -> None:
    """TYPE E, EBCDIC, where it is offered."""
    _optional(probe, "TYPE E")


@check(959, "5.3")
def parameters_are_case_blind(probe: Probe) -> None:
    """The codes of TYPE, STRU and MODE may be written in small letters."""
    for line in ("TYPE i", "STRU f", "MODE s"):
        demand(probe.final(line).code == 200, f"{line} is not answered by 200")


@check(959, "5.4")
def unknown_type_is_refused(probe: Probe) -> None:
    """A TYPE that nobody knows is answered by 504 or 501."""
    probe.refuses("TYPE Q", 501, 504)


@check(959, "5.3.1")
def type_without_argument_is_501(probe: Probe) -> None:
    """TYPE without its argument is answered by 501."""
    probe.refuses("TYPE", 501, 504)


@check(959, "5.1")
def stru_f_is_200(probe: Probe) -> None:
    """STRU F is there: every server must have it."""
    _taken(probe, "STRU F")


@check(1123, "4.1.2.13")
def stru_r_is_200(probe: Probe) -> None:
    """STRU R is there where the host's file system has records."""
    _optional(probe, "STRU R")


@check(959, "5.4")
def unknown_stru_is_refused(probe: Probe) -> None:
    """A STRU that nobody knows is answered by 504 or 501."""
    probe.refuses("STRU Q", 501, 504)


@check(959, "5.1")
def mode_s_is_200(probe: Probe) -> None:
    """MODE S is there: every server must have it."""
    _taken(probe, "MODE S")


@check(959, "3.4.2")
def mode_b_is_200(probe: Probe) -> None:
    """MODE B, blocks, where it is offered."""
    _optional(probe, "MODE B")


@check(959, "3.4.3")
def mode_c_is_200(probe: Probe) -> None:
    """MODE C, compressed, where it is offered."""
    _optional(probe, "MODE C")


@check(959, "5.4")
def unknown_mode_is_refused(probe: Probe) -> None:
    """A MODE that nobody knows is answered by 504 or 501."""
    probe.refuses("MODE Q", 501, 504)


@check(959, "3.4.2", start=Start.OWN, writes=True)
def mode_b_has_blocks(probe: Probe) -> None:
    """In MODE B a file is a chain of blocks, the last of which is marked as the end."""
    _chosen(probe, "MODE B")
    moved = probe.download(f"RETR {FIXTURE}", read=_blocks)
    if moved.final.code >= 400 and not moved.begun.is_preliminary:
        lacking(f"RETR in MODE B is answered by {moved.final.code}")
    demand(moved.is_done, f"it ends with {moved.final.code}")
    demand(moved.content == TEXT, f"the blocks hold {moved.content[:80]!a}")


@check(959, "3.4.1", start=Start.OWN, writes=True)
def stru_r_has_records(probe: Probe) -> None:
    """In STRU R and MODE S a record ends in FF 01 and the file in FF 02 or FF 03; a line of a text is a record."""
    probe.needs("TYPE A", 200)
    _chosen(probe, "STRU R")
    moved = probe.download(f"RETR {FIXTURE}")
    if not moved.begun.is_preliminary:
        lacking(f"RETR in STRU R is answered by {moved.final.code}")
    demand(moved.content[-2:] in (b"\xff\x02", b"\xff\x03"), f"it ends in {moved.content[-8:]!a}")
    if moved.content not in (b"one\xff\x01two\xff\x01three\xff\x01\xff\x02", b"one\xff\x01two\xff\x01three\xff\x03"):
        remark(f"it is sent as {moved.content[:80]!a}")


@check(959, "5.1", start=Start.OWN, writes=True)
def type_a_is_the_default(probe: Probe) -> None:
    """Before any TYPE a transfer is in TYPE A."""
    heard = probe.offered("REIN")
    if heard.code >= 400:
        lacking(f"REIN, which would tell, is answered by {heard.code}")
    probe.is_private = False
    probe.authenticate()
    if probe.target.tls != "none":
        probe.protect_data()
    probe.needs(f"CWD {probe.scratch}", 200, 250)
    content = probe.fetch(f"RETR {FIXTURE}")
    if b"\r\n" not in content:
        remark("a transfer before any TYPE is not converted: TYPE I is the default")


def _taken(probe: Probe, line: str) -> None:
    demand(probe.final(line).code == 200, f"{line} is not answered by 200")


def _optional(probe: Probe, line: str) -> None:
    """Ask for what need not be there, and undo it."""
    heard = probe.final(line)
    verb = line.partition(" ")[0]
    probe.say({"TYPE": "TYPE I", "STRU": "STRU F", "MODE": "MODE S"}[verb])
    if heard.code >= 400:
        lacking(f"{line} is answered by {heard.code}")
    demand(heard.code == 200, f"{line} is answered by {heard.code}")


def _blocks(probe: Probe, data: socket.socket) -> bytes:
    """Read blocks to the one that ends the file; the data connection may stay open behind it (RFC 959 3.3)."""
    found = b""
    while True:
        header = probe.exactly(data, 3)
        size = int.from_bytes(header[1:], "big")
        block = probe.exactly(data, size)
        demand(len(header) == 3 and len(block) == size, "the data end before a block with the 64 of the end of the file")
        found += b"" if header[0] & 16 else block
        demand(len(found) <= len(TEXT), f"the blocks hold more than the file: {found[:80]!a}")
        if header[0] & 64:
            _see_the_end(data)
            return found


def _see_the_end(data: socket.socket) -> None:
    """Let a server that closes now do so in order; TLS has an end of its own."""
    data.settimeout(_END_SECONDS)
    with suppress(OSError):
        data.recv(1)


def _chosen(probe: Probe, line: str) -> None:
    heard = probe.final(line)
    if heard.code != 200:
        lacking(f"{line} is answered by {heard.code}")
