"""FTPFactory inside other programs: any endpoint, portals of `twisted.protocols.ftp`, its client, and the programs of docs/embedding.md."""

from __future__ import annotations

import ftplib
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.pollreactor import PollReactor
from twisted.internet.task import Clock
from twisted.internet.threads import blockingCallFromThread
from twisted.protocols import ftp as stock
from zope.interface import implementer

from ftpd import FTPFactory, FTPSettings
from ftpd.ftp.settings import PassiveSettings
from tests.integration.live import CHECKOUT

SECONDS = 30.0
ENOUGH = 300_000  # bytes, more than any buffer of the adapter
PAGE = (CHECKOUT / "docs" / "embedding.md").read_text()


class Program:
    """Somebody's Twisted program: a reactor of its own, in a thread of its own."""

    def __init__(self):
        self.reactor = PollReactor()  # select() ends at descriptor 1023, which a long run of tests may have passed
        self.thread = threading.Thread(target=self.reactor.run, kwargs={"installSignalHandlers": False})
        self.factories = []
        self.ports = []
        self.thread.start()
        self.do(lambda: None)

    def do(self, function, *arguments):
        """Call *function* on the reactor's thread and return what it, or its Deferred, gives."""
        return blockingCallFromThread(self.reactor, function, *arguments)

    def factory(self, *arguments, **named):
        self.factories.append(self.do(lambda: FTPFactory(*arguments, reactor=self.reactor, **named)))
        return self.factories[-1]

    def listen(self, factory, endpoint=None):
        """Listen and return the port's address."""
        chosen = endpoint or TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
        self.ports.append(self.do(chosen.listen, factory))
        return self.ports[-1].getHost()

    def stop(self):
        for port in self.ports:
            self.do(port.stopListening)
        for factory in self.factories:
            self.do(factory.close_sessions)
        left = self.do(lambda: [call for call in self.reactor.getDelayedCalls() if "sweep" in str(call.func).lower()])
        self.reactor.callFromThread(self.reactor.stop)
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()
        assert left == []


@pytest.fixture
def program():
    running = Program()
    yield running
    running.stop()


@pytest.fixture
def home(tmp_path):
    (tmp_path / "homes" / "ann").mkdir(parents=True)
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "readme").write_bytes(b"public")
    return tmp_path / "homes" / "ann"


@pytest.fixture
def portal(home):
    """A portal as programs have it that use `twisted.protocols.ftp` on Python 3: users of text, Twisted's realm."""
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser("ann", "pw")
    root = home.parent.parent
    return Portal(stock.FTPRealm(str(root / "public"), str(root / "homes")), [checker, AllowAnonymousAccess()])


@implementer(IRealm)
class RealmOf:
    """A realm of somebody's own: one shell for everybody."""

    def __init__(self, shell):
        self.shell = shell
        self.logouts = 0
        self.logged_out = threading.Event()

    def requestAvatar(self, avatarId, mind, *interfaces):
        return stock.IFTPShell, self.shell, self.logout

    def logout(self):
        self.logouts += 1
        self.logged_out.set()

    @property
    def portal(self):
        return Portal(self, [AllowAnonymousAccess()])


@implementer(stock.IFTPShell)
class ShellOfOneFile:
    """A shell of somebody's own, with one file, which is also the answer to every question."""

    def __init__(self, file):
        self.file = file

    def stat(self, path, keys=()):
        return [0, not path, 0o644, 1, 0, b"o", b"g"]

    def openForReading(self, path):
        return self.file

    def openForWriting(self, path):
        return succeed(self.file)


def connect(address, *, user="ann", password="pw"):
    client = ftplib.FTP(timeout=SECONDS)
    client.connect(address.host, address.port)
    try:
        client.login(user, password)
    except ftplib.Error:
        client.close()
        raise
    return client


def download(client, name):
    pieces = []
    client.retrbinary(f"RETR {name}", pieces.append)
    return b"".join(pieces)


# Portals of twisted.protocols.ftp.


