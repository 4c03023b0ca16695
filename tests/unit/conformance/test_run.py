"""Each verdict, from a server that earns it; and what a server that hangs, closes or raves costs."""

from __future__ import annotations

import pytest

from ftpd.conformance.check import Check, Start, check
from ftpd.conformance.checks.control import (
    help_takes_a_command,
    noop_is_200,
    site_help_is_answered,
    stat_is_211,
    syst_names_a_system,
)
from ftpd.conformance.checks.data import a_client_that_is_not_there, epsv_works
from ftpd.conformance.finding import Finding, Unclear, Verdict, demand
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import judge
from tests.unit.conformance.scripted import CLOSES, HANGS, Scripted, scripted, target


def judged(server: Scripted, *checks: Check) -> list[Finding]:
    return list(judge(target(server), checks))


def test_what_is_right_conforms() -> None:
    with scripted() as server:
        found = judged(server, noop_is_200)
    assert [(finding.verdict, finding.rfc, finding.section, finding.words) for finding in found] == [
        (Verdict.CONFORMS, 959, "4.1.3", "")
    ]


def test_a_wrong_code_violates() -> None:
    with scripted({"NOOP": b"350 Yes.\r\n"}) as server:
        found = judged(server, noop_is_200)
    assert [(finding.verdict, finding.words) for finding in found] == [(Verdict.VIOLATES, "NOOP is answered by 350, not by 200")]
    assert found[0].dialogue == ("> NOOP", "< 350 Yes.")


def test_what_need_not_be_kept_is_a_remark() -> None:
    with scripted({"HELP": b"504 Not of that.\r\n"}) as server:
        found = judged(server, help_takes_a_command)
    assert [(finding.verdict, finding.words) for finding in found] == [(Verdict.REMARK, "HELP RETR is answered by 504")]


def test_an_unknown_verb_is_not_offered() -> None:
    with scripted({"SITE": b"502 None.\r\n"}) as server:
        found = judged(server, site_help_is_answered)
    assert [finding.verdict for finding in found] == [Verdict.NOT_OFFERED]


def test_a_check_that_stores_cannot_tell_where_nothing_may_be_stored() -> None:
    with scripted() as server:
        found = judged(server, a_client_that_is_not_there)
    assert [(finding.verdict, finding.words) for finding in found] == [(Verdict.UNCLEAR, "it stores files, and this run may not")]


def test_a_server_that_hangs_costs_one_check() -> None:
    with scripted({"STAT": HANGS}) as server:
        found = judged(server, stat_is_211, noop_is_200)
    assert [finding.verdict for finding in found] == [Verdict.VIOLATES, Verdict.CONFORMS]
    assert found[0].words == "after 'STAT': no reply within its time"


def test_a_server_that_closes_costs_one_check() -> None:
    with scripted({"STAT": CLOSES}) as server:
        found = judged(server, stat_is_211, noop_is_200)
    assert [finding.verdict for finding in found] == [Verdict.VIOLATES, Verdict.CONFORMS]


def test_a_stray_reply_is_not_the_next_check_s() -> None:
    with scripted({"STAT": b"211 State.\r\n500 And more.\r\n", "SYST": b"215 UNIX\r\n"}) as server:
        found = judged(server, stat_is_211, syst_names_a_system)
    assert [finding.verdict for finding in found] == [Verdict.CONFORMS, Verdict.CONFORMS]
    assert server.connections == 2


def test_a_reply_without_end_is_cut() -> None:
    with scripted({"STAT": b"211-" + b"x" * 2_000_000}) as server:
        found = list(judge(target(server, seconds=5), [stat_is_211]))
    assert [finding.verdict for finding in found] == [Verdict.VIOLATES]
    assert found[0].words == "after 'STAT': a reply of more than 1048576 bytes"


def test_what_steers_a_terminal_is_escaped() -> None:
    with scripted({"SYST": b"215 \x1b]0;mine\x07\xc2\x9b2J\r\n"}) as server:
        found = judged(server, syst_names_a_system)
    assert found[0].words == r"the name is 215 \x1b]0;mine\x07\x9b2J"
    assert found[0].dialogue == ("> SYST", r"< 215 \x1b]0;mine\x07\x9b2J")


def test_an_address_of_somebody_else_is_not_connected_to() -> None:
    with scripted({"EPSV": b"500 No.\r\n", "PASV": b"227 Entering (192,0,2,1,20,1).\r\n"}) as server:

        @check(959, "4.1.2")
        def asks_for_data(probe: Probe) -> None:
            """It asks for a data connection."""
            probe.fetch("LIST")

        found = judged(server, asks_for_data)
    assert [finding.verdict for finding in found] == [Verdict.UNCLEAR]
    assert found[0].words == ("no data connection: the passive address is 192.0.2.1, of another host than 127.0.0.1: not connected")


def test_the_password_is_not_in_the_dialogue() -> None:
    @check(959, "4.1.1", start=Start.STRANGER)
    def logs_in(probe: Probe) -> None:
        """It logs in, and then something is wrong."""
        probe.log_in()
        demand(False, "something")

    with scripted() as server:
        found = judged(server, logs_in)
    assert "> PASS ..." in found[0].dialogue
    assert "secret-word" not in repr(found)
    assert "secret-word" not in repr(target(server))


def test_there_is_nothing_to_judge_without_a_login() -> None:
    with scripted({"PASS": b"530 No.\r\n"}) as server, pytest.raises(Unclear, match=r"the login was refused with 530 No\."):
        judged(server, noop_is_200)


def test_a_login_that_hangs_is_nothing_to_judge() -> None:
    with scripted({"USER": HANGS}) as server, pytest.raises(Unclear, match="no login: after 'USER ann'"):
        judged(server, noop_is_200)


def test_epsv_that_is_not_there_cannot_tell() -> None:
    with scripted({"EPSV": b"502 No.\r\n"}) as server:
        found = list(judge(target(server), [Check("x", 2428, "3", "x", epsv_works.ask, Start.SHARED, False)]))
    assert [finding.verdict for finding in found] == [Verdict.UNCLEAR]
