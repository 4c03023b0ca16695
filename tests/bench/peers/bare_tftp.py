"""The least TFTP server in Python, for the floor: `bare_tftp.py PORT HOME`.

No more than the system calls of a small download with one option, blksize: nothing is checked, limited, logged or timed, and nothing that was
lost is sent again.  What a server in Python costs beyond this is what it does for its users.
"""

import os
import select
import socket
import sys

port, home = sys.argv[1:]
os.chdir(home)
requests, transfers = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
requests.bind(("127.0.0.1", int(port)))
transfers.bind(("127.0.0.1", 0))
poller = select.epoll()
for one in (requests, transfers):
    one.setblocking(False)
    poller.register(one.fileno(), select.EPOLLIN)
under_way: dict[tuple[str, int], tuple[bytes, int]] = {}
while True:
    for number, _ in poller.poll():
        if number == requests.fileno():
            datagram, client = requests.recvfrom(2048)
            if datagram[:2] != b"\0\1":
                continue
            name, _, _, size, *_ = datagram[2:].split(b"\0")
            file = os.open(name, os.O_RDONLY)
            under_way[client] = os.read(file, os.fstat(file).st_size), int(size)
            os.close(file)
            transfers.sendto(b"\0\6blksize\0%b\0" % size, client)
            continue
        for _ in range(len(under_way) or 1):
            try:
                datagram, client = transfers.recvfrom(256)
            except BlockingIOError:
                break
            if client not in under_way:
                continue
            content, block = under_way[client]
            acknowledged = datagram[2] << 8 | datagram[3]
            if acknowledged * block > len(content):
                del under_way[client]
            else:
                payload = content[acknowledged * block : (acknowledged + 1) * block]
                transfers.sendto(b"\0\3%b%b" % ((acknowledged + 1).to_bytes(2, "big"), payload), client)
