"""Sessions as lines."""

from __future__ import annotations

from datetime import UTC

import pytest

from ftpd.cli.sessions import View, session_board, session_table
from ftpd.cli.table import width
from tests.fake_operator import SINCE, row

DOWN, UP, QUIET, NEW = ("06f3k2m4n6p8q0r" + letter for letter in "abcd")
ROWS = [
    row(QUIET, account="bob", host="files.example", since=SINCE - 90_000, heard=SINCE),
    row(
        DOWN,
        account="ann",
        command="RETR",
        direction="download",
        path="/pub/isos/debian-12.5.0-amd64-netinst.iso",
        size=4_000_000_000,
        moved=1_800_000_000,
        transfer_since=SINCE + 10,
    ),
    row(
        UP,
        account="anonymous",
        address="2001:db8::17",
        command="STOR",
        direction="upload",
        path="/in/scan.pdf",
        moved=1_200_000,
        transfer_since=SINCE,
    ),
    row(NEW, address=""),
]
SPEEDS = {DOWN: 12.5 * 1024**2, UP: 60_000.0}
HEAD = "SESSION           ACCOUNT              ADDRESS       SINCE       DOING"


def view(columns=None, lines=None):
    return View(SINCE + 120, columns, lines, UTC)


def test_a_session_is_a_line():
    assert session_table(ROWS, SPEEDS, view()) == [
        HEAD,
        "06f3k2m4n6p8q0rc  bob (files.example)  192.0.2.1     2027-01-14  idle 2 min",
        "06f3k2m4n6p8q0ra  ann                  192.0.2.1     08:00       "
        "RETR /pub/isos/debian-12.5.0-amd64-netinst.iso  45 % of 3.73 GiB  12.5 MiB/s  2:48 left",
        "06f3k2m4n6p8q0rb  anonymous            2001:db8::17  08:00       STOR /in/scan.pdf  1.14 MiB  58.6 KiB/s",
        "06f3k2m4n6p8q0rd  -                    local         08:00       not logged in",
    ]


def test_without_sessions_there_is_the_head():
    assert session_table([], {}, view(80)) == ["SESSION  ACCOUNT  ADDRESS  SINCE  DOING"]


def test_a_long_path_loses_its_middle_to_the_terminal():
    line = session_table(ROWS, SPEEDS, view(132))[2]
    assert line == (
        "06f3k2m4n6p8q0ra  ann                  192.0.2.1     08:00       "
        "RETR /pub/isos/…etinst.iso  45 % of 3.73 GiB  12.5 MiB/s  2:48 left"
    )
    assert width(line) <= 132


def test_on_a_narrow_terminal_how_far_a_transfer_is_has_its_own_line():
    assert session_table(ROWS, SPEEDS, view(80)) == [
        HEAD,
        "06f3k2m4n6p8q0rc  bob (files.example)  192.0.2.1     2027-01-14  idle 2 min",
        "06f3k2m4n6p8q0ra  ann                  192.0.2.1     08:00       RETR /pub…t.iso",
        "  45 % of 3.73 GiB  12.5 MiB/s  2:48 left",
        "06f3k2m4n6p8q0rb  anonymous            2001:db8::17  08:00       STOR /in/…n.pdf",
        "  1.14 MiB  58.6 KiB/s",
        "06f3k2m4n6p8q0rd  -                    local         08:00       not logged in",
    ]


def test_the_board_has_totals_and_a_bar_for_each_transfer_before_the_others():
    assert session_board(ROWS, SPEEDS, view(80, 24)) == [
        "08:02:00  4 sessions  2 transfers  downloads 12.5 MiB/s  uploads 58.6 KiB/s",
        "",
        HEAD,
        "06f3k2m4n6p8q0ra  ann                  192.0.2.1     08:00       RETR /pub…t.iso",
        "  [############----------------]   45 % of 3.73 GiB  12.5 MiB/s  2:48 left",
        "06f3k2m4n6p8q0rb  anonymous            2001:db8::17  08:00       STOR /in/…n.pdf",
        "                                  1.14 MiB  58.6 KiB/s",
        "06f3k2m4n6p8q0rc  bob (files.example)  192.0.2.1     2027-01-14  idle 2 min",
        "06f3k2m4n6p8q0rd  -                    local         08:00       not logged in",
    ]


@pytest.mark.parametrize(("lines", "last"), [(9, "0rd"), (8, "2 more"), (7, "3 more"), (6, "3 more"), (5, "4 more")])
def test_the_board_says_how_many_do_not_fit(lines, last):
    board = session_board(ROWS, SPEEDS, view(None, lines))
    assert len(board) <= lines
    assert last in board[-1]


@pytest.mark.parametrize("columns", [1, 20, 40, 79])
def test_no_line_of_the_board_is_wider_than_the_terminal(columns):
    assert max(map(width, session_board(ROWS, SPEEDS, view(columns, 24)))) <= columns


@pytest.mark.parametrize(
    ("size", "moved", "words"),
    [
        (0, 0, "100 % of 0 B"),
        (1000, 0, "0 % of 0.98 KiB"),
        (1000, 999, "99 % of 0.98 KiB"),
        (1000, 1000, "100 % of 0.98 KiB"),
        (1000, 5000, "100 % of 0.98 KiB"),
        (None, 5000, "4.88 KiB"),
    ],
)
def test_how_far_a_transfer_is(size, moved, words):
    rows = [row(DOWN, account="ann", command="RETR", path="/f", size=size, moved=moved, transfer_since=SINCE)]
    assert session_table(rows, {}, view())[1].endswith(f"RETR /f  {words}")


def test_a_full_bar_is_full_and_an_empty_one_empty():
    rows = [row(DOWN, command="RETR", size=10, moved=moved, transfer_since=SINCE) for moved in (0, 10)]
    bars = [line.split("]")[0].strip() for line in session_board(rows, {}, view(62)) if "[" in line]
    assert bars == ["[----------", "[##########"]


def test_names_steer_no_terminal():
    rows = [row(DOWN, account="a\x1b[2J", command="RETR", path="/\x9b31m\u202e\n\udcff", transfer_since=SINCE)]
    for lines in (session_table(rows, {}, view(200)), session_board(rows, {}, view(200, 24))):
        assert all(line.isprintable() for line in lines)
        assert any("a\\x1b[2J" in line and "RETR /\\x9b31m\\u202e\\n\\xff" in line for line in lines)


def test_a_long_account_leaves_room_for_the_rest():
    assert session_table([row(QUIET, account="x" * 100)], {}, view())[1].split()[1] == "xxxxxxxxxxx…xxxxxxxxxxxx"
