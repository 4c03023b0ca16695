from __future__ import annotations

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import CancelledError, Deferred
from zope.interface import implementer

from ftpd.accounts.limits import LimitSettings
from ftpd.events import (
    HandshakeFailed,
    LoggedOut,
    LoginFailed,
    SessionClosed,
    SessionOpened,
    SessionRefused,
    TransferEnded,
    WrongProtocol,
)
from ftpd.ftp.settings import FTPSettings, ProtectionSettings, TimeoutSettings
from ftpd.storage.memory import MemoryStore
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import SlowStore
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.server import Server
from ftpd.testing.tls_client import MemoryContexts, TLSClient
from ftpd.values import Outcome
from tests.crafted_tls import HALF_A_MESSAGE, HANDSHAKE, CraftedClient

FILES = {"/a": b"hello", "/b": b"world"}


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def downloading(**arguments):
    """A session whose client has asked for /a and reads nothing of it."""
    return ann(**arguments).says("RETR a", reads=False).hears(150)


@implementer(ICredentialsChecker)
class HeldChecker:
    """A password check that takes as long as the test likes."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self):
        self.asked = []
        self.is_cancelled = False

    def requestAvatarId(self, credentials):
        self.asked.append(Deferred(self._cancelled))
        return self.asked[-1]

    def _cancelled(self, _):
        self.is_cancelled = True


# Greeting and admission.


def test_greeting_is_one_220():
    dialogue = Dialogue()
    dialogue.hears(220, "ftpd ready.").hears_nothing()
    assert len(dialogue.events(SessionOpened)) == 1


def test_one_session_too_many_is_421_and_a_close():
    server = Server(limits=LimitSettings(sessions=1))
    Dialogue(server=server).hears(220)
    Dialogue(server=server).hears(421, "Too many connections; try again later.").is_closed()
    assert len([event for event in server.events if isinstance(event, SessionRefused)]) == 1


def test_refused_client_leaves_room_for_nobody_else_to_be_refused():
    server = Server(limits=LimitSettings(sessions=1))
    first = Dialogue(server=server).hears(220)
    Dialogue(server=server).hears(421).is_closed()
    first.says("QUIT").hears(221).is_closed()
    Dialogue(server=server).hears(220)


def test_refused_client_that_talks_on_is_not_answered():
    server = Server(limits=LimitSettings(sessions=1))
    Dialogue(server=server).hears(220)
    refused = Dialogue(server=server).hears(421)
    refused.channel.dataReceived(b"USER ann\r\n")
    refused.hears_nothing()


# Order.


def test_pipelined_commands_are_answered_in_order_with_one_reply_each():
    ann().raw(b"PWD\r\nSYST\r\nCWD x\r\nNOOP\r\n").hears(257).hears(215).hears(550).hears(200).hears_nothing()


def test_a_command_cut_into_bytes_is_answered_once():
    dialogue = ann()
    for byte in b"NOOP\r\n":
        dialogue.raw(bytes([byte]))
    dialogue.hears(200).hears_nothing()


def test_bare_line_feed_ends_a_command():
    ann().raw(b"NOOP\nPWD\n").hears(200).hears(257).hears_nothing()


def test_over_long_line_is_answered_once_and_the_session_goes_on():
    ann().raw(b"x" * 20_000).raw(b"y" * 20_000 + b"\r\n").hears(500, "Line too long.").says("NOOP").hears(200).hears_nothing()


def test_telnet_commands_before_a_verb_vanish():
    ann().raw(b"\xff\xf4\xff\xf2NOOP\r\n").hears(200)


def test_hundreds_of_pipelined_commands_are_all_answered_in_order():
    dialogue = ann().raw(b"NOOP\r\nPWD\r\n" * 500)
    assert dialogue.codes == [200, 257] * 500


def test_one_turn_answers_a_bounded_number_of_commands_so_that_others_are_served():
    dialogue = ann()
    dialogue.channel.dataReceived(b"NOOP\r\n" * 500)
    assert len(dialogue.heard) == 32


def test_commands_after_pass_wait_for_its_verification():
    checker = HeldChecker()
    dialogue = Dialogue(checkers=[checker]).hears(220)
    dialogue.raw(b"USER ann\r\nPASS x\r\nPWD\r\n").hears(331).hears_nothing()
    checker.asked[0].callback(b"ann")
    dialogue.hears(230).hears(257)


def test_reading_pauses_while_64_lines_wait_and_resumes():
    dialogue = downloading().raw(b"CWD /\r\n" * 63)
    assert dialogue.transport.producerState == "producing"
    dialogue.raw(b"CWD /\r\n")
    assert dialogue.transport.producerState == "paused"
    dialogue.raw(b"PWD\r\n").hears_nothing()
    dialogue.reads_on()
    assert dialogue.transport.producerState == "producing"
    assert dialogue.codes == [150, 226, *[250] * 64, 257]


# Beside a transfer.


@pytest.mark.parametrize(
    ("line", "code"),
    [("NOOP", 200), ("PWD", 257), ("STAT", 211), ("SIZE b", 213), ("MDTM b", 213), ("FEAT", 211), ("HELP", 214), ("SYST", 215), ("MLST b", 250)],
)  # fmt: skip
def test_beside_a_transfer_whose_client_reads_nothing_is_answered(line, code):
    downloading().says(line).hears(code).hears_nothing().reads_on().hears(226).data(b"hello")


def test_beside_an_upload_that_has_not_begun_noop_is_answered():
    ann().says("STOR c", connects=False).hears(150).says("NOOP").hears(200).connects().ends().hears(226)


def test_stat_beside_a_transfer_tells_how_far_it_is():
    dialogue = ann().says("STOR c").hears(150).sends(b"123").says("STAT").hears(211)
    assert dialogue.last.lines[-3:] == (" STOR /c", " 3 bytes in 0 seconds", " 0 bytes/s of late")


def test_stat_beside_a_download_tells_its_recent_speed_and_the_time_left():
    dialogue = downloading()
    transfer = dialogue.session.transfer
    transfer.size, transfer.pump = 10_000, Moved(0)
    dialogue.waits(10)
    transfer.pump = Moved(2_500)
    dialogue.waits(5).says("STAT").hears(211)
    assert dialogue.last.lines[-2:] == (" 2500 of 10000 bytes in 15 seconds", " 500 bytes/s of late, 15 seconds left")


def test_what_is_not_beside_waits_for_the_end_of_the_transfer():
    downloading().says("CWD /").hears_nothing().reads_on().hears(226).hears(250)


def test_what_stands_behind_a_waiting_command_waits_too():
    downloading().says("CWD /").says("NOOP").hears_nothing().reads_on().hears(226).hears(250).hears(200)


def test_pipelined_with_the_transfer_it_is_answered_just_the_same():
    dialogue = ann()
    dialogue.raw(b"EPSV\r\nRETR a\r\nNOOP\r\nCWD /\r\n").hears(229).hears(150).hears(200).hears_nothing()
    dialogue.connects().hears(226).hears(250)


def test_slow_size_beside_a_transfer_keeps_the_order_of_the_replies():
    store = SlowStore(MemoryStore(), {"stat"})
    dialogue = Dialogue(login="ann", store=store, files=FILES).says("RETR a", reads=False).hears(150)
    dialogue.says("SIZE b").says("NOOP").hears_nothing()
    store.let_go()
    dialogue.hears(213, "5").hears(200).reads_on().hears(226)


def test_the_end_of_the_transfer_does_not_wait_for_a_slow_size():
    store = SlowStore(MemoryStore(), {"stat"})
    dialogue = Dialogue(login="ann", store=store, files=FILES).says("RETR a", reads=False).hears(150)
    dialogue.says("SIZE b").reads_on().hears(226).says("CWD /").hears_nothing()
    store.let_go()
    dialogue.hears(213).hears(250)


def test_150_of_a_slow_open_is_heard_before_the_client_connects():
    store = SlowStore(MemoryStore(), {"open_read"})
    dialogue = Dialogue(login="ann", store=store, files=FILES).says("RETR a", connects=False).hears_nothing()
    store.let_go()
    dialogue.hears(150).connects().hears(226).data(b"hello")


def test_noop_behind_a_slow_open_is_answered_after_its_150():
    store = SlowStore(MemoryStore(), {"open_read"})
    dialogue = Dialogue(login="ann", store=store, files=FILES).says("RETR a", connects=False).says("NOOP").hears_nothing()
    store.let_go()
    dialogue.rests().hears(150).hears(200).connects().hears(226)


# ABOR.


def test_abor_of_a_transfer_is_426_and_226():
    dialogue = downloading().says("ABOR").hears(426, "Transfer aborted.").hears(226, "Abort processed.").hears_nothing()
    assert dialogue.connection.is_closed
    assert [event.outcome for event in dialogue.events(TransferEnded)] == [Outcome.CANCELLED]


def test_abor_within_telnet_is_heard():
    downloading().raw(b"\xff\xf4\xff\xf2ABOR\r\n").hears(426).hears(226).hears_nothing()


def test_abor_whose_urgent_byte_was_lost_is_heard():
    downloading().raw(b"\xff\xf4\xf2ABOR\r\n").hears(426).hears(226).hears_nothing()


def test_abor_idle_is_226():
    ann().says("ABOR").hears(226).hears_nothing()


def test_abor_idle_drops_the_data_port():
    dialogue = ann().says("EPSV").hears(229).says("ABOR").hears(226)
    assert dialogue.port.is_closed
    dialogue.raw(b"RETR a\r\n").hears(425)


def test_abor_overtakes_what_waits_and_that_is_still_answered():
    downloading().says("CWD /").says("PWD").says("ABOR").hears(426).hears(226).hears(250).hears(257).hears_nothing()


def test_abor_in_one_segment_with_the_transfer_stops_it():
    dialogue = ann().raw(b"EPSV\r\nRETR a\r\nPWD\r\nCWD /\r\nABOR\r\n")
    dialogue.hears(229).hears(150).hears(426).hears(226).hears(257).hears(250).hears_nothing()


def test_abor_before_the_data_connection_is_there_is_426_and_226():
    dialogue = ann().says("RETR a", connects=False).hears(150).says("ABOR").hears(426).hears(226)
    assert dialogue.port.is_closed


def test_abor_of_an_upload_publishes_nothing():
    ann().says("STOR c").hears(150).sends(b"half").says("ABOR").hears(426).hears(226).stored("/c", None)


def test_abor_while_the_file_is_opened_is_426_and_226():
    store = SlowStore(MemoryStore(), {"open_read"})
    dialogue = Dialogue(login="ann", store=store, files=FILES).says("RETR a").hears_nothing()
    dialogue.says("ABOR").hears(426).hears(226).says("NOOP").hears(200)


def test_abor_works_again_for_the_next_transfer():
    store = SlowStore(MemoryStore(), {"open_read"})
    dialogue = Dialogue(login="ann", store=store, files=FILES)
    for _ in range(2):
        dialogue.says("RETR a").hears_nothing().says("ABOR").hears(426).hears(226)


def test_second_abor_is_226_alone():
    downloading().raw(b"ABOR\r\nABOR\r\n").hears(426).hears(226).hears(226).hears_nothing()


def test_transfer_after_an_abor_is_complete():
    downloading().says("ABOR").hears(426).hears(226).says("RETR b").hears(150).hears(226).data(b"world")


# Goodbye.


def test_quit_is_221_and_a_close():
    dialogue = ann().says("QUIT").hears(221, "Goodbye.").is_closed()
    assert dialogue.server.logouts == 1


def test_what_stands_behind_quit_is_not_served():
    dialogue = ann().raw(b"QUIT\r\nDELE a\r\n").hears(221).is_closed()
    dialogue.stored("/a", b"hello")


def test_quit_during_a_transfer_lets_it_finish():
    downloading().says("QUIT").hears_nothing().is_open().reads_on().hears(226).hears(221).is_closed()


def test_control_connection_lost_during_an_upload_publishes_nothing():
    dialogue = ann().says("STOR c").hears(150).sends(b"half").hangs_up().stored("/c", None)
    assert dialogue.connection.is_closed
    assert dialogue.server.logouts == 1
    assert [event.outcome for event in dialogue.events(TransferEnded)] == [Outcome.CANCELLED]


def test_control_connection_lost_after_quit_lets_the_upload_finish():
    dialogue = ann().says("STOR c").hears(150).sends(b"ha").says("QUIT").hangs_up()
    assert dialogue.server.logouts == 0
    dialogue.sends(b"lf").ends().stored("/c", b"half")
    assert dialogue.server.logouts == 1
    assert len(dialogue.events(SessionClosed)) == 1


def test_control_connection_lost_with_a_verb_that_begins_like_quit_cancels():
    ann().says("STOR c").hears(150).sends(b"half").says("QUITE").hangs_up().ends().stored("/c", None)


def test_control_connection_lost_idle_closes_the_data_port():
    dialogue = ann().says("EPSV").hears(229).hangs_up()
    assert dialogue.port.is_closed


def test_control_connection_lost_during_verification_cancels_the_check():
    checker = HeldChecker()
    dialogue = Dialogue(checkers=[checker]).hears(220).says("USER ann").hears(331).says("PASS x").hangs_up()
    assert checker.is_cancelled
    assert len(dialogue.events(SessionClosed)) == 1
    assert dialogue.server.logins == 0


@pytest.mark.parametrize("end", ["quit", "lost", "rein", "user", "idle", "shutdown", "transfer", "after-quit"])
def test_logout_is_called_exactly_once_when(end):
    dialogue = ann()
    if end == "quit":
        dialogue.says("QUIT").hears(221)
    elif end == "lost":
        dialogue.hangs_up()
    elif end == "rein":
        dialogue.says("REIN").hears(220).says("QUIT").hears(221)
    elif end == "user":
        dialogue.says("USER bob").hears(331).hangs_up()
    elif end == "idle":
        dialogue.waits(302).hears(421)
    elif end == "shutdown":
        dialogue.server.factory.close_sessions()
        dialogue.hears(421).hangs_up()
    elif end == "transfer":
        dialogue.says("STOR c").hears(150).hangs_up()
    else:
        dialogue.says("STOR c").hears(150).says("QUIT").hangs_up().ends()
    assert (dialogue.server.logins, dialogue.server.logouts) == (1, 1)
    assert len(dialogue.events(LoggedOut)) == 1


def test_logout_that_raises_still_frees_the_place_of_the_session():
    dialogue = ann(limits=LimitSettings(sessions=1))

    def broken():
        raise RuntimeError("a portal of somebody else's")

    dialogue.session.logout = broken
    dialogue.says("QUIT").hears(221).is_closed()
    assert len(dialogue.events(SessionClosed)) == 1
    Dialogue(server=dialogue.server).hears(220)


# Clocks.


def test_idle_session_is_told_421_and_closed():
    ann().waits(300).hears_nothing().waits(2).hears(421, "Idle for too long; closing.").is_closed()


def test_a_command_starts_the_idle_time_anew():
    ann().waits(299).says("NOOP").hears(200).waits(299).is_open().hears_nothing()


def test_transfer_is_not_idle():
    settings = FTPSettings(timeouts=TimeoutSettings(stalled_transfer=10_000))
    dialogue = ann(settings=settings).says("STOR c").hears(150).waits(1000).is_open().hears_nothing()
    dialogue.ends().waits(1).hears(226).waits(299).is_open()


def test_login_that_never_comes_is_421():
    Dialogue().hears(220).waits(60).is_open().waits(2).hears(421, "No login within the time for it; closing.").is_closed()


def test_login_is_timed_from_the_connection_whatever_is_said():
    dialogue = Dialogue().hears(220)
    for _ in range(12):
        dialogue.waits(5).says("NOOP").hears(200)
    dialogue.waits(2).hears(421).is_closed()


def test_login_whose_check_never_ends_is_421_once():
    checker = HeldChecker()
    dialogue = Dialogue(checkers=[checker]).hears(220).says("USER ann").hears(331).says("PASS x")
    dialogue.waits(62).hears(421).is_closed()
    assert checker.is_cancelled


def test_logged_in_session_has_no_login_timeout():
    ann().waits(200).is_open().hears_nothing()


def test_client_that_does_not_take_the_421_is_cut_off():
    dialogue = ann().stops_reading().waits(302)
    assert not dialogue.transport.disconnected
    dialogue.waits(12)
    assert dialogue.transport.disconnected


def test_shutdown_says_421_and_cancels_the_transfer():
    dialogue = downloading()
    drained = dialogue.server.factory.close_sessions()
    dialogue.rests().hears(426, "The server is shutting down.").hears(421, "The server is shutting down; closing.").is_closed()
    assert drained.called


def logging_in(checker):
    return Dialogue(checkers=[checker]).hears(220).says("USER ann").hears(331).says("PASS x")


def test_login_under_way_in_a_drain_is_answered():
    checker = HeldChecker()
    dialogue = logging_in(checker)
    drained = dialogue.server.factory.drain(0.5, "Please come back.")
    dialogue.rests().hears_nothing()
    checker.asked[0].callback(b"ann")
    dialogue.rests().hears(230).is_open().waits(1).hears(421, "Please come back.").is_closed()
    assert drained.called


def test_login_under_way_where_no_quiet_is_granted_holds_up_nobody():
    checker = HeldChecker()
    dialogue = logging_in(checker)
    drained = dialogue.server.factory.drain(0, "Please come back.")
    dialogue.rests().hears(421).is_closed()
    assert (drained.called, checker.is_cancelled) == (True, True)
    assert [event.reason for event in dialogue.events(SessionClosed)] == ["Please come back."]
    assert dialogue.events(LoginFailed) == []


def test_login_that_begins_after_a_transfer_where_no_quiet_is_granted_holds_up_nobody():
    checker = HeldChecker()
    dialogue = logging_in(checker)
    checker.asked[0].callback(b"ann")
    dialogue.rests().hears(230).says("STOR c").hears(150).says("USER ann").says("PASS x")
    drained = dialogue.server.factory.drain(0, "Please come back.")
    dialogue.rests().hears_nothing()
    dialogue.sends(b"whole").ends().hears(226).hears(331).hears(421).is_closed()
    assert (drained.called, checker.is_cancelled) == (True, True)


# Bytes.


def test_150_and_226_of_a_small_file_are_one_write():
    dialogue = ann().says("RETR a").hears(150).hears(226)
    assert len(dialogue.transport.writes) == 1


def test_150_is_written_at_once_when_the_transfer_has_to_wait():
    dialogue = downloading()
    assert len(dialogue.transport.writes) == 1


def test_client_that_reads_no_replies_is_not_answered_without_end():
    dialogue = ann().stops_reading().raw(b"HELP\r\n" * 5000)
    assert len(dialogue.transport.unread) < 80_000
    assert dialogue.transport.producerState == "paused"
    dialogue.reads_again()
    assert dialogue.codes == [214] * 5000


def test_client_that_reads_no_replies_gets_no_answers_beside_its_transfer():
    dialogue = downloading().stops_reading().raw(b"HELP\r\n" * 5000)
    assert len(dialogue.transport.unread) < 80_000


def test_browser_is_cut_off():
    Dialogue().hears(220).raw(b"POST / HTTP/1.1\r\nHost: x\r\nUSER ann\r\n").hears(421).is_closed()


class Moved:
    """A pump that has moved so much."""

    def __init__(self, moved):
        self.moved = moved


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (b"GET / HTTP/1.1\r\n\r\nUSER ann\r\nPASS secret\r\n", "HTTP"),
        (b"USER / HTTP/1.1\r\n", "HTTP"),
        (b"STAT /a HTTP/1.0\r\n", "HTTP"),
        (b"OPTIONS rtsp://127.0.0.1/ RTSP/1.0\r\n", "RTSP"),
        (b"REGISTER sip:example.com SIP/2.0\r\n", "SIP"),
        (b"EHLO me\r\nMAIL FROM:<a@b>\r\n", "SMTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "SSH"),
        (b"\x16\x03\x01\x02\x00\x01\x00\nUSER ann\r\n", "TLS"),
        (b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", "the PROXY protocol"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nUSER ann\r\n", "the PROXY protocol"),
    ],
)
def test_other_protocol_is_cut_off_before_any_command_of_it_runs(data, protocol):
    dialogue = Dialogue(passwords={"ann": "secret"}).hears(220).raw(data)
    dialogue.hears(421, f"This is an FTP server, and {protocol} is not FTP; closing.").is_closed()
    assert [event.protocol for event in dialogue.events(WrongProtocol)] == [protocol]
    assert dialogue.server.logins == 0


def test_other_protocol_is_cut_off_behind_tls_too():
    Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234).shakes_hands().says("GET / HTTP/1.1").hears(
        421
    ).is_closed()


def test_other_protocol_behind_a_command_is_cut_off():
    Dialogue().hears(220).says("NOOP").hears(200).says("USER ann").hears(331).says("GET / HTTP/1.1").hears(421).is_closed()


def test_after_the_login_a_file_may_be_called_like_a_request():
    dialogue = Dialogue(login="ann", files={"/a HTTP": None}).says("STOR a HTTP/1.1").hears(150)
    dialogue.sends(b"x").ends().hears(226).stored("/a HTTP/1.1", b"x")


def test_browser_that_starts_with_a_host_header_is_cut_off():
    Dialogue().hears(220).raw(b"Host: x\r\n").hears(421).is_closed()


def test_password_that_looks_like_http_is_taken():
    dialogue = Dialogue(passwords={"ann": "a HTTP/1 host:"}).hears(220)
    dialogue.says("USER ann").hears(331).says("PASS a HTTP/1 host:").hears(230)


def test_cancelled_error_of_a_login_is_no_login():
    checker = HeldChecker()
    dialogue = Dialogue(checkers=[checker]).hears(220).says("USER ann").hears(331).says("PASS x")
    checker.asked[0].errback(CancelledError())
    dialogue.rests().hears(451, "Command cancelled.").says("PWD").hears(530)


# TLS.


def protected(**arguments):
    return Dialogue(contexts=MemoryContexts(), files=FILES, **arguments).hears(220).says("AUTH TLS").hears(234).shakes_hands()


def with_ann(dialogue):
    return dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("TYPE I").hears(200)


def test_implicit_greeting_comes_after_the_handshake():
    Dialogue(contexts=MemoryContexts(), is_implicit=True).hears_nothing().shakes_hands().hears(220, "ftpd ready.")


def test_implicit_session_has_private_data_from_the_start():
    protection = Dialogue(contexts=MemoryContexts(), is_implicit=True).shakes_hands().session.protection
    assert (protection.has_size, protection.is_private) == (True, True)


def test_implicit_session_has_clear_data_where_private_data_is_off():
    settings = FTPSettings(tls=ProtectionSettings(data="off"))
    dialogue = Dialogue(contexts=MemoryContexts(), is_implicit=True, settings=settings).shakes_hands()
    assert not dialogue.session.protection.is_private


def test_what_is_no_handshake_is_421_and_one_event():
    dialogue = Dialogue(contexts=MemoryContexts(), is_implicit=True).raw(b"USER ann\r\n")
    dialogue.hears(421, "TLS is spoken here now; closing.").is_closed()
    assert [event.reason for event in dialogue.events(HandshakeFailed)] == ["the client does not speak TLS"]


def test_handshake_that_breaks_is_an_alert_a_close_and_one_event():
    dialogue = Dialogue(contexts=MemoryContexts(), is_implicit=True)
    dialogue.transport.hear = lambda data: None
    dialogue.raw(b"\x16\x03\x01\x00\x10" + b"\xff" * 16).raw(b"\x16").is_closed()
    assert b"".join(dialogue.transport.writes)[:1] == b"\x15"
    assert len(dialogue.events(HandshakeFailed)) == 1


def test_tls_that_breaks_is_one_line_in_the_log_and_a_close():
    dialogue = protected()
    dialogue.transport.hear = lambda data: None
    with recorded_log() as log:
        dialogue.injected(b"NOOP\r\n").is_closed()
    (line,) = log
    assert "TLS broke: " in line
    assert dialogue.events(HandshakeFailed) == []


def test_client_that_says_nothing_after_auth_is_421():
    dialogue = Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234).waits(61).hears(421).is_closed()
    assert dialogue.events(HandshakeFailed) == []


def test_client_that_stops_in_mid_handshake_is_closed_without_a_word():
    dialogue = Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234)
    dialogue.injected(TLSClient().outgoing()[:50]).waits(61).is_closed()


def test_commands_before_close_notify_are_answered_and_then_it_is_said_back():
    dialogue = protected()
    tls = dialogue.tls
    dialogue.injected(tls.encrypt(b"NOOP\r\nQUIT\r\n") + tls.say_end()).hears(200).hears(221).is_closed()
    assert tls.has_heard_end


def test_close_notify_alone_ends_the_connection():
    dialogue = protected()
    tls = dialogue.tls
    dialogue.injected(tls.say_end()).is_closed()
    assert tls.has_heard_end


def test_half_a_command_before_close_notify_is_none():
    dialogue = with_ann(protected())
    dialogue.injected(dialogue.tls.encrypt(b"DELE a") + dialogue.tls.say_end() + b"\r\n").is_closed().stored("/a", b"hello")


def test_quit_and_close_notify_in_mid_transfer_let_it_finish():
    dialogue = with_ann(protected()).says("STOR c").hears(150)
    dialogue.injected(dialogue.tls.encrypt(b"QUIT\r\n") + dialogue.tls.say_end())
    dialogue.sends(b"content").ends().stored("/c", b"content")


def test_close_notify_in_mid_transfer_cuts_it():
    dialogue = with_ann(protected()).says("STOR c").hears(150).sends(b"cont")
    dialogue.injected(dialogue.tls.say_end())
    assert [event.outcome for event in dialogue.events(TransferEnded)] == [Outcome.CANCELLED]


def test_shutdown_in_mid_handshake_is_a_close():
    dialogue = Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234)
    dialogue.injected(TLSClient().outgoing()[:50])
    drained = dialogue.server.factory.close_sessions()
    dialogue.rests().is_closed()
    assert drained.called


def test_lost_connection_in_mid_handshake_leaves_nothing():
    dialogue = Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234)
    dialogue.injected(TLSClient().outgoing()[:50]).hangs_up()
    assert dialogue.server.factory.channels == set()


def test_client_that_cannot_be_told_anything_keeps_no_clock_and_no_end_from_others():
    server = Server(contexts=MemoryContexts())
    evil = Dialogue(server=server).hears(220).says("AUTH TLS").hears(234)
    evil.tls = CraftedClient()
    evil.injected(evil.tls.outgoing())
    evil.injected(evil.tls.record(HANDSHAKE, HALF_A_MESSAGE))
    server.clock.advance(50)
    late = Dialogue(server=server).hears(220)
    for _ in range(11):
        server.clock.advance(1)
    assert evil.transport.disconnecting
    for _ in range(50):
        server.clock.advance(1)
    late.hears(421)


def test_auth_whose_client_is_gone_before_its_reply_begins_no_tls():
    dialogue = Dialogue(login="ann", contexts=MemoryContexts()).says("STOR a").hears(150).says("AUTH TLS").hangs_up()
    assert dialogue.server.factory.channels == set()


def test_deaf_client_is_not_answered_without_end_in_tls():
    dialogue = protected().stops_reading().raw(b"HELP\r\n" * 5000)
    assert len(dialogue.transport.unread) < 100_000
    assert dialogue.transport.producerState == "paused"
    dialogue.reads_again()
    assert dialogue.codes[2:] == [214] * 5000


def test_what_is_refused_of_telnet_does_not_hide_the_reply():
    Dialogue(login="ann").raw(b"\xff\xfd\x06\xff\xfb\x01NOOP\r\nPWD\r\n").hears(200).hears(257)
