"""Datagrams: the TFTP listeners of a configuration, each a server of its own over what all of them share.

Apart from the service, which does without any of it, and does not load it, where there is no such listener.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator, Sequence
from itertools import zip_longest
from socket import SOCK_DGRAM, socket
from typing import Any, TypeAlias

from twisted.cred.portal import Portal
from twisted.logger import Logger

from ftpd.accounts.limits import Limits
from ftpd.accounts.rates import Rates
from ftpd.accounts.settings import SettingsAccounts
from ftpd.binding import bound_to
from ftpd.config.tree import Config
from ftpd.errors import FileTransferError
from ftpd.events import Events
from ftpd.extensions import gather
from ftpd.interfaces import IVirtualFiles
from ftpd.listening import cannot_listen, tell_answering
from ftpd.paths import VirtualPath, encode_name
from ftpd.schema import ConfigError, Problem
from ftpd.spi import Store
from ftpd.tftp.names import read_map_file
from ftpd.tftp.server import TFTPServer
from ftpd.tftp.settings import TFTPListenSettings
from ftpd.tftp.virtual import FileRequest, VirtualFiles
from ftpd.values import FileKind

__all__ = ["DatagramListener", "demand_maps", "make_listeners", "missing_roots", "virtual_files"]

Content: TypeAlias = bytes | None


class DatagramListener:
    """One address and port where requests come in, and the server that answers them.

    A *given* socket, bound, is one of several on the same port, for as many processes: who has opened them has told the log.  It may be that of
    a process that still answers: while `waits` is set, nothing is read.
    """

    _log = Logger()

    def __init__(self, settings: TFTPListenSettings, served: TFTPServer, given: socket | None = None) -> None:
        self.settings = settings
        self.served = served
        self.waits = False
        self._given = given
        self._is_listening = False

    @property
    def address(self) -> tuple[str, int]:
        """IP address and port as bound, while it listens: the port of the settings may be 0."""
        return self.served.address if self._is_listening else (self.settings.address, self.settings.port)

    def listen(self) -> None:
        """Begin to answer; does nothing while it does already, or waits.  Raises `CannotListen`."""
        if self._is_listening or self.waits:
            return
        given, self._given = self._given, None  # the server's from here on
        bound = given or _bound(self.settings)
        self.served.listen(bound)
        self._is_listening = True
        if given is None:
            tell_answering(self._log, bound)

    def close(self) -> None:
        """Answer no more requests; transfers go on.  May be called twice."""
        self._is_listening = False
        self.served.close()
        if self._given is not None:
            self._given.close()  # or requests would go on coming to where nobody reads them

    def hand_over(self, words: str) -> None:
        """Leave the socket to another process: with a single port, what runs can hear its client no more, and ends with *words*."""
        self.close()
        if self.settings.single_port:
            self.served.close_sessions(words)


def _bound(settings: TFTPListenSettings) -> socket:
    try:
        return bound_to(settings.address, settings.port, SOCK_DGRAM)
    except OSError as error:
        raise cannot_listen(error, settings.address, settings.port) from error


def make_listeners(
    config: Config, portal: Portal, limits: Limits, rates: Rates, events: Events, sockets: Sequence[socket], reactor: Any
) -> Iterator[DatagramListener]:
    """Yield a listener for each of `config.tftp.listeners`; *sockets*, if any, belong to them one by one.  Raises `ConfigError`."""
    demand_maps(config)
    files = virtual_files(gather(IVirtualFiles.providedBy, None, config.extensions.directories))
    for listen, given in zip_longest(config.tftp.listeners, sockets):
        served = TFTPServer(
            portal, settings=config.tftp, listen=listen, limits=limits, rates=rates, events=events, files=files, reactor=reactor
        )
        yield DatagramListener(listen, served, given)


def virtual_files(sources: Iterable[VirtualFiles]) -> VirtualFiles | None:
    """Return what asks each of *sources* in turn, until one has something; None where there are none."""
    asked = tuple(sources)
    if len(asked) < 2:
        return next(iter(asked), None)

    def ask(request: FileRequest) -> Content | Awaitable[Content]:
        for index, source in enumerate(asked):
            answer = source(request)
            if isinstance(answer, Awaitable):
                return _first_of(answer, asked[index + 1 :], request)
            if answer is not None:
                return answer
        return None

    return ask


async def _first_of(answer: Awaitable[Content], others: Iterable[VirtualFiles], request: FileRequest) -> Content:
    """Wait for *answer*; where it is None, ask the *others* about the *request*."""
    content = await answer
    for source in others:
        if content is not None:
            break
        later = source(request)
        content = await later if isinstance(later, Awaitable) else later
    return content


async def missing_roots(config: Config, store: Store) -> list[Problem]:
    """Return a problem for each root of TFTP's listeners that is no directory in the files of its account, as *store* has them.

    The account's home itself is as with every login: it may be made at the first.
    """
    accounts = SettingsAccounts(config.account, config.accounts, config.anonymous)
    problems = []
    for index, listener in enumerate(config.tftp.listeners):
        roots = [("root", listener.root), *((f"networks[{place}].root", own.root) for place, own in enumerate(listener.networks))]
        for name, root in roots:
            found = await _fault_of_root(store, accounts, listener.account, VirtualPath.parse(root))
            if found:
                path = f"tftp.listeners[{index}].{name}"
                problems.append(Problem("", path, f"found {root!r}: {found}", "a directory in the files of the listener's account"))
    return problems


async def _fault_of_root(store: Store, accounts: SettingsAccounts, name: str, root: VirtualPath) -> str:
    """Return what is wrong with the directory *root* of the account *name*, empty where nothing is."""
    if root.is_root:
        return ""
    try:
        files = await store.open(await accounts.account(encode_name(name) if name else ()))
        try:
            is_directory = (await files.stat(root)).kind is FileKind.DIRECTORY
        finally:
            await files.close()
    except (FileTransferError, LookupError) as error:
        return str(error)
    return "" if is_directory else "Not a directory"


def demand_maps(config: Config) -> None:
    """Raise `ConfigError` with everything that is wrong with the map files that *config* names, line by line."""
    problems = [
        problem
        for index, listener in enumerate(config.tftp.listeners)
        if listener.map_file
        for problem in _problems_of_map(listener.map_file, f"tftp.listeners[{index}].map_file")
    ]
    if problems:
        raise ConfigError(problems)


def _problems_of_map(os_path: str, path: str) -> Iterator[Problem]:
    try:
        read_map_file(os_path)
    except ConfigError as error:
        for problem in error.problems:
            where = f"{os_path}, {problem.path}" if problem.path else os_path
            yield Problem("", path, f"{where}: {problem.found}", problem.allowed)
