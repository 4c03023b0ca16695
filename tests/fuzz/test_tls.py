"""After AUTH any bytes in any chunks end in TLS or in a close: nothing raises, no traceback is in the log, and no command runs.

And within TLS chunking changes nothing.
"""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import example, given

from ftpd.events import HandshakeFailed
from ftpd.ftp.settings import FTPSettings, ProtectionSettings
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.tls_client import MemoryContexts, TLSClient
from tests.fuzz.said import CUTS, FILES, LINES, chunks

COMMANDS = st.lists(LINES, max_size=5).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
RECORDS = st.builds(
    lambda kind, version, body: bytes([kind]) + version + len(body).to_bytes(2, "big") + body,
    st.integers(20, 24),
    st.sampled_from([b"\x03\x01", b"\x03\x03", b"\x03\x04", b"\x00\x00"]),
    st.binary(max_size=60),
)
BYTES = st.one_of(st.binary(max_size=200), COMMANDS, RECORDS, st.lists(RECORDS, max_size=4).map(b"".join))
CONTEXTS = MemoryContexts()
SETTINGS = FTPSettings(tls=ProtectionSettings(ccc=True))


def begun(is_implicit: bool = False) -> Dialogue:
    """A session where a ClientHello is due; what it writes is no business of a transcript."""
    dialogue = Dialogue(contexts=CONTEXTS, is_implicit=is_implicit, files=FILES, settings=SETTINGS)
    if not is_implicit:
        dialogue.hears(220).says("AUTH TLS").hears(234)
    dialogue.transport.hear = lambda _: None
    return dialogue


def judge(dialogue: Dialogue, log: list[str]) -> None:
    dialogue.hangs_up()
    assert [line for line in log if "Traceback" in line] == []
    assert dialogue.server.logins == dialogue.server.logouts == 0
    assert dialogue.server.tree() == FILES | {"/dir": None}
    assert dialogue.server.factory.channels == set()
    assert len(dialogue.events(HandshakeFailed)) <= 1


@given(BYTES, CUTS, st.booleans())
@example(b"\x16\x03\x01\x00\x00", [1, 2, 3, 4], True)
@example(b"\x16\x03\x01\xff\xff" + b"\x01" * 100, [6], False)
@example(b"\x15\x03\x01\x00\x02\x01\x00", [], False)
def test_any_bytes_in_the_place_of_a_hello_run_no_command(data: bytes, cuts: list[int], is_implicit: bool) -> None:
    with recorded_log() as log:
        dialogue = begun(is_implicit)
        for piece in filter(None, chunks(data, cuts)):
            dialogue.injected(piece)
        judge(dialogue, log)


@given(BYTES, st.integers(0, 2000), CUTS)
def test_hello_that_is_cut_and_goes_on_with_anything_runs_no_command(data: bytes, place: int, cuts: list[int]) -> None:
    with recorded_log() as log:
        dialogue = begun()
        hello = TLSClient().outgoing()
        for piece in filter(None, chunks(hello[: min(place, len(hello) - 1)] + data, cuts)):
            dialogue.injected(piece)
        judge(dialogue, log)


@given(st.integers(0, 2000), st.integers(1, 255))
def test_hello_with_a_damaged_byte_runs_no_command(place: int, damage: int) -> None:
    with recorded_log() as log:
        dialogue = begun()
        hello = bytearray(TLSClient().outgoing())
        hello[place % len(hello)] ^= damage
        dialogue.injected(bytes(hello) + b"USER ann\r\n")
        judge(dialogue, log)


@given(BYTES, CUTS)
def test_any_bytes_in_the_middle_of_tls_end_the_connection_or_wait(data: bytes, cuts: list[int]) -> None:
    with recorded_log() as log:
        dialogue = begun_and_shaken()
        for piece in filter(None, chunks(data, cuts)):
            dialogue.injected(piece)
        dialogue.hangs_up()
    assert [line for line in log if "Traceback" in line] == []
    assert dialogue.server.factory.channels == set()


def begun_and_shaken() -> Dialogue:
    dialogue = Dialogue(contexts=CONTEXTS, files=FILES, settings=SETTINGS).hears(220).says("AUTH TLS").hears(234).shakes_hands()
    dialogue.transport.hear = lambda _: None
    return dialogue


@given(COMMANDS, CUTS)
def test_in_tls_chunking_changes_nothing(commands: bytes, cuts: list[int]) -> None:
    assert said(commands, cuts) == said(commands, [])


def said(commands: bytes, cuts: list[int]) -> list[int]:
    """The codes of what is heard when *commands* come in TLS, cut on the wire."""
    dialogue = Dialogue(contexts=CONTEXTS, files=FILES).hears(220).says("AUTH TLS").hears(234).shakes_hands()
    assert dialogue.tls is not None
    for piece in filter(None, chunks(dialogue.tls.encrypt(commands) if commands else b"", cuts)):
        dialogue.injected(piece)
    dialogue.hangs_up()
    return dialogue.codes


@given(BYTES, CUTS, st.booleans())
def test_any_bytes_after_ccc_never_raise(data: bytes, cuts: list[int], says_end: bool) -> None:
    with recorded_log() as log:
        dialogue = Dialogue(contexts=CONTEXTS, files=FILES, settings=SETTINGS).hears(220).says("AUTH TLS").hears(234).shakes_hands()
        dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("CCC").hears(200)
        if says_end:
            dialogue.says_end()
        dialogue.transport.hear = lambda _: None
        for piece in filter(None, chunks(data, cuts)):
            dialogue.injected(piece)
        dialogue.hangs_up()
        for port in dialogue.server.ports.given:
            port.expire()
    assert [line for line in log if "Traceback" in line] == []
    assert dialogue.server.factory.channels == set()
