"""Checks on LIST, NLST and STAT of a path (RFC 959 4.1.3, RFC 1123 4.1.2.7)."""

from __future__ import annotations

from ftpd.conformance.check import check
from ftpd.conformance.conversation import shown
from ftpd.conformance.finding import demand, remark
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE


@check(959, "4.1.3")
def list_is_sent_over_a_data_connection(probe: Probe) -> None:
    """LIST begins with 125 or 150 and ends with 226 or 250."""
    probe.fetch("LIST")


@check(959, "4.1.3", writes=True, is_advice=True)
def list_tells_of_a_file(probe: Probe) -> None:
    """LIST of a directory names each file in it."""
    content = probe.fetch("LIST")
    demand(FIXTURE.encode() in content, f"it is {shown(content[:200])}")


@check(959, "4.1.3", writes=True, is_advice=True)
def list_of_one_file(probe: Probe) -> None:
    """LIST of a file tells of that file."""
    demand(FIXTURE.encode() in probe.fetch(f"LIST {FIXTURE}"), "it does not")


@check(959, "4.1.3")
def list_of_what_is_missing(probe: Probe) -> None:
    """LIST of what is not there is refused with 450 (many say 550), or tells nothing."""
    moved = probe.download("LIST missing-8c1d")
    if moved.is_done:
        demand(b"missing-8c1d" not in moved.content.split(b":")[0] or b"No such" in moved.content, "it lists something")
        remark(f"it is answered by {moved.final.code}, as an empty directory is")
    demand(moved.final.code >= 400, f"it ends with {moved.final.code}")


@check(959, "4.1.3", writes=True, is_advice=True)
def list_of_an_empty_directory(probe: Probe) -> None:
    """LIST of an empty directory succeeds."""
    probe.final("MKD empty")
    probe.fetch("LIST empty")


@check(1123, "4.1.2.7", writes=True)
def nlst_tells_names_only(probe: Probe) -> None:
    """NLST sends nothing but paths, one a line."""
    content = probe.fetch("NLST")
    names = [line.removesuffix(b"\r").rpartition(b"/")[2] for line in content.split(b"\n")]
    demand(FIXTURE.encode() in names, f"there is no line that is the file's path alone: {shown(content[:200])}")


@check(1123, "4.1.2.7", writes=True)
def nlst_names_are_good_for_retr(probe: Probe) -> None:
    """What NLST of a directory tells can be sent back as the argument of RETR."""
    probe.final("MKD below")
    probe.store("STOR below/file", b"x")
    names = [name for name in probe.fetch("NLST below").decode("utf-8", "replace").split("\r\n") if name]
    demand(names, "it is empty")
    demand(probe.download(f"RETR {names[0]}").is_done, f"{names[0]!a} is good for RETR in that directory only")


@check(959, "4.1.3")
def nlst_of_what_is_missing(probe: Probe) -> None:
    """NLST of what is not there is refused with 450 (many say 550), or tells nothing."""
    moved = probe.download("NLST missing-8c1d")
    if moved.is_done:
        demand(not moved.content, "it lists something")
        remark(f"it is answered by {moved.final.code}, as an empty directory is")


@check(959, "4.1.3", writes=True)
def stat_of_a_directory(probe: Probe) -> None:
    """STAT with a path lists it over the control connection."""
    heard = probe.wants("STAT .", 211, 212, 213)
    demand(FIXTURE.encode() in heard.raw, "the file in it is not told")


@check(959, "4.1.3")
def stat_of_what_is_missing(probe: Probe) -> None:
    """STAT of what is not there is refused with 450 (many say 550)."""
    heard = probe.offered("STAT missing-8c1d")
    if heard.code < 400:
        remark(f"it is answered by {heard.code}")


@check(959, "4.1.3", writes=True)
def flags_of_ls_are_no_path(probe: Probe) -> None:
    """LIST -a, which clients send, is not taken for a path, which it is by the RFC."""
    moved = probe.download("LIST -a")
    if not moved.is_done or FIXTURE.encode() not in moved.content:
        remark(f"it ends with {moved.final.code} and {len(moved.content)} bytes")


@check(1123, "4.1.2.7", writes=True, is_advice=True)
def lists_are_text_in_any_type(probe: Probe) -> None:
    """LIST and NLST end lines in CR LF whatever the TYPE."""
    for kind in ("TYPE I", "TYPE A"):
        probe.needs(kind, 200)
        for verb in ("LIST", "NLST"):
            content = probe.fetch(verb)
            demand(content.count(b"\n") == content.count(b"\r\n"), f"{verb} in {kind} has bare line feeds")
