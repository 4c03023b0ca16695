"""Frames: the blocks of a file as datagrams, header and all, ready to be sent.

Apart from the download, which asks for blocks by number.  A file is framed a chunk at a time: read by one system call between headers that
are there already, and many blocks then leave as one slice.  Chunks of a file that several clients fetch are made once for all of them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from twisted.internet.defer import Deferred

from ftpd.disks import Disk, disk_of
from ftpd.errors import IntegrityLost, from_oserror
from ftpd.paths import VirtualPath
from ftpd.spi import ReadableFile
from ftpd.tftp.line import Line

__all__ = ["FileFrames", "Geometry", "HotFiles", "depart"]

HEADER: Final = 4  # bytes before a block's own
_LEAST_BYTES: Final = (
    64 * 1024
)  # of a chunk: each client that is alone with its file needs that memory, and less makes lock-step slower
_LEAST_BLOCKS: Final = 8  # a chunk for each block would be read and numbered more often than sent
_MOST_BYTES: Final = 512 * 1024  # a window of 8 of the largest blocks; fits the processor's second cache, from where it is sent
_MOST_BLOCKS: Final = 1024  # in one preadv: IOV_MAX
_NOWHERE: Final = -(1 << 62)  # far from every block
_NOTHING: Final = memoryview(b"")
_HIGHS: Final = b"".join(bytes((high,)) * 256 for high in range(256))
_LOWS: Final = bytes(range(256)) * 256
_ROLLOVERS: Final = {rollover: (_HIGHS[rollover:] * 2, _LOWS[rollover:] * 2) for rollover in (0, 1)}


class Geometry:
    """How a file is cut: blocks of *block_size*, for windows of *window*; `per_chunk` blocks are framed at a time.

    *rollover* is the number of the block behind 65535.
    """

    __slots__ = ("block_size", "key", "numbers", "per_chunk", "rollover", "stride", "window")

    def __init__(self, block_size: int, window: int, rollover: int) -> None:
        self.block_size = block_size
        self.window = window
        self.stride = block_size + HEADER
        self.rollover = rollover
        self.numbers = _ROLLOVERS[rollover]
        wanted = min(_MOST_BYTES, max(_LEAST_BYTES, max(_LEAST_BLOCKS, 2 * window) * self.stride))
        windows = wanted // (window * self.stride)
        self.per_chunk = max(1, min(_MOST_BLOCKS, windows * window or wanted // self.stride))
        self.key = (block_size, self.per_chunk, rollover)

    def headers(self, first: int, count: int) -> tuple[bytes, bytes]:
        """Return the upper and the lower bytes of the numbers of *count* blocks from *first* on."""
        highs, lows = self.numbers
        start = (first - self.rollover) % (65536 - self.rollover)
        return highs[start : start + count], lows[start : start + count]


class _Chunk:
    """Room for a chunk; `view` is what stands in it, `blocks` its datagrams one by one; `payloads` are the places of what they carry."""

    __slots__ = ("_buffer", "_places", "_whole", "blocks", "is_shared", "payloads", "view")

    def __init__(self, geometry: Geometry, blocks: int) -> None:
        stride = geometry.stride
        self.is_shared = False
        self._buffer = bytearray(blocks * stride)
        self._buffer[1::stride] = b"\3" * blocks  # DATA
        self._whole = memoryview(self._buffer)
        self._places = [self._whole[start : start + stride] for start in range(0, blocks * stride, stride)]
        self.payloads = [place[HEADER:] for place in self._places]
        self.blocks = self._places
        self.view = self._whole

    def number(self, geometry: Geometry, first: int, length: int) -> None:
        """Make it the chunk of *length* bytes of the file, and so many blocks, from block *first* on."""
        stride = geometry.stride
        count = min(geometry.per_chunk, length // geometry.block_size + 1)
        highs, lows = geometry.headers(first, count)
        end = count * stride
        self._buffer[2:end:stride] = highs
        self._buffer[3:end:stride] = lows
        size = min(end, length + count * HEADER)
        self.view = self._whole[:size]
        self.blocks = self._places[:count]
        self.blocks[-1] = self._whole[end - stride : size]


class _Shared:
    """What those have in common who fetch one file in one geometry: `chunks`, and who awaits the one that another brings, by number."""

    __slots__ = ("awaited", "chunks", "users")

    def __init__(self) -> None:
        self.users = 0
        self.chunks: dict[int, _Chunk] = {}
        self.awaited: dict[int, list[Deferred[None]]] = {}

    def bringing(self, index: int) -> Deferred[None]:
        """Return what fires when chunk *index*, which another is bringing, is there, or fails as that did."""
        waiting: Deferred[None] = Deferred()
        self.awaited[index].append(waiting)
        return waiting


class HotFiles:
    """The chunks of files that several clients fetch, *memory* bytes of them at most; beyond that the least recently used go."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._used = 0
        self._files: dict[object, _Shared] = {}
        self._recent: OrderedDict[tuple[object, int], int] = OrderedDict()

    def enter(self, key: object) -> _Shared:
        """Return what fetchers of *key* share; to be followed by `leave`."""
        shared = self._files.get(key)
        if shared is None:
            shared = self._files[key] = _Shared()
        shared.users += 1
        return shared

    def leave(self, key: object) -> None:
        """One less fetches *key*; with the last its chunks go."""
        shared = self._files[key]
        shared.users -= 1
        if not shared.users:
            del self._files[key]
            for index in shared.chunks:
                self._used -= self._recent.pop((key, index))

    def keep(self, key: object, index: int, chunk: _Chunk) -> None:
        """Have *chunk* found by the others."""
        if index in self._files[key].chunks:  # two have read it at the same time
            return
        chunk.is_shared = True
        self._files[key].chunks[index] = chunk
        size = self._recent[key, index] = len(chunk.view)
        self._used += size
        while self._used > self._memory:
            (oldest, number), size = self._recent.popitem(last=False)
            del self._files[oldest].chunks[number]
            self._used -= size

    def find(self, key: object, shared: _Shared, index: int) -> _Chunk | None:
        chunk = shared.chunks.get(index)
        if chunk is not None:
            self._recent.move_to_end((key, index))
        return chunk


