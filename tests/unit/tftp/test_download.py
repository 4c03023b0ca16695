"""Downloads: what leaves when, what waits for the disk, the kernel and the rate, and how each of them ends."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError

from ftpd.accounts.rates import RateSettings
from ftpd.errors import Unavailable
from ftpd.events import SizeProbed
from ftpd.schema import Size
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.paces import CountedPace
from ftpd.tftp.frames import FileFrames, Geometry, HotFiles
from ftpd.tftp.stream import StreamFrames, pieces_of
from ftpd.tftp.wire.netascii import Encoder
from ftpd.tftp.wire.options import Terms
from ftpd.tftp.wire.packets import ErrorCode, ack, error, oack
from ftpd.values import Outcome
from tests.unit.tftp.exchanges import PATH, FakeFile, FakeHome, FakeLine, blocks_of, data, ended, error_code, make_download, pattern

ASKED_SIZE = {"tsize": "1300"}


def fetch(download, line: FakeLine, window: int = 1, rollover: int = 0) -> list[bytes]:
    """Play a client that acknowledges each window; return the packets that it took."""
    download.start()
    taken: list[bytes] = []
    while not download.is_over:
        packets = line.taken()
        assert packets, "nothing came"
        if packets[0][1] == 6:
            download.received(ack(0))
            continue
        assert len(packets) <= window
        taken += packets
        download.received(packets[-1][:1] + b"\4" + packets[-1][2:4])
    return taken


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 40_000])
def test_lock_step_sends_block_by_block(home, line, size):
    file = FakeFile(pattern(size))
    assert fetch(make_download(home, line, file), line) == blocks_of(pattern(size), 512)
    event = ended(home)
    assert (event.outcome, event.moved, event.blocks, event.retransmissions) == (Outcome.FINISHED, size, size // 512 + 1, 0)
    assert file.is_closed
    assert line.is_closed


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("segments", [1, 5, 64])
@pytest.mark.parametrize(("block_size", "window", "rollover"), [(8, 3, 0), (512, 16, 0), (1428, 64, 1), (65464, 64, 0)])
def test_windows_arrive_whole(home, tmp_path, on_disk, segments, block_size, window, rollover):
    content = pattern(600_000)
    os_path = tmp_path / "file"
    os_path.write_bytes(content)
    line = FakeLine(segments)
    file = FakeFile(os_path=os_path) if on_disk else FakeFile(content)
    terms = Terms(block_size=block_size, window=window, rollover=rollover, acknowledged={"windowsize": str(window)})
    download = make_download(home, line, file, terms)
    assert fetch(download, line, window) == blocks_of(content, block_size, rollover)
    assert ended(home).outcome is Outcome.FINISHED
    assert file.is_closed


def test_offload_sends_a_window_in_one_call(home):
    line = FakeLine(segments=64)
    download = make_download(home, line, FakeFile(pattern(512 * 40)), Terms(window=16))
    download.start()
    assert (len(line.taken()), line.calls) == (16, 1)


def test_lock_step_asks_for_no_offload(home, line):
    make_download(home, line, FakeFile(b"x")).start()
    assert line.cuts == []


def test_oack_is_first_and_its_acknowledgement_begins(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)), Terms(acknowledged=ASKED_SIZE))
    download.start()
    assert line.taken() == [oack(ASKED_SIZE)]
    download.received(ack(0))
    assert line.taken() == blocks_of(pattern(1300), 512)[:1]


def test_repeated_request_repeats_the_oack(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)), Terms(acknowledged=ASKED_SIZE))
    download.start()
    download.repeated()
    assert line.taken() == [oack(ASKED_SIZE)] * 2


def test_repeated_request_repeats_the_first_block(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    download.repeated()
    assert line.taken() == blocks_of(pattern(1300), 512)[:1] * 2


def test_request_that_is_repeated_late_is_ignored(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    download.received(ack(1))
    line.taken()
    download.repeated()
    assert line.taken() == []


def test_duplicate_acknowledgement_sends_nothing(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    download.received(ack(1))
    line.taken()
    download.received(ack(1))
    assert line.taken() == []


def test_acknowledgement_from_the_future_is_ignored(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    line.taken()
    download.received(ack(9))
    assert (line.taken(), download.is_over) == ([], False)


@pytest.mark.parametrize("datagram", [b"", b"\0", b"\0\4\0", b"\1\4\0\1", b"\0\6\0\0"])
def test_what_says_nothing_is_ignored(home, line, datagram):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    line.taken()
    download.received(datagram)
    assert (line.taken(), download.is_over) == ([], False)


def test_data_is_an_illegal_operation(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    line.taken()
    download.received(data(1, b"?"))
    assert error_code(line.taken()[0]) is ErrorCode.ILLEGAL_OPERATION
    assert ended(home).outcome is Outcome.PEER_FAULT


# Ends.


def test_size_probe_is_no_failure(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)), Terms(acknowledged=ASKED_SIZE))
    download.start()
    download.received(error(8, "User aborted the transfer"))
    (event,) = home.events
    assert isinstance(event, SizeProbed)
    assert (event.size, event.path) == (1300, "/boot/kernel")
    assert (home.places_taken, home.logouts, line.is_closed) == (0, 1, True)


def test_probing_client_that_closes_its_port_is_no_failure(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)), Terms(acknowledged=ASKED_SIZE))
    download.start()
    download.broken(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    assert [type(event) for event in home.events] == [SizeProbed]


def test_error_after_the_first_acknowledgement_is_no_probe(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)), Terms(acknowledged=ASKED_SIZE))
    download.start()
    download.received(ack(0))
    download.received(error(3, "Disk full"))
    event = ended(home)
    assert (event.outcome, event.cause) == (Outcome.PEER_FAULT, "The client gave up: error 3 Disk full")


def test_error_without_a_size_is_no_probe(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)), Terms(acknowledged={"blksize": "512"}))
    download.start()
    download.received(error(8, "no"))
    assert ended(home).cause == "The client gave up: error 8 no"


def test_closed_port_of_the_client_ends_it(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    line.failures.append(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    download.received(ack(1))
    event = ended(home)
    assert (event.outcome, event.cause) == (Outcome.PEER_FAULT, "The client cannot be reached: Connection refused")


def advance(home: FakeHome, download, until: float) -> None:
    """Let time pass, as the server's sweep does."""
    while not download.is_over and home.reactor.seconds() < until:
        home.reactor.advance(0.05)
        if download.timer.deadline <= home.reactor.seconds():
            download.expired(home.reactor.seconds())


