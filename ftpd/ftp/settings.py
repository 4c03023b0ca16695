"""Settings of the FTP protocol, as one frozen tree that a factory is given.

What belongs to a login (homes, permissions) or to storage is elsewhere; this is what happens on control and data channels.
"""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

import attrs

from ftpd.ftp.languages import DEFAULT, TAGS
from ftpd.ftp.tolerance import KINDS, Tolerance
from ftpd.ftp.wire.ebcdic import CODE_PAGES
from ftpd.schema import FilePath, Seconds, Size, setting

__all__ = [
    "REACHED",
    "ActiveSettings",
    "DeflateSettings",
    "DeviceSettings",
    "FTPSettings",
    "FileSettings",
    "HashSettings",
    "ListingSettings",
    "Network",
    "NetworkProtectionSettings",
    "PassiveNetworkSettings",
    "PassiveSettings",
    "ProtectionSettings",
    "TimeoutSettings",
    "TraceSettings",
]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

REACHED = "reached"  # in the place of an external address: the one that the client reached
_WISHES = ("off", "allowed", "required")
_ENDS = ("strict", "tolerate")
_FAULTS = tuple(fault.value for fault in Tolerance)


@attrs.frozen
class TimeoutSettings:
    """How long the server waits for whom."""

    login: Seconds = setting(Seconds(60), help="From connection to a completed login.", unit="s", minimum=1)
    idle: Seconds = setting(Seconds(300), help="Without a command and without a transfer; then 421.", unit="s", minimum=1)
    data_connect: Seconds = setting(
        Seconds(30), help="For the data connection to come into being, either way; then 425.", unit="s", minimum=0.1
    )
    stalled_transfer: Seconds = setting(Seconds(120), help="Without one byte moved in a transfer; then 426.", unit="s", minimum=0.1)


@attrs.frozen
class PassiveNetworkSettings:
    """One `[[ftp.passive.networks]]` table: what PASV announces to some clients.  Of several the first that has the client's address counts."""

    networks: tuple[Network, ...] = setting((), help="The networks of the clients.")
    external_address: str = setting(
        REACHED, help="IPv4 address or DNS name that PASV announces to them; reached: the address that the client reached."
    )


@attrs.frozen
class PassiveSettings:
    """PASV and EPSV."""

    enabled: bool = setting(True, help="Whether PASV and EPSV are served.")
    ports: tuple[int, int] = setting(
        (49152, 65534), help="First and last port of data connections; open these in the firewall.", minimum=1, maximum=65535
    )
    external_address: str = setting(
        "",
        help="IPv4 address, or DNS name resolved again while running, that PASV announces; empty: the address the client reached.",
    )
    internal_networks: tuple[Network, ...] = setting(
        (), help="Clients on these networks are told the address they reached, not the external one."
    )
    networks: tuple[PassiveNetworkSettings, ...] = setting(
        (), help="What clients of single networks are told, before all of the above."
    )


@attrs.frozen
class ActiveSettings:
    """PORT and EPRT."""

    enabled: bool = setting(True, help="Whether PORT and EPRT are served.")
    source_port: int = setting(
        0,
        help="Local port of active connections; 20 is the classic and needs the right to bind it; 0: any.",
        minimum=0,
        maximum=65535,
    )
    private_address: str = setting(
        "refuse",
        help="A private address in PORT or EPRT of a client that has a public one, and so is behind NAT: refuse lets the client go over to passive mode at once; replace connects to the address that the client has, for routers that pass the port on.",
        choices=("refuse", "replace"),
    )


@attrs.frozen
class ListingSettings:
    """LIST, NLST, MLSD."""

    times: str = setting("utc", help="Clock of LIST rows; MLSD and MDTM are always UTC.", choices=("utc", "local"))
    max_depth: int = setting(16, help="Levels that LIST -R descends at most.", unit="levels", minimum=0, maximum=256)
    max_matches: int = setting(10_000, help="Names that one pattern such as *.csv may match at most.", unit="names", minimum=1)


