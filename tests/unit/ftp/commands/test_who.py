from __future__ import annotations

from ftpd.errors import Unavailable
from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import Server
from ftpd.values import Account, Permission, Rule

EVERYTHING = (Rule(ROOT, Permission.ALL),)
FILES = {"/private plan": b"123"}


def here(**arguments):
    chief = Account("chief", rules=EVERYTHING, sees_all_sessions=True)
    return Server(accounts=[chief, Account("bob", rules=EVERYTHING)], files=FILES, **arguments)


def seen(dialogue):
    return [line.split()[0] for line in dialogue.says("SITE WHO").hears(211).last.lines]


def test_an_account_sees_its_own_sessions():
    server = here()
    first, _, _ = (Dialogue(server=server, login=name) for name in ("ann", "ann", "bob"))
    assert seen(first) == ["ann", "ann"]


def test_nobody_sees_what_others_transfer():
    server = here()
    Dialogue(server=server, login="bob").says("RETR private plan", reads=False).hears(150)
    other = Dialogue(server=server, login="ann").says("SITE WHO").hears(211)
    assert "private" not in " ".join(other.last.lines)


def test_who_may_see_all_sees_all():
    server = here()
    Dialogue(server=server, login="bob")
    Dialogue(server=server).hears(220)
    chief = Dialogue(server=server, login="chief")
    assert sorted(seen(chief)) == ["(not", "bob", "chief"]


def test_anonymous_clients_do_not_see_each_other():
    server = here()
    Dialogue(server=server, login="anonymous")
    assert seen(Dialogue(server=server, login="anonymous")) == ["anonymous"]


def test_an_account_of_that_name_on_another_host_is_somebody_else():
    server = here()
    stranger = Dialogue(server=server, login="ann")
    stranger.session.peer = stranger.session.peer._replace(host="b.example.com")
    assert seen(Dialogue(server=server, login="ann")) == ["ann"]


def test_a_transfer_is_told_with_its_path_and_bytes():
    server = here()
    Dialogue(server=server, login="ann").says("STOR new\x1b[2J").hears(150).sends(b"12345")
    dialogue = Dialogue(server=server, login="ann").says("SITE WHO").hears(211, "Sessions: 2")
    busy = next(line for line in dialogue.last.lines if "STOR" in line)
    assert busy.startswith(" ann 127.0.0.1 for ")
    assert busy.endswith(", 5 bytes")
    assert "\x1b" not in busy


def test_sessions_of_other_processes_are_told_too():
    server = here()
    dialogue = Dialogue(server=server, login="ann")
    row = next(iter(server.factory.rows()))

    async def neighbours():
        return [row, row]

    server.factory.neighbours = neighbours
    assert seen(dialogue) == ["ann", "ann"]


def test_where_nobody_can_tell_now_it_is_451():
    server = here()

    async def neighbours():
        raise Unavailable(None, "The state cannot be asked now")

    server.factory.neighbours = neighbours
    Dialogue(server=server, login="ann").says("SITE WHO").hears(451, "The state cannot be asked now.")


def test_before_the_login_it_is_530():
    Dialogue().hears(220).says("SITE WHO").hears(530)
