from __future__ import annotations

import errno
import io

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.protocols import ftp as stock
from twisted.protocols.basic import FileSender
from zope.interface import implementer

from ftpd.errors import NoSpace, NotFound, Unavailable, Unsupported
from ftpd.ftp.shell.files import ShellReader, ShellWriter
from ftpd.paths import VirtualPath
from ftpd.testing.fakes import begin, finish
from ftpd.values import FileInfo, FileKind

PATH = VirtualPath.parse("/f")
MOST = 256 * 1024


class Sending:
    """An IReadFile whose producer is the test."""

    def __init__(self, streaming=True, registers=True):
        self.calls = []
        self.streaming = streaming
        self.registers = registers
        self.done = Deferred(lambda _: self.calls.append("cancel"))
        self.consumer = None

    def send(self, consumer):
        assert self.consumer is None, "send is called once"
        self.consumer = consumer
        if self.registers:
            consumer.registerProducer(self, self.streaming)
        return self.done

    def pauseProducing(self):
        self.calls.append("pause")

    def resumeProducing(self):
        self.calls.append("resume")

    def stopProducing(self):
        self.calls.append("stop")

    def ends(self):
        self.consumer.unregisterProducer()
        self.done.callback(None)


class FileOf:
    """An IReadFile as Twisted's own shell makes it: a pull producer over a file object."""

    def __init__(self, content):
        self.file = io.BytesIO(content)

    def send(self, consumer):
        return FileSender().beginFileTransfer(self.file, consumer)


def reader(file, size=0):
    return ShellReader(PATH, FileInfo("f", FileKind.FILE, size=size), file)


async def everything(source):
    pieces = []
    while piece := await source():
        pieces.append(piece)
    return b"".join(pieces)


# Reading.


def test_a_pull_producer_is_read_to_its_end_whatever_size_stat_claimed():
    content = bytes(range(256)) * 1000
    assert finish(everything(reader(FileOf(content), size=7).pieces(0))) == content


def test_a_pull_producer_is_asked_only_when_the_buffer_is_empty():
    file = FileOf(b"x" * 200_000)
    source = reader(file).pieces(0)
    assert file.file.tell() == 0
    piece = finish(source())
    assert len(piece) == file.file.tell() == FileSender.CHUNK_SIZE


def test_pieces_from_an_offset_skip_what_comes_before():
    assert finish(everything(reader(FileOf(b"0123456789")).pieces(4))) == b"456789"


def test_an_offset_behind_the_end_gives_nothing():
    assert finish(everything(reader(FileOf(b"0123")).pieces(9))) == b""


def test_read_at_fills_up_to_the_length_asked_for():
    file = reader(FileOf(b"x" * 100_000))
    assert len(finish(file.read_at(0, 60_000))) == 60_000
    assert len(finish(file.read_at(60_000, 60_000))) == 40_000
    assert finish(file.read_at(100_000, 60_000)) == b""


def test_reading_back_is_refused():
    file = reader(FileOf(b"0123"))
    finish(file.read_at(0, 4))
    with pytest.raises(Unsupported):
        finish(file.read_at(0, 4))


def test_nothing_is_sent_before_somebody_reads():
    sending = Sending()
    reader(sending)
    assert sending.consumer is None


def test_a_push_producer_that_fills_the_buffer_is_paused_and_resumed_when_it_is_empty():
    sending = Sending()
    source = reader(sending).pieces(0)
    first = begin(source())
    sending.consumer.write(b"a" * 10)
    assert len(first.result) == 10
    assert sending.calls == []
    sending.consumer.write(b"b" * MOST)
    assert sending.calls == ["pause"]
    assert len(begin(source()).result) == MOST
    assert sending.calls == ["pause"]
    waiting = begin(source())
    assert sending.calls == ["pause", "resume"]
    sending.consumer.write(b"c")
    assert waiting.result == b"c"


def test_a_push_producer_is_never_resumed_without_having_been_paused():
    sending = Sending()
    source = reader(sending).pieces(0)
    begin(source())
    sending.consumer.write(b"a")
    begin(source())
    assert sending.calls == []


