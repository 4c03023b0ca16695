"""TFTP's listeners: what is made for each, what is asked for files, and what is wrong with a map."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_network

import attrs
import pytest
from twisted.cred.portal import Portal
from twisted.internet.epollreactor import EPollReactor

from ftpd.accounts.limits import Limits, LimitSettings
from ftpd.accounts.rates import Rates, RateSettings
from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.config.tree import Config, ExtensionSettings, ListenSettings, StorageSettings
from ftpd.datagrams import DatagramListener, demand_maps, make_listeners, virtual_files
from ftpd.errors import NotFound
from ftpd.events import Events
from ftpd.listening import CannotListen
from ftpd.paths import VirtualPath
from ftpd.schema import ConfigError, FilePath
from ftpd.service import make_service, unusable_parts
from ftpd.spi import Served
from ftpd.storage.local import LocalSettings
from ftpd.testing.fakes import finish
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.reactors import retire, spin
from ftpd.tftp.server import TFTPServer
from ftpd.tftp.settings import TFTPListenSettings, TFTPNetworkSettings, TFTPSettings
from ftpd.tftp.virtual import FileRequest
from ftpd.values import Peer

LOOPBACK = "127.0.0.1"
PATH = VirtualPath.parse("/grub.cfg")
REQUEST = FileRequest("grub.cfg", PATH, Peer("192.0.2.1", 2070, "192.0.2.9", 69, protocol="tftp"), {})


@pytest.fixture
def reactor():
    reactor = EPollReactor()
    yield reactor
    retire(reactor)


class FakeServer:
    """What a listener needs of a TFTPServer."""

    def __init__(self):
        self.sockets = []
        self.is_closed = False
        self.ended = ""

    def listen(self, bound):
        self.sockets.append(bound)

    @property
    def address(self):
        return self.sockets[0].getsockname()

    def close(self):
        self.is_closed = True

    def close_sessions(self, words):
        self.ended = words


@pytest.fixture
def served():
    served = FakeServer()
    yield served
    for one in served.sockets:
        one.close()


@pytest.fixture
def bound():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((LOOPBACK, 0))
        yield one


# A listener.


def test_a_listener_binds_its_address_and_says_so(served):
    listener = DatagramListener(TFTPListenSettings(port=0), served)
    assert listener.address == (LOOPBACK, 0)
    with recorded_log() as lines:
        listener.listen()
    [one] = served.sockets
    assert listener.address == one.getsockname()
    assert [line for line in lines if f"answering TFTP requests on 127.0.0.1 port {one.getsockname()[1]}" in line] == lines != []


def test_a_listener_that_listens_does_not_bind_again(served):
    listener = DatagramListener(TFTPListenSettings(port=0), served)
    listener.listen()
    listener.listen()
    assert len(served.sockets) == 1


def test_a_given_socket_is_taken_without_a_word(served, bound):
    listener = DatagramListener(TFTPListenSettings(), served, bound)
    with recorded_log() as lines:
        listener.listen()
    assert served.sockets == [bound]
    assert lines == []


def test_a_busy_port_is_one_sentence(served, bound):
    port = bound.getsockname()[1]
    with pytest.raises(CannotListen) as caught:
        DatagramListener(TFTPListenSettings(port=port), served).listen()
    assert str(caught.value) == (
        f"Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already."
    )


def test_closing_closes_the_server(served):
    listener = DatagramListener(TFTPListenSettings(port=0), served)
    listener.listen()
    listener.close()
    assert served.is_closed
    assert listener.address == (LOOPBACK, 0)


def test_a_listener_that_waits_reads_nothing_yet(served, bound):
    listener = DatagramListener(TFTPListenSettings(), served, bound)
    listener.waits = True
    listener.listen()
    assert served.sockets == []
    listener.waits = False
    listener.listen()
    assert served.sockets == [bound]


def test_a_socket_that_was_never_read_is_closed_too(served, bound):
    listener = DatagramListener(TFTPListenSettings(), served, bound)
    listener.close()
    listener.close()
    assert bound.fileno() == -1


def test_a_socket_that_the_server_has_is_the_servers_to_close(served, bound):
    listener = DatagramListener(TFTPListenSettings(), served, bound)
    listener.listen()
    listener.close()
    assert bound.fileno() != -1


@pytest.mark.parametrize(("single_port", "ended"), [(False, ""), (True, "restarting")])
def test_handing_over_ends_what_needs_the_socket_and_nothing_else(served, bound, single_port, ended):
    listener = DatagramListener(TFTPListenSettings(single_port=single_port), served, bound)
    listener.listen()
    listener.hand_over("restarting")
    assert (served.is_closed, served.ended) == (True, ended)


# What is made.


def test_each_listener_has_a_server_over_what_all_share(reactor):
    config = Config(tftp=TFTPSettings(listeners=(TFTPListenSettings(account="a"), TFTPListenSettings(account="b", port=70))))
    limits, rates, events = Limits(LimitSettings(), reactor), Rates(RateSettings(), reactor), Events()
    made = list(make_listeners(config, Portal(None), limits, rates, events, (), reactor))
    assert [listener.settings.account for listener in made] == ["a", "b"]
    assert [(type(listener.served), listener.served.events, listener.served.rates) for listener in made] == [
        (TFTPServer, events, rates)
    ] * 2
    served: Served = made[0].served
    assert list(served.rows()) == []


# Virtual files.


def answer(*sources, request=REQUEST):
    """What *sources* together have for the request, awaited where it is an awaitable."""

    async def asked():
        content = virtual_files(sources)(request)
        return content if content is None or isinstance(content, bytes) else await content

    return finish(asked())


def later(content):
    async def asked():
        return content

    return lambda request: asked()


def at_once(content):
    return lambda request: content


def test_without_sources_there_are_no_virtual_files():
    assert virtual_files([]) is None


def test_one_source_is_asked_itself():
    source = at_once(b"a")
    assert virtual_files([source]) is source


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ((at_once(None), at_once(b"two"), at_once(b"three")), b"two"),
        ((at_once(b""), at_once(b"two")), b""),
        ((at_once(None), at_once(None)), None),
        ((later(b"one"), at_once(b"two")), b"one"),
        ((later(None), at_once(b"two")), b"two"),
        ((at_once(None), later(None), at_once(None), later(b"four")), b"four"),
        ((later(None), later(None)), None),
    ],
)
def test_the_first_that_has_something_is_served(sources, expected):
    assert answer(*sources) == expected


def test_what_needs_no_wait_is_answered_at_once():
    assert virtual_files([at_once(None), at_once(b"two")])(REQUEST) == b"two"


def test_nobody_is_asked_behind_the_one_that_has_it():
    def unwanted(request):
        raise AssertionError

    assert answer(at_once(b"one"), unwanted) == b"one"
    assert answer(later(b"one"), unwanted) == b"one"


def test_a_refusal_is_handed_on():
    def refuse(request):
        raise NotFound(request.path)

    with pytest.raises(NotFound):
        answer(refuse, at_once(b"two"))


# Maps.


def mapped(*files):
    return Config(tftp=TFTPSettings(listeners=tuple(TFTPListenSettings(map_file=FilePath(str(file))) for file in files)))


def told(config):
    with pytest.raises(ConfigError) as caught:
        demand_maps(config)
    return [(problem.path, problem.found) for problem in caught.value.problems]


def test_a_map_that_can_be_used_is_no_problem(tmp_path):
    (tmp_path / "map").write_text("r ^/tftpboot/ /\n")
    demand_maps(mapped(tmp_path / "map", ""))


def test_each_line_that_is_wrong_is_a_problem_of_its_own(tmp_path):
    (tmp_path / "map").write_text("q ^a b\nr ( b\n")
    problems = told(mapped("", tmp_path / "map"))
    assert [path for path, _ in problems] == ["tftp.listeners[1].map_file"] * 2
    assert problems[0][1].startswith(f"{tmp_path / 'map'}, line 1: ")
    assert problems[1][1].startswith(f"{tmp_path / 'map'}, line 2: ")


def test_a_map_that_is_not_there_is_a_problem(tmp_path):
    file = tmp_path / "none"
    assert told(mapped(file)) == [("tftp.listeners[0].map_file", f"{file}: No such file or directory")]


def test_a_map_that_is_a_fifo_is_a_problem_and_waits_for_nobody(tmp_path):
    os.mkfifo(tmp_path / "map")
    assert told(mapped(tmp_path / "map")) == [
        ("tftp.listeners[0].map_file", f"{tmp_path / 'map'}: it is a FIFO, not a regular file")
    ]


def test_a_map_that_is_huge_is_a_problem(tmp_path):
    with (tmp_path / "map").open("wb") as file:
        file.truncate(1 << 40)
    assert told(mapped(tmp_path / "map")) == [("tftp.listeners[0].map_file", f"{tmp_path / 'map'}: more than 1 MiB")]


# In the service.


def config(**settings):
    return Config(
        listen=(ListenSettings(port=0),),
        storage=StorageSettings(kind="memory"),
        anonymous=AnonymousSettings(enabled=True),
        tftp=TFTPSettings(listeners=(TFTPListenSettings(port=0, **settings),)),
    )


def exchanged(reactor, port, datagram):
    """Return what comes back for *datagram*."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(datagram, (LOOPBACK, port))
        client.setblocking(False)
        for _ in range(500):
            reactor.iterate(0.01)
            try:
                return client.recv(1000)
            except BlockingIOError:
                continue
    raise AssertionError("no answer")


