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

from ftpd.errors import BadOffset, BadParameter, DataConnectionFailed, DataNotProtected, NoSpace, OverQuota, TransferCut
from ftpd.events import TransferEnded
from ftpd.ftp.data.protected import ProtectedPort
from ftpd.ftp.errors_to_replies import reply_for
from ftpd.ftp.hashes.digests import digest_of
from ftpd.ftp.session import Session, Transfer
from ftpd.ftp.states import Stop
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.wire.conversion import Form, incoming, outgoing
from ftpd.ftp.wire.form import Mode, Representation, Structure
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.spi import Conversion, DataConnection, Pump, ReadableFile, Wanted, WritableFile
from ftpd.transfer import CopyOut, Source, choose_download, choose_upload, converted
from ftpd.values import FileInfo, Mark, Outcome, TransferResult

__all__ = ["form_of", "receive", "send", "send_listing"]

_log = Logger()

_COMPLETE: Final = Reply(226, "Transfer complete.")
_PLAIN: Final = Form(Representation.IMAGE, Structure.FILE, Mode.STREAM)
_GRACE_SHARE: Final = 0.01  # of an upload's time: nobody notices
_LEAST_GRACE_SECONDS: Final = 0.001  # what a reactor can wait; small files are not kept up
_MOST_GRACE_SECONDS: Final = 0.05
_AFTER_150: Final = frozenset(
    {425, 426, 451, 522, 551, 552}
)  # the failures that RFC 959 5.4 and RFC 4217 10.2 have once a transfer was announced


async def send(session: Session, command: str, path: VirtualPath, file: ReadableFile) -> Reply:
    """Send *file* from the pending REST offset on, or the pending range of it; 226 when the peer's kernel has acknowledged the last byte."""
    size, form = file.info.size, form_of(session)
    start, end = _extent(session, form, size)
    is_plain = form is _PLAIN  # mostly, and the form need not be asked (tests/bench: retr)
    skips_wire = not is_plain and form.counts_wire
    if start > size and not skips_wire:
        raise BadOffset(path)
    conversion = None if is_plain else outgoing(form, start)
    wanted = Wanted(
        start=0 if skips_wire else start,
        end=end,
        conversion=conversion,
        stall_seconds=session.factory.settings.timeouts.stalled_transfer,
        pace=session.pace("download"),
    )
    count = (size if end is None else min(end, size)) - start
    transfer = _begin(session, command, "download", path, count if conversion is None else None)
    length = "" if not is_plain and form.is_text else f" ({size if end is None else count} bytes)"
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
    form = form_of(session)
    conversion = None if form is _PLAIN else incoming(form)
    wanted = Wanted(
        start=file.start,
        ceiling=file.ceiling,
        conversion=conversion,
        mark=partial(_tell_mark, session) if conversion is not None else None,
        stall_seconds=session.factory.settings.timeouts.stalled_transfer,
        pace=session.pace("upload"),
    )
    result = await _move(
        session, transfer, words, lambda connection: choose_upload(session.factory.crews, connection, file, wanted)
    )
    if result.outcome is Outcome.FINISHED:
        result = await _unless_aborted(session, result)
    result, stored = await _settled(file, result)
    if stored is None:
        return _conclude(session, transfer, result)
    digest = (
        await digest_of(session, file.path, stored, is_own=file.start == 0)
        if session.factory.settings.hashes.upload_digest
        else None
    )
    return _conclude(session, transfer, result, _receipt(result, stored, digest))


async def send_listing(session: Session, command: str, path: VirtualPath, source: Source) -> Reply:
    """Send a listing as *source* gives it, in lines that end in CRLF, piece by piece."""
    transfer = _begin(session, command, "listing", path, None)
    conversion = _listing_conversion(session)
    if conversion is not None:
        source = converted(_with_bare_ends(source), conversion, session.factory.crews.compute)
    wanted = Wanted(stall_seconds=session.factory.settings.timeouts.stalled_transfer, pace=session.pace("download"))
    result = await _move(
        session,
        transfer,
        f"Opening {session.representation.words} mode data connection for the listing.",
        lambda connection: CopyOut(session.factory.reactor, connection, source, wanted),
    )
    return _conclude(session, transfer, result)


def form_of(session: Session) -> Form:
    """Return how files stand on data connections now: TYPE, STRU, MODE and what belongs to them."""
    if session.representation is Representation.IMAGE and session.structure is Structure.FILE and session.mode is Mode.STREAM:
        return _PLAIN
    settings = session.factory.settings
    return Form(
        session.representation,
        session.structure,
        session.mode,
        code_page=settings.code_page,
        level=session.deflate_level,
        max_ratio=settings.deflate.max_ratio,
        marker_bytes=settings.marker_bytes,
    )


def _extent(session: Session, form: Form, size: int) -> tuple[int, int | None]:
    """Return where to start and where to end, None for the end of the file, as REST or RANG have said."""
    if session.range is None:
        return session.restart, None
    if form.is_converted:
        raise BadParameter("RANG counts bytes of the file: it needs TYPE I, STRU F and MODE S")
    first, last = session.range
    if first >= size:
        raise BadOffset(None, f"The file has {size} bytes, and the range starts at {first}")
    return first, last + 1


