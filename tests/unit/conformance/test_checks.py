"""The checks as a whole, and some of them against a server with the fault that they are for."""

from __future__ import annotations

import pytest

from ftpd.conformance.check import Check
from ftpd.conformance.checks import all_checks, control, data, facts, features, login, paths, replies, restart
from ftpd.conformance.finding import Verdict
from ftpd.conformance.run import judge
from tests.unit.conformance.scripted import scripted, target


def test_every_check_has_a_rule_and_a_name_of_its_own() -> None:
    checks = all_checks()
    assert len({check.name for check in checks}) == len(checks)
    assert all(check.title.endswith(".") or check.title.endswith(".)") for check in checks)


def test_there_are_checks_for_every_document() -> None:
    assert {check.rfc for check in all_checks()} == {775, 959, 1123, 2228, 2389, 2428, 2577, 2640, 3659, 4217, 7151}


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
        (paths.pwd_is_257_and_quoted, {"PWD": b"257 / is it\r\n"}, "no path in quotes: 257 / is it"),
        (paths.rnto_before_rnfr_is_503, {"RNTO": b"250 x\r\n"}, "'RNTO x' is answered by 250, as if it were right"),
        (data.pasv_tells_an_address, {"PASV": b"227 Yes.\r\n"}, "no address of a data connection: '227 Yes.'"),
        (data.epsv_tells_a_port, {"EPSV": b"229 Port 4000.\r\n"}, "it is 229 Port 4000."),
        (data.eprt_of_an_unknown_family_is_522, {"EPRT": b"522 No.\r\n"}, "it names none: 522 No."),
        (data.epsv_all_is_200, {"EPSV": b"220 x\r\n"}, "EPSV is answered by 220, not by 200"),
        (
            data.after_epsv_all_only_epsv_is_taken,
            {"EPSV": b"200 x\r\n", "PASV": b"227 (127,0,0,1,20,1)\r\n", "PORT": b"200 x\r\n"},
            "PASV, PORT: still taken",
        ),
        (restart.rest_of_no_number_is_501, {"REST": b"350 x\r\n"}, "'REST five' is answered by 350, as if it were right"),
        (features.feat_lines_begin_with_one_space, {"FEAT": b"211-x\r\nSIZE\r\n211 End\r\n"}, "there is 'SIZE'"),
        (features.what_feat_has_is_served, {}, "told, and not served: SIZE (SIZE does not get 550)"),
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
    ("answers", "words"),
    [
        ({"NOOP": b"250 x\r\n"}, "beyond the lists: 250 to NOOP"),
        ({"TYPE": b"257 x\r\n"}, "beyond the lists: 257 to TYPE"),
    ],
)
def test_good_replies_beyond_the_lists_are_found(answers: dict[str, bytes], words: str) -> None:
    with scripted(answers) as server:
        *_, found = judge(target(server), [control.noop_is_200, replies.good_replies_are_of_the_list])
    assert (found.verdict, found.words) == (Verdict.VIOLATES, words)


def test_refusals_beyond_the_lists_are_a_remark() -> None:
    with scripted({"NOOP": b"550 x\r\n"}) as server:
        *_, found = judge(target(server), [control.noop_is_200, replies.refusals_are_of_the_list])
    assert (found.verdict, found.words) == (Verdict.REMARK, "beyond the lists of RFC 959 5.4: 550 to NOOP")


def test_line_ends_of_the_whole_run_count() -> None:
    with scripted({"NOOP": b"200 x\n"}) as server:
        *_, found = judge(target(server), [control.noop_is_200, control.lines_end_in_crlf])
    assert (found.verdict, found.words) == (Verdict.VIOLATES, "1 replies have other line ends, such as 200 x")