VIRTUAL = """
from zope.interface import implementer
from ftpd.interfaces import IVirtualFiles

@implementer(IVirtualFiles)
class Hello:
    def __call__(self, request):
        return f"hello {request.peer.address}".encode() if request.name == "hello" else None

HELLO = Hello()
"""


def test_a_server_answers_requests_beside_connections_with_what_extensions_have(reactor, tmp_path):
    (tmp_path / "hello.py").write_text(VIRTUAL)
    extensions = ExtensionSettings(directories=(FilePath(str(tmp_path)),))
    server = make_service(attrs.evolve(config(), extensions=extensions), reactor)
    server.startService()
    [datagrams] = server.datagrams
    port = datagrams.address[1]
    assert port > 0
    assert exchanged(reactor, port, b"\0\1hello\0octet\0") == b"\0\3\0\1hello 127.0.0.1"
    assert exchanged(reactor, port, b"\0\1other\0octet\0")[:4] == b"\0\5\0\1"
    assert server.served == (server.listeners[0].factory, datagrams.served)
    server.cut()
    spin(reactor, server.stopService())


def test_a_server_that_drains_leaves_the_port_to_the_next(reactor):
    server = make_service(config(), reactor)
    server.startService()
    port = server.datagrams[0].address[1]
    drained = server.drain(10, 60, "restarting")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, port))
    spin(reactor, drained)
    spin(reactor, server.stopService())


