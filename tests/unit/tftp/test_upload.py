"""Uploads: no acknowledgement of the last block before the file is stored, one thing at a time with the disk, and how each of them ends."""

from __future__ import annotations

import errno

import pytest
from twisted.internet.defer import CancelledError

from ftpd.accounts.rates import RateSettings
from ftpd.errors import NoSpace, Unavailable
from ftpd.schema import Size
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.paces import CountedPace
from ftpd.tftp.wire.options import Terms
from ftpd.tftp.wire.packets import ErrorCode, Mode, ack, error, oack
from ftpd.values import Outcome
from tests.unit.tftp.exchanges import FakeHome, FakeUpload, blocks_of, data, ended, error_code, make_upload, pattern


@pytest.fixture
def file() -> FakeUpload:
    return FakeUpload()


def advance(home: FakeHome, upload, until: float) -> None:
    """Let time pass, as the server's sweep does."""
    while home.reactor.seconds() < until and not home.ended:
        home.reactor.advance(0.05)
        if upload.timer.deadline <= home.reactor.seconds():
            upload.expired(home.reactor.seconds())


def give(upload, packets: list[bytes]) -> None:
    for packet in packets:
        upload.received(packet)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1024, 200_000])
def test_lock_step_stores_block_by_block(home, line, file, size):
    upload = make_upload(home, line, file)
    upload.start()
    assert line.taken() == [ack(0)]
    for packet in blocks_of(pattern(size), 512):
        upload.received(packet)
        assert line.taken() == [b"\0\4" + packet[2:4]]
    assert (bytes(file.content), file.end) == (pattern(size), "committed")
    (event,) = home.events
    assert (event.outcome, event.moved, event.blocks) == (Outcome.FINISHED, size, size // 512 + 1)
    upload.close()
    ended(home)


@pytest.mark.parametrize("rollover", [0, 1])
@pytest.mark.parametrize("window", [2, 16, 64])
def test_windows_are_acknowledged_as_wholes(home, line, file, window, rollover):
    content = pattern(8 * 65_600)
    terms = Terms(block_size=8, window=window, rollover=rollover, acknowledged={"windowsize": str(window)})
    upload = make_upload(home, line, file, terms)
    upload.start()
    assert line.taken() == [oack({"windowsize": str(window)})]
    packets = blocks_of(content, 8, rollover)
    for start in range(0, len(packets), window):
        some = packets[start : start + window]
        give(upload, some)
        assert line.taken() == [b"\0\4" + some[-1][2:4]]
    assert bytes(file.content) == content


def test_last_acknowledgement_waits_for_the_commit(home, line, file):
    file.held.add("commit")
    upload = make_upload(home, line, file)
    upload.start()
    line.taken()
    upload.received(data(1, b"all"))
    assert (line.taken(), file.waiting, home.events) == ([], ["commit"], [])
    file.let_go()
    assert line.taken() == [ack(1)]
    assert [event.outcome for event in home.events] == [Outcome.FINISHED]


def test_last_block_that_comes_again_during_the_commit_is_not_acknowledged(home, line, file):
    file.held.add("commit")
    upload = make_upload(home, line, file)
    upload.start()
    upload.received(data(1, b"all"))
    line.taken()
    upload.received(data(1, b"all"))
    advance(home, upload, 20)
    assert (line.taken(), file.waiting) == ([], ["commit"])
    file.let_go()
    assert line.taken() == [ack(1)]


@pytest.mark.parametrize("name", ["write_at", "commit"])
@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("fault", [NoSpace(), OSError(5, "I/O error"), CancelledError()])
def test_file_that_cannot_be_stored_is_no_success(home, line, file, name, is_held, fault):
    file.failures[name] = fault
    if is_held:
        file.held.add(name)
    upload = make_upload(home, line, file)
    upload.start()
    line.taken()
    with recorded_log():
        upload.received(data(1, b"all"))
        if is_held:
            file.let_go()
    (answer,) = line.taken()
    assert error_code(answer) is (ErrorCode.DISK_FULL if isinstance(fault, NoSpace) else ErrorCode.UNDEFINED)
    assert ended(home).outcome is Outcome.LOCAL_FAULT
    assert file.end == "abandoned"


def test_failing_abandonment_still_gives_everything_back(home, line, file):
    file.failures["abandon"] = Unavailable()
    upload = make_upload(home, line, file)
    upload.start()
    with recorded_log() as log:
        upload.end(Outcome.CANCELLED)
    ended(home)
    assert any("closing /boot/kernel failed" in message for message in log)


# After the end.


def test_repeats_of_the_last_block_are_acknowledged_for_a_while(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    give(upload, blocks_of(pattern(600), 512))
    line.taken()
    upload.received(data(2, pattern(600)[512:]))
    upload.received(data(1, pattern(600)[:512]))
    assert line.taken() == [ack(2)]
    advance(home, upload, 7.9)
    assert not line.is_closed
    advance(home, upload, 8.1)
    assert line.is_closed
    assert ended(home).outcome is Outcome.FINISHED


def test_error_while_it_dallies_changes_nothing(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    upload.received(data(1, b"all"))
    upload.received(error(0, "bye"))
    upload.broken(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    assert [event.outcome for event in home.events] == [Outcome.FINISHED]
    assert file.end == "committed"


def test_negotiated_timeout_is_how_long_it_dallies(home, line, file):
    upload = make_upload(home, line, file)
    upload._machine._timing._fixed = 2.0
    upload.start()
    upload.received(data(1, b"all"))
    advance(home, upload, 1.9)
    assert not line.is_closed
    advance(home, upload, 2.1)
    assert line.is_closed


# Ends.


def test_error_of_the_client_abandons(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    upload.received(data(1, pattern(512)))
    upload.received(error(3, "Disk full"))
    event = ended(home)
    assert (event.outcome, event.cause, event.moved) == (Outcome.PEER_FAULT, "The client gave up: error 3 Disk full", 512)
    assert file.end == "abandoned"


@pytest.mark.parametrize("how", ["error", "kick", "refused"])
def test_end_during_the_commit_waits_for_it(home, line, file, how):
    file.held.add("commit")
    upload = make_upload(home, line, file)
    upload.start()
    upload.received(data(1, b"all"))
    line.taken()
    if how == "error":
        upload.received(error(0, "changed my mind"))
    elif how == "kick":
        upload.refuse(ErrorCode.UNDEFINED, "Maintenance", Outcome.CANCELLED)
    else:
        upload.broken(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    assert (line.taken(), home.events, home.ended) == ([], [], [])
    file.let_go()
    assert line.taken() == [ack(1)]  # it is stored, whoever wanted something else
    assert ended(home).outcome is Outcome.FINISHED
    assert file.end == "committed"


def test_kick_during_a_commit_that_fails_is_a_fault_of_ours(home, line, file):
    file.held.add("commit")
    file.failures["commit"] = NoSpace()
    upload = make_upload(home, line, file)
    upload.start()
    upload.received(data(1, b"all"))
    line.taken()
    upload.refuse(ErrorCode.UNDEFINED, "Maintenance", Outcome.CANCELLED)
    file.let_go()
    assert error_code(line.taken()[0]) is ErrorCode.DISK_FULL
    assert ended(home).outcome is Outcome.LOCAL_FAULT
    assert file.end == "abandoned"


@pytest.mark.parametrize("fault", [None, NoSpace()])
def test_end_during_a_write_abandons_behind_it(home, line, file, fault):
    file.held.add("write_at")
    upload = make_upload(home, line, file)
    upload.start()
    upload.received(data(1, b"all"))
    line.taken()
    upload.refuse(ErrorCode.UNDEFINED, "Maintenance", Outcome.CANCELLED)
    assert error_code(line.taken()[0]) is ErrorCode.UNDEFINED
    assert file.end == ""
    file.let_go(fault)
    assert file.end == "abandoned"
    assert ended(home).outcome is Outcome.CANCELLED


def test_end_during_a_write_amidst_abandons_behind_it(home, line, file):
    file.held.add("write_at")
    upload = make_upload(home, line, file, Terms(block_size=65464))
    upload.start()
    give(upload, blocks_of(pattern(130_928), 65464)[:1])
    upload.received(data(2, pattern(130_928)[65464:]))
    upload.end(Outcome.CANCELLED)
    while file.waiting:
        file.let_go()
    assert file.end == "abandoned"
    ended(home)


def test_silent_client_is_given_up(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    upload.received(data(1, pattern(512)))
    advance(home, upload, 40)
    event = ended(home)
    assert (event.outcome, event.cause) == (Outcome.PEER_FAULT, "The client fell silent: no block came")
    assert line.sent == [ack(0)] + [ack(1)] * (1 + event.retransmissions)
    assert file.end == "abandoned"


def test_client_that_never_begins_hears_the_first_answer_again(home, line, file):
    terms = Terms(acknowledged={"blksize": "512"})
    upload = make_upload(home, line, file, terms)
    upload.start()
    advance(home, upload, 1.2)
    assert line.taken() == [oack({"blksize": "512"})] * 2


def test_gap_before_the_first_block_is_answered_with_ack_0_and_no_second_oack(home, line, file):
    upload = make_upload(home, line, file, Terms(window=2, acknowledged={"windowsize": "2"}))
    upload.start()
    assert line.taken() == [oack({"windowsize": "2"})]
    upload.received(data(2, bytes(512)))
    assert line.taken() == [ack(0)]


def test_stored_upload_is_over_at_once_where_the_server_stops(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    home.dallies = False
    upload.received(data(1, b"end"))
    assert line.taken() == [ack(0), ack(1)]
    assert ended(home).outcome is Outcome.FINISHED


def test_repeated_request_repeats_the_first_answer(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    upload.repeated()
    assert line.taken() == [ack(0)] * 2
    upload.received(data(1, pattern(512)))
    line.taken()
    upload.repeated()
    assert line.taken() == []


@pytest.mark.parametrize("datagram", [b"", b"\0", b"\0\3\0", b"\1\3\0\1", b"\0\4\0\1", b"\0\6\0\0"])
def test_what_says_nothing_is_ignored(home, line, file, datagram):
    upload = make_upload(home, line, file)
    upload.start()
    line.taken()
    upload.received(datagram)
    assert (line.taken(), upload.is_over, file.content) == ([], False, b"")


def test_block_longer_than_agreed_is_an_illegal_operation(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    line.taken()
    upload.received(data(1, pattern(513)))
    assert error_code(line.taken()[0]) is ErrorCode.ILLEGAL_OPERATION
    assert ended(home).outcome is Outcome.PEER_FAULT
    assert file.end == "abandoned"


def test_line_is_told_of_one_byte_more_than_a_block_has(home, line, file):
    make_upload(home, line, file, Terms(block_size=1428)).start()
    assert [receives for _, receives in line.cuts] == [1433]


# Sizes.


def test_other_size_than_announced_is_not_stored(home, line, file):
    upload = make_upload(home, line, file, Terms(declared_size=1000, acknowledged={"tsize": "1000"}))
    upload.start()
    line.taken()
    give(upload, blocks_of(pattern(999), 512))
    assert error_code(line.taken()[-1]) is ErrorCode.UNDEFINED
    event = ended(home)
    assert (event.outcome, event.cause) == (Outcome.PEER_FAULT, "1000 bytes were announced (tsize), and 999 came")
    assert file.end == "abandoned"


@pytest.mark.parametrize(("declared", "mode"), [(999, Mode.OCTET), (0, Mode.OCTET), (950, Mode.NETASCII)])
def test_size_that_was_announced_is_stored(home, line, file, declared, mode):
    upload = make_upload(home, line, file, Terms(declared_size=declared), mode=mode)
    upload.start()
    give(upload, blocks_of(pattern(999), 512))
    assert file.end == "committed"


@pytest.mark.parametrize("size", [1000, 1024, 1025])
def test_ceiling_is_disk_full(home, line, file, size):
    upload = make_upload(home, line, file, ceiling=1024)
    upload.start()
    give(upload, blocks_of(pattern(size), 512))
    if size <= 1024:
        assert file.end == "committed"
    else:
        assert error_code(line.taken()[-1]) is ErrorCode.DISK_FULL
        assert ended(home).outcome is Outcome.PEER_FAULT
        assert (file.end, file.writes) == ("abandoned", [])


def test_ceiling_counts_what_is_on_its_way_to_the_disk(home, line, file):
    file.held.add("write_at")
    terms = Terms(block_size=65464, window=2)
    upload = make_upload(home, line, file, terms, ceiling=65464 + 100)
    upload.start()
    packets = blocks_of(pattern(65464 + 101), 65464)
    upload.received(packets[0])
    upload.received(packets[0][:3] + b"\3" + packets[0][4:])  # block 3 is behind a gap: block 1 is acknowledged, and written
    upload.received(packets[1])
    assert home.events == [] or ended(home).outcome is Outcome.PEER_FAULT
    while file.waiting:
        file.let_go()
    assert file.end == "abandoned"
    assert error_code(line.sent[-1]) is ErrorCode.DISK_FULL


def test_text_is_stored_with_line_ends_of_this_machine(home, line, file):
    wire = b"one\r\ntwo\r\0three\r\n" * 300 + b"\r"
    upload = make_upload(home, line, file, Terms(block_size=8), mode=Mode.NETASCII)
    upload.start()
    give(upload, blocks_of(wire, 8))
    assert bytes(file.content) == b"one\ntwo\rthree\n" * 300 + b"\r"
    assert home.events[0].moved == len(wire)


# The disk.


def test_no_acknowledgement_while_the_disk_is_behind(home, line, file):
    file.held.add("write_at")
    upload = make_upload(home, line, file, Terms(block_size=32768))
    packets = blocks_of(pattern(100_000), 32768)
    upload.start()
    give(upload, packets[:2])
    assert (line.taken(), file.waiting) == ([ack(0), ack(1)], ["write_at"])
    file.let_go()
    assert line.taken() == [ack(2)]


def test_slow_disk_is_not_the_clients_silence(home, line, file):
    file.held.add("write_at")
    upload = make_upload(home, line, file, Terms(block_size=65464))
    upload.start()
    packets = blocks_of(pattern(131_000), 65464)
    give(upload, packets[:2])
    line.taken()
    advance(home, upload, 100)
    assert (upload.is_over, line.taken()) == (False, [])
    file.let_go()
    assert line.taken() == [ack(2)]
    assert upload.timer.deadline > home.reactor.seconds()


def test_end_that_comes_while_the_disk_is_behind_is_written_behind(home, line, file):
    """A block is lost, so that the window is acknowledged early; the client, tired of waiting for the disk, sends all of it again."""
    content = pattern(64 * 1428 - 100)
    packets = blocks_of(content, 1428)
    file.held.add("write_at")
    upload = make_upload(home, line, file, Terms(block_size=1428, window=64))
    upload.start()
    give(upload, packets[:50])
    give(upload, packets[51:])
    assert file.waiting == ["write_at"]
    give(upload, packets)
    assert file.waiting == ["write_at"]
    while file.waiting:
        file.let_go()
    assert (bytes(file.content), file.end) == (content, "committed")
    assert line.taken()[-1] == ack(64)


def test_sender_that_ignores_the_window_does_not_fill_memory(home, line, file):
    file.held.add("write_at")
    upload = make_upload(home, line, file, Terms(block_size=1428, window=64))
    content = pattern(1428 * 1000)
    upload.start()
    give(upload, blocks_of(content, 1428))
    assert upload.blocks == 64
    assert len(upload._pending) == 0
    file.held.clear()
    file.let_go()
    assert line.taken() == [ack(0), ack(64)]
    give(upload, blocks_of(content, 1428)[64:])
    assert bytes(file.content) == content


def test_kernel_without_room_loses_an_acknowledgement_only(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    line.room = 0
    upload.received(data(1, pattern(512)))
    line.room = None
    advance(home, upload, 0.3)
    assert line.taken() == [ack(0), ack(1)]


# The rate.


@pytest.mark.parametrize("grant", [1, 100, 512, 5000])
def test_rate_that_grants_less_than_a_block_holds_acknowledgements(home, line, file, grant):
    content = pattern(3000)
    upload = make_upload(home, line, file)
    pace = upload._pace = CountedPace(grant, 0.01)
    upload.start()
    packets = iter(blocks_of(content, 512))
    line.taken()
    upload.received(next(packets))
    for _ in range(20_000):
        if home.events:
            break
        if line.taken():
            assert upload.moved <= pace.allowed
            upload.received(next(packets))
        home.reactor.advance(0.01)
    assert (bytes(file.content), file.end) == (content, "committed")
    upload.close()
    ended(home)


def test_waiting_for_the_rate_is_not_the_clients_silence(home, line, file):
    upload = make_upload(home, line, file)
    upload._pace = CountedPace(0, 0.01)
    upload.start()
    upload.received(data(1, pattern(512)))
    advance(home, upload, 60)
    assert (upload.is_over, line.taken()) == (False, [ack(0)])


def test_last_block_does_not_wait_for_the_rate(home, line, file):
    upload = make_upload(home, line, file, Terms(window=2))
    upload._pace = CountedPace(0, 0.01)
    upload.start()
    give(upload, [data(1, pattern(512)), data(3, b"?"), data(2, b"end")])
    assert file.end == "committed"
    assert home.reactor.getDelayedCalls() == []
    assert line.taken() == [ack(0), ack(2)]


def test_sender_that_ignores_the_rate_is_not_taken(home, line, file):
    upload = make_upload(home, line, file)
    upload._pace = CountedPace(0, 0.01)
    upload.start()
    give(upload, blocks_of(pattern(5000), 512))
    assert upload.blocks == 1


def test_end_while_the_rate_is_awaited_leaves_no_timer(home, line, file):
    upload = make_upload(home, line, file)
    upload._pace = CountedPace(0, 0.01)
    upload.start()
    upload.received(data(1, pattern(512)))
    upload.end(Outcome.CANCELLED)
    ended(home)


def test_rates_of_the_server_hold(line, file):
    home = FakeHome(RateSettings(transfer_upload=Size(51200)))
    upload = make_upload(home, line, file, Terms(window=8))
    content = pattern(200_000)
    packets = blocks_of(content, 512)
    upload.start()
    place = 0
    while not home.events:
        if line.taken():
            give(upload, packets[place : place + 8])
            place += 8
        home.reactor.advance(0.001)
        assert home.reactor.seconds() < 60
    assert bytes(file.content) == content
    assert 3.3 < home.reactor.seconds() < 4.8


def test_rate_that_is_set_amidst_is_not_about_what_has_come(home, line, file):
    upload = make_upload(home, line, file)
    upload.start()
    packets = blocks_of(pattern(512 * 201), 512)
    give(upload, packets[:200])
    upload.slow(512)
    line.taken()
    upload.received(packets[200])
    for _ in range(150):
        home.reactor.advance(0.01)
    assert line.taken() == [ack(201)]


def test_row_says_how_far_it_is(home, line, file):
    upload = make_upload(home, line, file, Terms(declared_size=1300))
    upload.start()
    upload.received(data(1, pattern(512)))
    row = upload.describe()
    assert (row.command, row.direction, row.path, row.size, row.moved) == ("WRQ", "upload", "/boot/kernel", 1300, 512)
