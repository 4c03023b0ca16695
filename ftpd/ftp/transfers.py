"""What happens between 150 and the final reply: data connection, pump, judgement, event, words.

Apart from the commands because RETR, STOR, APPE, STOU and the listings all end in the same few ways.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from ftpd.accounts.rates import Way
from ftpd.errors import BadOffset, DataConnectionFailed, DataNotProtected, NoSpace, OverQuota, TransferCut
from ftpd.events import TransferEnded
from ftpd.ftp.errors_to_replies import reply_for
from ftpd.ftp.protectedport import ProtectedPort
from ftpd.ftp.session import Session, Transfer
from ftpd.ftp.states import Representation
from ftpd.ftp.wire.newlines import from_network, to_network
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.spi import DataConnection, Pump, ReadableFile, Wanted, WritableFile
from ftpd.transfer import CopyOut, Source, choose_download, choose_upload
from ftpd.values import Outcome, TransferResult

__all__ = ["receive", "send", "send_listing"]

_log = Logger()

_COMPLETE: Final = Reply(226, "Transfer complete.")
_AFTER_150: Final = frozenset(
    {425, 426, 451, 522, 551, 552}
)  # the failures that RFC 959 5.4 and RFC 4217 10 have once a transfer was announced


async def send(session: Session, command: str, path: VirtualPath, file: ReadableFile) -> Reply:
    """Send *file* from the pending REST offset on; 226 when the peer's kernel has acknowledged the last byte."""
    size, start = file.info.size, session.restart
    is_ascii = session.representation is Representation.ASCII
    if start > size and not is_ascii:
        raise BadOffset(path)
    wanted = _wanted(session, "download", start=start)
    if is_ascii:
        wanted = attrs.evolve(wanted, start=0, transform=_skipping(to_network(), start))
    transfer = _begin(session, command, "download", path, None if is_ascii else size - start)
    length = "" if is_ascii else f" ({size} bytes)"
    words = f"Opening {session.representation.words} mode data connection for {path}{length}."
    result = await _move(
        session, transfer, words, lambda connection: choose_download(session.factory.crews, connection, file, wanted)
    )
    return _conclude(session, transfer, result)


async def receive(session: Session, command: str, file: WritableFile, *, names_file: bool = False) -> Reply:
    """Store into *file*; 226 when it is committed, and in every other case nothing new stands under its name.

    *names_file* puts the name into the 150 as RFC 1123 4.1.2.9 asks of STOU.
    """
    transfer = _begin(session, command, "upload", file.path, None)
    words = f"FILE: {file.path}" if names_file else f"Opening {session.representation.words} mode data connection for {file.path}."
    wanted = _wanted(session, "upload", start=file.start, ceiling=file.ceiling)
    if session.representation is Representation.ASCII:
        wanted = attrs.evolve(wanted, transform=from_network())
    result = await _move(
        session, transfer, words, lambda connection: choose_upload(session.factory.crews, connection, file, wanted)
    )
    return _conclude(session, transfer, await _settled(file, result))


async def send_listing(session: Session, command: str, path: VirtualPath, source: Source) -> Reply:
    """Send a listing as *source* gives it, piece by piece."""
    transfer = _begin(session, command, "listing", path, None)
    result = await _move(
        session,
        transfer,
        f"Opening {session.representation.words} mode data connection for the listing.",
        lambda connection: CopyOut(session.factory.reactor, connection, source, _wanted(session, "download")),
    )
    return _conclude(session, transfer, result)


def _wanted(session: Session, way: Way, start: int = 0, ceiling: int | None = None) -> Wanted:
    return Wanted(
        start=start,
        ceiling=ceiling,
        stall_seconds=session.factory.settings.timeouts.stalled_transfer,
        pace=session.pace(way),
    )


def _begin(session: Session, command: str, direction: str, path: VirtualPath, size: int | None) -> Transfer:
    session.transfer = Transfer(command, direction, path, size, session.factory.reactor.seconds())
    return session.transfer


