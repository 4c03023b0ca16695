"""The whole server, FTP, FTPS and TFTP, under each reactor that can watch descriptors, among other services of a program, again and again.

Apart from the embedding tests, which are about single factories: here a program starts and stops everything, and nothing of it may be left.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.live import CHECKOUT

SECONDS = 120.0
REACTORS = ("epollreactor", "pollreactor", "selectreactor", "asyncioreactor")

PROGRAM = r"""
import ftplib, gc, importlib, io, os, socket, ssl, struct, sys, threading, warnings

kind, folder = sys.argv[1:]
importlib.import_module(f"twisted.internet.{kind}").install()
from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from ftpd import make_service, parse_config
from ftpd.tls.self_signed import write_self_signed

CONTENT = os.urandom(300_000)
os.makedirs(f"{folder}/files")
write_self_signed(f"{folder}/certificate.pem", f"{folder}/key.pem", ["localhost"])
CONFIG = f'''
[[listen]]
address = "127.0.0.1"
port = 0
[[listen]]
address = "127.0.0.1"
port = 0
implicit_tls = true
[[tftp.listeners]]
address = "127.0.0.1"
port = 0
[tls]
[[tls.certificates]]
chain = "{folder}/certificate.pem"
key = "{folder}/key.pem"
[storage.local]
root = "{folder}/files"
[[login]]
kind = "memory"
[login.passwords]
ann = "secret"
[anonymous]
enabled = true
[accounts.ann]
permissions = ["all"]
'''


class ImplicitTLS(ftplib.FTP_TLS):
    def connect(self, host, port):
        self.host = host
        self.sock = self.context.wrap_socket(socket.create_connection((host, port), 20))
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding="utf-8")
        self.welcome = self.getresp()

    def ntransfercmd(self, command, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, command, rest)
        return self.context.wrap_socket(conn, session=self.sock.session), size


def over_ftp(client, port):
    client.connect("127.0.0.1", port)
    client.login("ann", "secret")
    if isinstance(client, ImplicitTLS):
        client.prot_p()
    client.storbinary("STOR f", io.BytesIO(CONTENT))
    pieces = []
    client.retrbinary("RETR f", pieces.append)
    assert b"".join(pieces) == CONTENT
    assert client.nlst() == ["f"]
    client.quit()


def over_tftp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        client.sendto(b"\0\1f\0octet\0", ("127.0.0.1", port))
        data, block = b"", 0
        while len(data) == 512 * block:
            packet, server = client.recvfrom(600)
            assert struct.unpack(">HH", packet[:4]) == (3, block + 1), packet[:4]
            block += 1
            data += packet[4:]
            client.sendto(struct.pack(">HH", 4, block), server)
        assert data == CONTENT


def clients(ports):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # Python's client hears of a session to resume in the handshake itself only there
    over_ftp(ftplib.FTP(timeout=20), ports[0])
    over_ftp(ImplicitTLS(timeout=20, context=context), ports[1])
    over_tftp(ports[2])


def left():
    "What this process holds: descriptors, what the reactor watches and waits for, threads that are ours."
    gc.collect()
    calls = [str(call.func) for call in reactor.getDelayedCalls()]
    threads = sorted(thread.name for thread in threading.enumerate() if "ftpd" in thread.name)
    return sorted(os.listdir("/proc/self/fd")), len(reactor.getReaders()), len(reactor.getWriters()), calls, threads


async def round():
    program = MultiService()
    ticks = []
    TimerService(60, ticks.append, 1).setServiceParent(program)
    server = make_service(parse_config(CONFIG), reactor)
    server.setServiceParent(program)
    program.startService()
    ports = [entrance.address[1] for entrance in (*server.listeners, *server.datagrams)]
    await deferToThread(clients, ports)
    await maybeDeferred(program.stopService)
    assert ticks == [1]
    for _ in range(200):  # threads end by themselves, and nobody waits for them
        if not left()[-1]:
            break
        await deferLater(reactor, 0.05)
    os.unlink(f"{folder}/files/f")


async def main():
    await round()
    before = left()
    await round()
    await round()
    assert left() == before, (before, left())
    print(type(reactor).__name__, before[3:])


warnings.simplefilter("error")
failures = []
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(main()).addErrback(failures.append).addBoth(lambda _: reactor.stop()))
reactor.run()
for failure in failures:
    failure.raiseException()
"""


@pytest.mark.parametrize("kind", REACTORS)
def test_all_protocols_are_served_and_nothing_is_left_of_a_server_that_was_stopped(kind, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind, str(tmp_path)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1].endswith(" ([], [])")
