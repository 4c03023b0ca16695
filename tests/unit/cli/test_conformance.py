"""`ftpd conformance`: exit codes, and what is printed where."""

from __future__ import annotations

import json

from click.testing import CliRunner

from ftpd.cli import main
from tests.unit.conformance.scripted import Scripted, scripted

RIGHT = {
    "HOST": b"502 x\r\n",
    "PBSZ": b"503 x\r\n",
    "AUTH": b"502 x\r\n",
}


def run(server: Scripted, *options: str) -> tuple[int, str]:
    command = ["conformance", f"127.0.0.1:{server.port}", "--user", "ann", "--password-stdin", "--no-write", "--timeout", "0.5"]
    result = CliRunner().invoke(main, [*command, *options], input="secret-word\n")
    return result.exit_code, result.output


def test_a_server_that_violates_nothing_is_exit_code_0() -> None:
    with scripted(RIGHT) as server:
        code, output = run(server, "--only", "7151")
    assert code == 0
    assert output.endswith("7 checks: 0 conforms, 0 violates, 0 remark, 7 not offered, 0 could not tell\n")


def test_a_violation_is_exit_code_1_and_its_section_is_printed() -> None:
    with scripted({"HOST": b"220 x\r\n", "FEAT": b"211 none\r\n"}) as server:
        code, output = run(server, "--only", "7151")
    assert code == 1
    assert "violates RFC 7151 3.4: A server that has HOST says so in FEAT.\n" in output


def test_findings_as_json_are_one_a_line() -> None:
    with scripted(RIGHT) as server:
        _, output = run(server, "--only", "7151", "--json")
    assert {json.loads(line)["rfc"] for line in output.splitlines()} == {7151}


def test_no_login_is_exit_code_1_with_a_sentence() -> None:
    with scripted({"PASS": b"530 Never.\r\n"}) as server:
        code, output = run(server)
    assert (code, output) == (1, "ftpd: the login was refused with 530 Never.\n")


def test_an_rfc_without_checks_is_exit_code_2() -> None:
    with scripted() as server:
        code, output = run(server, "--only", "1")
    assert code == 2
    assert "there are checks for 959, 1123, 2228" in output


def test_two_sources_of_a_password_are_exit_code_2(tmp_path: object) -> None:
    with scripted() as server:
        code, _ = run(server, "--password-file", __file__)
    assert code == 2
