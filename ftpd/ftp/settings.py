"""Settings of the FTP protocol, as one frozen tree that a factory is given.

What belongs to a login (homes, permissions) or to storage is elsewhere; this is what happens on control and data channels.
"""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

import attrs

from ftpd.schema import Seconds, setting

__all__ = [
    "ActiveSettings",
    "FTPSettings",
    "ListingSettings",
    "Network",
    "NetworkProtectionSettings",
    "PassiveSettings",
    "ProtectionSettings",
    "TimeoutSettings",
]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_WISHES = ("off", "allowed", "required")
_ENDS = ("strict", "tolerate")


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


@attrs.frozen
class ListingSettings:
    """LIST, NLST, MLSD."""

    times: str = setting("utc", help="Clock of LIST rows; MLSD and MDTM are always UTC.", choices=("utc", "local"))
    max_depth: int = setting(16, help="Levels that LIST -R descends at most.", unit="levels", minimum=0, maximum=256)
    max_matches: int = setting(10_000, help="Names that one pattern such as *.csv may match at most.", unit="names", minimum=1)


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
class FTPSettings:
    """The `[ftp]` table."""

    greeting: str = setting("ftpd ready.", help="Text of the 220; one line.")
    names: tuple[str, ...] = setting(
        (), help="Names of this server that HOST may say, beside its address and the names of virtual hosts (RFC 7151)."
    )
    default_type: str = setting(
        "A", help="Representation before any TYPE: A as RFC 959 says, or I for devices that forget TYPE.", choices=("A", "I")
    )
    allow_commands: tuple[str, ...] = setting((), help="Serve only these commands; empty: all.")
    deny_commands: tuple[str, ...] = setting((), help="Never serve these commands.")
    plaintext_passwords: bool = setting(False, help="Take passwords in clear on connections that are not loopback at both ends.")
    tls: ProtectionSettings = setting(factory=ProtectionSettings, help="When TLS is wanted.")
    timeouts: TimeoutSettings = setting(factory=TimeoutSettings, help="How long the server waits.")
    passive: PassiveSettings = setting(factory=PassiveSettings, help="PASV and EPSV.")
    active: ActiveSettings = setting(factory=ActiveSettings, help="PORT and EPRT.")
    listing: ListingSettings = setting(factory=ListingSettings, help="LIST, NLST, MLSD.")
