"""Privileges: what the server gives up once its ports are open, and can never have again.

Apart from `identity`, which is looked up while there is somebody to tell, and from the kernel's calls (`capabilities`).
"""

from __future__ import annotations

import os

from ftpd.processes.capabilities import NET_BIND_SERVICE, Capabilities
from ftpd.processes.identity import Identity, name_of_group, name_of_user
from ftpd.schema import ConfigError, Problem

__all__ = ["drop", "loss"]


def drop(wanted: Identity, *, keeps_low_ports: bool) -> None:
    """Become *wanted*, without other groups and without capabilities, for good; programs that are started from here can gain none either.

    CAP_NET_BIND_SERVICE stays where *keeps_low_ports*, if it was there: active mode from port 20 needs it, in workers.  Root that stays root,
    since the configuration names nobody else, keeps what it has, but gains nothing.  Who is not root stays who it is, in the groups that it was
    started with, and loses the capabilities that it was started with.

    To be called while this process has one thread: Linux's capabilities are a thread's.  Raises `ConfigError` where the system does not let us.
    """
    try:
        _drop(wanted, keeps_low_ports)
    except OSError as error:
        found = f"privileges cannot be given up to become {name_of_user(wanted.user)!r}: {error.strerror}"
        raise ConfigError([Problem("", "process.user", found, "root needs CAP_SETUID and CAP_SETGID for that")]) from error


def loss(file: str) -> str:
    """Return what an operator should know of *file*, the configuration, after `drop`: that nobody here can read it again; empty where somebody can.

    Root has read it for the start.  To keep it open would not help, since editors make a new file; and nobody stays root to open that one.
    """
    if os.access(file, os.R_OK):
        return ""
    user, group = name_of_user(os.geteuid()), name_of_group(os.getegid())
    return f"{user!r} cannot read {file}, so that it cannot be reloaded; chown root:{group} and chmod 640 let the server read it, and not write it"


def _drop(wanted: Identity, keeps_low_ports: bool) -> None:
    capabilities = Capabilities()
    if os.geteuid() != wanted.user:
        kept = _kept(capabilities, keeps_low_ports)
        capabilities.bound(kept)
        capabilities.outlive_root()
        _become(wanted)
        capabilities.limit(kept)
        _require_for_good()
    elif wanted.user != 0:
        kept = _kept(capabilities, keeps_low_ports)
        capabilities.bound(kept)
        capabilities.limit(kept)
    capabilities.forbid_gains()


def _kept(capabilities: Capabilities, keeps_low_ports: bool) -> int:
    return capabilities.permitted() & (1 << NET_BIND_SERVICE) if keeps_low_ports else 0


def _become(wanted: Identity) -> None:
    """Be *wanted* and nobody else: of root, both calls set the real, the effective and the saved number (setuid(2))."""
    os.setgroups([])
    os.setgid(wanted.group)
    os.setuid(wanted.user)


def _require_for_good() -> None:
    """Try the way back, as OpenSSH's permanently_set_uid does: a system that lets us is one that we do not understand."""
    try:
        os.setuid(0)
    except OSError:
        return
    raise RuntimeError("root could be had again after it was given up")
