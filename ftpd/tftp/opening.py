"""Opening: from a request to an exchange: the login, the name, the file, the terms.

Apart from the server, which counts and dispatches: here is what a request means, step by step, for one client.
"""

from __future__ import annotations

import errno
import inspect
from contextlib import suppress
from functools import lru_cache
from typing import Final, TypeAlias

import attrs
from twisted.cred.error import LoginFailed as CredLoginFailed
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError

from ftpd.errors import FileTransferError, NotFound, NotPermitted, OverQuota, from_oserror
from ftpd.events import LoginFailed, RequestRefused
from ftpd.paths import VirtualPath, decode_name, encode_name
from ftpd.spi import ReadableFile
from ftpd.tftp.download import Download, Frames
from ftpd.tftp.endpoint import IS_LINUX, Address
from ftpd.tftp.errors_to_codes import answer_for
from ftpd.tftp.exchange import Exchange, Home, Visitor
from ftpd.tftp.frames import FileFrames, Geometry, HotFiles
from ftpd.tftp.groups import Groups
from ftpd.tftp.line import ConnectedLine, Line, SharedLine
from ftpd.tftp.logins import Logins
from ftpd.tftp.mapping import MappedFrames, can_map
from ftpd.tftp.multicast_download import MulticastDownload
from ftpd.tftp.names import Names, Resolved, read_map_file
from ftpd.tftp.neighbours import Neighbours
from ftpd.tftp.path import PathProbe
from ftpd.tftp.port import Arrival, RequestPort
from ftpd.tftp.settings import TFTPListenSettings, TFTPSettings
from ftpd.tftp.stream import StreamFrames, is_streamed, pieces_of
from ftpd.tftp.timing import Timing
from ftpd.tftp.transfer_port import TransferPorts
from ftpd.tftp.upload import Upload
from ftpd.tftp.virtual import FileRequest, VirtualFile, VirtualFiles
from ftpd.tftp.window import Receiver, Sender
from ftpd.tftp.wire.netascii import Encoder
from ftpd.tftp.wire.options import Ceilings, Terms, agree
from ftpd.tftp.wire.packets import Mode, error, parse_request
from ftpd.values import FileKind, WriteMode

__all__ = ["Opening"]

Route: TypeAlias = tuple[Address, Arrival, RequestPort | None]  # whence a request came, where to, and through what
Opened: TypeAlias = tuple[Exchange | None, bytes]  # an exchange, or what to answer in its place

_MODES: Final = {"existing": WriteMode.REPLACE, "create": WriteMode.CREATE, "any": WriteMode.REPLACE}
_REMEMBERED: Final = (
    256  # requests, with what they were granted: machines that boot together ask in the same words (tests/bench: tftp-tiny)
)


_FEW_BLOCKS: Final = 16  # of a download that shares a port: beyond that a connected socket, where each packet costs less, pays


class _NoPort(Exception):
    """All ports of the range are in use: the client shall ask again, and an error would be the end for it."""


