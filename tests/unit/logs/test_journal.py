"""Events become log lines with stable fields."""

from __future__ import annotations

import attrs
import pytest
from twisted.logger import Logger, LogLevel, formatEvent

from ftpd.events import (
    DataFault,
    DatagramTransferEnded,
    DataNotResumed,
    Event,
    FaultTolerated,
    FileChanged,
    HandshakeFailed,
    LoggedIn,
    LoggedOut,
    LoginFailed,
    RequestRefused,
    SessionClosed,
    SessionOpened,
    SessionRefused,
    TransferEnded,
    WrongProtocol,
)
from ftpd.logs.journal import FIELDS, Journal
from ftpd.values import ClientCertificate, Outcome, Peer, TLSFacts
from tests.transfer_ended import PEER, transfer_ended

EVENTS = {
    "session-opened": SessionOpened(peer=PEER),
    "session-refused": SessionRefused(peer=PEER, reason="too many"),
    "session-closed": SessionClosed(peer=PEER, account="ann", seconds=2.0, reason="quit"),
    "handshake-failed": HandshakeFailed(peer=PEER, reason="no shared cipher"),
    "data-not-resumed": DataNotResumed(peer=PEER, account="ann"),
    "logged-in": LoggedIn(peer=PEER, account="ann"),
    "login-failed": LoginFailed(peer=PEER, account="ann", reason="wrong password"),
    "logged-out": LoggedOut(peer=PEER, account="ann"),
    "file-changed": FileChanged(peer=PEER, account="ann", change="renamed", path="/a", target="/b"),
}


def lines(*events, **settings):
    written = []
    journal = Journal(Logger(namespace="test", observer=written.append), **settings)
    for event in events:
        journal(event)
    return written


def test_a_transfer_is_one_line_at_info():
    (line,) = lines(transfer_ended())
    assert line["log_level"] is LogLevel.info
    assert formatEvent(line) == "[s1] ann 192.0.2.7:40000 RETR /a b 1000 bytes 0.500 s finished "


@pytest.mark.parametrize(
    ("options", "ending"), [("", "sent again)"), ("blksize=1428 tsize=7", "sent again, blksize=1428 tsize=7)")]
)
def test_a_transfer_by_datagrams_tells_blocks_and_what_was_granted_if_anything(options, ending):
    values = attrs.asdict(transfer_ended(command="RRQ"), recurse=False)
    (line,) = lines(DatagramTransferEnded(**values, blocks=3, retransmissions=1, options=options))
    assert formatEvent(line) == f"[s1] ann 192.0.2.7:40000 RRQ /a b 1000 bytes 0.500 s finished  (3 blocks, 1 {ending}"
    assert line["options"] == options


def test_a_transfer_has_the_promised_fields():
    (line,) = lines(transfer_ended(outcome=Outcome.PEER_FAULT, cause="reset"))
    assert {field: line[field] for field in FIELDS if field in line} == {
        "event": "transfer-ended",
        "session": "s1",
        "peer": "192.0.2.7:40000",
        "listener": "outside",
        "protocol": "ftp",
        "account": "ann",
        "command": "RETR",
        "direction": "download",
        "path": "/a b",
        "bytes": 1000,
        "seconds": 0.5,
        "result": "peer-fault",
        "cause": "reset",
    }


def test_a_listing_is_told_at_debug():
    assert lines(transfer_ended(direction="listing"))[0]["log_level"] is LogLevel.debug


def test_a_fault_of_ours_is_a_warning():
    assert lines(transfer_ended(outcome=Outcome.LOCAL_FAULT))[0]["log_level"] is LogLevel.warn


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_its_line(name):
    (line,) = lines(EVENTS[name])
    assert line["event"] == name
    assert formatEvent(line).startswith("[s1] ")
    assert {field for field in line if not field.startswith("log_")} <= set(FIELDS)


def test_a_login_is_told_at_info_with_account_and_peer():
    (line,) = lines(EVENTS["logged-in"])
    assert line["log_level"] is LogLevel.info
    assert formatEvent(line) == "[s1] 192.0.2.7:40000 logged in as ann (in clear)"


def login_over(tls):
    (line,) = lines(LoggedIn(peer=PEER._replace(tls=tls), account="ann"))
    return line


