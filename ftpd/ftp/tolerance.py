"""Tolerance: the faults of old devices that can be let pass, and which of them each kind of device has.

Apart from what lets them pass: this is the table that an operator chooses from, and that docs/devices.md explains.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["KINDS", "Tolerance"]


class Tolerance(enum.Enum):
    """One fault.  The value is its name in the configuration, in events and in STAT."""

    ODD_TYPE = "odd-type"  # a TYPE that there is not: taken as I
    NO_TYPE = "no-type"  # a transfer without any TYPE, and the bytes of an image
    RAW_ASCII = "raw-ascii"  # TYPE A, and the bytes of an image: no line end is changed
    ODD_STRUCTURE = "odd-structure"  # a STRU or MODE that there is not: the one in force stays
    ODD_ALLO = "odd-allo"  # an ALLO without a number
    PADDED_ARGUMENT = "padded-argument"  # spaces or NULs around an argument
    WINDOWS_PATH = "windows-path"  # a drive letter, and backslashes between the names
    MISSING_DIRECTORY = "missing-directory"  # CWD to, or STOR into, a directory that is not there: it is made
    EXISTING_DIRECTORY = "existing-directory"  # MKD of a directory that is there: 257
    IGNORED_CWD = "ignored-cwd"  # CWD to a directory that is not there: 250, and the working directory stays
    LONG_NLST = "long-nlst"  # NLST -l, which wants the rows of LIST
    ODD_SITE = "odd-site"  # a SITE command that there is not: 202
    NO_QUIT = "no-quit"  # an end without QUIT


# What was seen of devices: docs/devices.md names them.  Where a tolerance would put a file elsewhere than its client means
# (ignored-cwd), or make what nobody asked for (missing-directory), it belongs to no kind: an operator names it.
KINDS: Final[Mapping[str, frozenset[Tolerance]]] = MappingProxyType(
    {
        "scanner": frozenset(
            {
                Tolerance.ODD_TYPE,
                Tolerance.NO_TYPE,
                Tolerance.ODD_STRUCTURE,
                Tolerance.ODD_ALLO,
                Tolerance.WINDOWS_PATH,
                Tolerance.EXISTING_DIRECTORY,
                Tolerance.ODD_SITE,
                Tolerance.NO_QUIT,
            }
        ),
        "printer": frozenset(
            {Tolerance.ODD_TYPE, Tolerance.NO_TYPE, Tolerance.ODD_STRUCTURE, Tolerance.WINDOWS_PATH, Tolerance.NO_QUIT}
        ),
        "camera": frozenset(
            {
                Tolerance.ODD_TYPE,
                Tolerance.NO_TYPE,
                Tolerance.RAW_ASCII,
                Tolerance.PADDED_ARGUMENT,
                Tolerance.EXISTING_DIRECTORY,
                Tolerance.NO_QUIT,
            }
        ),
        "plc": frozenset(
            {
                Tolerance.ODD_TYPE,
                Tolerance.NO_TYPE,
                Tolerance.ODD_STRUCTURE,
                Tolerance.ODD_ALLO,
                Tolerance.PADDED_ARGUMENT,
                Tolerance.WINDOWS_PATH,
                Tolerance.LONG_NLST,
                Tolerance.NO_QUIT,
            }
        ),
    }
)
