"""The tree of settings: what one configuration file says, as frozen values with every default filled in.

Apart from the reading of files, so that a program can build the same tree in Python.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final, Self

import attrs

from ftpd.accounts.limits import LimitSettings
from ftpd.accounts.rates import RateSettings
from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.ftp.settings import FTPSettings
from ftpd.logs.settings import LogSettings
from ftpd.processes.settings import ProcessSettings
from ftpd.schema import FilePath, Unfit, setting
from ftpd.tftp.settings import TFTPSettings
from ftpd.tls.settings import CertificateSettings, TLSSettings

__all__ = [
    "Config",
    "ExtensionSettings",
    "HostSettings",
    "ListenSettings",
    "LoginSettings",
    "StorageSettings",
]

_STANDARD_PORT: Final = 2121  # not 21: that needs root
_LISTEN: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<other>[0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*))(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


@attrs.frozen
class ListenSettings:
    """One `[[listen]]` table: an address and port where clients connect.  Repeat it for more."""

    name: str = setting("", help="What logs and events call it; empty: its address and port.")
    address: str = setting(
        "127.0.0.1", help="IP address to listen on: 0.0.0.0 for every IPv4 address, :: for every IPv6 address (list both for both)."
    )
    port: int = setting(_STANDARD_PORT, help="TCP port; 21 is the standard one; 0: any free one.", minimum=0, maximum=65535)
    implicit_tls: bool = setting(False, help="Whether TLS begins with the connection (ftps://, port 990), without AUTH.")
    tls_login: str = setting(
        "", help="As ftp.tls.login, for this listener; empty: as there.", choices=("", "off", "allowed", "required")
    )
    tls_data: str = setting(
        "", help="As ftp.tls.data, for this listener; empty: as there.", choices=("", "off", "allowed", "required")
    )
    external_address: str = setting("", help="As ftp.passive.external_address, for this listener; empty: as there.")
    old_devices: bool = setting(
        False, help="Take TLS 1.0 and weak ciphers here, for devices that know nothing newer; give them a listener of their own."
    )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ADDRESS[:PORT]`, with an IPv6 address in brackets where a port follows.  Raises `Unfit`."""
        match = _LISTEN.fullmatch(text)
        address = match and (match["six"] or match["other"])
        port = int(match["port"] or _STANDARD_PORT) if match else 0
        if not address or port > 65535:
            raise Unfit("an address and a port such as 127.0.0.1, 0.0.0.0:2121 or [::]:2121")
        try:
            return cls(address=str(ipaddress.ip_address(address)), port=port)
        except ValueError as error:
            raise Unfit(f"an IP address and a port ({error})") from None

    @property
    def label(self) -> str:
        """What the listener is called: its name, or `address:port`."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return self.name or f"{address}:{self.port}"


@attrs.frozen
class StorageSettings:
    """The `[storage]` table.  `settings` is the chosen kind's own table, `[storage.KIND]`."""

    kind: str = setting("local", help="The kind of store: local, memory, or what an extension is called.")
    read_only: bool = setting(False, help="Refuse every change, whatever an account may do.")
    settings: Any = attrs.field(default=None, kw_only=True)


@attrs.frozen
class LoginSettings:
    """One `[[login]]` table: a source of logins.  Repeat it for more; they are asked in order.

    `settings` holds the other keys of the table, which the kind defines.
    """

    kind: str = setting("password_file", help="The kind of login source: password_file, or what an extension is called.")
    settings: Any = attrs.field(default=None, kw_only=True)


@attrs.frozen
class HostSettings:
    """One `[[hosts]]` table: another server under another name (RFC 7151), chosen by SNI or HOST.  What it leaves out is as in the rest.

    It may have `[hosts.storage]`, `[[hosts.login]]`, `[hosts.anonymous]`, `[hosts.account]` and `[hosts.accounts.NAME]` of its own.
    """

    names: tuple[str, ...] = setting((), help="Its names.")
    greeting: str = setting("", help="Text of its 220; empty: ftp.greeting.")
    certificates: tuple[CertificateSettings, ...] = setting((), help="Its certificates; none: those of [tls].")
    storage: StorageSettings | None = setting(None, help="Where its files are.")
    login: tuple[LoginSettings, ...] | None = setting(None, help="Who may log in there.")
    anonymous: AnonymousSettings | None = setting(None, help="Its logins without a password.")
    account: AccountSettings | None = setting(None, help="What its accounts may do that have no table of their own.")
    accounts: Mapping[str, AccountSettings] | None = setting(None, help="What single accounts may do there.")


@attrs.frozen
class ExtensionSettings:
    """The `[extensions]` table."""

    directories: tuple[FilePath, ...] = setting(
        (), help="Directories whose *.py files are loaded as extensions; whoever may write there controls the server."
    )


@attrs.frozen
class Config:
    """A whole configuration."""

    listen: tuple[ListenSettings, ...] = setting((ListenSettings(),), help="Where clients connect.")
    ftp: FTPSettings = setting(factory=FTPSettings, help="The FTP protocol.")
    tftp: TFTPSettings = setting(factory=TFTPSettings, help="The TFTP protocol; see docs/tftp.md.")
    tls: TLSSettings = setting(factory=TLSSettings, help="Certificates, and what TLS may be.")
    hosts: tuple[HostSettings, ...] = setting((), help="Virtual hosts.")
    storage: StorageSettings = setting(factory=StorageSettings, help="Where the files are.")
    login: tuple[LoginSettings, ...] = setting((), help="Who may log in with a password; none: nobody.")
    anonymous: AnonymousSettings = setting(factory=AnonymousSettings, help="Logins without a password.")
    account: AccountSettings = setting(factory=AccountSettings, help="What an account may do that has no table of its own.")
    accounts: Mapping[str, AccountSettings] = setting(factory=dict, help="What single accounts may do, by name.")
    limits: LimitSettings = setting(factory=LimitSettings, help="How many, how often, and when to turn away.")
    rates: RateSettings = setting(factory=RateSettings, help="How fast; see docs/transfers.md.")
    process: ProcessSettings = setting(factory=ProcessSettings, help="Processes, their user and their end; see docs/operations.md.")
    log: LogSettings = setting(factory=LogSettings, help="What is written where.")
    extensions: ExtensionSettings = setting(factory=ExtensionSettings, help="Parts of the server that come from elsewhere.")

    @property
    def offers_tls(self) -> bool:
        """Whether there is any certificate."""
        return bool(self.tls.certificates) or any(host.certificates for host in self.hosts)