def test_twisteds_own_portal_serves_its_users(program, portal, home):
    content = os.urandom(1_000_000)
    (home / "down").write_bytes(content)
    with connect(program.listen(program.factory(portal))) as client:
        assert download(client, "down") == content
        assert client.size("down") == 1_000_000
        with (home / "down").open("rb") as file:
            client.storbinary("STOR up", file)
        assert (home / "up").read_bytes() == content
        assert client.mkd("new") == "/new"
        client.cwd("new")
        assert client.pwd() == "/new"
        assert client.nlst("/") != []
        assert sorted(name for name, _ in client.mlsd("/")) == ["down", "new", "up"]
        client.rename("/up", "/new/moved")
        client.delete("moved")
        client.cwd("/")
        client.rmd("new")
        assert os.listdir(home) == ["down"]


def test_twisteds_own_portal_serves_anonymous_who_may_not_write(program, portal):
    with connect(program.listen(program.factory(portal)), user="anonymous", password="me@here") as client:
        assert download(client, "readme") == b"public"
        with pytest.raises(ftplib.error_perm, match="Permission denied"):
            client.delete("readme")


def test_a_download_resumes_from_a_shell(program, portal, home):
    (home / "f").write_bytes(b"0123456789")
    with connect(program.listen(program.factory(portal))) as client:
        pieces = []
        client.retrbinary("RETR f", pieces.append, rest=4)
        assert b"".join(pieces) == b"456789"


def test_a_wrong_password_is_refused(program, portal):
    address = program.listen(program.factory(portal))
    with pytest.raises(ftplib.error_perm, match="530"):
        connect(address, password="wrong")


def test_the_portals_logout_is_called_once_when_the_client_vanishes(program):
    """`twisted.protocols.ftp` never calls what `portal.login` gave it."""
    realm = RealmOf(ShellOfOneFile(None))
    client = connect(program.listen(program.factory(realm.portal)), user="anonymous")
    assert realm.logouts == 0
    client.sock.shutdown(socket.SHUT_RDWR)
    assert realm.logged_out.wait(SECONDS)
    client.close()
    assert realm.logouts == 1


# Data through a shell.


class Flood:
    """An IReadFile that pushes without end while it is let."""

    def __init__(self, reactor):
        self.reactor = reactor
        self.pushed = 0
        self.paused = threading.Event()
        self.stopped = threading.Event()
        self.is_paused = False
        self.done = Deferred(lambda _: None)

    def send(self, consumer):
        self.consumer = consumer
        consumer.registerProducer(self, True)
        self.push()
        return self.done

    def push(self):
        if not self.is_paused and not self.stopped.is_set():
            self.consumer.write(b"x" * 65536)
            self.pushed += 65536
            self.reactor.callLater(0, self.push)

    def pauseProducing(self):
        self.is_paused = True
        self.paused.set()

    def resumeProducing(self):
        self.is_paused = False
        self.push()

    def stopProducing(self):
        self.stopped.set()


def test_a_client_that_does_not_read_pauses_the_shell_and_abor_stops_it(program):
    flood = Flood(program.reactor)
    client = connect(program.listen(program.factory(RealmOf(ShellOfOneFile(flood)).portal)), user="anonymous")
    client.voidcmd("TYPE I")
    with closing(client.transfercmd("RETR f")):
        assert flood.paused.wait(SECONDS)
        client.putcmd("ABOR")
        assert client.getmultiline().startswith("426")
        assert client.getmultiline().startswith("226")
    assert flood.stopped.wait(SECONDS)
    assert client.voidcmd("NOOP").startswith("200")
    client.quit()


class Breaking:
    """An IReadFile that fails after it has sent something."""

    def send(self, consumer):
        consumer.write(b"half")
        raise OSError(5, "the disk is broken")


def test_a_shell_that_fails_in_the_middle_is_451_and_not_226(program):
    client = connect(program.listen(program.factory(RealmOf(ShellOfOneFile(Breaking())).portal)), user="anonymous")
    with pytest.raises(ftplib.error_temp, match=r"^451"):
        download(client, "f")
    client.quit()