def test_a_pull_producer_that_comes_late_is_asked_at_once():
    sending = Sending(streaming=False, registers=False)
    waiting = begin(reader(sending).pieces(0)())
    sending.consumer.registerProducer(sending, False)
    assert sending.calls == ["resume"]
    sending.consumer.write(b"late")
    assert waiting.result == b"late"


def test_a_shell_that_registers_no_producer_and_answers_with_a_plain_value():
    class Plain:
        def send(self, consumer):
            consumer.write(b"all of ")
            consumer.write(b"it")

    assert finish(everything(reader(Plain()).pieces(0))) == b"all of it"


def test_a_coroutine_that_sends_is_run():
    class Modern:
        async def send(self, consumer):
            consumer.write(b"modern")

    assert finish(everything(reader(Modern()).pieces(0))) == b"modern"


def test_the_end_of_production_is_not_the_end_of_the_file_until_send_says_so():
    sending = Sending()
    source = reader(sending).pieces(0)
    begin(source())
    sending.consumer.write(b"all")
    sending.consumer.unregisterProducer()
    end = begin(source())
    assert not end.called
    sending.done.callback(None)
    assert end.result == b""


def test_an_error_in_the_middle_is_raised_and_not_an_end():
    sending = Sending()
    source = reader(sending).pieces(0)
    begin(source())
    sending.consumer.write(b"half")
    waiting = begin(source())
    sending.done.errback(FileNotFoundError(errno.ENOENT, "gone"))
    with pytest.raises(NotFound):
        waiting.result.raiseException()
    waiting.addErrback(lambda _: None)


def test_an_error_of_an_unknown_kind_is_raised_as_it_is():
    class Broken:
        def send(self, consumer):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        finish(reader(Broken()).read_at(0, 1))


def test_a_shell_that_cancels_by_itself_is_not_a_cancel_of_the_client():
    sending = Sending()
    waiting = begin(reader(sending).pieces(0)())
    sending.done.errback(CancelledError())
    with pytest.raises(Unavailable):
        waiting.result.raiseException()
    waiting.addErrback(lambda _: None)


def test_closing_in_the_middle_stops_the_producer_and_cancels_send_once():
    sending = Sending()
    file = reader(sending)
    begin(file.pieces(0)())
    sending.consumer.write(b"half")
    finish(file.close())
    finish(file.close())
    assert sending.calls == ["stop", "cancel"]


def test_closing_stops_a_pull_producer_and_its_complaint_is_nobodys_unhandled_error():
    file = reader(FileOf(b"x" * 100_000))
    finish(file.pieces(0)())
    finish(file.close())


def test_closing_after_the_end_stops_nothing():
    sending = Sending()
    file = reader(sending)
    begin(file.pieces(0)())
    sending.ends()
    finish(file.close())
    assert sending.calls == []


def test_a_producer_that_comes_after_the_close_is_stopped():
    sending = Sending(registers=False)
    file = reader(sending)
    begin(file.pieces(0)()).addErrback(lambda _: None)
    finish(file.close())
    sending.consumer.registerProducer(sending, True)
    assert sending.calls == ["cancel", "stop"]


def test_what_is_written_after_the_close_is_dropped():
    sending = Sending()
    file = reader(sending)
    begin(file.pieces(0)())
    consumer = sending.consumer
    finish(file.close())
    consumer.write(b"x" * 1000)
    assert file._buffer == b""


def test_a_reader_that_gives_up_waiting_may_go_on_later():
    sending = Sending()
    source = reader(sending).pieces(0)
    waiting = begin(source())
    waiting.cancel()
    waiting.addErrback(lambda failure: failure.trap(CancelledError) and None)
    sending.consumer.write(b"still here")
    assert finish(source()) == b"still here"


# Writing.


class Receiving:
    """An IWriteFile and the consumer it gives."""

    def __init__(self, closed=None, error=None):
        self.calls = []
        self.producer = None
        self._closed = closed
        self._error = error

    def close(self):
        self.calls.append("close")
        return self._closed if self._closed is not None else succeed(None)

    def registerProducer(self, producer, streaming):
        assert streaming
        self.producer = producer

    def unregisterProducer(self):
        self.calls.append("unregister")
        if self._error is not None:
            raise self._error

    def write(self, data):
        assert type(data) is bytes
        self.calls.append(data)


