"""Virtual files: each machine that boots gets a configuration of its own, made of one template, from the TOML file that the environment
variable `FTPD_BOOT_MENUS` names:

    files = ["grub.cfg", "default"]              # names that are made, in any directory: GRUB's, PXELINUX's pxelinux.cfg/default
    template = '''
    menuentry "$title" { linux /$kernel host=$address $options }
    '''
    [defaults]
    title = "Install"
    kernel = "vmlinuz"
    options = ""
    [clients."10.0.0.7"]
    title = "Rescue"

`$address` is the client's; what has no value stays as it is, for GRUB has variables of the same form.  The file is read at a start or reload.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from string import Template
from typing import Any

from zope.interface import implementer

from ftpd.interfaces import IVirtualFiles
from ftpd.tftp.virtual import FileRequest


@implementer(IVirtualFiles)
class BootMenus:
    """Fills *settings*, which look as above, in for each client."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._names = frozenset(settings["files"])
        self._template = Template(settings["template"])
        self._defaults: Mapping[str, str] = settings.get("defaults", {})
        self._clients: Mapping[str, Mapping[str, str]] = settings.get("clients", {})

    def __call__(self, request: FileRequest) -> bytes | None:
        if request.path.name not in self._names:
            return None
        address = request.peer.address
        values = {**self._defaults, **self._clients.get(address, {}), "address": address}
        return self._template.safe_substitute(values).encode()


if os_path := os.environ.get("FTPD_BOOT_MENUS"):
    with open(os_path, "rb") as file:
        BOOT_MENUS = BootMenus(tomllib.load(file))
