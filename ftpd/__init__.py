"""A multi-protocol file transfer server on Twisted.

The public names below are imported when they are first used, so that `import ftpd` costs nothing.  To serve FTP from your own program, give
:class:`FTPFactory` to any endpoint; for a whole server as a service, :func:`load_config` and :func:`make_service`.

Where to look: `errors`, `paths` and `values` are what everything speaks of; `spi` says what a store or an observer has to offer; `storage`,
`login` and `transfer` do the work; `accounts` decides who may do what; `ftp` is the protocol; `service` wires it all together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ftpd.version import __version__

if TYPE_CHECKING:
    from ftpd.accounts.realm import TransferRealm
    from ftpd.config.load import load_config, parse_config
    from ftpd.config.tree import Config
    from ftpd.events import Events
    from ftpd.ftp.factory import FTPFactory
    from ftpd.ftp.settings import FTPSettings
    from ftpd.paths import VirtualPath
    from ftpd.schema import ConfigError
    from ftpd.service import make_service

__all__ = [
    "Config",
    "ConfigError",
    "Events",
    "FTPFactory",
    "FTPSettings",
    "TransferRealm",
    "VirtualPath",
    "__version__",
    "load_config",
    "make_service",
    "parse_config",
]

_HOMES = {
    "Config": "ftpd.config.tree",
    "ConfigError": "ftpd.schema",
    "Events": "ftpd.events",
    "FTPFactory": "ftpd.ftp.factory",
    "FTPSettings": "ftpd.ftp.settings",
    "TransferRealm": "ftpd.accounts.realm",
    "VirtualPath": "ftpd.paths",
    "load_config": "ftpd.config.load",
    "make_service": "ftpd.service",
    "parse_config": "ftpd.config.load",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