def depart(line: Line, datagrams: memoryview | bytes, stride: int) -> int:
    """Send *datagrams*, *stride* bytes in each but the last, by one call, and return how many bytes that were."""
    length = len(datagrams)
    if length > stride:
        line.burst((datagrams,))
    elif length:
        line.send(datagrams)
    return length


class FileFrames:
    """The frames of *file*, for one download."""

    __slots__ = (
        "_block_size",
        "_blocks",
        "_chunks",
        "_descriptor",
        "_disk",
        "_file",
        "_first",
        "_geometry",
        "_hot",
        "_key",
        "_path",
        "_per",
        "_shared",
        "_spare",
        "_stride",
        "_view",
        "last",
        "size",
    )

    def __init__(self, file: ReadableFile, path: VirtualPath, geometry: Geometry, hot: HotFiles) -> None:
        info = file.info
        self._file = file
        self._path = path
        self._geometry = geometry
        self._block_size = geometry.block_size
        self._stride = geometry.stride
        self._per = geometry.per_chunk
        self.size: int = info.size
        self.last: int | None = info.size // geometry.block_size + 1
        self._descriptor = file.descriptor()
        # Where the store does not tell, it is looked for with the first chunk that is read: what others have made needs none.
        self._disk: Disk | None = getattr(file, "disk", None)
        self._chunks: dict[int, _Chunk] = {}
        self._spare: _Chunk | None = None
        self._first = _NOWHERE  # the first block of the chunk that frames are taken from
        self._view = _NOTHING
        self._blocks: list[memoryview] = []
        self._hot = hot
        self._key = (info.unique, info.size, info.modified_ns, geometry.key) if info.unique else None
        self._shared = hot.enter(self._key) if self._key is not None and self.last > 1 else None

    def send(self, line: Line, first: int, count: int) -> int | None:
        """Send as many of *count* blocks from *first* on as leave in one call, at least one, and return the bytes of their datagrams.

        0: there are none; None: `fetch` them first.  Raises `FileTransferError` for the file's part, and `OSError` for the line's.
        """
        place = first - self._first
        blocks = self._blocks
        if count == 1 and 0 <= place < len(blocks):  # lock-step; who shares a chunk shares these (tests/bench: tftp-storm)
            block = blocks[place]
            line.send(block)
            return len(block)
        frames = self.frames(first, min(count, line.segments))
        return None if frames is None else depart(line, frames, self._stride)

    def frames(self, first: int, count: int) -> memoryview | None:
        """Return the datagrams of *count* blocks from *first* on, or of the first few of them; None: `fetch` them first.

        Raises `FileTransferError`.
        """
        place = first - self._first
        if not 0 <= place < self._per:
            return self.frames(first, count) if self._turn_to(first) else None
        start = place * self._stride
        return self._view[start : start + count * self._stride]

    async def fetch(self, first: int, count: int) -> None:
        """Have the frames of block *first*, and some behind it, ready.  Raises `FileTransferError`.

        Of those who share the file one asks the store, or a boot storm would read each chunk a thousand times.
        """
        index = (first - 1) // self._per
        shared = self._shared
        if shared is None:
            await self._bring(index)
            return
        while index in shared.awaited:
            await shared.bringing(index)
            if self._shared is None or self._find(index) is not None:  # nobody wants it any more, or it is there
                return
        waiting = shared.awaited[index] = []
        try:
            await self._bring(index)
        except Exception as error:
            del shared.awaited[index]
            for other in waiting:
                other.errback(error)
            raise
        del shared.awaited[index]
        for other in waiting:
            other.callback(None)

    async def _bring(self, index: int) -> None:
        start = index * self._per * self._block_size
        length = min(self._per * self._block_size, self.size - start)
        data = memoryview(await self._file.read_at(start, length)) if length else memoryview(b"")
        while len(data) < length:
            more = await self._file.read_at(start + len(data), length - len(data))
            if not more:
                raise IntegrityLost(self._path)
            data = memoryview(bytes(data) + more)
        chunk = self._room(length)
        for place, begin in zip(chunk.payloads, range(0, length, self._block_size), strict=False):
            piece = data[begin : begin + self._block_size]
            place[: len(piece)] = piece
        self._take(index, chunk, length)

    def close(self) -> None:
        """Free the memory at once: thousands may end together, long before a collector looks.  May be called twice."""
        self._chunks.clear()
        self._first = _NOWHERE
        self._view = _NOTHING
        self._blocks = []
        self._spare = None
        if self._shared is not None:
            self._shared = None
            self._hot.leave(self._key)

    def _turn_to(self, first: int) -> bool:
        """Have the chunk of block *first* be the one that frames are taken from, and return whether it could be had without a wait."""
        self._first = _NOWHERE  # what is let go of may be overwritten
        index = (first - 1) // self._per
        chunk = self._chunks.get(index) or self._had(index, first)
        if chunk is None:
            return False
        self._view = chunk.view
        self._blocks = chunk.blocks
        self._first = index * self._per + 1
        return True

    def _had(self, index: int, first: int) -> _Chunk | None:
        """Return chunk *index* where it can be had without a wait, and let go of those before it.

        What was sent is read once more if a client misses it: memory that is used again at once stays in the processor's cache, and that is
        worth more.  What a store had to be waited for is kept for as long as the client may ask for it again.
        """
        number = self._descriptor
        self._let_go(index if number is not None else (first - 1 - self._geometry.window) // self._per)
        return self._find(index) or (self._read(number, index) if number is not None else None)

    def _find(self, index: int) -> _Chunk | None:
        """Return the chunk that another has made."""
        if self._shared is None:
            return None
        chunk = self._hot.find(self._key, self._shared, index)
        if chunk is not None:
            self._chunks[index] = chunk
        return chunk

    def _let_go(self, least: int) -> None:
        for index in [index for index in self._chunks if index < least]:
            chunk = self._chunks.pop(index)
            if not chunk.is_shared:
                self._spare = chunk

    def _read(self, number: int, index: int) -> _Chunk | None:
        start = index * self._per * self._block_size
        length = min(self._per * self._block_size, self.size - start)
        chunk = self._room(length)
        count, rest = divmod(length, self._block_size)
        places = chunk.payloads[:count]
        if rest:
            places.append(chunk.payloads[count][:rest])
        if places:
            try:
                disk = self._disk = self._disk or disk_of(number)
                read = disk.scatter_cached(number, places, start)
            except OSError as error:
                raise from_oserror(error, self._path) from error
            if read is None or read < length:
                self._spare = chunk
                return None
        self._take(index, chunk, length)
        return chunk

    def _room(self, length: int) -> _Chunk:
        blocks = min(self._per, length // self._block_size + 1)
        chunk, self._spare = self._spare, None
        if chunk is None or len(chunk.payloads) < blocks:
            chunk = _Chunk(self._geometry, blocks)
        return chunk

    def _take(self, index: int, chunk: _Chunk, length: int) -> None:
        chunk.number(self._geometry, index * self._per + 1, length)
        self._chunks[index] = chunk
        if self._shared is not None and self._shared.users > 1:
            self._hot.keep(self._key, index, chunk)
