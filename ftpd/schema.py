"""What a setting is: its type, default, unit, limits and one sentence; and how TOML becomes its value and back.

`[...]` tables are attrs classes whose fields are made with :func:`setting`; `ftpd.config` reads TOML into them, and the sample file, the
reference page and `ftpd check` are generated from the same metadata.  Apart from `ftpd.config`, so that storage, login and protocols
declare their settings without knowing what reads them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NewType, TypeAlias

import attrs

__all__ = [
    "FORMS",
    "ConfigError",
    "FileMode",
    "FilePath",
    "Form",
    "Network",
    "PortRange",
    "Problem",
    "Seconds",
    "Size",
    "Unfit",
    "Workers",
    "nearest",
    "setting",
]

Seconds = NewType("Seconds", float)  # TOML: 90, "90 s", "5 min", "2 h", "7 d"
Size = NewType("Size", int)  # bytes; TOML: 4096, "64 KiB", "1 GiB", "2 MB"
FileMode = NewType("FileMode", int)  # permission bits; TOML: "0644"
FilePath = NewType("FilePath", str)  # a file or directory of the machine; TOML: relative to the configuration file; "" stays empty
Workers = NewType("Workers", int)  # a number of processes, -1 for as many as cores; TOML: 2, "cores"
PortRange: TypeAlias = tuple[int, int]  # first and last, both included; TOML: "49152-65534", [49152, 65534]
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network  # TOML: "10.0.0.0/8", "::1"


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


@attrs.frozen
class Problem:
    """One thing wrong with a configuration: *file*, dotted *path* (entries of arrays count from 0), what was found, what is allowed."""

    file: str
    path: str
    found: str
    allowed: str

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.path) if part)
        said = "; ".join(part for part in (self.found, self.allowed) if part)
        return f"{where}: {said}" if where else said


class ConfigError(Exception):
    """The configuration cannot be used; `problems` names everything that is wrong with it, not just the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def within(self, file: str) -> ConfigError:
        """Return it with *file* named in problems that name a setting and no file: who finds them does not know where it stands.

        What has no path is a whole sentence, such as a worker's, which has named the file itself.
        """
        return ConfigError(
            attrs.evolve(problem, file=problem.file or file) if problem.path else problem for problem in self.problems
        )

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Unfit(ValueError):
    """A TOML value cannot be a setting's value; the message says what is allowed."""


@attrs.frozen
class Form:
    """How values of one type are written in TOML.

    `read` turns what tomllib gives into the value or raises :class:`Unfit`; `show` turns the value into what TOML shall hold.
    """

    allowed: str
    read: Callable[[object], Any]
    show: Callable[[Any], object] = lambda value: value


_DURATIONS: Final = {"": 1, "ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
_DURATION: Final = "a duration such as 90, '90 s', '5 min', '2 h' or '7 d'"
_SIZES: Final = {"": 1, "B": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", 1)
    for suffix, base in (("B", 1000), ("iB", 1024))
} | {"kB": 1000}  # fmt: skip
_SIZE: Final = "a size such as 4096, '64 KiB', '2 MB' or '1 GiB'"
_MODE: Final = "permission bits in octal, as text, such as '0644'"
_PORTS: Final = "a range of ports such as '49152-65534' or [49152, 65534], the lower first"
_NETWORK: Final = "a network or an address such as '10.0.0.0/8' or '::1'"
_WORKERS: Final = "a number from 0 to 1024, or 'cores'"
_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)", re.ASCII)


def _number(value: object, allowed: str) -> int | float:
    # bool is an int in Python, not in TOML; nan and inf are TOML floats that no limit would catch
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e18 < value < 1e18:
        raise Unfit(allowed)
    return value


def _quantity(value: object, units: Mapping[str, float], allowed: str) -> float:
    if not isinstance(value, str):
        return _number(value, allowed)
    match = _QUANTITY.fullmatch(value.strip())
    if match is None or match[2] not in units:
        raise Unfit(allowed)
    return _number(float(match[1]) * units[match[2]] if "." in match[1] else int(match[1]) * units[match[2]], allowed)


def _read_seconds(value: object) -> Seconds:
    return Seconds(float(_quantity(value, _DURATIONS, _DURATION)))


def _show_seconds(seconds: Seconds) -> object:
    for unit in ("d", "h", "min"):
        count, rest = divmod(seconds, _DURATIONS[unit])
        if count and not rest:
            return f"{count:.0f} {unit}"
    return f"{f'{seconds:.3f}'.rstrip('0').rstrip('.')} s"


def _read_size(value: object) -> Size:
    size = _quantity(value, _SIZES, _SIZE)
    if size != int(size):
        raise Unfit(_SIZE)
    return Size(int(size))


def _show_size(size: Size) -> object:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        count, rest = divmod(size, _SIZES[unit])
        if count and not rest:
            return f"{count} {unit}"
    return size


def _read_mode(value: object) -> FileMode:
    # A bare 644 would be decimal and so a wrong mode in silence: text only.
    if not isinstance(value, str) or not re.fullmatch(r"(0o?)?[0-7]{3,4}", value):
        raise Unfit(_MODE)
    return FileMode(int(value.removeprefix("0o"), 8))


def _read_ports(value: object) -> PortRange:
    if isinstance(value, str):
        value = [int(part) if part.strip().isdecimal() else part for part in value.split("-")]
    if not isinstance(value, list) or len(value) != 2:
        raise Unfit(_PORTS)
    low, high = (_read_int(part, _PORTS) for part in value)
    if low > high:
        raise Unfit(_PORTS)
    return (low, high)


def _read_network(value: object) -> Network:
    if not isinstance(value, str):
        raise Unfit(_NETWORK)
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise Unfit(f"{_NETWORK} ({error})") from None


def _read_int(value: object, allowed: str = "a whole number") -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit(allowed)
    return value


def _read_workers(value: object) -> Workers:
    if value == "cores":
        return Workers(-1)
    count = _read_int(value, _WORKERS)
    if not 0 <= count <= 1024:
        raise Unfit(_WORKERS)
    return Workers(count)


def _read_float(value: object) -> float:
    return float(_number(value, "a number"))


def _read_bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit("true or false")
    return value


def _read_text(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit("text in quotes")
    return value


def _read_path(value: object) -> FilePath:
    text = _read_text(value)
    if "\0" in text:
        raise Unfit("the path of a file or directory")
    return FilePath(text)


FORMS: Final[Mapping[Any, Form]] = MappingProxyType(
    {
        str: Form("text", _read_text),
        bool: Form("true or false", _read_bool),
        int: Form("a whole number", _read_int),
        float: Form("a number", _read_float),
        Seconds: Form(_DURATION, _read_seconds, _show_seconds),
        Size: Form(_SIZE, _read_size, _show_size),
        FileMode: Form(_MODE, _read_mode, lambda mode: f"{mode:04o}"),
        FilePath: Form("a path, relative to the configuration file", _read_path),
        Workers: Form(_WORKERS, _read_workers, lambda count: "cores" if count < 0 else count),
        PortRange: Form(_PORTS, _read_ports, lambda ports: f"{ports[0]}-{ports[1]}"),
        Network: Form(_NETWORK, _read_network, str),
    }
)


def nearest(key: str, names: Iterable[str]) -> str:
    """Say which of *names* was probably meant by *key*, or else which there are."""
    from difflib import get_close_matches  # of use to the one who erred, not to each start

    names = sorted(names)
    close = get_close_matches(key, names, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
