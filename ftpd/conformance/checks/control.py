"""Checks on the control connection: greeting, form of replies, verbs, lines (RFC 959 4.1 to 5.4, RFC 1123 4.1.2.10 to 13)."""

from __future__ import annotations

import re
import time

from ftpd.conformance.check import Start, check
from ftpd.conformance.conversation import is_unknown, shown
from ftpd.conformance.finding import Violated, demand, lacking, remark
from ftpd.conformance.probe import Probe

_LONG_LINE = 20_000  # bytes: more than any path (PATH_MAX is 4096)
_IAC_IP_DM = b"\xff\xf4\xff\xf2"  # Interrupt Process and Data Mark, as lftp 4.9.2 sends them in line
# Transfers before what announces a data connection, so that none begins.
_MINIMUM = (
    "ACCT x", "TYPE I", "MODE S", "STRU F", "RETR missing-8c1d", "STOR missing-8c1d/x", "APPE missing-8c1d/x", "LIST missing-8c1d",
    "NLST missing-8c1d", "RNFR missing-8c1d", "RNTO missing-8c1d", "DELE missing-8c1d", "RMD missing-8c1d", "MKD missing-8c1d/x", "PWD", "SYST",
    "STAT", "HELP", "NOOP", "CDUP", "CWD .", "PASV", "PORT 1,2,3",
)  # fmt: skip


@check(959, "5.4", start=Start.STRANGER)
def greeting_is_220(probe: Probe) -> None:
    """A connection is greeted with 220, or with 120 and then 220."""
    heard = probe.control.greeting
    if heard.code == 120:
        heard = probe.hear()
    demand(heard.code == 220, f"the greeting is {heard.code}")


@check(959, "5.4", start=Start.STRANGER)
def greeting_comes_once(probe: Probe) -> None:
    """After the greeting the server waits for a command."""
    probe.expect_greeting()
    demand(probe.is_quiet(), "something else comes without having been asked for")


@check(959, "4.2")
def reply_of_many_lines(probe: Probe) -> None:
    """A reply of several lines begins with the code and a hyphen, and ends with the same code and a space."""
    replies = [probe.final(line) for line in ("HELP", "STAT", "FEAT")]
    many = [heard for heard in replies if len(heard.lines) > 1]
    if not many:
        lacking("no reply had more than one line")
    for heard in many:
        code = b"%d" % heard.code
        demand(heard.lines[-1].startswith(code + b" "), f"the last line is {shown(heard.lines[-1])}")


@check(959, "4.2")
def no_inner_line_looks_like_the_last(probe: Probe) -> None:
    """A line inside a reply that begins with digits is padded, so that it cannot be taken for the last."""
    for line in ("HELP", "STAT", "FEAT"):
        inner = probe.final(line).lines[1:-1]
        bad = [row for row in inner if re.match(rb"[1-5][0-9]{2} ", row)]
        demand(not bad, f"an inner line of {line} is {shown(bad[0]) if bad else ''}")


@check(959, "4.2")
def lines_end_in_crlf(probe: Probe) -> None:
    """Every line of every reply ends in CR LF; seen over the whole run."""
    bad = probe.ledger.bad_forms
    demand(not bad, f"{len(bad)} replies have other line ends, such as {bad[0] if bad else ''}")


@check(959, "5.3")
def verbs_are_case_blind(probe: Probe) -> None:
    """Verbs may be written in any case."""
    codes = {probe.say(line).code for line in ("NOOP", "noop", "NoOp")}
    demand(codes == {200}, f"NOOP, noop and NoOp are answered by {sorted(codes)}")


@check(959, "4.2.1")
def unknown_verb_is_500(probe: Probe) -> None:
    """A verb that nobody knows is answered by 500 (502 is for known ones)."""
    code = probe.refuses("QWOP").code
    if code != 500:
        remark(f"it is answered by {code}")