def test_silent_client_is_given_up(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    advance(home, download, 40)
    event = ended(home)
    assert event.outcome is Outcome.PEER_FAULT
    assert event.cause == "The client fell silent: no acknowledgement came"
    assert event.retransmissions == len(line.sent) - 1 > 3


def test_missing_acknowledgement_of_the_last_block_is_said(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    download.received(ack(1))
    download.received(ack(2))
    advance(home, download, 40)
    assert ended(home).cause == "The client fell silent: no acknowledgement of the last block came"


def test_lost_block_is_sent_again(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    advance(home, download, 1.2)
    assert line.taken() == blocks_of(pattern(1300), 512)[:1] * 2


def test_refusal_that_cannot_be_sent_keeps_its_own_cause(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    line.failures.append(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    download.refuse(ErrorCode.UNDEFINED, "Not now", Outcome.CANCELLED)
    event = ended(home)
    assert (event.outcome, event.cause) == (Outcome.CANCELLED, "Not now")


def test_end_is_told_once(home, line):
    download = make_download(home, line, FakeFile(b"x"))
    download.start()
    download.end(Outcome.CANCELLED, "first")
    download.end(Outcome.PEER_FAULT, "second")
    assert ended(home).cause == "first"


def test_close_that_fails_still_gives_everything_back(home, line):
    class Stubborn(FakeFile):
        async def close(self):
            raise Unavailable(None, "hung")

    download = make_download(home, line, Stubborn(b"x"))
    download.start()
    with recorded_log() as log:
        download.end(Outcome.CANCELLED)
    ended(home)
    assert any("closing /boot/kernel failed" in message for message in log)


# The kernel.


def test_full_queue_goes_on_where_it_stopped(home, line):
    download = make_download(home, line, FakeFile(pattern(512 * 9)), Terms(window=8))
    line.room = 3
    download.start()
    assert (line.taken(), line.is_awaited) == (blocks_of(pattern(512 * 9), 512)[:3], True)
    line.has_room()
    assert line.taken() == blocks_of(pattern(512 * 9), 512)[3:8]


def test_newer_burst_takes_the_place_of_what_had_to_wait(home, line):
    download = make_download(home, line, FakeFile(pattern(512 * 9)), Terms(window=4))
    line.room = 3
    download.start()
    line.taken()
    line.room = None
    download.received(ack(2))  # progress, and block 4 never left
    assert line.taken() == blocks_of(pattern(512 * 9), 512)[2:6]
    line.listener.writable()
    assert line.taken() == []


def test_full_queue_is_not_the_clients_silence(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    line.room = 0
    download.start()
    advance(home, download, 60)
    assert not download.is_over
    line.has_room()
    assert line.taken() == blocks_of(pattern(1300), 512)[:1]


def test_oack_that_found_no_room_goes_later(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)), Terms(acknowledged=ASKED_SIZE))
    line.room = 0
    download.start()
    line.has_room()
    assert line.taken() == [oack(ASKED_SIZE)]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP])
def test_kernel_that_cannot_cut_is_sent_single_blocks(home, number):
    line = FakeLine(segments=64)
    download = make_download(home, line, FakeFile(pattern(512 * 9)), Terms(window=8))
    line.failures.append(OSError(number, "no"))
    download.start()
    assert line.taken() == blocks_of(pattern(512 * 9), 512)[:8]
    download.received(ack(8))
    assert fetch_rest(download, line) == blocks_of(pattern(512 * 9), 512)[8:]
    assert line.segments == 1


def fetch_rest(download, line: FakeLine) -> list[bytes]:
    packets = line.taken()
    while not download.is_over:
        download.received(b"\0\4" + (line.sent or packets)[-1][2:4])
        packets += line.taken()
    return packets


def test_refused_burst_is_no_reason_to_try_single_blocks(home):
    line = FakeLine(segments=64)
    download = make_download(home, line, FakeFile(pattern(512 * 9)), Terms(window=8))
    line.failures.append(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    download.start()
    assert line.taken() == []
    assert ended(home).outcome is Outcome.PEER_FAULT


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ENOMEM, errno.EMSGSIZE])
def test_packet_that_the_kernel_drops_is_sent_again(home, line, number):
    download = make_download(home, line, FakeFile(pattern(1300)))
    line.failures.append(OSError(number, "no"))
    download.start()
    assert line.taken() == []
    advance(home, download, 1.2)
    assert line.taken() == blocks_of(pattern(1300), 512)[:1]


# The disk.


def test_cold_file_is_fetched_and_sent_then(home, line):
    file = FakeFile(pattern(1300))
    file.is_held = True
    download = make_download(home, line, file)
    download.start()
    assert line.taken() == []
    file.let_go()
    assert line.taken() == blocks_of(pattern(1300), 512)[:1]


def test_slow_disk_is_not_the_clients_silence(home, line):
    file = FakeFile(pattern(1300))
    file.is_held = True
    download = make_download(home, line, file)
    download.start()
    advance(home, download, 100)
    assert (download.is_over, line.sent) == (False, [])
    file.let_go()
    home.reactor.advance(0.9)
    assert download.timer.deadline > home.reactor.seconds()  # the client has its time from here on


def test_repeated_request_does_not_ask_a_slow_disk_again(home, line):
    file = FakeFile(pattern(1300))
    file.is_held = True
    download = make_download(home, line, file)
    download.start()
    download.repeated()
    assert file.waiting == 1


def test_file_is_closed_only_when_no_read_is_under_way(home, line):
    file = FakeFile(pattern(1300))
    file.is_held = True
    download = make_download(home, line, file)
    download.start()
    download.end(Outcome.CANCELLED)
    assert not file.is_closed
    file.let_go()
    assert file.is_closed
    ended(home)


def test_failed_read_after_the_end_closes_the_file(home, line):
    file = FakeFile(pattern(1300))
    file.is_held = True
    download = make_download(home, line, file)
    download.start()
    download.end(Outcome.CANCELLED)
    file.let_go(Unavailable())
    assert file.is_closed
    ended(home)


@pytest.mark.parametrize("fault", [Unavailable(None, "The disk hangs"), OSError(5, "I/O error"), CancelledError()])
def test_failing_disk_is_a_fault_of_ours(home, line, fault):
    file = FakeFile(pattern(1300))
    file.is_held = True
    download = make_download(home, line, file)
    download.start()
    with recorded_log():
        file.let_go(fault)
    assert error_code(line.taken()[0]) is ErrorCode.UNDEFINED
    assert ended(home).outcome is Outcome.LOCAL_FAULT
    assert file.is_closed


def test_read_that_fails_at_once_is_a_fault_of_ours(home, line):
    class Broken(FakeFile):
        async def read_at(self, offset, length):
            raise Unavailable(None, "The disk hangs")

    file = Broken(pattern(1300))
    make_download(home, line, file).start()
    assert ended(home).cause == "The disk hangs"
    assert file.is_closed


@pytest.mark.parametrize("on_disk", [True, False])
def test_file_that_shrinks_is_not_sent_as_a_whole(home, line, tmp_path: Path, on_disk):
    content = pattern(400_000)
    os_path = tmp_path / "file"
    os_path.write_bytes(content)
    file = FakeFile(os_path=os_path) if on_disk else FakeFile(content)
    download = make_download(home, line, file)
    download.start()
    os_path.write_bytes(content[:130_000])
    file.content = content[:130_000]
    while not download.is_over:
        packets = line.taken()
        download.received(b"\0\4" + packets[-1][2:4])
    assert error_code(line.taken()[-1]) is ErrorCode.UNDEFINED
    event = ended(home)
    assert event.outcome is Outcome.LOCAL_FAULT
    assert event.moved < 130_000
    assert file.is_closed


def test_large_window_of_a_file_without_descriptor_needs_no_deep_stack(home, line):
    content = pattern(3_000_000)
    geometry = Geometry(1024, 2900, 0)
    geometry.per_chunk = 1
    file = FakeFile(content)
    frames = FileFrames(file, PATH, geometry, HotFiles(1 << 20))
    download = make_download(home, line, file, Terms(block_size=1024, window=2900), frames=frames)
    assert fetch(download, line, 2900) == blocks_of(content, 1024)


def test_text_is_sent_as_netascii(home, line):
    file = FakeFile(b"one\ntwo\r\n" * 400)
    geometry = Geometry(512, 1, 0)
    frames = StreamFrames(pieces_of(file, PATH), geometry, Encoder().encode)
    wire = b"one\r\ntwo\r\0\r\n" * 400
    assert fetch(make_download(home, line, file, frames=frames), line) == blocks_of(wire, 512)
    assert (ended(home).moved, ended(home).outcome) == (4800, Outcome.FINISHED)


def test_shared_chunks_outlive_who_made_them(home):
    hot = HotFiles(1 << 20)
    content = pattern(5000)
    one, two = FakeLine(), FakeLine()
    first = make_download(home, one, FakeFile(content, unique="a"), hot=hot)
    second = make_download(home, two, FakeFile(content, unique="a"), hot=hot)
    first.start()
    second.start()
    first.end(Outcome.CANCELLED)
    second.received(ack(1))
    assert two.taken() == blocks_of(content, 512)[:2]


# The rate.


class Generous:
    """A pace that grants whatever is wanted, and counts."""

    def __init__(self) -> None:
        self.allowed = 0

    def take(self, most: int) -> int:
        assert most > 0
        self.allowed += most
        return most

    def give_back(self, count: int) -> None:
        self.allowed -= count

    def pause(self) -> float:
        return 0.0


def paced(download, grant: int) -> CountedPace:
    download._pace = CountedPace(grant, 0.01)
    return download._pace


@pytest.mark.parametrize("grant", [1, 100, 512, 700, 5000])
def test_rate_that_grants_less_than_a_block_sends_whole_blocks(home, line, grant):
    content = pattern(3000)
    download = make_download(home, line, FakeFile(content), Terms(window=4))
    pace = paced(download, grant)
    download.start()
    taken: list[bytes] = []
    for _ in range(20_000):
        if download.is_over:
            break
        packets = line.taken()
        taken += packets
        assert sum(len(packet) - 4 for packet in taken) <= pace.allowed
        if packets and (len(taken) % 4 == 0 or len(taken) == 6):
            download.received(b"\0\4" + packets[-1][2:4])
        home.reactor.advance(0.01)
    assert taken == blocks_of(content, 512)
    assert pace.allowed == 3000  # what was granted for a whole last block is given back


def test_what_cannot_be_sent_is_granted_once(home, line):
    download = make_download(home, line, FakeFile(pattern(512 * 8)), Terms(window=8))
    pace = download._pace = Generous()
    line.room = 3
    download.start()
    line.has_room()
    assert (len(line.taken()), pace.allowed) == (8, 512 * 8)


def test_cold_file_is_granted_once(home, line):
    file = FakeFile(pattern(512 * 8))
    file.is_held = True
    download = make_download(home, line, file, Terms(window=8))
    pace = download._pace = Generous()
    download.start()
    file.let_go()
    download.end(Outcome.CANCELLED)
    assert (len(line.taken()), pace.allowed) == (8, 512 * 8)


def test_waiting_for_the_rate_is_not_the_clients_silence(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download._pace = CountedPace(0, 0.01)
    download.start()
    advance(home, download, 100)
    assert (download.is_over, line.sent) == (False, [])


def test_end_while_the_rate_is_awaited_leaves_no_timer(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    paced(download, 100)
    download.start()
    download.end(Outcome.CANCELLED)
    assert home.reactor.getDelayedCalls() == []
    ended(home)


def test_rates_of_the_server_hold(line):
    home = FakeHome(RateSettings(transfer_download=Size(51200)))
    content = pattern(200_000)
    download = make_download(home, line, FakeFile(content), Terms(window=8))
    download.start()
    taken: list[bytes] = []
    while not download.is_over:
        packets = line.taken()
        taken += packets
        if packets and (len(taken) % 8 == 0 or len(taken) == 391):
            download.received(b"\0\4" + packets[-1][2:4])
        home.reactor.advance(0.001)
        assert home.reactor.seconds() < 60
    assert taken == blocks_of(content, 512)
    assert 3.3 < home.reactor.seconds() < 4.8


def test_slow_holds_a_transfer_under_way(home, line):
    download = make_download(home, line, FakeFile(pattern(512 * 200)), Terms(window=8))
    download.start()
    line.taken()
    download.slow(512)
    download.received(ack(8))
    assert line.taken() == []
    for _ in range(150):
        home.reactor.advance(0.01)
    assert 1 <= len(line.taken()) <= 2


def test_row_says_how_far_it_is(home, line):
    download = make_download(home, line, FakeFile(pattern(1300)))
    download.start()
    download.received(ack(1))
    row = download.describe()
    assert (row.session, row.command, row.direction, row.path) == ("s1", "RRQ", "download", "/boot/kernel")
    assert (row.size, row.moved, row.account) == (1300, 512, "anonymous")