@attrs.frozen
class DeflateSettings:
    """MODE Z: files compressed on the wire."""

    enabled: bool = setting(
        False,
        help="Whether MODE Z is served. lftp uses it wherever it is offered, and on a fast network that is slower than sending as it is.",
    )
    level: int = setting(
        6, help="Effort of compression, unless the client asks for another by OPTS MODE Z LEVEL.", minimum=1, maximum=9
    )
    max_ratio: int = setting(
        250,
        help="How many times its size an upload may unpack to, from 16 MiB on; 0: as far as deflate goes, some 1,030.",
        minimum=0,
        maximum=1032,
    )


@attrs.frozen
class FileSettings:
    """The `[ftp.files]` table: what clients may do with files beside the standard, as far as their permissions go."""

    remove_trees: bool = setting(False, help="Whether RMDA removes a directory with all that is in it.")
    make_links: bool = setting(False, help="Whether SITE SYMLINK makes symbolic links, and SITE CPTO copies them.")
    change_owners: bool = setting(
        False, help="Whether MFF changes owner and group, by number; the server's own user must be allowed to."
    )
    max_entries: int = setting(
        1_000_000, help="Entries of a tree that DSIZ counts, or SITE CPTO copies, at most.", unit="entries", minimum=1
    )
    max_seconds: Seconds = setting(Seconds(30), help="Time that DSIZ may take to count a tree.", unit="s", minimum=0.1)


@attrs.frozen
class HashSettings:
    """HASH, XCRC, MD5 and the like: digests of stored files."""

    max_bytes: Size = setting(
        Size(64 * 1024**3), help="What one command may have hashed at most; more is refused.", unit="bytes", minimum=1
    )
    max_time: Seconds = setting(
        Seconds(300), help="How long one command may take, waiting for its turn included.", unit="s", minimum=0.1
    )
    max_at_once: int = setting(
        2, help="How many files of one disk are hashed at a time, in one process; further commands wait for their turn.", minimum=1
    )
    upload_digest: bool = setting(
        False, help="Whether the 226 of an upload tells the SHA-256 of what is stored, which is read back for it."
    )


@attrs.frozen
class NetworkProtectionSettings:
    """One `[[ftp.tls.networks]]` table: other rules for some clients.  Of several the first that has the client's address counts."""

    networks: tuple[Network, ...] = setting((), help="The networks that these rules are for.")
    login: str = setting("", help="As ftp.tls.login; empty: as there.", choices=("", *_WISHES))
    data: str = setting("", help="As ftp.tls.data; empty: as there.", choices=("", *_WISHES))
    eof: str = setting("", help="As ftp.tls.eof; empty: as there.", choices=("", *_ENDS))


@attrs.frozen
class ProtectionSettings:
    """The `[ftp.tls]` table: when TLS is wanted.  Certificates are in `[tls]`."""

    login: str = setting(
        "allowed",
        help="TLS on the control connection: off, allowed, or required for every login. A password needs it in any case, but on loopback and where plaintext_passwords is set.",
        choices=_WISHES,
    )
    data: str = setting(
        "allowed", help="TLS on data connections (PROT P): off, allowed, or required for every transfer.", choices=_WISHES
    )
    data_resumption: str = setting(
        "log",
        help="Whether a protected data connection must resume the TLS session of its control connection, which proves whose it is: off, log (once a session), or required. Recommended: required, which current clients can, except Python's ftplib and some Java ones.",
        choices=("off", "log", "required"),
    )
    eof: str = setting(
        "strict",
        help="An upload over TLS that ends without close_notify: strict calls it cut, tolerate stores it, for old devices that never send one.",
        choices=_ENDS,
    )
    ccc: bool = setting(False, help="Whether CCC may take the control connection back to clear after the login.")
    networks: tuple[NetworkProtectionSettings, ...] = setting((), help="Other rules for some clients.")


