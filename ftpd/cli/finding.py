"""Finding: at which paths the control socket of a running server may be.

Apart from the server's own choice of its directory, which it makes in its environment: an operator's shell has another one.  Of the
configuration only that directory is read, so that a mistake elsewhere in the file keeps nobody from asking the server.
"""

from __future__ import annotations

import os
import tomllib
from typing import Any, Final

import attrs

from ftpd.config.text import read_text
from ftpd.processes.directory import control_path
from ftpd.schema import FORMS, ConfigError, FilePath, Problem, Unfit

__all__ = ["STANDARD_FILE", "control_paths"]

STANDARD_FILE: Final = "/etc/ftpd/ftpd.toml"
_STANDARD_DIRECTORY: Final = "/run/ftpd"  # root's, and systemd's for a unit called ftpd
_INSTEAD: Final = "--socket PATH does without it"


def control_paths(file: str | None) -> list[str]:
    """Return where the server of the configuration *file* may listen, None for the standard one, which need not be there.

    One that does not say so was perhaps started by this user, or by root or systemd.  Raises `ConfigError`.
    """
    directory = _directory(file or STANDARD_FILE, is_needed=file is not None)
    paths = [control_path(directory)] if directory else [control_path(""), control_path(_STANDARD_DIRECTORY)]
    return list(dict.fromkeys(paths))


def _directory(file: str, is_needed: bool) -> str:
    """Return `process.directory` as *file* says it, "" where it does not."""
    table = _document(file, is_needed).get("process")
    try:
        directory: FilePath = FORMS[FilePath].read(table.get("directory", "") if isinstance(table, dict) else "")
    except Unfit as error:
        raise ConfigError([Problem(file, "process.directory", f"must be {error}", "")]) from error
    return directory and os.path.join(os.path.dirname(os.path.abspath(file)), directory)


def _document(file: str, is_needed: bool) -> dict[str, Any]:
    try:
        text = read_text(file)
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError) and not is_needed:
            return {}
        raise ConfigError(attrs.evolve(problem, allowed=_INSTEAD) for problem in error.problems) from error
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError([Problem(file, "", f"not TOML: {error}", _INSTEAD)]) from error