class Taking:
    """An IWriteFile that keeps what it is given."""

    def __init__(self):
        self.data = b""
        self.closed = 0
        self.full = threading.Event()

    def receive(self):
        return self

    def registerProducer(self, producer, streaming):
        assert streaming

    def unregisterProducer(self):
        assert self.closed == 0

    def write(self, data):
        self.data += data
        if len(self.data) >= ENOUGH:
            self.full.set()

    def close(self):
        self.closed += 1


def test_an_upload_that_is_cut_is_426_and_the_shells_file_is_closed_once(program):
    file = Taking()
    client = connect(program.listen(program.factory(RealmOf(ShellOfOneFile(file)).portal)), user="anonymous")
    client.voidcmd("TYPE I")
    data = client.transfercmd("STOR f")
    data.sendall(b"x" * ENOUGH)
    assert file.full.wait(SECONDS)
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    data.close()
    assert client.getmultiline().startswith("426")
    assert file.closed == 1
    client.quit()


def test_an_upload_that_is_whole_is_226_when_the_shells_close_is_done(program):
    file = Taking()
    closed = Deferred()
    asked = threading.Event()
    file.close = lambda: asked.set() or closed
    client = connect(program.listen(program.factory(RealmOf(ShellOfOneFile(file)).portal)), user="anonymous")
    client.voidcmd("TYPE I")
    with closing(client.transfercmd("STOR f")) as data:
        data.sendall(b"x" * ENOUGH)
    assert asked.wait(SECONDS)
    program.do(closed.callback, None)
    assert client.voidresp().startswith("226")
    assert file.data == b"x" * ENOUGH
    client.quit()


# Endpoints and factories.


def test_ipv6_endpoint(program, portal, home, has_ipv6):
    if not has_ipv6:
        pytest.skip("machine: no IPv6 on loopback")
    (home / "f").write_bytes(b"six")
    address = program.listen(program.factory(portal), TCP6ServerEndpoint(program.reactor, 0, interface="::1"))
    with connect(address) as client:
        assert download(client, "f") == b"six"


def test_unix_endpoint_has_control_and_says_why_it_has_no_data(program, portal, home, tmp_path):
    (home / "f").write_bytes(b"local")
    name = str(tmp_path / "socket")
    program.listen(program.factory(portal), UNIXServerEndpoint(program.reactor, name))
    with closing(socket.socket(socket.AF_UNIX)) as control:
        control.settimeout(SECONDS)
        control.connect(name)
        stream = control.makefile("rwb", buffering=0)

        def ask(line):
            stream.write(line.encode() + b"\r\n")
            return stream.readline().decode().rstrip()

        assert stream.readline().startswith(b"220 ")
        assert ask("USER ann").startswith("331 ")
        assert ask("PASS pw").startswith("230 ")
        assert ask("TYPE I").startswith("200 ")
        assert ask("SIZE f") == "213 5"
        no_data = "425 No data connections here: this control connection is not on a network."
        for line in ("PASV", "EPSV", "EPSV 1", "PORT 127,0,0,1,200,200", "PORT 0,0,0,0,200,200", "EPRT |1|127.0.0.1|50000|"):
            assert ask(line) == no_data, line
        assert ask("LIST").startswith("425 ")
        assert ask("QUIT").startswith("221 ")
        stream.close()


def test_two_factories_in_one_process_share_nothing(program, portal, home):
    (home / "f").write_bytes(b"first")
    other = program.factory(RealmOf(ShellOfOneFile(Taking())).portal, settings=FTPSettings(greeting="The other one."))
    one = program.listen(program.factory(portal))
    two = program.listen(other)
    with connect(one) as first, closing(connect(two, user="anonymous")) as second:
        assert second.getwelcome() == "220 The other one."
        assert first.getwelcome() != second.getwelcome()
        assert download(first, "f") == b"first"
        program.do(other.close_sessions)
        with pytest.raises(ftplib.error_temp, match="421"):
            second.voidcmd("NOOP")
        assert download(first, "f") == b"first"


def test_a_reactor_that_watches_no_descriptors_is_refused_with_a_sentence():
    with pytest.raises(
        RuntimeError, match=r"ftpd needs a reactor that watches file descriptors \(IReactorFDSet\), and Clock does not"
    ):
        FTPFactory(reactor=Clock())