@check(959, "5.3")
def empty_line_is_not_a_command(probe: Probe) -> None:
    """A line without a verb is refused, or passed over."""
    probe.send("")
    probe.send("NOOP", is_beside=True)
    heard = probe.hear()
    if heard.code != 200:
        demand(heard.code >= 400, f"an empty line is answered by {heard.code}")
        demand(probe.hear().code == 200, "the NOOP behind it is not answered by 200")


@check(959, "4.1.3")
def noop_is_200(probe: Probe) -> None:
    """NOOP is answered by 200."""
    probe.wants("NOOP", 200)


@check(959, "4.1.3")
def syst_names_a_system(probe: Probe) -> None:
    """SYST is answered by 215 and a name, which clients choose their LIST parser by."""
    heard = probe.tells("SYST", 215)
    demand(re.match(r"[A-Za-z]", heard.text), f"the name is {shown(heard.lines[-1])}")


@check(959, "4.1.3")
def help_is_211_or_214(probe: Probe) -> None:
    """HELP is answered by 211 or 214."""
    probe.wants("HELP", 211, 214)


@check(959, "4.1.3")
def help_takes_a_command(probe: Probe) -> None:
    """HELP with the name of a command tells of it."""
    heard = probe.offered("HELP RETR")
    if heard.code not in (211, 214):
        remark(f"HELP RETR is answered by {heard.code}")


@check(959, "4.1.3")
def stat_is_211(probe: Probe) -> None:
    """STAT without a path tells the state of the session with 211."""
    probe.wants("STAT", 211)


@check(959, "4.1.3", is_advice=True)
def site_help_is_answered(probe: Probe) -> None:
    """SITE HELP names what SITE has, as far as there is any (the RFC has HELP SITE)."""
    code = probe.offered("SITE HELP").code
    if code >= 400:
        lacking(f"it is answered by {code}")
    demand(code in (200, 202, 211, 214), f"it is answered by {code}")


@check(959, "4.1.3")
def allo_is_200_or_202(probe: Probe) -> None:
    """ALLO is answered by 200, or by 202 where it is superfluous."""
    _allocated(probe, "ALLO 100")


@check(959, "4.1.3")
def allo_with_record_size(probe: Probe) -> None:
    """ALLO takes a record size: ALLO 100 R 80."""
    _allocated(probe, "ALLO 100 R 80")


def _allocated(probe: Probe, line: str) -> None:
    code = probe.offered(line).code
    if code >= 400:
        lacking(f"it is answered by {code}, of which its list has some")
    demand(code in (200, 202), f"it is answered by {code}")


@check(959, "4.1.1", start=Start.OWN)
def smnt_is_answered(probe: Probe) -> None:
    """SMNT is answered by 250 or 202, or is not implemented."""
    code = probe.offered("SMNT /").code
    demand(code in (202, 250) or code >= 400, f"SMNT is answered by {code}")


@check(1123, "4.1.2.10")
def commands_may_come_together(probe: Probe) -> None:
    """Several commands may come in one piece; each is answered, in order."""
    probe.send_raw(b"PWD\r\nNOOP\r\nSYST\r\nNOOP\r\n")
    codes = [probe.hear().code for _ in range(4)]
    demand(codes[0] == 257 and codes[1] == 200 and codes[3] == 200, f"the answers are {codes}")


@check(1123, "4.1.2.10")
def a_command_may_come_in_pieces(probe: Probe) -> None:
    """A command may come in several pieces: nothing is answered before its line end."""
    probe.send_raw(b"NO", is_beside=True)
    demand(probe.is_quiet(), "half a command is answered")
    probe.send_raw(b"OP\r\n", is_beside=True)
    demand(probe.hear().code == 200, "the whole of it is not answered by 200")


