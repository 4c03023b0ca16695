"""What a setting is: its type, default, unit, limits and one sentence; and how text becomes its value.

`[...]` tables are attrs classes whose fields are made with :func:`setting`; `config.py` reads TOML into them, and the sample file, the
reference page and `ftpd check` are generated from the same metadata.
"""

from __future__ import annotations

from typing import Any, NewType

import attrs

__all__ = ["FileMode", "Seconds", "Size", "setting"]

Seconds = NewType("Seconds", float)  # TOML: 90, "90 s", "5 min", "2 h", "7 d"
Size = NewType("Size", int)  # bytes; TOML: 4096, "64 KiB", "1 GiB", "2 MB"
FileMode = NewType("FileMode", int)  # permission bits; TOML: "0644"


def setting(
    default: Any = attrs.NOTHING,
    *,
    help: str,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    factory: Any = None,
    is_secret: bool = False,
) -> Any:
    """Declare a field of a settings class.  *help* is one sentence for the operator; limits are inclusive."""
    metadata = {"help": help, "unit": unit, "minimum": minimum, "maximum": maximum, "choices": choices, "is_secret": is_secret}
    if factory is not None:
        return attrs.field(factory=factory, metadata=metadata, kw_only=True)
    return attrs.field(default=default, metadata=metadata, kw_only=True)