def test_an_upload_is_written_in_order_then_unregistered_and_closed():
    file = Receiving()
    writer = ShellWriter(PATH, file, file)
    finish(writer.write_at(0, b"one"))
    finish(writer.write_at(3, memoryview(b"two")))
    info = finish(writer.commit())
    assert file.calls == [b"one", b"two", "unregister", "close"]
    assert info == FileInfo("f", FileKind.FILE, size=6)


def test_a_cut_upload_is_closed_since_a_shell_knows_nothing_better():
    file = Receiving()
    writer = ShellWriter(PATH, file, file)
    finish(writer.write_at(0, b"half"))
    finish(writer.abandon())
    assert file.calls == [b"half", "unregister", "close"]


def test_the_end_comes_once():
    file = Receiving()
    writer = ShellWriter(PATH, file, file)
    finish(writer.commit())
    finish(writer.commit())
    finish(writer.abandon())
    assert file.calls == ["unregister", "close"]


def test_a_consumer_that_pauses_holds_the_next_write_back():
    file = Receiving()
    writer = ShellWriter(PATH, file, file)
    file.producer.pauseProducing()
    waiting = begin(writer.write_at(0, b"data"))
    assert file.calls == []
    file.producer.resumeProducing()
    assert waiting.called
    assert file.calls == [b"data"]


def test_a_consumer_that_stops_refuses_what_follows():
    file = Receiving()
    writer = ShellWriter(PATH, file, file)
    file.producer.pauseProducing()
    waiting = begin(writer.write_at(0, b"data"))
    file.producer.stopProducing()
    with pytest.raises(Unavailable):
        waiting.result.raiseException()
    waiting.addErrback(lambda _: None)
    assert file.calls == []


def test_a_disk_that_is_full_at_the_close_fails_the_commit_and_the_file_is_closed_all_the_same():
    file = Receiving(error=OSError(errno.ENOSPC, "full"))
    writer = ShellWriter(PATH, file, file)
    with pytest.raises(NoSpace):
        finish(writer.commit())
    assert file.calls == ["unregister", "close"]


def test_a_failing_close_fails_the_commit():
    closed = Deferred()
    closed.errback(OSError(errno.ENOSPC, "full"))
    file = Receiving(closed)
    with pytest.raises(NoSpace):
        finish(ShellWriter(PATH, file, file).commit())


def test_a_cancel_during_the_close_lets_it_finish():
    closed = Deferred(lambda _: pytest.fail("the shell was cancelled"))
    file = Receiving(closed)
    results = []
    commit = begin(ShellWriter(PATH, file, file).commit()).addBoth(results.append)
    commit.cancel()
    assert results == []
    closed.callback(None)
    assert results == [FileInfo("f", FileKind.FILE, size=0)]


@implementer(stock.IFinishableConsumer)
class Finishing(Receiving):
    """A consumer that wants to hear when the file is whole, such as another server's upload."""

    def finish(self):
        self.calls.append("finish")


def test_a_consumer_that_finishes_hears_of_a_whole_upload_before_the_close():
    file = Finishing()
    writer = ShellWriter(PATH, file, file)
    finish(writer.write_at(0, b"whole"))
    finish(writer.commit())
    assert file.calls == [b"whole", "unregister", "finish", "close"]


def test_a_consumer_that_finishes_hears_nothing_of_a_cut_upload_but_the_close():
    file = Finishing()
    writer = ShellWriter(PATH, file, file)
    finish(writer.write_at(0, b"half"))
    finish(writer.abandon())
    assert file.calls == [b"half", "unregister", "close"]


def test_a_producer_may_finish_and_its_end_is_still_what_send_says():
    file = Sending()
    source = reader(file).pieces(0)
    first = begin(source())
    assert stock.IFinishableConsumer.providedBy(file.consumer)
    file.consumer.write(b"data")
    file.consumer.finish()
    last = begin(source())
    assert (first.result, last.called) == (b"data", False)
    file.ends()
    assert last.result == b""
