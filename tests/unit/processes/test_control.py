"""The control socket: who may use its name, and how many."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat

import pytest
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpd.listening import CannotListen
from ftpd.processes.control import ControlSocket
from tests.fake_operator import FakeOperator


class Reactor(Clock):
    """Watches what it is told to; `turn` has everything read that waits."""

    def __init__(self):
        super().__init__()
        self.readers = []

    def addReader(self, reader):
        self.readers.append(reader)

    def removeReader(self, reader):
        self.readers.remove(reader)

    def turn(self):
        for reader in tuple(self.readers):
            if error := reader.doRead():
                self.readers.remove(reader)
                reader.connectionLost(Failure(error))


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "control")


@pytest.fixture
def make(reactor, path):
    """Return what makes a control socket that is closed with the test."""
    made = []

    def control(group=None, at=path):
        made.append(ControlSocket(reactor, at, FakeOperator(), group))
        return made[-1]

    yield control
    for control in made:
        control.close()
    reactor.advance(0)


@pytest.fixture
def connect(path):
    """Return what makes a client that is closed with the test."""
    made = []

    def client():
        made.append(socket.socket(socket.AF_UNIX))
        made[-1].settimeout(10)
        made[-1].connect(path)
        return made[-1]

    yield client
    for client in made:
        client.close()


def answer(client):
    return json.loads(client.makefile("rb").readline())


def test_group_and_mode_keep_others_out(make, path):
    make(os.getgid()).open()
    status = os.stat(path)
    assert stat.filemode(status.st_mode) == "srw-rw----"
    assert status.st_gid == os.getgid()


def test_the_mode_does_not_depend_on_the_umask(make, path):
    before = os.umask(0o777)
    try:
        make().open()
    finally:
        os.umask(before)
    assert stat.filemode(os.stat(path).st_mode) == "srw-rw----"


def test_a_client_is_answered(make, reactor, connect):
    make().open()
    client = connect()
    reactor.turn()
    client.sendall(b'{"protocol":1,"do":"unlock"}\n')
    reactor.turn()
    assert answer(client) == {"done": None}


def test_it_is_open_once(make, reactor):
    control = make()
    control.open()
    control.open()
    assert reactor.readers == [control]


def test_the_socket_of_a_dead_server_is_replaced(make, path, connect):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    make().open()
    connect()


def test_what_a_server_left_that_died_while_it_began_is_replaced(make, path, connect):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path + ".new")
    make().open()
    connect()
    assert not os.path.lexists(path + ".new")


def test_the_socket_of_a_live_server_is_not_touched(make, path, connect):
    make().open()
    with pytest.raises(CannotListen, match=f"^Cannot listen on {path}: another ftpd does.$"):
        make().open()
    connect()


def test_a_live_server_whose_queue_is_full_is_not_touched(make, path):
    with socket.socket(socket.AF_UNIX) as live, socket.socket(socket.AF_UNIX) as client:
        live.bind(path)
        live.listen(0)
        client.connect(path)
        with pytest.raises(CannotListen, match="another ftpd does"):
            make().open()


def test_a_file_of_that_name_is_not_removed(make, path):
    with open(path, "w"):
        pass
    with pytest.raises(CannotListen, match="there is a file of that name, which is no socket"):
        make().open()
    assert os.path.isfile(path)


def test_a_missing_directory_is_said(make, tmp_path):
    with pytest.raises(CannotListen, match=r"none/control: No such file or directory\.$"):
        make(at=str(tmp_path / "none" / "control")).open()


def test_a_group_that_may_not_be_given_leaves_nothing(make, path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(CannotListen, match="Operation not permitted"):
        make(1).open()
    assert os.listdir(os.path.dirname(path)) == []


def test_a_path_beyond_107_bytes_works(make, tmp_path):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    make(at=str(folder / "control")).open()
    assert [file.name for file in folder.iterdir()] == ["control"]
    with pytest.raises(CannotListen, match="another ftpd does"):
        make(at=str(folder / "control")).open()


def test_closing_removes_the_socket_and_drops_the_clients(make, reactor, path, connect):
    control = make()
    control.open()
    client = connect()
    reactor.turn()
    control.close()
    control.close()
    reactor.advance(0)
    assert not os.path.lexists(path)
    assert reactor.readers == []
    assert client.recv(1) == b""


def test_closing_leaves_the_socket_of_a_successor(make, path, connect):
    control = make()
    control.open()
    os.unlink(path)
    make().open()
    control.close()
    connect()


def test_one_client_too_many_is_told_so_and_the_others_are_served(make, reactor, connect):
    make().open()
    clients = []
    for _ in range(16):
        clients.append(connect())
        reactor.turn()
    late = connect()
    reactor.turn()
    assert answer(late) == {"failed": "busy", "message": "16 others are using the control socket."}
    clients[0].sendall(b'{"protocol":1,"do":"unlock"}\n')
    clients[1].close()
    reactor.turn()
    assert answer(clients[0]) == {"done": None}
    next_one = connect()
    reactor.turn()
    next_one.sendall(b'{"protocol":1,"do":"unlock"}\n')
    reactor.turn()
    assert answer(next_one) == {"done": None}


def test_without_a_descriptor_to_spare_it_rests(make, reactor, connect, monkeypatch):
    control = make()
    control.open()
    client = connect()

    def exhausted(self):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "accept", exhausted)
        reactor.turn()
    assert reactor.readers == []
    reactor.advance(1)
    assert reactor.readers == [control]
    reactor.turn()
    client.sendall(b'{"protocol":1,"do":"unlock"}\n')
    reactor.turn()
    assert answer(client) == {"done": None}


def test_it_may_be_closed_while_it_rests(make, reactor, connect, monkeypatch):
    control = make()
    control.open()
    connect()

    def exhausted(self):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket.socket, "accept", exhausted)
    reactor.turn()
    control.close()
    assert reactor.getDelayedCalls() == []