def test_a_login_over_tls_is_told_with_version_cipher_group_and_whether_it_was_resumed():
    assert login_over(TLSFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", "x25519"))["tls"] == "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519 new"
    assert login_over(TLSFacts("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", is_resumed=True))["tls"] == (
        "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 resumed"
    )


def test_a_login_behind_an_endpoint_that_does_tls_says_so():
    assert login_over(TLSFacts("", ""))["tls"] == "TLS of the endpoint"


def test_a_login_with_a_certificate_names_its_subject():
    certificate = ClientCertificate("CN=ann,O=Scanners", "ann", (), "ab" * 32)
    assert login_over(TLSFacts("TLSv1.3", "x", client=certificate))["certificate"] == "CN=ann,O=Scanners"


def test_an_event_of_an_extension_is_passed_over():
    assert lines(Event(peer=PEER)) == []


def test_a_virtual_host_is_named():
    (line,) = lines(SessionOpened(peer=PEER._replace(host="ftp.example.com")))
    assert line["host"] == "ftp.example.com"


def test_an_ipv6_peer_has_brackets():
    peer = Peer("2001:db8::1", 5, "::1", 21)
    assert lines(SessionOpened(peer=peer))[0]["peer"] == "[2001:db8::1]:5"


def test_what_weighs_less_than_anybody_wants_is_not_written():
    written = lines(*EVENTS.values(), transfer_ended(direction="listing"), least=LogLevel.warn)
    assert [line["event"] for line in written] == ["session-refused", "handshake-failed", "data-not-resumed", "login-failed"]


def test_it_wants_no_event_whose_line_nobody_wants():
    assert Journal(least=LogLevel.warn).event_kinds == {
        SessionRefused,
        HandshakeFailed,
        DataFault,
        DataNotResumed,
        LoginFailed,
        TransferEnded,
        DatagramTransferEnded,
        RequestRefused,
    }
    assert Journal(least=LogLevel.info).event_kinds == {
        SessionRefused,
        HandshakeFailed,
        DataFault,
        DataNotResumed,
        LoginFailed,
        TransferEnded,
        DatagramTransferEnded,
        RequestRefused,
        LoggedIn,
        FileChanged,
        FaultTolerated,
        WrongProtocol,
    }


@pytest.mark.parametrize(("times", "often"), [(1, ""), (14, " (14 times)")])
def test_a_tolerated_fault_names_device_and_number(times, often):
    event = FaultTolerated(peer=PEER, account="ann", device="scanner", fault="odd-type", times=times)
    [line] = lines(event)
    assert formatEvent(line) == f"[s1] ann 192.0.2.7:40000 odd-type tolerated{often}: it is a scanner"
    assert (line["event"], line["device"], line["fault"], line["times"]) == ("fault-tolerated", "scanner", "odd-type", times)


def test_a_line_has_what_every_line_of_a_logger_has():
    written = []
    log = Logger(namespace="test", source=written, observer=written.append)
    Journal(log)(EVENTS["logged-in"])
    log.info("[{session}] {peer} logged in as {account} ({tls})")
    ours, theirs = ({field: value for field, value in line.items() if field.startswith("log_")} for line in written)
    assert ours.pop("log_time") <= theirs.pop("log_time")
    assert ours == theirs


def test_a_listing_that_failed_by_our_fault_is_written_where_warnings_are():
    assert len(lines(transfer_ended(direction="listing", outcome=Outcome.LOCAL_FAULT), least=LogLevel.warn)) == 1


@pytest.mark.parametrize(("times", "often"), [(1, ""), (14, " (14 times)")])
def test_a_fault_of_data_connections_is_a_warning_that_says_what_to_change(times, often):
    (line,) = lines(
        DataFault(
            peer=PEER,
            fault="stranger-connected",
            reason="203.0.113.1 came",
            advice="open the ports",
            address="192.0.2.1",
            port=50000,
            other="203.0.113.1",
            times=times,
        )
    )
    assert line["log_level"] is LogLevel.warn
    assert formatEvent(line) == f"[s1] 192.0.2.7:40000 203.0.113.1 came{often}: open the ports"
    told = {field: line[field] for field in ("fault", "address", "port", "other", "advice", "times")}
    assert told == {
        "fault": "stranger-connected",
        "address": "192.0.2.1",
        "port": 50000,
        "other": "203.0.113.1",
        "advice": "open the ports",
        "times": times,
    }
    assert told.keys() <= set(FIELDS)
