"""Frozen values that the floors hand to one another."""

from __future__ import annotations

import enum
import ipaddress
from functools import lru_cache
from typing import NamedTuple

import attrs

from ftpd.errors import FileTransferError
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import Size, setting

__all__ = [
    "Ability",
    "Account",
    "AccountRates",
    "Attributes",
    "ClientCertificate",
    "Failures",
    "FileInfo",
    "FileKind",
    "Mark",
    "Outcome",
    "Peer",
    "Permission",
    "Place",
    "Removed",
    "Request",
    "Rule",
    "SessionRow",
    "TLSFacts",
    "TransferResult",
    "WriteMode",
]


class FileKind(enum.Enum):
    """What a name stands for; the value is the first letter of its `ls -l` row."""

    FILE = "-"
    DIRECTORY = "d"
    LINK = "l"
    OTHER = "?"


class FileInfo(NamedTuple):
    """One file as a store describes it.

    A NamedTuple, not an attrs class: a listing makes 100,000 of them, and a tuple is made in a third of the time
    (tests/bench: listing).  `mode` is the permission bits only.  `unique` tells two names of one file apart from two files
    ("" = the store cannot say); `target` is the text of a symbolic link.  `created_ns`, nanoseconds since the epoch, is None where
    nobody knows, and where a store would have to look for that alone: `spi.DatedFilesystem` is then asked.
    """

    name: str
    kind: FileKind
    size: int = 0
    modified_ns: int = 0
    mode: int = 0o644
    links: int = 1
    owner: str = "ftp"
    group: str = "ftp"
    unique: str = ""
    target: str | None = None
    created_ns: int | None = None

    @property
    def modified(self) -> int:
        """Last change of the content, whole seconds since the epoch, UTC."""
        return self.modified_ns // 1_000_000_000


@attrs.frozen
class Attributes:
    """What `set_attributes` shall change; `None` leaves it as it is.  Times are nanoseconds since the epoch, UTC."""

    mode: int | None = None
    modified_ns: int | None = None
    accessed_ns: int | None = None
    owner: int | None = None
    group: int | None = None
    created_ns: int | None = None


class WriteMode(enum.Enum):
    """How `open_write` treats what is there."""

    CREATE = "create"  # AlreadyExists if the name is taken
    REPLACE = "replace"  # the new file takes the name at commit; until then the old one stands untouched
    APPEND = "append"  # behind the kept part of a cut upload, or behind the published file
    RESUME = "resume"  # from `offset` on, in the kept part of a cut upload, or in the published file
    UNIQUE = "unique"  # a name nobody has, made from the wanted one; `WritableFile.path` tells it


class Removed(NamedTuple):
    """What one batch of the removal of a tree has done: how much is gone, and for each entry that stays, why (`path` is set)."""

    files: int
    directories: int
    kept: tuple[FileTransferError, ...]
    is_over: bool


class Ability(enum.Flag):
    """What a store can do beyond reading and writing whole files; FEAT and SFTP read this."""

    NONE = 0
    LINKS = enum.auto()
    MODES = enum.auto()
    TIMES = enum.auto()
    RESUME = enum.auto()
    STAGING = enum.auto()  # a file that is being replaced stands untouched until the new one is whole
    CREATION_TOLD = enum.auto()  # when files were created, by `FileInfo.created_ns` or `spi.DatedFilesystem`
    CREATION_SET = enum.auto()  # a time of creation that is set is kept, and told from then on


class Permission(enum.Flag):
    """What an account may do in a subtree; the only check is `accounts/guard.py`."""

    NONE = 0
    LIST = enum.auto()  # list directories and describe files
    READ = enum.auto()  # fetch files
    CREATE = enum.auto()  # store under a new name
    OVERWRITE = enum.auto()  # replace, append to or resume a published file
    DELETE = enum.auto()
    RENAME = enum.auto()
    DIRECTORIES = enum.auto()  # make and remove directories
    ATTRIBUTES = enum.auto()  # modes and times

    VIEW = LIST | READ
    WRITE = CREATE | OVERWRITE | DELETE | RENAME | DIRECTORIES | ATTRIBUTES
    ALL = VIEW | WRITE


@attrs.frozen
class Rule:
    """The permissions in the subtree *path*; of several rules the longest path wins."""

    path: VirtualPath
    allows: Permission


@attrs.frozen
class AccountRates:
    """The rates of one account that differ from what is set for all, bytes a second; the `rates` table of an account."""

    account_download: Size = setting(Size(0), help="Its downloads together; 0: as in [rates].", unit="bytes/s", minimum=0)
    account_upload: Size = setting(Size(0), help="Its uploads together; 0: as in [rates].", unit="bytes/s", minimum=0)
    session_download: Size = setting(
        Size(0), help="The downloads of each of its sessions; 0: as in [rates].", unit="bytes/s", minimum=0
    )
    session_upload: Size = setting(
        Size(0), help="The uploads of each of its sessions; 0: as in [rates].", unit="bytes/s", minimum=0
    )
    transfer_download: Size = setting(Size(0), help="Each of its downloads; 0: as in [rates].", unit="bytes/s", minimum=0)
    transfer_upload: Size = setting(Size(0), help="Each of its uploads; 0: as in [rates].", unit="bytes/s", minimum=0)


