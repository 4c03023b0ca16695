"""The checks as a whole, and some of them against a server with the fault that they are for."""

from __future__ import annotations

import calendar
import socket
import time

import pytest

from ftpd.conformance.check import Check
from ftpd.conformance.checks import (
    all_checks,
    changes,
    control,
    data,
    facts,
    features,
    hosts,
    login,
    names,
    parameters,
    paths,
    replies,
    restart,
)
from ftpd.conformance.conversation import Ledger
from ftpd.conformance.finding import Lacking, Remarkable, Verdict, Violated
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import judge
from tests.unit.conformance.scripted import USUAL, scripted, target


def test_every_check_has_a_rule_and_a_name_of_its_own() -> None:
    checks = all_checks()
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.title.endswith(".") or check.title.endswith(".)") for check in checks)


def test_there_are_checks_for_every_document() -> None:
    assert {check.rfc for check in all_checks()} == {959, 1123, 2228, 2389, 2428, 2577, 2640, 3659, 4217, 7151, 8996}


@pytest.mark.parametrize(
    ("check", "answers", "words"),
    [
        (control.verbs_are_case_blind, {"NOOP": b"250 x\r\n"}, "NOOP, noop and NoOp are answered by [250]"),
        (control.unknown_verb_is_500, {"QWOP": b"200 x\r\n"}, "'QWOP' is answered by 200, as if it were right"),
        (control.reply_of_many_lines, {"HELP": b"214-x\r\n214\r\n"}, "the last line is 214"),
        (
            control.no_inner_line_looks_like_the_last,
            {"HELP": b"214-x\r\n215 y\r\n214 z\r\n"},
            "an inner line of HELP is 215 y",
        ),
        (control.each_command_gets_one_reply, {"PWD": b'257 "/"\r\n257 "/"\r\n'}, "PWD gets a second reply"),
        (paths.rnto_before_rnfr_is_503, {"RNTO": b"250 x\r\n"}, "'RNTO x' is answered by 250, as if it were right"),
        (data.pasv_tells_an_address, {"PASV": b"227 Yes.\r\n"}, "no address of a data connection: '227 Yes.'"),
        (data.epsv_tells_a_port, {"EPSV": b"229 Port 4000.\r\n"}, "it is 229 Port 4000."),
        (data.epsv_of_an_unknown_family_is_522, {"EPSV": b"522 No.\r\n"}, "it names none: 522 No."),
        (
            data.after_epsv_all_only_epsv_is_taken,
            {"EPSV": b"200 x\r\n", "PASV": b"227 (127,0,0,1,20,1)\r\n", "PORT": b"200 x\r\n"},
            "PASV, PORT: still taken",
        ),
        (features.feat_lines_begin_with_one_space, {"FEAT": b"211-x\r\nSIZE\r\n211 End\r\n"}, "there is 'SIZE'"),
        (features.what_feat_has_is_served, {}, "told, and not served: SIZE"),
        (features.feat_ends_with_211_end, {"FEAT": b"211-x\r\n SIZE\r\n211 End of it.\r\n"}, "it is 211 End of it."),
        (hosts.host_with_a_port_is_501, {"HOST": b"220 x\r\n"}, "it is answered by 220"),
        (hosts.host_after_the_login_is_503, {"HOST": b"504 x\r\n"}, "it is answered by 504"),
        (names.lang_marks_the_one_in_force, {"FEAT": b"211-x\r\n LANG en*;fr*\r\n211 End\r\n"}, "2 languages have an asterisk"),
        (facts.feat_marks_the_facts_that_are_told, {"FEAT": b"211-x\r\n MLST size*;\r\n MLST type;\r\n211 End\r\n"}, "FEAT has MLST more than once"),
        (login.quit_is_221_and_the_end, {"QUIT": b"221 x\r\n"}, "the connection stays open"),
        (login.rein_ends_the_login, {"REIN": b"220 x\r\n"}, "CWD after REIN is answered by 250"),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)  # fmt: skip
def test_a_fault_is_found(check: Check, answers: dict[str, bytes], words: str) -> None:
    with scripted(answers) as server:
        (found,) = judge(target(server), [check])
    assert (found.verdict, found.words) == (Verdict.VIOLATES, words)


@pytest.mark.parametrize(
    ("check", "answers", "words"),
    [
        (control.noop_is_200, {"NOOP": b"250 x\r\n"}, "NOOP is answered by 250, not by 200"),
        (data.epsv_all_is_200, {"EPSV": b"220 x\r\n"}, "EPSV is answered by 220, not by 200"),
        (paths.pwd_is_257_and_quoted, {"PWD": b"257 / is it\r\n"}, "no path in quotes: 257 / is it"),
        (restart.rest_of_no_number_is_501, {"REST": b"350 x\r\n"}, "'REST five' is answered by 350, as if it were right"),
        (login.commands_before_login_are_530, {}, "CWD / is answered by 250"),
        (control.telnet_signals_are_passed_over, {}, "IAC IP IAC DM NOOP is answered by 500"),
        (
            control.minimum_implementation,
            dict.fromkeys({line.partition(" ")[0] for line in control._MINIMUM} - {"ACCT"}, b"200 x\r\n") | USUAL,
            "ACCT: not implemented, which is right where the system knows no accounts but logins",
        ),
        (hosts.host_that_is_no_name_is_501, {"HOST": b"220 x\r\n"}, "'HOST a b..c' is answered by 220, as if it were right"),
        (changes.mfct_of_what_is_missing_is_550, {"MFCT": b"213 x\r\n"}, "it is answered by 213, as if it were right"),
        (changes.mfct_of_what_is_missing_is_550, {"MFCT": b"501 x\r\n"}, "it is refused with 501"),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)
def test_what_is_only_advised_is_a_remark(check: Check, answers: dict[str, bytes], words: str) -> None:
    with scripted(answers) as server:
        (found,) = judge(target(server), [check])
    assert (found.verdict, found.words) == (Verdict.REMARK, words)


@pytest.mark.parametrize(
    ("check", "answers"),
    [
        (hosts.host_that_is_not_here_is_504, {"HOST": b"220 The host for all others.\r\n"}),  # RFC 7151 3.2 lets it
        (features.what_feat_has_is_served, {"FEAT": b"211-x\r\n PBSZ\r\n PROT\r\n211 End\r\n"}),  # under TLS they are served
        (names.lang_marks_the_one_in_force, {"FEAT": b"211-x\r\n LANG en;fr\r\n211 End\r\n"}),  # the asterisk is optional
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)
def test_what_a_document_allows_is_no_fault(check: Check, answers: dict[str, bytes]) -> None:
    with scripted(answers) as server:
        (found,) = judge(target(server), [check])
    assert (found.verdict, found.words) == (Verdict.CONFORMS, "")


def test_a_reply_that_leads_elsewhere_is_found() -> None:
    with scripted({"TYPE": b"350 x\r\n"}) as server:
        *_, found = judge(target(server), [control.noop_is_200, replies.replies_lead_where_they_should])
    assert (found.verdict, found.words) == (Verdict.VIOLATES, "beyond the lists: 350 to TYPE")


@pytest.mark.parametrize("reply", [b"550 x\r\n", b"250 x\r\n"])
def test_other_replies_beyond_the_lists_are_a_remark(reply: bytes) -> None:
    with scripted({"NOOP": reply}) as server:
        *_, found = judge(target(server), [control.noop_is_200, replies.replies_are_of_the_list])
    assert (found.verdict, found.words) == (Verdict.REMARK, f"beyond the lists: {reply[:3].decode()} to NOOP")


def test_nobody_is_judged_by_the_lists_of_drafts() -> None:
    with scripted({"CLNT": b"299 x\r\n", "FEAT": b"211-x\r\n CLNT\r\n211 End\r\n"}) as server:
        *_, found = judge(target(server), [features.what_feat_has_is_served, replies.replies_are_of_the_list])
    assert found.verdict is Verdict.CONFORMS


def test_a_stray_reply_is_held_against_no_command() -> None:
    with scripted({"TYPE": b"425 Nobody has connected.\r\n"}) as server, Probe.connect(target(server), Ledger()) as probe:
        assert probe.aside("TYPE I").code == 425
        assert probe.ledger.replies == {("", 220): 1, ("", 425): 1}


@pytest.mark.parametrize(
    ("away", "told"),
    [
        (5, None),
        (7 * 60, (Remarkable, "the server's clock is 420 seconds away from this one, so that it cannot be seen")),
        (2 * 3600 + 3, (Violated, "a file that was stored now is 2.0 hours away, as in local time")),
    ],
)
def test_a_slow_clock_is_no_time_zone(away: int, told: tuple[type[Exception], str] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: float(calendar.timegm((2026, 1, 2, 3, 4, 5))) + away)
    monkeypatch.setattr(Probe, "store", lambda probe, line, content: None)
    with scripted({"MDTM": b"213 20260102030405\r\n"}) as server, Probe.connect(target(server), Ledger()) as probe:
        error = None
        try:
            facts.mdtm_is_utc.ask(probe)
        except (Violated, Remarkable) as raised:
            error = raised
    assert (error and (type(error), str(error))) == told


def test_blocks_end_where_they_say_so_though_the_connection_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "_END_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs, scripted() as server, Probe.connect(target(server), Ledger()) as probe:
        theirs.sendall(b"\x00\x00\x03one\x10\x00\x02M1\x40\x00\x03two")
        assert parameters._blocks(probe, ours) == b"onetwo"


def test_blocks_that_never_end_are_a_fault() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, scripted() as server, Probe.connect(target(server), Ledger()) as probe:
        theirs.sendall(b"\x00\x00\x00" * 100)
        probe.ends_at = time.monotonic() - 1
        with pytest.raises(Violated, match="goes on and on"):
            parameters._blocks(probe, ours)


def test_blocks_of_more_than_the_file_are_a_fault() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, scripted() as server, Probe.connect(target(server), Ledger()) as probe:
        theirs.sendall(b"\x00\x00\x0a0123456789" * 2)
        with pytest.raises(Violated, match="more than the file"):
            parameters._blocks(probe, ours)


def test_blocks_without_an_end_are_a_fault() -> None:
    ours, theirs = socket.socketpair()
    with ours, scripted() as server, Probe.connect(target(server), Ledger()) as probe:
        theirs.sendall(b"\x00\x00\x03one")
        theirs.close()
        with pytest.raises(Violated, match="the data end before a block with the 64"):
            parameters._blocks(probe, ours)


def test_line_ends_of_the_whole_run_count() -> None:
    with scripted({"NOOP": b"200 x\n"}) as server:
        *_, found = judge(target(server), [control.noop_is_200, control.lines_end_in_crlf])
    assert (found.verdict, found.words) == (Verdict.VIOLATES, "1 replies have other line ends, such as 200 x")


@pytest.mark.parametrize(
    ("mfct", "mlst", "told"),
    [
        ("213 Create=19980615100045; /fixture.txt", "create=19980615100045;", None),
        ("213 create=19980615100045.000; fixture.txt", "size=3;Create=19980615100045.000;", None),
        ("504 No.", "size=3;", (Lacking, "MFCT is refused with 504: the time of creation cannot be set here")),
        ("502 No.", "size=3;", (Lacking, "MFCT is answered by 502")),
        ("253 Done.", "size=3;", (Violated, "MFCT is answered by 253, not by 213")),
        ("213 Done.", "size=3;", (Violated, "it is 213 Done.")),
        ("213 Create=20260102030405; fixture.txt", "size=3;", (Violated, "19980615100045 is asked for, and 20260102030405 told")),
        ("213 Create=19980615100045; other", "size=3;", (Violated, "the path is 'other'")),
        ("213 Create=19980615100045; fixture.txt", "size=3;", (Lacking, "MLST has no fact create")),
        (
            "213 Create=19980615100045; fixture.txt",
            "create=20260102030405;",
            (Violated, "MFCT has set 19980615100045, and MLST tells 20260102030405"),
        ),
    ],
)
def test_what_mfct_says_and_does_is_judged(mfct: str, mlst: str, told: tuple[type[Exception], str] | None) -> None:
    answers = {"MFCT": f"{mfct}\r\n".encode(), "MLST": f"250-x\r\n {mlst} fixture.txt\r\n250 End\r\n".encode()}
    with scripted(answers) as server, Probe.connect(target(server), Ledger()) as probe:
        error = None
        try:
            changes.mfct_sets_the_fact_create.ask(probe)
        except (Violated, Lacking) as raised:
            error = raised
    assert (error and (type(error), str(error))) == told