@attrs.frozen
class DeviceSettings:
    """One `[[ftp.devices]]` table: a device that speaks FTP badly, and what it is forgiven.  Of several the first that fits a client counts."""

    device: str = setting(
        "", help="Its kind, which stands for several tolerances; empty: none but those in tolerate.", choices=("", *KINDS)
    )
    networks: tuple[Network, ...] = setting((), help="The networks it is on; empty: any.")
    accounts: tuple[str, ...] = setting((), help="The accounts it uses; empty: any, and it counts before the login too.")
    tolerate: tuple[str, ...] = setting((), help="Faults that it is forgiven besides.", choices=_FAULTS)
    refuse: tuple[str, ...] = setting((), help="Faults of its kind that it is not forgiven.", choices=_FAULTS)
    data: str = setting(
        "", help="The only way of data connections that it is offered; empty: both.", choices=("", "active", "passive")
    )
    withhold: tuple[str, ...] = setting(
        (), help="Commands that are answered as if there were none such, so that it takes others: EPSV, for one."
    )


@attrs.frozen
class TraceSettings:
    """One `[[ftp.traces]]` table: sessions that are written down, line by line.  Of several the first that fits a session counts."""

    directory: FilePath = setting(FilePath(""), help="Where: each session is a file in it. It is made with mode 0700.")
    networks: tuple[Network, ...] = setting((), help="The networks of the clients; empty: any.")
    accounts: tuple[str, ...] = setting((), help="The accounts; empty: any, and sessions without a login too.")
    names: bool = setting(True, help="Whether names of files are written; otherwise stand-ins take their place.")
    max_size: Size = setting(
        Size(1024 * 1024), help="Of one file; of a longer session the rest is left out.", unit="bytes", minimum=4096
    )
    max_files: int = setting(1000, help="How many files are kept in the directory; the oldest go.", unit="files", minimum=1)
    max_age: Seconds = setting(Seconds(30 * 86400), help="How long a file is kept.", unit="s", minimum=60)


@attrs.frozen
class FTPSettings:
    """The `[ftp]` table."""

    greeting: str = setting("ftpd ready.", help="Text of the 220; one line.")
    names: tuple[str, ...] = setting(
        (), help="Names of this server that HOST may say, beside its address and the names of virtual hosts (RFC 7151)."
    )
    language: str = setting(
        DEFAULT, help="Language of replies before any LANG; what machines read is never translated.", choices=TAGS
    )
    default_type: str = setting(
        "A", help="Representation before any TYPE: A as RFC 959 says, or I for devices that forget TYPE.", choices=("A", "I")
    )
    code_page: str = setting("cp037", help="Code page of TYPE E.", choices=CODE_PAGES)
    marker_bytes: Size = setting(
        Size(1024 * 1024),
        help="A download in MODE B or C has a restart marker after each so many bytes of the file; 0: none.",
        unit="bytes",
        minimum=0,
    )
    allow_commands: tuple[str, ...] = setting((), help="Serve only these commands; empty: all.")
    deny_commands: tuple[str, ...] = setting((), help="Never serve these commands.")
    plaintext_passwords: bool = setting(False, help="Take passwords in clear on connections that are not loopback at both ends.")
    tls: ProtectionSettings = setting(factory=ProtectionSettings, help="When TLS is wanted.")
    timeouts: TimeoutSettings = setting(factory=TimeoutSettings, help="How long the server waits.")
    passive: PassiveSettings = setting(factory=PassiveSettings, help="PASV and EPSV.")
    active: ActiveSettings = setting(factory=ActiveSettings, help="PORT and EPRT.")
    deflate: DeflateSettings = setting(factory=DeflateSettings, help="MODE Z: files compressed on the wire.")
    hashes: HashSettings = setting(factory=HashSettings, help="HASH, XCRC, MD5 and the like: digests of stored files.")
    listing: ListingSettings = setting(factory=ListingSettings, help="LIST, NLST, MLSD.")
    files: FileSettings = setting(factory=FileSettings, help="What clients may do with files beside the standard.")
    traces: tuple[TraceSettings, ...] = setting((), help="Sessions that are written down; see docs/traces.md.")
    devices: tuple[DeviceSettings, ...] = setting((), help="Devices that speak FTP badly; see docs/devices.md.")