class Opening:
    """Opens what clients of one listener ask for; *home* is told of it."""

    def __init__(
        self, home: Home, portal: Portal, settings: TFTPSettings, listen: TFTPListenSettings, files: VirtualFiles | None
    ) -> None:
        self._home = home
        self._settings = settings
        self._listen = listen
        self._files = files
        self._neighbours = Neighbours()
        self._probe = PathProbe(home.reactor)
        self._ports = TransferPorts(home.reactor, listen.ports, self._probe)
        map_file = read_map_file(listen.map_file) if listen.map_file else None
        self._names = Names(listen, map_file, self._neighbours.mac_of if listen.unique_root == "mac" else None)
        self._hot = HotFiles(settings.memory)
        timeouts = settings.timeouts
        self._timeouts = (timeouts.first, timeouts.longest, timeouts.give_up)
        options = settings.options
        self._fits_mtu = options.fit_mtu
        self._ceilings = Ceilings(options.largest_block, options.largest_window, frozenset(options.refuse), options.rollover)
        self._agreed = lru_cache(_REMEMBERED)(self._agree)
        self._groups = _groups(home, settings, listen)
        self._logins = Logins(portal, encode_name(listen.account), home.reactor)

    def close(self) -> None:
        """Nothing is to be opened any more; may be called twice."""
        self._neighbours.close()
        self._probe.close()
        self._ports.retire()
        self._logins.close()

    async def open(self, visitor: Visitor, source: Address, arrival: Arrival, port: RequestPort | None) -> Opened:
        """Return the exchange that *visitor* asks for, attached to a line and not started, or the packet that refuses it."""
        try:
            await self._log_in(visitor)
            found = self._names.resolve(visitor.request.name, is_write=visitor.request.is_write, address=visitor.peer.address)
            path = found.path if found.unique is None else await self._place(visitor, found, found.unique)
            route = (source, arrival, port)
            if visitor.request.is_write:
                return await self._upload(visitor, path, route), b""
            return await self._download(visitor, found.name, path, route), b""
        except CancelledError:
            raise
        except _NoPort:
            self._home.turn_away(visitor.peer, "No port is free to answer from")
            return None, b""
        except Exception as refusal:
            return None, self._refuse(visitor, refusal)

    async def _log_in(self, visitor: Visitor) -> None:
        peer = visitor.peer
        try:
            login = await self._logins.enter(peer)
        except CredLoginFailed as failure:
            self._home.publish(
                LoginFailed(peer=peer, account=self._listen.account or "anonymous", reason=str(failure) or type(failure).__name__)
            )
            raise NotPermitted from None
        visitor.logged_in(login, self._logins)
        if visitor.account.max_sessions is not None:
            await visitor.take_place()

    async def _place(self, visitor: Visitor, found: Resolved, own: VirtualPath) -> VirtualPath:
        """Return the path of the file that is meant: in the client's *own* directory, where it has one."""
        with suppress(FileTransferError):
            if (await visitor.files.stat(own)).kind is FileKind.DIRECTORY:
                return found.below(own)
        return found.path

    def _line(self, route: Route, *, is_short: bool = False) -> Line:
        source, arrival, port = route
        if self._listen.single_port and port is not None:
            return SharedLine(port, self._probe, arrival[0], source, arrival[1])
        try:
            shared = self._ports.line(arrival[0], source) if is_short else None
            return shared or ConnectedLine(self._home.reactor, arrival[0], source, self._listen.ports)
        except OSError as failure:
            if failure.errno == errno.EADDRINUSE:
                raise _NoPort from failure
            raise from_oserror(failure) from failure

    # Reading.

    async def _download(self, visitor: Visitor, name: str, path: VirtualPath, route: Route) -> Exchange:
        request = visitor.request
        # Before there is a line: most that is asked for in a boot is not there.
        files = self._files
        file: ReadableFile = await (visitor.files.open_read(path) if files is None else _readable(visitor, name, path, files))
        frames: Frames | None = None
        try:
            is_octet = request.mode is Mode.OCTET
            is_size_known = is_octet and not is_streamed(file)
            if is_size_known and "multicast" in request.options and self._groups is not None:
                member = self._member(visitor, path, route, file, self._groups)
                if member is not None:
                    return member
            terms, geometry = self._terms(visitor, route, file.info.size if is_size_known else None)
            if is_size_known:
                frames = (MappedFrames if can_map(file, geometry) else FileFrames)(file, path, geometry, self._hot)
            else:
                frames = StreamFrames(pieces_of(file, path), geometry, None if is_octet else Encoder().encode)
            timer = Sender(
                terms.window, self._timing(terms), rollover=terms.rollover, has_oack=bool(terms.acknowledged), last=frames.last
            )
            exchange = Download(visitor, path, terms, file, timer, frames)
            line = self._line(route, is_short=frames.last is not None and frames.last <= _FEW_BLOCKS)
        except BaseException:
            if frames is not None:
                frames.close()
            await file.close()
            raise
        exchange.attach(line)
        return exchange

    def _member(self, visitor: Visitor, path: VirtualPath, route: Route, file: ReadableFile, groups: Groups) -> Exchange | None:
        """Return the client's part in what goes to a group; None: it gets the file by itself, as if it had not asked for `multicast`."""
        source, arrival, _ = route
        terms, geometry = self._terms(visitor, route, file.info.size, multicast="")
        if ":" in source[0] or not groups.can_send(file.info, terms.block_size):
            return None
        frames = FileFrames(file, path, geometry, self._hot)
        place = groups.join(file.info, terms.block_size, arrival[0], source, self._timing(terms))
        if place is None:
            frames.close()
            return None
        terms = attrs.evolve(terms, acknowledged={**terms.acknowledged, "multicast": place.granted})
        return MulticastDownload(visitor, path, terms, file, frames, place)

    # Writing.

    async def _upload(self, visitor: Visitor, path: VirtualPath, route: Route) -> Exchange:
        mode = _MODES.get(self._listen.write)
        if mode is None:
            raise NotPermitted(path, "This server takes no files by TFTP")
        line = self._line(route)
        try:
            exchange = await self._stored_by(visitor, path, route, mode)
        except BaseException:
            line.close()
            raise
        exchange.attach(line)
        return exchange

    async def _stored_by(self, visitor: Visitor, path: VirtualPath, route: Route, mode: WriteMode) -> Exchange:
        terms, _ = self._terms(visitor, route, None)
        largest = self._settings.largest_file or None
        if largest is not None and (terms.declared_size or 0) > largest:
            raise OverQuota(path, f"Larger than the {largest} bytes that one file may have")
        if self._listen.write == "existing":
            await visitor.files.stat(path)  # NotFound, or what else forbids it
        file = await visitor.files.open_write(path, mode=mode, expected_size=terms.declared_size)
        try:
            ceilings = [ceiling for ceiling in (largest, file.ceiling) if ceiling is not None]
            timer = Receiver(terms.window, self._timing(terms), rollover=terms.rollover)
            return Upload(visitor, file.path, terms, file, timer, min(ceilings, default=None))
        except BaseException:
            await file.abandon(keeps=False)
            raise

    # Terms.

    def _terms(self, visitor: Visitor, route: Route, size: int | None, multicast: str | None = None) -> tuple[Terms, Geometry]:
        """Return what *visitor* is granted, and how a file of *size* bytes is cut by it."""
        options = visitor.request.options
        fits = self._fits_mtu and ("blksize" in options or "blksize2" in options)  # what depends on the way to the client
        path_block = self._probe.path_block(route[1][0], route[0]) if fits else None
        return self._agreed(visitor.datagram, path_block, size, multicast)

    def _agree(self, datagram: bytes, mtu_block: int | None, size: int | None, multicast: str | None) -> tuple[Terms, Geometry]:
        ceilings = self._ceilings
        if multicast is not None:  # a group goes in lock-step: its clients have no window in common
            ceilings = attrs.evolve(ceilings, refused=ceilings.refused | {"windowsize"})
        terms = agree(parse_request(datagram), ceilings, mtu_block=mtu_block, size=size, multicast=multicast)
        return terms, Geometry(terms.block_size, terms.window, terms.rollover)

    def _timing(self, terms: Terms) -> Timing:
        return Timing(*self._timeouts, terms.timeout)

    # Refusals.

    def _refuse(self, visitor: Visitor, refusal: Exception) -> bytes:
        visitor.hands_on = is_missing = isinstance(refusal, NotFound)
        self._home.publish(
            RequestRefused(
                peer=visitor.peer,
                account=visitor.name,
                command=visitor.request.command,
                path=decode_name(visitor.request.name),
                reason=str(refusal),
                is_missing=is_missing,
            )
        )
        return error(*answer_for(refusal))


async def _readable(visitor: Visitor, name: str, path: VirtualPath, files: VirtualFiles) -> ReadableFile:
    """Return what *files* have for *visitor*, who asked for *name*, else what the store has."""
    content = files(FileRequest(name, path, visitor.peer, visitor.request.options))
    if inspect.isawaitable(content):
        content = await content
    if content is not None:
        return VirtualFile(path.name, content)
    file: ReadableFile = await visitor.files.open_read(path)
    return file


def _groups(home: Home, settings: TFTPSettings, listen: TFTPListenSettings) -> Groups | None:
    """Return where groups are made, None where `multicast` is not granted: behind a single port nothing could keep clients apart."""
    is_granted = settings.multicast.enabled and "multicast" not in settings.options.refuse
    return Groups(home.reactor, settings.multicast, listen.ports) if is_granted and IS_LINUX and not listen.single_port else None