@check(1123, "4.1.2.13", start=Start.OWN)
def minimum_implementation(probe: Probe) -> None:
    """All commands of the minimum implementation are there."""
    probe.control.timeout = max(probe.control.timeout, 12.0)  # some look for a data connection first
    lacks = [line.partition(" ")[0] for line in _MINIMUM if is_unknown(probe.final(line))]
    if lacks == ["ACCT"]:
        remark("ACCT: not implemented, which is right where the system knows no accounts but logins")
    demand(not lacks, f"{', '.join(lacks)}: not implemented")


@check(959, "5.3")
def line_feed_alone(probe: Probe) -> None:
    """Commands end in CR LF; what a server makes of LF alone is its own business."""
    probe.send_raw(b"NOOP\n", is_beside=True)
    if probe.is_quiet():
        probe.send_raw(b"\r\n", is_beside=True)
        probe.is_quiet()
        remark("a line that ends in LF alone is waited on: shell scripts and devices that send those hang")


@check(959, "4.1", start=Start.OWN, is_advice=True)
def telnet_signals_are_passed_over(probe: Probe) -> None:
    """The Telnet signals IP and Synch before a command, as for ABOR, should have no effect of their own."""
    probe.send_raw(_IAC_IP_DM + b"NOOP\r\n", is_beside=True)
    heard = probe.hear()
    demand(heard.code == 200, f"IAC IP IAC DM NOOP is answered by {heard.code}")


@check(1123, "4.1.2.12", start=Start.OWN)
def telnet_negotiation_is_passed_over(probe: Probe) -> None:
    """A Telnet option that is asked for is refused by WONT, and the command behind it is done."""
    probe.send_raw(b"\xff\xfd\x06NOOP\r\n", is_beside=True)
    heard = probe.hear_behind_telnet()
    if heard is None:
        return
    demand(heard.code == 200, f"IAC DO TIMING-MARK NOOP is answered by {heard.code}")
    remark("it is passed over in silence, by which no FTP client is disturbed")


@check(959, "5.3", start=Start.OWN)
def a_very_long_line_is_survived(probe: Probe) -> None:
    """A line that is too long for the server gets one reply, as any other, and the connection goes on."""
    probe.send_raw(b"CWD " + b"x" * _LONG_LINE + b"\r\n", shown_as=f"CWD and {_LONG_LINE} bytes")
    try:
        heard = probe.hear()
    except Violated as violation:
        remark(str(violation))
    if heard.code == 421:
        remark("the connection is closed with 421")
    demand(heard.code >= 500, f"it is answered by {heard.code}")
    surplus = 0
    while not probe.is_quiet() and surplus < 8:
        surplus += 1
    demand(surplus == 0, f"it is answered {surplus + 1} times")
    demand(probe.say("NOOP").code == 200, "NOOP is not answered by 200 afterwards")


@check(2640, "3.1", start=Start.OWN)
def no_reply_carries_a_bare_cr(probe: Probe) -> None:
    """A CR inside a name comes back as CR NUL, or not at all: alone it could pass for the end of a line."""
    heard = probe.final(b"CWD no\r200 Fine")
    demand(heard.code >= 400, f"it is answered by {heard.code}")
    demand(b"\r" not in heard.raw.replace(b"\r\n", b"").replace(b"\r\0", b""), "the reply has a bare CR in it")


@check(959, "5.4")
def each_command_gets_one_reply(probe: Probe) -> None:
    """Each command gets one final reply and no other."""
    for line in ("PWD", "CWD .", "TYPE I", "STAT", "QWOP", "RNTO x", "REST 0"):
        probe.final(line)
        demand(probe.is_quiet(0.1), f"{line} gets a second reply")


@check(1123, "4.1.3.2", start=Start.OWN, is_advice=True)
def silence_is_borne(probe: Probe) -> None:
    """A silent client is not thrown out at once (the default should be five minutes or more)."""
    time.sleep(min(3.0, probe.target.seconds))
    demand(probe.say("NOOP").code == 200, "the connection is gone after three seconds")