def _listing_conversion(session: Session) -> Conversion | None:
    """Return what makes the lines of a listing, which end in CRLF, what TYPE, STRU and MODE say; in TYPE I they are sent as in TYPE A."""
    is_ebcdic = session.representation is Representation.EBCDIC
    if not is_ebcdic and session.structure is Structure.FILE and session.mode is Mode.STREAM:
        return None
    form = form_of(session)
    return outgoing(form if is_ebcdic else attrs.evolve(form, representation=Representation.ASCII), 0)


def _with_bare_ends(source: Source) -> Source:
    async def next_piece() -> bytes:
        return (await source()).replace(b"\r\n", b"\n")

    return next_piece


def _tell_mark(session: Session, mark: Mark, offset: int) -> None:
    """Tell a sender what to say with REST if it has to go on from its *mark* (RFC 959 3.5): all before *offset* is in the file.

    One that does not read its replies is told no more: a marker takes four bytes, and its answer twenty.
    """
    if session.channel.is_backed_up:
        return
    session.channel.send(Reply(110, f"MARK {mark.text} = {offset}"))


def _begin(session: Session, command: str, direction: str, path: VirtualPath, size: int | None) -> Transfer:
    if not session.is_type_given and direction != "listing":
        session.tolerates(Tolerance.NO_TYPE)
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
    moving = transfer.pump.start()
    return moving if isinstance(moving, TransferResult) else await moving


async def _unless_aborted(session: Session, result: TransferResult) -> TransferResult:
    """Let an ABOR count that came before the end of the data, though that was read first: half a file is not whole because its client gave up.

    Net::FTP and BSD's ftp close the data connection right behind their ABOR.  A client that is killed in the middle says nothing and ends both
    connections: an unexpected end of the control connection is an ABOR too (RFC 959 4.1.1, QUIT).  Whatever else cancels comes too late:
    the file is here.
    """
    transfer = session.transfer
    session.transfer = None  # what is answered beside a transfer waits now: a SIZE that was sent behind the data is of the new file
    try:
        await session.channel.catch_up(_grace(result.seconds))
    except CancelledError:
        if _is_given_up(session):
            return attrs.evolve(result, outcome=Outcome.CANCELLED)
    finally:
        session.transfer = transfer
    return result


def _is_given_up(session: Session) -> bool:
    """Whether the client wants nothing to be made of what it has sent; devices that leave without QUIT leave so with a whole file, too."""
    return session.stop is Stop.ABORTED or (session.stop is Stop.DISCONNECTED and not session.device.tolerates(Tolerance.NO_QUIT))


def _grace(seconds: float) -> float:
    """Return how long the end of the control connection may come behind that of the data, as a killed client's can, after so many of transfer."""
    grace = seconds * _GRACE_SHARE
    return 0.0 if grace < _LEAST_GRACE_SECONDS else min(grace, _MOST_GRACE_SECONDS)


async def _settled(file: WritableFile, result: TransferResult) -> tuple[TransferResult, FileInfo | None]:
    """Publish a file that has arrived whole, and describe it, and free any other; what cannot be published is a fault of ours, whatever the store raises."""
    is_whole = result.outcome is Outcome.FINISHED
    try:
        if is_whole:
            return result, await file.commit()
        is_full = isinstance(result.error, NoSpace | OverQuota)  # then a kept part would leave no room for anybody
        await file.abandon(keeps=not is_full)
    except CancelledError:
        raise
    except Exception as error:
        if is_whole:
            return attrs.evolve(result, outcome=Outcome.LOCAL_FAULT, error=error), None
        _log.failure("an upload to {path} that failed could not be cleared away", path=str(file.path))
    return result, None


def _receipt(result: TransferResult, stored: FileInfo, digest: str | None) -> Reply:
    """Tell what was stored; what came is told too where it is another number: behind an offset, or converted."""
    came = "" if result.moved == stored.size else f"; {result.moved} bytes came"
    hashed = "" if digest is None else f"; SHA-256 {digest}"
    return Reply(226, f"Transfer complete: {stored.size} bytes stored in {result.seconds:.3f} s{came}{hashed}.")


def _conclude(session: Session, transfer: Transfer, result: TransferResult, success: Reply = _COMPLETE) -> Reply:
    """Choose the reply, only FINISHED is *success*, and tell the observers once it is out: the client need not wait for the logs."""
    session.transfer = None
    reply = success if result.outcome is Outcome.FINISHED else _failure(session, result)
    if session.trace is not None or session.factory.events.wants(TransferEnded):
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
        is_ascii=session.representation is not Representation.IMAGE,
    )
    session.publish(event)


def _failure(session: Session, result: TransferResult) -> Reply:
    if result.outcome is Outcome.CANCELLED:
        return Reply(426, session.stop.value if session.stop else "Transfer cancelled.")
    error = result.error or TransferCut("Transfer failed")
    if isinstance(error, OSError):
        error = TransferCut(f"{error.strerror or error} after {result.moved} bytes", result.moved)
    reply = reply_for(error)
    if reply.code in _AFTER_150:
        return reply
    return reply._replace(code=552 if isinstance(error, NoSpace) else 451)
