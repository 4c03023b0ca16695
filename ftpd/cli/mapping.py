"""Mapping: what the rules of a TFTP map file make of a name, as lines: what `ftpd tftp-map` prints.

Apart from the command, which is imported for help and completion too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from ftpd.cli.units import counted
from ftpd.errors import BadName, NotPermitted
from ftpd.logs.visible import visible
from ftpd.tftp.names import path_of, read_map_file
from ftpd.tftp.wire.mapfile import Mapped, Step

__all__ = ["mapping"]

_STEPS: Final = 100  # that are printed: rules that come to no end take thousands, and the first ones show how


def mapping(file: str, name: str, *, is_write: bool, address: str) -> tuple[list[str], bool]:
    """Return the lines, and whether the name is refused.

    Raises `ConfigError` for a *file* that cannot be used, `ValueError` for an *address* that is none.
    """
    client = str(ipaddress.ip_address(address))
    mapped = read_map_file(file).apply(name, is_write=is_write, address=client)
    lines = [line for step in mapped.steps[:_STEPS] for line in _matched(step)]
    if len(mapped.steps) > _STEPS:
        lines.append(f"... and {counted(len(mapped.steps) - _STEPS, 'rule')} more")
    end, is_refused = _end(mapped)
    return [*lines, end], is_refused


def _matched(step: Step) -> Iterator[str]:
    yield f"line {step.rule.line}: {_text(step.rule.text)}"
    yield f"    {_text(step.before)} -> {'refused' if step.rule.refuses else _text(step.after)}"


def _end(mapped: Mapped) -> tuple[str, bool]:
    if mapped.name is None:
        return f"refused: {visible(mapped.refusal or str(NotPermitted()))}", True
    try:
        return f"file: {_text(str(path_of(mapped.name)))}", False
    except BadName as error:
        return f"refused: {error}", True


def _text(name: str) -> str:
    # Names that print as themselves stay so, backslashes too: they are what most rules are about.
    return name if name.isprintable() else visible(name)
