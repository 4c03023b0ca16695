"""The wiring: what is refused at start, what is bound, what is closed."""

from __future__ import annotations

import socket
import threading

import attrs
import pytest
from twisted.application.service import IService
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from zope.interface.verify import verifyObject

from ftpd.accounts.rates import Rates
from ftpd.accounts.settings import AnonymousSettings
from ftpd.config.tree import Config, ExtensionSettings, ListenSettings, LoginSettings, StorageSettings
from ftpd.extensions import load_file
from ftpd.ftp.settings import FTPSettings, PassiveSettings
from ftpd.listening import CannotListen
from ftpd.login.certificate import SecondFactor
from ftpd.login.memory import MemoryPasswords
from ftpd.login.password_file import PasswordFileSettings
from ftpd.logs.open import OpenLogs
from ftpd.logs.settings import LogSettings, TargetSettings
from ftpd.logs.targets import LogFile
from ftpd.schema import ConfigError, FilePath
from ftpd.service import Server, make_service, unusable_parts
from ftpd.state.memory import MemoryState
from ftpd.storage.local import LocalSettings
from ftpd.storage.memory import MemoryStore
from ftpd.testing.certificates import make_authority, make_certificate
from ftpd.testing.fakes import finish
from ftpd.testing.reactors import retire, spin
from ftpd.threads import Pool
from ftpd.tls.settings import CertificateSettings, ClientSettings, TLSSettings
from ftpd.values import Peer, SessionRow

CLIENT = Peer("203.0.113.9", 40000, "10.0.0.2", 21)


@pytest.fixture
def reactor():
    reactor = EPollReactor()
    yield reactor
    retire(reactor)


@pytest.fixture
def config(tmp_path):
    (tmp_path / "hello.txt").write_text("hello")
    return Config(
        listen=(ListenSettings(port=0),),
        storage=StorageSettings(settings=LocalSettings(root=FilePath(str(tmp_path)))),
        anonymous=AnonymousSettings(enabled=True),
    )


def greeting(reactor, server):
    with socket.create_connection(server.listeners[0].address, timeout=10) as client:
        client.setblocking(False)
        for _ in range(200):
            reactor.iterate(0.02)
            try:
                return client.recv(1000)
            except BlockingIOError:
                continue
    return b""


def test_the_server_is_a_service(reactor, config):
    server = make_service(config, reactor)
    assert verifyObject(IService, server)
    spin(reactor, server.stopService())


def test_a_started_server_greets_and_a_stopped_one_refuses(reactor, config):
    server = make_service(config, reactor)
    server.startService()
    address = server.listeners[0].address
    assert greeting(reactor, server) == b"220 ftpd ready.\r\n"
    spin(reactor, server.stopService())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_ipv4_and_ipv6_take_the_same_port(reactor, config):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not the usual range, which the probe's port may be from.
    ftp = attrs.evolve(config.ftp, passive=attrs.evolve(config.ftp.passive, ports=(1024, 1025)))
    listen = (ListenSettings(address="127.0.0.1", port=port), ListenSettings(address="::1", port=port))
    server = make_service(attrs.evolve(config, listen=listen, ftp=ftp), reactor)
    try:
        server.startService()
        assert [listener.address for listener in server.listeners] == [("127.0.0.1", port), ("::1", port)]
    finally:
        spin(reactor, server.stopService())


def test_outdated_parts_of_uploads_are_removed_while_running(reactor, config, tmp_path):
    clock = Clock()
    swept = []

    class Store(MemoryStore):
        async def sweep(self):
            swept.append(clock.seconds())

    pools = (Pool(clock, "a", 1), Pool(clock, "b", 1))
    server = Server([], [Store()], pools, OpenLogs(config.log), clock, None, Rates(config.rates, clock), 0)
    server.startService()
    clock.pump([600, 86_400, 86_400])
    spin(reactor, server.stopService())
    clock.advance(200_000)
    assert swept == [600, 87_000, 173_400]


def test_where_another_process_does_it_nothing_is_removed_by_the_clock(reactor, config):
    clock = Clock()
    pools = (Pool(clock, "a", 1), Pool(clock, "b", 1))
    server = Server([], [], pools, OpenLogs(config.log), clock, None, Rates(config.rates, clock), 0)
    server.sweeps_daily = False
    server.startService()
    assert clock.getDelayedCalls() == []
    spin(reactor, server.stopService())