def test_importing_the_factory_leaves_the_choice_of_the_reactor_open():
    code = "import sys, ftpd; ftpd.FTPFactory; assert 'twisted.internet.reactor' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT, timeout=SECONDS)


def test_a_factory_loads_nothing_that_several_processes_need():
    code = """
import sys
from twisted.internet import reactor
from ftpd import FTPFactory
FTPFactory()
print(sorted(name for name in sys.modules if name.startswith(("ftpd.processes", "ftpd.state.", "ftpd.config", "sqlite3"))))
"""
    found = subprocess.run([sys.executable, "-c", code], check=True, cwd=CHECKOUT, timeout=SECONDS, stdout=subprocess.PIPE)
    assert found.stdout == b"['ftpd.state.memory', 'ftpd.state.places', 'ftpd.state.tally']\n"


# Attributes of Twisted's factory.


def test_attributes_of_twisteds_factory_are_served(program, portal):
    factory = program.factory(portal, "guest")
    factory.welcomeMessage = "Moin."
    factory.timeOut = 42
    ports = [51800, 51801, 51802, 51803]
    program.do(setattr, factory, "passivePortRange", ports)
    assert factory.timeOut == 42
    assert list(factory.passivePortRange) == ports
    with connect(program.listen(factory), user="guest") as client:
        assert client.getwelcome() == "220 Moin."
        _, port = ftplib.parse227(client.sendcmd("PASV"))
        assert port in ports
    factory.allowAnonymous = False
    with pytest.raises(ftplib.error_perm, match="530"):
        connect(program.listen(factory), user="guest")


def test_attributes_may_be_set_on_a_subclass_as_with_twisteds_factory(program, portal):
    class Theirs(FTPFactory):
        allowAnonymous = False
        timeOut = None
        welcomeMessage = "Theirs."
        passivePortRange = range(1)

    class Derived(Theirs):
        welcomeMessage = "Derived."

    theirs, derived = (program.do(lambda kind=kind: kind(portal, reactor=program.reactor)) for kind in (Theirs, Derived))
    assert (theirs.welcomeMessage, theirs.timeOut, theirs.allowAnonymous) == ("Theirs.", None, False)
    assert (derived.welcomeMessage, derived.timeOut, derived.allowAnonymous) == ("Derived.", None, False)
    assert theirs.passivePortRange == range(49152, 65535)
    theirs.timeOut = 7
    assert (theirs.timeOut, derived.timeOut) == (7, None)


@pytest.mark.parametrize("ports", [[3000, 3002], range(10), [70000]])
def test_a_range_that_cannot_be_kept_to_is_refused(program, ports):
    factory = program.factory(settings=FTPSettings(passive=PassiveSettings(ports=(50000, 50001))))
    with pytest.raises(ValueError, match="passivePortRange takes ports from 1 to 65535 without a gap"):
        factory.passivePortRange = ports
    assert list(factory.passivePortRange) == [50000, 50001]


# Programs in processes of their own.

CLIENT = """
import sys
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import endpoints, protocol, task
from twisted.internet.defer import Deferred
from twisted.protocols.ftp import FTPClient, FTPFileListProtocol, FTPRealm
from ftpd import FTPFactory

class Collect(protocol.Protocol):
    def __init__(self):
        self.data, self.done = b"", Deferred()
    def dataReceived(self, data):
        self.data += data
    def connectionLost(self, reason):
        self.done.callback(self.data)

async def main(reactor):
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser("ann", "pw")
    factory = FTPFactory(Portal(FTPRealm(sys.argv[1], sys.argv[1]), [checker, AllowAnonymousAccess()]))
    port = await endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
    for passive in (1, 0):
        endpoint = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        client = await endpoints.connectProtocol(endpoint, FTPClient("ann", "pw", passive))
        content = bytes(range(256)) * 1000
        consumer, stored = client.storeFile("up")
        sender = await consumer
        sender.transport.write(content)
        sender.finish()
        await stored
        collect = Collect()
        await client.retrieveFile("up", collect)
        assert await collect.done == content
        listing = FTPFileListProtocol()
        await client.list(".", listing)
        assert [file["filename"] for file in listing.files] == ["up"], listing.files
        assert listing.files[0]["size"] == len(content)
        names = Collect()
        await client.nlst("", names)
        assert await names.done == b"up\\r\\n"
        await client.makeDirectory("d")
        await client.cwd("d")
        assert await client.getDirectory() == "/d"
        await client.cdup()
        await client.removeDirectory("d")
        await client.rename("up", "moved")
        await client.removeFile("moved")
        await client.quit()
    await port.stopListening()
    await factory.close_sessions()
    print("served")

task.react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


def run(code, folder, *arguments):
    """Run *code* in a process of its own, in *folder*; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_twisteds_own_client_is_served(home):
    assert run(CLIENT, home, str(home.parent)) == "served\n"


