"""`ftpd tftp-map`: what the rules of a map file make of a name."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from ftpd.cli import main
from ftpd.tftp.wire.mapfile import MapFile

PAGE = Path(__file__).parents[3] / "docs" / "tftp-maps.md"
BLOCKS = [textwrap.dedent(block) for block in re.findall(r"(?:^    .*\n)+", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]
EXAMPLES = [block for block in BLOCKS if not block.startswith(("$", "operation "))]

RULES = r"""ri ^[a-z]:        # drive letters
rg \\ /
r ^[^/] /tftpboot/\0
a \.pvt$ Not\ public
rP ^ /up/\i
r6 ^ /six
"""


@pytest.fixture
def tftp_map(tmp_path):
    """Return a function that runs the command over *rules*, None for a file that is not there."""

    def run(rules, name, *options):
        file = tmp_path / "tftp.map"
        if rules is not None:
            file.write_text(rules)
        result = CliRunner().invoke(main, ["tftp-map", *options, "--", str(file), name], prog_name="ftpd")
        return result.exit_code, result.stdout.splitlines(), result.stderr.replace(str(tmp_path), "").splitlines()

    return run


def test_each_rule_that_matched_is_printed_with_the_name_before_and_after_it(tftp_map):
    assert tftp_map(RULES, "C:\\boot\\x") == (
        0,
        [
            "line 1: ri ^[a-z]:",
            "    C:\\boot\\x -> \\boot\\x",
            "line 2: rg \\\\ /",
            "    \\boot\\x -> /boot/x",
            "file: /boot/x",
        ],
        [],
    )


def test_refused_name_is_exit_code_1(tftp_map):
    assert tftp_map(RULES, "/x.pvt") == (1, ["line 4: a \\.pvt$ Not\\ public", "    /x.pvt -> refused", "refused: Not public"], [])


def test_refusal_without_words_is_said(tftp_map):
    assert tftp_map("a x", "x") == (1, ["line 1: a x", "    x -> refused", "refused: Permission denied"], [])


def test_file_is_what_a_client_would_get(tftp_map):
    assert tftp_map("", "../a/./b") == (0, ["file: /a/b"], [])


@pytest.mark.parametrize(
    ("name", "words"), [("..", "No file is named"), ("", "No file is named"), ("a\nb", "Name contains a NUL or a line feed")]
)
def test_name_of_no_file_is_refused(tftp_map, name, words):
    assert tftp_map("", name) == (1, [f"refused: {words}"], [])


def test_request_may_be_to_store(tftp_map):
    assert tftp_map(RULES, "/x", "--put")[1][-1] == "file: /up/127.0.0.1/x"


def test_request_may_come_from_another_address(tftp_map):
    assert tftp_map(RULES, "/x", "--from", "2001:DB8:0::1", "--put")[1][-1] == "file: /six/up/2001:db8::1/x"


def test_names_cannot_steer_a_terminal(tftp_map):
    assert tftp_map("r b x", "\x1bb") == (0, ["line 1: r b x", "    \\x1bb -> \\x1bx", "file: /\\x1bx"], [])


def test_rules_without_an_end_are_printed_for_a_while(tftp_map):
    code, lines, _ = tftp_map("s x", "x")
    assert (code, len(lines)) == (1, 202)
    assert lines[-2:] == ["... and 3997 rules more", "refused: The rules for names come to no end"]


def test_broken_file_is_exit_code_2_with_all_problems(tftp_map):
    assert tftp_map("q a\nr a b\nr\n", "a") == (
        2,
        [],
        [
            "ftpd: /tftp.map: line 1: operation 'q'; allowed are r g i e s a j G P 4 6 ~",
            "ftpd: /tftp.map: line 3: r without a regular expression; after the operation comes what it is for",
        ],
    )


def test_missing_file_is_exit_code_2(tftp_map):
    assert tftp_map(None, "a") == (2, [], ["ftpd: /tftp.map: No such file or directory"])


def test_address_has_to_be_one(tftp_map):
    code, _, errors = tftp_map("", "a", "--from", "nowhere")
    assert code == 2
    assert errors[-1] == "Error: 'nowhere' does not appear to be an IPv4 or IPv6 address"


def test_page_shows_what_is_printed(tftp_map):
    [shown] = [block for block in BLOCKS if block.startswith("$ ftpd tftp-map")]
    command, *lines = shown.splitlines()
    assert command == r"$ ftpd tftp-map tftp.map 'C:\boot\pxelinux.0'"
    assert tftp_map(EXAMPLES[0], r"C:\boot\pxelinux.0") == (0, lines, [])


@pytest.mark.parametrize("rules", EXAMPLES)
def test_rules_of_the_page_are_rules(rules):
    assert MapFile.parse(rules).apply("a", is_write=True, address="192.0.2.1").steps is not None


@pytest.mark.parametrize(
    "name",
    [r"private\a.0", "private/a.0", "/private/a.0", "./private/a.0", ".//./private//a.0", "x/../private/a.0", r"\.\private\a.0"],
)
def test_rules_of_the_page_refuse_every_spelling(name):
    [rules] = [example for example in EXAMPLES if "^private/" in example]
    assert MapFile.parse(rules).apply(name, is_write=False, address="192.0.2.1").name is None