def test_a_busy_port_is_one_sentence(reactor, config):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = make_service(attrs.evolve(config, listen=(ListenSettings(port=port),)), reactor)
        with pytest.raises(CannotListen) as caught:
            server.startService()
        spin(reactor, server.stopService())
    assert str(caught.value) == (
        f"Cannot listen on 127.0.0.1 port {port}: another program, perhaps another ftpd, listens there already."
    )


def test_an_address_of_another_machine_is_one_sentence(reactor, config):
    server = make_service(attrs.evolve(config, listen=(ListenSettings(address="192.0.2.1", port=0),)), reactor)
    with pytest.raises(CannotListen, match=r"^Cannot listen on 192\.0\.2\.1 port 0: this machine does not have that address\.$"):
        server.startService()
    spin(reactor, server.stopService())


def test_a_reactor_without_descriptors_is_refused(config):
    with pytest.raises(ConfigError, match=r"Clock cannot watch file descriptors \(no IReactorFDSet\)"):
        make_service(config, Clock())


def test_a_missing_password_file_is_told_with_its_place(reactor, config, tmp_path):
    login = LoginSettings(settings=PasswordFileSettings(path=FilePath(str(tmp_path / "none"))))
    with pytest.raises(ConfigError, match=r"^login\[1\]\.path: cannot read .*none: No such file or directory"):
        make_service(attrs.evolve(config, login=(LoginSettings(kind="memory", settings=memory()), login)), reactor)


def test_a_kind_that_there_is_not_is_told_with_its_place(reactor, config):
    with pytest.raises(ConfigError, match=r"^storage\.kind: there is no kind 'tape'$"):
        make_service(attrs.evolve(config, storage=StorageSettings(kind="tape")), reactor)


def test_a_tree_that_contradicts_itself_is_refused(reactor, config):
    with pytest.raises(ConfigError, match=r"^listen: found none"):
        make_service(attrs.evolve(config, listen=()), reactor)


def test_a_log_file_that_cannot_be_opened_is_told_with_its_place(reactor, config, tmp_path):
    log = LogSettings(targets=(TargetSettings(), TargetSettings(file=FilePath(str(tmp_path / "no" / "ftpd.log")))))
    with pytest.raises(ConfigError, match=r"^log\.targets\[1\]: cannot open .*ftpd\.log: No such file or directory$"):
        make_service(attrs.evolve(config, log=log), reactor)


HELLO = """
from ftpd.ftp.command import command, nothing
from ftpd.ftp.wire.replies import Reply

@command("XHELLO", takes=nothing, rfc="none")
async def hello(session, argument):
    return Reply(200, "Hello")
"""

OBSERVER = """
from zope.interface import implementer
from ftpd.interfaces import IEventObserver

heard = []

@implementer(IEventObserver)
class Observer:
    def __call__(self, event):
        heard.append(type(event).__name__)

OBSERVER = Observer()
"""


def extended(config, directory):
    return attrs.evolve(config, extensions=ExtensionSettings(directories=(FilePath(str(directory)),)))


def test_a_verb_in_an_extension_directory_is_served(reactor, config, tmp_path):
    (tmp_path / "hello.py").write_text(HELLO)
    server = make_service(extended(config, tmp_path), reactor)
    assert {b"XHELLO", b"RETR"} <= set(server.listeners[0].factory.commands)
    spin(reactor, server.stopService())


