"""The least FTP server in Python, for the floor: `bare_ftp.py PORT HOME PROCESSES`.

No more than the system calls of a login, a NOOP, a RETR and a STOR of a small file: nothing is checked, limited, logged, staged or timed, and
whoever is slow stops the rest.  What a server in Python costs beyond this is what it does for its users.
"""

import itertools
import os
import select
import signal
import socket
import sys

port, home, processes = sys.argv[1:]
os.chdir(home)
os.setpgid(0, 0)
signal.signal(signal.SIGTERM, lambda number, frame: os.killpg(0, signal.SIGKILL))
process = 0
for number in range(1, int(processes)):
    if not os.fork():
        process = number
        break
door = socket.socket()
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
door.bind(("127.0.0.1", int(port)))
door.listen(1024)
door.setblocking(False)
poller = select.epoll()
poller.register(door.fileno(), select.EPOLLIN)
sessions: dict[int, socket.socket] = {}
listeners: dict[int, socket.socket] = {}
ports = itertools.cycle(range(10_000 + 1_000 * process, 11_000 + 1_000 * process))  # clear of those that Linux gives to clients
REPLIES = {b"USER": b"331 x\r\n", b"PASS": b"230 x\r\n", b"QUIT": b"221 x\r\n"}
while True:
    for number, _ in poller.poll():
        session = sessions.get(number)
        if session is None:
            session = door.accept()[0]
            session.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sessions[session.fileno()] = session
            poller.register(session.fileno(), select.EPOLLIN)
            session.send(b"220 x\r\n")
            continue
        try:
            line = session.recv(4096)
        except ConnectionResetError:
            line = b""
        verb = line[:4]
        if not line:
            del sessions[number]
            session.close()
        elif verb == b"EPSV":
            listener = listeners[number] = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", next(ports)))
            listener.listen(1)
            session.send(b"229 x (|||%d|)\r\n" % listener.getsockname()[1])
        elif verb in (b"RETR", b"STOR"):
            listener = listeners.pop(number)
            data = listener.accept()[0]
            listener.close()
            flags = os.O_RDONLY if verb == b"RETR" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            file = os.open(line[5:-2], flags, 0o644)
            session.send(b"150 x\r\n")
            if verb == b"RETR":
                data.send(os.read(file, 65536))
            else:
                while piece := data.recv(65536):
                    os.write(file, piece)
            data.close()
            os.close(file)
            session.send(b"226 x\r\n")
        else:
            session.send(REPLIES.get(verb, b"200 x\r\n"))
