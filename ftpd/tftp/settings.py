"""Settings of TFTP: where it listens, what it lets clients read and write, and what it grants them.

Who a client is here, and what that account may do, is said elsewhere, for every protocol.
"""

from __future__ import annotations

import ipaddress

import attrs

from ftpd.schema import FilePath, Network, PortRange, Seconds, Size, setting

__all__ = [
    "LARGEST_BLOCK",
    "TFTPListenSettings",
    "TFTPMulticastSettings",
    "TFTPNetworkSettings",
    "TFTPOptionSettings",
    "TFTPSettings",
    "TFTPTimeoutSettings",
]

LARGEST_BLOCK = 65464  # RFC 2348
_OPTIONS = ("blksize", "blksize2", "tsize", "timeout", "utimeout", "windowsize", "rollover", "multicast")


@attrs.frozen
class TFTPNetworkSettings:
    """One `[[tftp.listeners.networks]]` table: another root for some clients.  Of several the first that has the client's address counts."""

    networks: tuple[Network, ...] = setting((), help="The networks that this root is for.")
    root: str = setting("/", help="Directory in the account's files that these clients see as /.")


@attrs.frozen
class TFTPListenSettings:
    """One `[[tftp.listeners]]` table: an address and port where requests come in.  Repeat it for more; without one there is no TFTP.

    There are no passwords in TFTP, and nothing is encrypted: see docs/tftp-security.md.
    """

    name: str = setting("", help="What logs and events call it; empty: its address and port.")
    address: str = setting(
        "127.0.0.1", help="IP address to listen on: 0.0.0.0 for every IPv4 address, :: for every IPv6 address (list both for both)."
    )
    port: int = setting(69, help="UDP port; 69 is the only one that firmware knows; 0: any free one.", minimum=0, maximum=65535)
    account: str = setting(
        "", help="The account that every client here is logged in to, without a password; empty: the anonymous one."
    )
    root: str = setting("/", help="Directory in the account's files that clients see as /.")
    networks: tuple[TFTPNetworkSettings, ...] = setting((), help="Other roots for some clients.")
    unique_root: str = setting(
        "off",
        help="Give a client the directory of its name below the root where there is one, else the root: address (10.0.0.7), or mac (01-23-45-67-89-ab, for clients on this machine's own networks).",
        choices=("off", "address", "mac"),
    )
    write: str = setting(
        "never",
        help="What clients may store, as far as the account may: never, existing (replace files only), create (new names only), or any.",
        choices=("never", "existing", "create", "any"),
    )
    fold_case: bool = setting(False, help="Turn requested names into lower case.")
    map_file: FilePath = setting(
        FilePath(""), help="Rules that change requested names, in the form of tftpd-hpa's --map-file; see docs/tftp-maps.md."
    )
    single_port: bool = setting(
        False, help="Answer from the listening port itself, for clients behind a NAT or firewall that expects that."
    )
    ports: PortRange = setting((0, 0), help="First and last port to answer from; 0-0: any that is free.", minimum=0, maximum=65535)

    @property
    def label(self) -> str:
        """What the listener is called: its name, or `tftp address:port`."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return self.name or f"tftp {address}:{self.port}"


@attrs.frozen
class TFTPOptionSettings:
    """The `[tftp.options]` table: what clients are granted that ask for it (RFC 2347)."""

    refuse: tuple[str, ...] = setting((), help="Options to ignore, as if nobody knew them.", choices=_OPTIONS)
    largest_block: int = setting(
        LARGEST_BLOCK, help="Largest block size that is granted.", unit="bytes", minimum=8, maximum=LARGEST_BLOCK
    )
    fit_mtu: bool = setting(
        True, help="Grant no block that would be cut into fragments on its way, which much firmware cannot put together."
    )
    largest_window: int = setting(
        64, help="Most blocks before an acknowledgement (RFC 7440).", unit="blocks", minimum=1, maximum=32767
    )
    rollover: int = setting(
        0, help="Number of the block behind 65535, 0 or 1, for clients that do not say; most want 0.", minimum=0, maximum=1
    )


@attrs.frozen
class TFTPTimeoutSettings:
    """The `[tftp.timeouts]` table."""

    first: Seconds = setting(
        Seconds(1),
        help="Silence after which the first packet is sent again; later ones go by the measured round trip.",
        unit="s",
        minimum=0.05,
    )
    longest: Seconds = setting(Seconds(8), help="The longest silence before a packet is sent again.", unit="s", minimum=0.05)
    give_up: Seconds = setting(Seconds(30), help="Silence after which a client is given up.", unit="s", minimum=0.1)


@attrs.frozen
class TFTPMulticastSettings:
    """The `[tftp.multicast]` table: one sending for many clients (RFC 2090), for those that ask for it."""

    enabled: bool = setting(False, help="Whether the multicast option is granted.")
    addresses: Network = setting(ipaddress.ip_network("239.255.69.0/24"), help="Groups to send to, one for each file.")
    port: int = setting(1758, help="UDP port to send to.", minimum=1, maximum=65535)
    hops: int = setting(1, help="How many routers a packet may cross, plus one.", minimum=1, maximum=255)


@attrs.frozen
class TFTPSettings:
    """The `[tftp]` table."""

    listeners: tuple[TFTPListenSettings, ...] = setting((), help="Where requests come in.")
    sessions: int = setting(
        5000,
        help="Transfers at a time in each process; beyond that requests are not answered; 0: any number.",
        unit="transfers",
        minimum=0,
    )
    sessions_per_address: int = setting(
        50,
        help="Transfers at a time of one IPv4 address or IPv6 /64 network in each process; beyond that requests are not answered; 0: any number.",
        unit="transfers",
        minimum=0,
    )
    largest_file: Size = setting(Size(0), help="Largest file that may be stored; 0: as the account may.", unit="bytes", minimum=0)
    memory: Size = setting(
        Size(64 * 1024 * 1024),
        help="Memory for parts of files that several clients fetch at the same time, in each process.",
        unit="bytes",
        minimum=1048576,
    )
    options: TFTPOptionSettings = setting(factory=TFTPOptionSettings, help="What is granted.")
    timeouts: TFTPTimeoutSettings = setting(factory=TFTPTimeoutSettings, help="How long the server waits.")
    multicast: TFTPMulticastSettings = setting(factory=TFTPMulticastSettings, help="One sending for many clients.")