def test_a_verb_in_two_extensions_is_refused(reactor, config, tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(HELLO)
    with pytest.raises(ConfigError, match=r"^extensions\.directories: two commands are called XHELLO; "):
        make_service(extended(config, tmp_path), reactor)
    [problem] = spin(reactor, unusable_parts(extended(config, tmp_path), reactor))
    assert problem.path == "extensions.directories"


def test_an_observer_in_an_extension_directory_hears_events(reactor, config, tmp_path):
    (tmp_path / "observer.py").write_text(OBSERVER)
    server = make_service(extended(config, tmp_path), reactor)
    server.startService()
    assert greeting(reactor, server) == b"220 ftpd ready.\r\n"
    spin(reactor, server.stopService())
    assert load_file(tmp_path / "observer.py").heard == ["SessionOpened", "SessionClosed"]


def test_logs_are_closed_with_the_server(reactor, config, tmp_path):
    log = LogSettings(targets=(TargetSettings(file=FilePath(str(tmp_path / "ftpd.log"))),))
    server = make_service(attrs.evolve(config, log=log), reactor)
    server.startService()
    spin(reactor, server.stopService())
    size = (tmp_path / "ftpd.log").stat().st_size
    spin(reactor, make_service(config, reactor).stopService())
    assert size > 0
    assert (tmp_path / "ftpd.log").stat().st_size == size


def memory():
    from ftpd.login.memory import MemorySettings

    return MemorySettings()


def test_log_files_are_opened_anew_in_threads(reactor, config, tmp_path, monkeypatch):
    file = FilePath(str(tmp_path / "ftpd.log"))
    server = make_service(attrs.evolve(config, log=LogSettings(targets=(TargetSettings(file=file),))), reactor)
    where = []
    monkeypatch.setattr(LogFile, "reopen", lambda self: where.append(threading.current_thread()))
    server.reopen_logs()
    while not where:
        reactor.iterate(0.02)
    assert where[0].daemon
    spin(reactor, server.stopService())


def test_late_certificates_of_the_server_leave_no_second_factor_out(reactor, config, tmp_path):
    authority = make_authority()
    (tmp_path / "server.pem").write_bytes(make_certificate(authority, ["localhost"]).pem)
    (tmp_path / "authority.pem").write_bytes(authority.pem)
    tls = TLSSettings(
        certificates=(CertificateSettings(chain=FilePath(str(tmp_path / "server.pem"))),),
        clients=ClientSettings(certificates="required", authorities=FilePath(str(tmp_path / "authority.pem"))),
    )
    passwords = MemoryPasswords({b"ann": b"secret"})
    server = make_service(attrs.evolve(config, tls=tls), reactor, checkers=[passwords], has_late_tls=True)
    checker = server.listeners[0].factory.portal.checkers[IUsernamePassword]
    assert isinstance(checker, SecondFactor)
    spin(reactor, server.stopService())


def test_a_command_that_nobody_serves_is_named_where_it_is_denied_or_allowed(reactor, config):
    ftp = attrs.evolve(config.ftp, deny_commands=("DEL", "site"), allow_commands=("USRE",))
    with pytest.raises(ConfigError) as caught:
        make_service(attrs.evolve(config, ftp=ftp), reactor)
    assert [(problem.path, problem.allowed) for problem in caught.value.problems] == [
        ("ftp.allow_commands", "did you mean USER?"),
        ("ftp.deny_commands", "did you mean DELE?"),
    ]


def test_each_listener_announces_its_own_external_address_or_that_of_all(reactor, config):
    listen = (ListenSettings(port=0, external_address="198.51.100.1"), ListenSettings(port=0))
    passive = PassiveSettings(external_address="198.51.100.2")
    server = make_service(attrs.evolve(config, listen=listen, ftp=FTPSettings(passive=passive)), reactor)
    told = [listener.factory.announcement.address_for(CLIENT, "10.0.0.2") for listener in server.listeners]
    assert [finish(one) for one in told] == ["198.51.100.1", "198.51.100.2"]
    spin(reactor, server.stopService())


def test_what_is_wrong_with_data_ports_is_told_for_all_listeners_at_one_place(reactor, config):
    listen = (ListenSettings(port=0), ListenSettings(port=0))
    server = make_service(attrs.evolve(config, listen=listen), reactor)
    assert len({listener.factory.data_faults for listener in server.listeners}) == 1
    spin(reactor, server.stopService())


def test_the_listeners_of_a_server_tell_the_sessions_of_all_of_them(reactor, config):
    listeners = (ListenSettings(port=0), ListenSettings(port=0))
    server = make_service(attrs.evolve(config, listen=listeners), reactor)
    first, second = (listener.factory for listener in server.listeners)
    protocol = first.buildProtocol(None)
    protocol.makeConnection(StringTransport())
    assert [row.session for row in finish(second.all_rows())] == [protocol.session.peer.session]
    protocol.connectionLost()
    server.privilegedStartService()
    server.startService()
    spin(reactor, server.stopService())


def test_sessions_of_other_processes_are_told_as_they_told_last(reactor, config):
    other = SessionRow("far", "192.0.2.1", 4000, "", "ftp", 0.0, 0.0)

    class Others(MemoryState):
        async def sessions(self):
            return [other]

    server = make_service(config, reactor, state=Others(reactor))
    assert list(finish(server.listeners[0].factory.all_rows())) == [other]
    server.privilegedStartService()
    server.startService()
    spin(reactor, server.stopService())


def test_the_listeners_of_a_server_hash_as_many_files_as_one(reactor, config):
    listeners = (ListenSettings(port=0), ListenSettings(port=0))
    server = make_service(attrs.evolve(config, listen=listeners), reactor)
    first, second = (listener.factory for listener in server.listeners)
    assert first.digests is second.digests
    server.privilegedStartService()
    server.startService()
    spin(reactor, server.stopService())