async def _move(session: Session, transfer: Transfer, words: str, choose: Callable[[DataConnection], Pump]) -> TransferResult:
    """Say 150 with *words*, open the data connection and run the pump over it; every way to fail is in the result."""
    port = session.take_data()
    if session.protection.is_private and not isinstance(port, ProtectedPort):
        port = ProtectedPort(session, port)
    try:
        if isinstance(port, ProtectedPort) and transfer.direction == "upload":
            await port.settle()
        session.channel.send(Reply(150, words))
        if transfer.direction == "upload":
            session.channel.flush()  # the client waits for it, and sends while we accept its connection (tests/bench: stor)
        connection = await port.open()
    except (CancelledError, DataConnectionFailed, DataNotProtected) as error:
        session.channel.after_reply(port.close)
        seconds = session.factory.reactor.seconds() - transfer.started
        if isinstance(error, CancelledError):
            return TransferResult(0, seconds, Outcome.CANCELLED)
        return TransferResult(0, seconds, Outcome.PEER_FAULT, error)
    session.channel.after_reply(connection.close)  # a download's end is sent by its pump, and nobody waits for an upload's
    transfer.pump = choose(connection)
    return await transfer.pump.start()


async def _settled(file: WritableFile, result: TransferResult) -> TransferResult:
    """Publish a file that has arrived whole and free any other; what cannot be published is a fault of ours, whatever the store raises."""
    is_whole = result.outcome is Outcome.FINISHED
    is_full = isinstance(result.error, NoSpace | OverQuota)  # then a kept part would leave no room for anybody
    try:
        await (file.commit() if is_whole else file.abandon(keeps=not is_full))
    except CancelledError:
        raise
    except Exception as error:
        if is_whole:
            return attrs.evolve(result, outcome=Outcome.LOCAL_FAULT, error=error)
        _log.failure("an upload to {path} that failed could not be cleared away", path=str(file.path))
    return result


def _conclude(session: Session, transfer: Transfer, result: TransferResult) -> Reply:
    """Choose the reply, only FINISHED is 226, and tell the observers once it is out: the client need not wait for the logs."""
    session.transfer = None
    reply = _reply(session, result)
    if session.factory.events.wants(TransferEnded):
        session.channel.after_reply(partial(_tell, session, transfer, result, reply))
    return reply


def _tell(session: Session, transfer: Transfer, result: TransferResult, reply: Reply) -> None:
    account = session.account
    event = TransferEnded(
        peer=session.peer,
        account=account.name if account else "",
        is_anonymous=account.is_anonymous if account else False,
        command=transfer.command,
        direction=transfer.direction,
        path=str(transfer.path),
        moved=result.moved,
        seconds=result.seconds,
        outcome=result.outcome,
        cause="" if result.outcome is Outcome.FINISHED else reply.text,
        is_ascii=session.representation is Representation.ASCII,
    )
    session.publish(event)


def _reply(session: Session, result: TransferResult) -> Reply:
    if result.outcome is Outcome.FINISHED:
        return _COMPLETE
    if result.outcome is Outcome.CANCELLED:
        return Reply(426, session.stop.value if session.stop else "Transfer cancelled.")
    error = result.error or TransferCut("Transfer failed")
    if isinstance(error, OSError):
        error = TransferCut(f"{error.strerror or error} after {result.moved} bytes", result.moved)
    reply = reply_for(error)
    if reply.code in _AFTER_150:
        return reply
    return reply._replace(code=552 if isinstance(error, NoSpace) else 451)


def _skipping(transform: Callable[[bytes], bytes], count: int) -> Callable[[bytes], bytes]:
    """Drop the first *count* bytes of what *transform* gives: REST in TYPE A counts bytes on the wire (RFC 3659 5.3)."""
    left = count

    def skip(piece: bytes) -> bytes:
        nonlocal left
        converted = transform(piece)
        dropped = min(left, len(converted))
        left -= dropped
        return converted[dropped:] if dropped else converted

    return skip if count else transform
