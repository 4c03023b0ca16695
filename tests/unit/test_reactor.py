"""Which reactor the command gets; each case is a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest


def chosen(setup: str) -> str:
    code = f"{setup}\nfrom ftpd.reactor import chosen_reactor\nprint(type(chosen_reactor()).__name__)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_ours_is_installed_where_nobody_has_chosen() -> None:
    assert chosen("") == "ContextFreeReactor"


@pytest.mark.parametrize(("kind", "name"), [("poll", "PollReactor"), ("select", "SelectReactor")])
def test_one_that_is_there_stays(kind: str, name: str) -> None:
    assert chosen(f"from twisted.internet import {kind}reactor as chosen; chosen.install()") == name


def test_without_epoll_it_is_twisteds() -> None:
    assert chosen("import select; del select.epoll") != "ContextFreeReactor"