@attrs.frozen
class Account:
    """Who somebody is here, apart from how it was proven.

    `home` is where the session starts, and with `is_confined` also its root.  `rules` are matched against the path that
    the client sees.  The numbers are limits; `None` means none.  `needs_tls` refuses a login in clear, as a wrong password is refused;
    `needs_private_data` transfers in clear.  `rates` are its own, where it has any.  With
    `sees_all_sessions` SITE WHO shows everybody's.  `host` is the virtual host that the account belongs
    to, "" for the server's own: the same name there is somebody else.
    """

    name: str
    home: VirtualPath = ROOT
    is_confined: bool = True
    rules: tuple[Rule, ...] = (Rule(ROOT, Permission.VIEW),)
    is_anonymous: bool = False
    may_fxp: bool = False
    max_sessions: int | None = None
    max_file_size: int | None = None
    needs_tls: bool = False
    needs_private_data: bool = False
    host: str = ""
    rates: AccountRates | None = None
    sees_all_sessions: bool = False


@attrs.frozen
class ClientCertificate:
    """Whom a verified client certificate names: its subject (RFC 4514), common name, SAN e-mail addresses, SHA-256 of the DER in hex."""

    subject: str
    common_name: str
    emails: tuple[str, ...]
    fingerprint: str


@attrs.frozen
class TLSFacts:
    """What is known of a protected connection, in OpenSSL's words; all empty where TLS is somebody else's (an `ssl:` endpoint).

    `server_name` is the SNI that the client sent, in lower case; `client` the certificate that was verified, if there was one.
    """

    version: str
    cipher: str
    group: str = ""
    is_resumed: bool = False
    server_name: str = ""
    client: ClientCertificate | None = None


class Peer(NamedTuple):
    """Both ends of a control connection.  Addresses are IP text without zone, "" for a Unix socket; a v4-mapped address is IPv4.
    `host` is the virtual host that HOST or SNI has chosen.

    A NamedTuple, as every connection makes one (tests/bench: login).
    """

    address: str
    port: int
    local_address: str
    local_port: int
    protocol: str = "ftp"
    listener: str = ""
    session: str = ""
    tls: TLSFacts | None = None
    host: str = ""

    @property
    def endpoint(self) -> str:
        """The client's address and port as logs write them."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether both ends are on this machine, so that nobody can listen in; true for a Unix socket."""
        return _is_loopback(self.address) and _is_loopback(self.local_address)


@lru_cache(maxsize=1024)  # asked at every login; a parse costs 10 us (tests/bench: login)
def _is_loopback(address: str) -> bool:
    return not address or ipaddress.ip_address(address).is_loopback


@attrs.frozen
class Mark:
    """A restart marker that a sender put between the bytes of a file; *text* is its own (RFC 959 3.5)."""

    text: str


class Outcome(enum.Enum):
    """How a transfer ended; only FINISHED is a success."""

    FINISHED = "finished"
    LOCAL_FAULT = "local-fault"
    PEER_FAULT = "peer-fault"
    CANCELLED = "cancelled"


@attrs.frozen
class TransferResult:
    """The judged end of one transfer: payload bytes moved, seconds from start to end, and the error of a fault."""

    moved: int
    seconds: float
    outcome: Outcome
    error: Exception | None = None


@attrs.frozen
class Place:
    """One of *most* things that sessions take while they last: in all, of an address, of an account; None: any number.

    `key` names what is counted and is the same text in every process.
    """

    key: str
    most: int | None


@attrs.frozen
class Failures:
    """Failed logins of one address: how many within the window, and until when it is banned, in the reactor's seconds; 0.0: it is not."""

    count: int
    banned_until: float = 0.0


@attrs.frozen
class SessionRow:
    """One session as others see it (`ftpd who`); times in seconds since the epoch, sizes in bytes.

    `account` is empty before the login.  `command` to `transfer_since` are those of the transfer under way, empty or None without one; `size`
    is None where nobody knows it.  `heard` is when the client last said something, or its last command ended.  `device` is what the client is
    known as, and `tolerated` the faults of it that were let pass, with their numbers.
    """

    session: str
    address: str
    port: int
    listener: str
    protocol: str
    since: float
    heard: float
    account: str = ""
    is_anonymous: bool = False
    host: str = ""
    client: str = ""
    tls: str = ""
    worker: str = ""
    command: str = ""
    direction: str = ""
    path: str = ""
    size: int | None = None
    moved: int = 0
    transfer_since: float | None = None
    device: str = ""
    tolerated: str = ""


@attrs.frozen
class Request:
    """What an operator wants of the sessions that *field*, "session", "account" or "address", says are *value*; or of a worker: field "worker".

    `action` is "kick" (end them with 421), "slow" (hold them to *rate* bytes a second each way; 0: no more) or "drain" (the worker accepts nobody
    more, and ends when its sessions have).
    """

    action: str
    field: str
    value: str
    rate: int = 0
