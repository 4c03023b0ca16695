"""Checks on TYPE, STRU and MODE (RFC 959 3.1 to 3.4, 4.1.2; RFC 1123 4.1.2)."""

from __future__ import annotations

from ftpd.conformance.check import Start, check
from ftpd.conformance.finding import demand, lacking, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE


@check(959, "3.1.1")
def type_a_is_200(probe: Probe) -> None:
    """TYPE A is there: every server must have it."""
    probe.wants("TYPE A", 200)


@check(959, "3.1.1.5")
def type_a_n_is_200(probe: Probe) -> None:
    """TYPE A N, the same with its second parameter written out."""
    _taken(probe, "TYPE A N")


@check(959, "3.1.1.3")
def type_i_is_200(probe: Probe) -> None:
    """TYPE I is there."""
    probe.wants("TYPE I", 200)


@check(1123, "4.1.2.1")
def type_l_8_is_200(probe: Probe) -> None:
    """TYPE L 8 is there, and the same as TYPE I."""
    _taken(probe, "TYPE L 8")


@check(959, "3.1.1.2")
def type_e_is_200(probe: Probe) -> None:
    """TYPE E, EBCDIC, where it is offered."""
    _optional(probe, "TYPE E")


@check(959, "5.3.1")
def parameters_are_case_blind(probe: Probe) -> None:
    """The codes of TYPE, STRU and MODE may be written in small letters."""
    for line in ("TYPE i", "STRU f", "MODE s"):
        demand(probe.final(line).code == 200, f"{line} is not answered by 200")


@check(959, "4.1.2")
def unknown_type_is_refused(probe: Probe) -> None:
    """A TYPE that nobody knows is answered by 504 or 501."""
    probe.refuses("TYPE Q", 501, 504)


@check(959, "4.1.2")
def type_without_argument_is_501(probe: Probe) -> None:
    """TYPE without its argument is answered by 501."""
    probe.refuses("TYPE", 501, 504)


@check(959, "3.1.2")
def stru_f_is_200(probe: Probe) -> None:
    """STRU F is there."""
    probe.wants("STRU F", 200)


@check(1123, "4.1.2.13")
def stru_r_is_200(probe: Probe) -> None:
    """STRU R is there where the host's file system has records."""
    _optional(probe, "STRU R")


@check(959, "4.1.2")
def unknown_stru_is_refused(probe: Probe) -> None:
    """A STRU that nobody knows is answered by 504 or 501."""
    probe.refuses("STRU Q", 501, 504)


@check(959, "3.4.1")
def mode_s_is_200(probe: Probe) -> None:
    """MODE S is there."""
    probe.wants("MODE S", 200)


@check(959, "3.4.2")
def mode_b_is_200(probe: Probe) -> None:
    """MODE B, blocks, where it is offered."""
    _optional(probe, "MODE B")


@check(959, "3.4.3")
def mode_c_is_200(probe: Probe) -> None:
    """MODE C, compressed, where it is offered."""
    _optional(probe, "MODE C")


@check(959, "4.1.2")
def unknown_mode_is_refused(probe: Probe) -> None:
    """A MODE that nobody knows is answered by 504 or 501."""
    probe.refuses("MODE Q", 501, 504)


@check(959, "3.4.2", start=Start.OWN, writes=True)
def mode_b_has_blocks(probe: Probe) -> None:
    """In MODE B a file is a chain of blocks, the last of which is marked as the end."""
    _chosen(probe, "MODE B")
    content = probe.fetch(f"RETR {FIXTURE}")
    place, descriptor, found = 0, 0, b""
    while place + 3 <= len(content):
        descriptor, size = content[place], int.from_bytes(content[place + 1 : place + 3], "big")
        found += b"" if descriptor & 16 else content[place + 3 : place + 3 + size]
        place += 3 + size
    demand(place == len(content), "the last block is cut short")
    demand(descriptor & 64, f"the last block's descriptor is {descriptor}, without the 64 of the end of the file")
    demand(found == b"one\ntwo\nthree\n", "the blocks do not hold the file")


@check(959, "3.1.2.2", start=Start.OWN, writes=True)
def stru_r_has_records(probe: Probe) -> None:
    """In STRU R and MODE S each line of a text is a record that ends in FF 01, and the file ends in FF 02 or FF 03."""
    probe.needs("TYPE A", 200)
    _chosen(probe, "STRU R")
    content = probe.fetch(f"RETR {FIXTURE}")
    demand(
        content in (b"one\xff\x01two\xff\x01three\xff\x01\xff\x02", b"one\xff\x01two\xff\x01three\xff\x03"),
        f"it is sent as {content!a}",
    )


@check(959, "3.1.1", start=Start.OWN, writes=True)
def type_a_is_the_default(probe: Probe) -> None:
    """Before any TYPE a transfer is in TYPE A."""
    heard = probe.offered("REIN")
    if heard.code >= 400:
        lacking(f"REIN, which would tell, is answered by {heard.code}")
    probe.is_private = False
    probe.say(f"USER {probe.target.user}")
    probe.say(f"PASS {probe.target.password}", shown_as="PASS ...")
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
    if heard.code in (500, 501, 502, 504):
        lacking(f"{line} is answered by {heard.code}")
    demand(heard.code == 200, f"{line} is answered by {heard.code}")


def _chosen(probe: Probe, line: str) -> None:
    heard = probe.final(line)
    if heard.code != 200:
        lacking(f"{line} is answered by {heard.code}")
