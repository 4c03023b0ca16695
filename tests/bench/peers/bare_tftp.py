"""The least TFTP server in Python, for the floor: `bare_tftp.py PORT HOME`.

No more than the system calls of downloads with blksize and windowsize: nothing is checked, limited, logged or timed, and nothing that was
lost is sent again.  They are the calls of ours: small files by way of one socket, others by way of one for each, whose blocks are read between
headers, many at once, and leave in one call where the kernel cuts them.  What a server in Python costs beyond this is what it does for its users.
"""

import functools
import os
import select
import socket
import struct
import sys

FEW_BYTES = 8 * 1024  # up to here a file goes by way of the common socket
SHARED_BYTES = 4 * 1024 * 1024  # up to here all blocks of a file are kept, for all
LEAST_BYTES = 64 * 1024  # of a chunk
MOST_BYTES = 512 * 1024
MOST_BLOCKS = 1024  # in one call: IOV_MAX
UDP_SEGMENT = 103
HIGHS = b"".join(bytes((high,)) * 256 for high in range(256)) * 2
LOWS = bytes(range(256)) * 512


class Blocks:
    """The datagrams of a file, a chunk at a time: `datagrams` of them, `number` the first of these, `view` all of them in one."""

    def __init__(self, name: bytes, block: int, per_chunk: int) -> None:
        self.file = os.open(name, os.O_RDONLY)
        self.size = os.fstat(self.file).st_size
        self.count = self.size // block + 1
        self.block, self.stride, self.per_chunk = block, block + 4, per_chunk
        self.buffer = bytearray(per_chunk * self.stride)
        self.buffer[1 :: self.stride] = b"\3" * per_chunk
        self.whole = memoryview(self.buffer)
        self.places = [self.whole[start : start + self.stride] for start in range(0, len(self.buffer), self.stride)]
        self.payloads = [place[4:] for place in self.places]
        self.number = 1 - per_chunk

    def turn_to(self, number: int) -> None:
        self.number = number - (number - 1) % self.per_chunk
        count = min(self.per_chunk, self.count + 1 - self.number)
        end = count * self.stride
        length = os.preadv(self.file, self.payloads[:count], (self.number - 1) * self.block)
        start = self.number & 65535
        self.buffer[2 : end : self.stride] = HIGHS[start : start + count]
        self.buffer[3 : end : self.stride] = LOWS[start : start + count]
        self.view = self.whole[: length + count * 4]
        self.datagrams = [*self.places[: count - 1], self.whole[end - self.stride : length + count * 4]]


@functools.cache
def all_blocks(name: bytes, block: int) -> Blocks:
    blocks = Blocks(name, block, os.stat(name).st_size // block + 1)
    for number in range(1, blocks.count + 1, MOST_BLOCKS):
        part = Blocks(name, block, MOST_BLOCKS)
        part.turn_to(number)
        blocks.buffer[(number - 1) * blocks.stride : (number - 1) * blocks.stride + len(part.view)] = part.view
    blocks.number = 1
    blocks.view = blocks.whole[: blocks.size + blocks.count * 4]
    blocks.datagrams = [*blocks.places[:-1], blocks.view[(blocks.count - 1) * blocks.stride :]]
    return blocks


class Transfer:
    """A file on its way to one client, by a socket of its own."""

    def __init__(self, client: tuple[str, int], blocks: Blocks, window: int, terms: bytes) -> None:
        self.blocks, self.window = blocks, window
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(client)
        self.segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", blocks.stride))]
        self.most = min(64, 65487 // blocks.stride)
        self.awaited = 0
        self.socket.send(terms)

    def go_on(self) -> bool:
        """Take an acknowledgement, and return whether it was the last."""
        datagram = self.socket.recv(256)
        first = self.awaited
        if datagram[2] << 8 | datagram[3] != first & 65535:
            return False
        blocks = self.blocks
        first += 1
        left = min(self.window, blocks.count + 1 - first)
        self.awaited += left
        if not left:
            return True
        while left:
            place = first - blocks.number
            if not 0 <= place < blocks.per_chunk:
                blocks.turn_to(first)
                place = first - blocks.number
            if left == 1 or self.most == 1:
                self.socket.send(blocks.datagrams[place])
                sent = 1
            else:
                sent = min(left, self.most, blocks.per_chunk - place)
                start = place * blocks.stride
                self.socket.sendmsg((blocks.view[start : start + sent * blocks.stride],), self.segment)
            first += sent
            left -= sent
        return False


def serve(port: int) -> None:
    requests, common = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    requests.bind(("127.0.0.1", port))
    common.bind(("127.0.0.1", 0))
    poller = select.epoll()
    for one in (requests, common):
        one.setblocking(False)
        poller.register(one.fileno(), select.EPOLLIN)
    small: dict[tuple[str, int], tuple[bytes, int]] = {}
    transfers: dict[int, Transfer] = {}
    while True:
        for number, _ in poller.poll(-1, len(transfers) + 2):
            if number in transfers:
                transfer = transfers[number]
                if transfer.go_on():
                    del transfers[number]
                    transfer.socket.close()
            elif number == requests.fileno():
                datagram, client = requests.recvfrom(2048)
                if datagram[:2] != b"\0\1":
                    continue
                name, _, _, text, *more = datagram[2:].split(b"\0")
                block, window = int(text), int(more[1]) if len(more) > 1 else 1
                terms = b"\0\6blksize\0%d\0" % block + (b"windowsize\0%d\0" % window if window > 1 else b"")
                size = os.stat(name).st_size
                if size <= FEW_BYTES:
                    file = os.open(name, os.O_RDONLY)
                    small[client] = os.read(file, size), block
                    os.close(file)
                    common.sendto(terms, client)
                    continue
                per_chunk = min(MOST_BLOCKS, MOST_BYTES // block, max(LEAST_BYTES // block, 2 * window))
                blocks = all_blocks(name, block) if size <= SHARED_BYTES else Blocks(name, block, per_chunk)
                transfer = Transfer(client, blocks, window, terms)
                transfers[transfer.socket.fileno()] = transfer
                poller.register(transfer.socket.fileno(), select.EPOLLIN)
            else:
                for _ in range(len(small) or 1):
                    try:
                        datagram, client = common.recvfrom(256)
                    except BlockingIOError:
                        break
                    if client not in small:
                        continue
                    content, block = small[client]
                    acknowledged = datagram[2] << 8 | datagram[3]
                    if acknowledged * block > len(content):
                        del small[client]
                    else:
                        payload = content[acknowledged * block : (acknowledged + 1) * block]
                        common.sendto(b"\0\3%b%b" % ((acknowledged + 1).to_bytes(2, "big"), payload), client)


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    serve(int(sys.argv[1]))
