"""Source: a configuration as text, with what the command line says on top of it.

Apart from reading, because the text is what a worker is given: one that is started later has the settings that were checked, not those that
stand in the file by then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Self

import attrs

from ftpd.config.text import read_text
from ftpd.config.tree import Config, ListenSettings, StorageSettings
from ftpd.logs.settings import TargetSettings
from ftpd.schema import Unfit
from ftpd.tftp.settings import TFTPListenSettings

__all__ = ["Overrides", "Source"]


@attrs.frozen
class Overrides:
    """What the command line says on top of a configuration; empty and None leave it as it is."""

    listen: tuple[str, ...] = ()
    plaintext_passwords: bool = False
    read_only: bool = False
    log_level: str | None = None
    has_stderr: bool = False  # lines go to standard error where the configuration names no target
    tftp: tuple[int, ...] = ()  # UDP ports, on each address where FTP listens

    def over(self, config: Config) -> Config:
        """Return *config* as changed by these.  Raises `Unfit` for an address that is none."""
        if self.listen:
            config = attrs.evolve(config, listen=tuple(map(_listener, self.listen)))
        if self.tftp:
            config = attrs.evolve(config, tftp=attrs.evolve(config.tftp, listeners=tuple(self._tftp_listeners(config))))
        if self.plaintext_passwords:
            config = attrs.evolve(config, ftp=attrs.evolve(config.ftp, plaintext_passwords=True))
        if self.read_only:
            hosts = tuple(attrs.evolve(host, storage=host.storage and _read_only(host.storage)) for host in config.hosts)
            config = attrs.evolve(config, storage=_read_only(config.storage), hosts=hosts)
        return attrs.evolve(config, log=attrs.evolve(config.log, targets=tuple(self._targets(config.log.targets))))

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Self:
        """Return what `attrs.asdict` and JSON have turned into *message*."""
        return cls(**{**message, "listen": tuple(message["listen"]), "tftp": tuple(message["tftp"])})

    def _tftp_listeners(self, config: Config) -> Iterator[TFTPListenSettings]:
        for address in dict.fromkeys(listener.address for listener in config.listen):
            yield from (TFTPListenSettings(address=address, port=port) for port in dict.fromkeys(self.tftp))

    def _targets(self, targets: tuple[TargetSettings, ...]) -> Iterator[TargetSettings]:
        for target in targets or ((TargetSettings(),) if self.has_stderr else ()):
            yield attrs.evolve(target, level=self.log_level or target.level)


@attrs.frozen
class Source:
    """The *text* of the configuration *file*, whose relative paths are relative to *directory*, and what stands over it."""

    file: str
    directory: str
    text: str
    overrides: Overrides = Overrides()

    @classmethod
    def read(cls, file: str, overrides: Overrides) -> Self:
        """Read *file*.  Raises `ConfigError` where it cannot be read."""
        text = read_text(file)  # first: no path is absolute in a directory that was removed
        return cls(file, os.path.dirname(os.path.abspath(file)), text, overrides)

    def config(self) -> Config:
        """Return what it says.  Raises `ConfigError`, and `Unfit` as `Overrides.over`."""
        from ftpd.config.load import parse_config

        return self.overrides.over(parse_config(self.text, self.file, self.directory))

    def common(self) -> Config:
        """Return what a process needs of it that serves nobody, once another has found it good: see `load.parse_common`.  Raises as `config`."""
        from ftpd.config.load import parse_common

        return self.overrides.over(parse_common(self.text, self.file, self.directory))

    def as_message(self) -> dict[str, Any]:
        """Return it as what JSON can carry."""
        return attrs.asdict(self)

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Self:
        """Return what `as_message` has turned into *message*."""
        return cls(**{**message, "overrides": Overrides.of_message(message["overrides"])})


def _read_only(storage: StorageSettings) -> StorageSettings:
    return attrs.evolve(storage, read_only=True)


def _listener(text: str) -> ListenSettings:
    try:
        return ListenSettings.parse(text)
    except Unfit as error:
        raise Unfit(f"--listen {text}: it must be {error}") from None