def test_a_busy_port_keeps_the_server_from_its_start(reactor, bound):
    taken = config()
    listener = attrs.evolve(taken.tftp.listeners[0], port=bound.getsockname()[1])
    server = make_service(attrs.evolve(taken, tftp=TFTPSettings(listeners=(listener,))), reactor)
    with pytest.raises(CannotListen):
        server.startService()
    spin(reactor, server.stopService())


def test_a_given_datagram_socket_is_served(reactor, bound):
    server = make_service(config(), reactor, datagram_sockets=[bound.dup()])
    server.startService()
    assert server.datagrams[0].address == bound.getsockname()
    spin(reactor, server.stopService())


def test_a_map_with_a_mistake_is_told_before_anything_serves(reactor, tmp_path):
    (tmp_path / "map").write_text("q\n")
    wrong = config(map_file=FilePath(str(tmp_path / "map")))
    with pytest.raises(ConfigError):
        make_service(wrong, reactor)
    assert [problem.path for problem in finish(unusable_parts(wrong, reactor))] == ["tftp.listeners[0].map_file"]


# Roots.


@pytest.fixture
def stored(tmp_path):
    (tmp_path / "boot").mkdir()
    (tmp_path / "kernel").write_bytes(b"")
    (tmp_path / "homes" / "lab" / "images").mkdir(parents=True)
    return tmp_path


def faults_of_roots(reactor, stored, **listen):
    local = StorageSettings(kind="local", settings=LocalSettings(root=FilePath(str(stored))))
    named = {"lab": AccountSettings(home="/homes/lab"), "gone": AccountSettings(home="/homes/gone")}
    return finish(unusable_parts(attrs.evolve(config(**listen), storage=local, accounts=named), reactor))


@pytest.mark.parametrize("listen", [{}, {"root": "/boot"}, {"account": "lab", "root": "/images"}, {"account": "gone"}])
def test_a_root_that_is_there_is_nothing_to_complain_of(reactor, stored, listen):
    assert faults_of_roots(reactor, stored, **listen) == []


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ({"root": "/bot"}, "found '/bot': No such file or directory"),
        ({"root": "/kernel"}, "found '/kernel': Not a directory"),
        ({"account": "lab", "root": "/boot"}, "found '/boot': No such file or directory"),
        ({"account": "gone", "root": "/images"}, "found '/images': The home directory is missing"),
    ],
)
def test_a_root_that_is_no_directory_is_told_before_anything_serves(reactor, stored, listen, found):
    [problem] = faults_of_roots(reactor, stored, **listen)
    assert (problem.path, problem.found) == ("tftp.listeners[0].root", found)


def test_a_root_of_a_network_is_looked_for_too(reactor, stored):
    lab = TFTPNetworkSettings(networks=(ip_network("10.0.0.0/8"),), root="/lab")
    [problem] = faults_of_roots(reactor, stored, networks=(lab,))
    assert problem.path == "tftp.listeners[0].networks[0].root"