def programs():
    """The Python of docs/embedding.md, block by block."""
    return re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


# Takes the place of `reactor.run()`: the blocking client runs in a thread of the same process.
LISTEN = """
import ftplib, io, os
from twisted.internet import endpoints, reactor, threads

def served(factory, work, user="ann", password="secret"):
    "Serve one client, which does *work*; then stop."
    def client(port):
        with (ftplib.FTP_TLS if factory.contexts else ftplib.FTP)(timeout=20) as control:
            control.connect("127.0.0.1", port.getHost().port)
            control.login(user, password)
            return work(control)
    endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    return endpoint.listen(factory).addCallback(lambda port: threads.deferToThread(client, port))

def finish(deferred):
    failures = []
    deferred.addErrback(failures.append).addBoth(lambda _: reactor.stop())
    reactor.run()
    for failure in failures:
        failure.raiseException()
"""


def test_the_five_lines_of_the_docs_serve(tmp_path):
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "f").write_bytes(b"hello")
    listening, rest = programs()[0].split("endpoints.serverFromString")
    assert rest == '(reactor, "tcp:2121:interface=127.0.0.1").listen(factory)\nreactor.run()\n'
    work = 'finish(served(factory, lambda client: client.retrlines("RETR f", print), "anonymous", "me@here"))\n'
    assert run(listening + LISTEN + work, tmp_path) == "hello\n"


WORK = {
    "from ftpd import FTPFactory, TransferRealm": 'client.storbinary("STOR f", io.BytesIO(b"a\\nb\\n")), print(os.listdir("files"))',
    "from ftpd import FTPSettings": "print(client.getwelcome(), factory.timeOut, factory.settings.passive.ports)",
    "from ftpd.accounts.rates import": 'client.retrbinary("RETR f", print), print(factory.rates.settings.server_upload)',
    "from ftpd.ftp.settings import ProtectionSettings": 'client.prot_p(), client.retrbinary("RETR f", print), print(client.sock.version())',
    "from ftpd import Events": 'client.retrbinary("RETR f", len), client.voidcmd("NOOP"), print(moved)',
    "from ftpd.ftp.command import": 'print(client.sendcmd("XLINES f"), " XLINES" in client.sendcmd("FEAT"))',
    "from ftpd.paths import ROOT": 'client.storbinary("STOR f", io.BytesIO(b"mine")), print(client.nlst())',
}
SAID = [
    "['f']",
    "220 Hello from a Twisted program. 900 (50000, 50999)",
    "b'a\\nb\\n'",
    "10485760",
    "b'a\\nb\\n'",
    "TLSv1.3",
    "{'upload': 0, 'download': 4, 'listing': 0}",
    "213 2 True",
    "['f']",
]


def test_the_other_programs_of_the_docs_serve(tmp_path):
    (tmp_path / "files").mkdir()
    blocks = programs()[1:]
    code = LISTEN + "work = []\n"
    for block, (start, work) in zip(blocks, WORK.items(), strict=True):
        assert start in block
        code += block + f"work.append((factory, lambda client, factory=factory: ({work},)))\n"
    code += """
from twisted.internet.defer import Deferred
async def main():
    for factory, act in work:
        await served(factory, act)
finish(Deferred.fromCoroutine(main()))
"""
    assert run(code, tmp_path).splitlines() == SAID
