from __future__ import annotations

import io
import threading
import zlib
from types import SimpleNamespace

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.epollreactor import EPollReactor

from ftpd.errors import IntegrityLost, Unsupported
from ftpd.paths import VirtualPath
from ftpd.storage.content import Content, Entries, Gathering, OpenedContent
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.testing.reactors import spin
from ftpd.threads import Pool
from ftpd.values import FileInfo, FileKind

PATH = VirtualPath.parse("/f")
INFO = FileInfo("f", FileKind.FILE, 6)


def opened(begin, **arguments):
    return OpenedContent(PATH, INFO, begin, InlineThreads(), **arguments)


def test_entries_come_in_batches_and_an_empty_one_is_the_end():
    infos = [FileInfo(str(number), FileKind.FILE) for number in range(300)]
    directory = Entries(infos)
    assert [len(finish(directory.next_batch())) for _ in range(3)] == [256, 44, 0]


def test_entries_that_are_closed_are_over():
    directory = Entries([INFO])
    finish(directory.close())
    assert finish(directory.next_batch()) == []


def test_content_has_its_own_size():
    file = Content(INFO._replace(size=99), b"abc")
    assert file.info.size == 3
    assert finish(file.read_at(1, 10)) == b"bc"
    assert finish(file.read_at(3, 10)) == b""


def test_a_file_object_is_begun_by_the_first_read_and_ended_once():
    calls = []

    def begin():
        calls.append("begin")
        return io.BytesIO(b"abcdef")

    file = opened(begin, end=lambda _: calls.append("end"))
    assert calls == []
    assert finish(file.read_at(4, 10)) == b"ef"
    assert finish(file.read_at(0, 2)) == b"ab"
    finish(file.close())
    finish(file.close())
    assert calls == ["begin", "end"]


def test_a_file_object_that_was_never_read_is_never_begun():
    finish(opened(lambda: pytest.fail("begun")).close())


def test_a_read_that_comes_to_its_thread_after_the_close_begins_nothing():
    file = opened(lambda: pytest.fail("begun"))
    file._close()
    assert finish(file.read_at(0, 1)) == b""


def test_closing_waits_for_a_cancelled_read():
    """A cancelled Deferred does not stop its thread: what it reads from must not be closed meanwhile."""
    reactor = EPollReactor()
    pool = Pool(reactor, "cancelled", 4)
    held = HeldContent()
    file = OpenedContent(PATH, INFO, lambda: held, pool, end=HeldContent.close)
    reading = Deferred.fromCoroutine(file.read_at(0, 1)).addErrback(lambda failure: failure.trap(CancelledError))
    assert held.has_begun.wait(30)
    reading.cancel()
    closing = Deferred.fromCoroutine(file.close())
    held.may_end.set()
    spin(reactor, closing)
    pool.close()
    assert held.calls == ["read", "close"]


class HeldContent:
    """A file object whose `read` lasts until the test lets it end."""

    def __init__(self):
        self.calls = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def tell(self):
        return 0

    def read(self, length):
        self.has_begun.set()
        assert self.may_end.wait(30)
        self.calls.append("read")
        return b""

    def close(self):
        self.calls.append("close")


MIB = 1024 * 1024


class Winding(io.BytesIO):
    """A decompressor: to go on by a MiB takes it a second of *clock*, a list of one number."""

    def __init__(self, content, clock):
        super().__init__(content)
        self.clock = clock

    def seek(self, offset, whence=0):
        self.clock[0] += max(0, offset - self.tell()) / MIB
        return super().seek(min(offset, len(self.getbuffer())), whence)


class FewThreads(InlineThreads):
    """Behind *most* calls there is no thread free."""

    def __init__(self, most):
        super().__init__()
        self._most = most

    def run(self, function, *arguments):
        if self.calls < self._most:
            return super().run(function, *arguments)
        self.calls += 1
        return Deferred()


@pytest.fixture
def winding(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("ftpd.storage.content.time", SimpleNamespace(monotonic=lambda: clock[0]))
    return Winding(bytes(4 * MIB) + b"end", clock)


def test_a_long_way_to_an_offset_is_gone_in_turns(winding):
    threads = InlineThreads()
    file = OpenedContent(PATH, INFO, lambda: winding, threads)
    assert finish(file.read_at(4 * MIB, 10)) == b"end"
    assert threads.calls == 4
    assert finish(file.read_at(4 * MIB - 1, 10)) == b"\0end"  # from the beginning again
    assert threads.calls == 8
    assert finish(file.read_at(4 * MIB + 3, 10)) == b""
    assert threads.calls == 9


def test_content_that_ends_before_the_offset_has_nothing_there(winding):
    assert finish(opened(lambda: winding).read_at(1 << 60, 10)) == b""


def test_a_way_to_an_offset_is_given_up_by_a_cancel(winding):
    threads = FewThreads(most=2)
    file = OpenedContent(PATH, INFO, lambda: winding, threads)
    reading = Deferred.fromCoroutine(file.read_at(4 * MIB, 10)).addErrback(lambda failure: failure.trap(CancelledError))
    reading.cancel()
    assert reading.result is CancelledError
    assert (threads.calls, winding.tell()) == (3, 2 * MIB)


def test_damage_is_integrity_lost_and_anything_else_is_what_it_is():
    def broken(error):
        raise error

    with pytest.raises(IntegrityLost, match="The content is damaged"):
        finish(opened(lambda: broken(zlib.error("bad")), damage=(zlib.error,)).read_at(0, 1))
    with pytest.raises(ZeroDivisionError):
        finish(opened(lambda: broken(ZeroDivisionError())).read_at(0, 1))


class Publishing:
    def __init__(self):
        self.published = []
        self.done = Deferred()

    async def __call__(self, path, data, is_new):
        self.published.append((str(path), data, is_new))
        return await self.done


def test_pieces_may_come_in_any_order_and_a_hole_is_zeros():
    publish = Publishing()
    upload = Gathering(PATH, publish, 100, is_new=True)
    finish(upload.write_at(4, memoryview(b"ef")))
    finish(upload.write_at(0, b"ab"))
    publish.done.callback(INFO)
    assert finish(upload.commit()) == INFO
    assert publish.published == [("/f", b"ab\0\0ef", True)]


def test_it_is_published_once_and_nothing_is_written_afterwards():
    publish = Publishing()
    publish.done.callback(INFO)
    upload = Gathering(PATH, publish, 100)
    assert [finish(upload.commit()) for _ in range(2)] == [INFO, INFO]
    assert publish.published == [("/f", b"", False)]
    with pytest.raises(Unsupported):
        finish(upload.write_at(0, b"x"))


def test_a_cancel_lets_the_publishing_finish():
    publish = Publishing()
    results = []
    commit = Deferred.fromCoroutine(Gathering(PATH, publish, 100).commit()).addBoth(results.append)
    commit.cancel()
    assert results == []
    publish.done.callback(INFO)
    assert results == [INFO]
