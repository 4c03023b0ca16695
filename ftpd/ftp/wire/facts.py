"""Facts of MLST and MLSD, and their time format (RFC 3659).

Apart because the notation is the standard's and LIST's is not.  A formatter is made for one listing: what repeats from row to row is
remembered, in tables that do not grow with the directory (benchmark: listing).
"""

from __future__ import annotations

import calendar
import datetime
import re
import time
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from ftpd.errors import BadArgument
from ftpd.values import FileInfo, FileKind, Permission

__all__ = ["DEFAULT_FACTS", "FACTS", "FactFormat", "feat_line", "format_time", "opts_line", "parse_time", "select_facts"]

FACTS: Final[tuple[str, ...]] = ("type", "size", "modify", "create", "perm", "unique", "UNIX.mode", "UNIX.owner", "UNIX.group")
# What every client uses.  The others are asked for by those who want them (lftp, ncftp, FileZilla send OPTS MLST).
DEFAULT_FACTS: Final[tuple[str, ...]] = ("type", "size", "modify", "perm")

_CANONICAL: Final = {fact.lower(): fact for fact in FACTS}
_DAY_SECONDS: Final = 86_400
_FIRST_SECOND: Final = -62_135_596_800  # 0001-01-01 00:00:00: the notation has four digits for the year
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31 23:59:59
_TIME_VAL: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:\.([0-9]+))?")
_MINUTES: Final = tuple(f"{hour:02d}{minute:02d}" for hour in range(24) for minute in range(60))
_SECONDS: Final = tuple(f"{second:02d}" for second in range(60))
# RFC 3659 7.2, SCHAR: no space and no semicolon, which would end the fact.
_NOT_SCHAR: Final = re.compile(r"""[^A-Za-z0-9,.:!@#$%^&()\-_+?/\\'"=]""")
_MOST_REMEMBERED: Final = 1024  # owners, modes or days; a directory that has more of them costs time, not memory

_DIRECTORY_LETTERS: Final = (
    ("c", Permission.CREATE),
    ("d", Permission.DIRECTORIES),
    ("e", Permission.ALL),  # whoever may do anything below has to get there
    ("f", Permission.RENAME),
    ("l", Permission.LIST),
    ("m", Permission.DIRECTORIES),
    ("p", Permission.DELETE),
)
_FILE_LETTERS: Final = (
    ("a", Permission.OVERWRITE),
    ("d", Permission.DELETE),
    ("f", Permission.RENAME),
    ("r", Permission.READ),
    ("w", Permission.OVERWRITE),
)
_OTHER_LETTERS: Final = (("d", Permission.DELETE), ("f", Permission.RENAME))
_LETTERS: Final = {  # RFC 3659 7.5.5
    FileKind.DIRECTORY: _DIRECTORY_LETTERS,
    FileKind.FILE: _FILE_LETTERS,
    FileKind.LINK: _OTHER_LETTERS,
    FileKind.OTHER: _OTHER_LETTERS,
}

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def format_time(nanoseconds: int) -> str:
    """Write a time since the epoch as `YYYYMMDDHHMMSS` in UTC (RFC 3659 2.3).

    Without a fraction: clients that compare times as text would see a change where a store rounds.  A year that has not four digits
    becomes the nearest that has.
    """
    return _time_format()(nanoseconds // 1_000_000_000)


def parse_time(text: str) -> int:
    """Read `YYYYMMDDHHMMSS[.fraction]`, UTC, as nanoseconds since the epoch; what is no time is :class:`BadArgument`.

    A leap second (`60`) is the first second of the next minute; digits beyond the nanosecond are dropped.
    """
    match = _TIME_VAL.fullmatch(text)
    if match is None:
        raise BadArgument("A time is YYYYMMDDHHMMSS in UTC")
    year, month, day, hour, minute, second = (int(digits) for digits in match.groups()[:6])
    try:
        date = datetime.datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError:
        raise BadArgument("There is no such time") from None
    if second > 60:
        raise BadArgument("There is no such time")
    nanoseconds = int((match[7] or "")[:9].ljust(9, "0"))
    return (calendar.timegm(date.timetuple()) + (second == 60)) * 1_000_000_000 + nanoseconds


def select_facts(text: str, offered: tuple[str, ...] = FACTS) -> tuple[str, ...]:
    """Read the argument of OPTS MLST, `type;size;`: any case, facts that are not *offered* ignored, none at all allowed (RFC 3659 7.9)."""
    wanted = {_CANONICAL.get(fact.lower()) for fact in text.split(";")}
    return tuple(fact for fact in offered if fact in wanted)


def feat_line(selected: tuple[str, ...], offered: tuple[str, ...] = FACTS) -> str:
    """Write the line of FEAT, the *offered* facts, with a `*` at each that is sent (RFC 3659 7.8)."""
    return "MLST " + "".join(f"{fact}*;" if fact in selected else f"{fact};" for fact in offered)


def opts_line(selected: tuple[str, ...]) -> str:
    """Write the text of the 200 to OPTS MLST: what will be sent from now on (RFC 3659 7.9)."""
    return f"MLST OPTS {''.join(f'{fact};' for fact in selected)}".rstrip()


class FactFormat:
    """A `spi.RowFormat`: one file as `fact=value;fact=value; name`.

    *allows* is what the account may do with the entries of the listed directory, *exceptions* with the entry of a name that has a rule
    of its own.  *directory_type* is `cdir` or `pdir` for the rows of the listed directory itself and of its parent (RFC 3659 7.5.1).
    The caller leaves out names that contain CR or LF.
    """

    __slots__ = ("_allows", "_directory_type", "_exceptions", "_selected", "_time_text", "_writers", "tells_creation")

    from_name: Final = None

    def __init__(
        self,
        selected: tuple[str, ...],
        allows: Permission,
        exceptions: Mapping[str, Permission] = MappingProxyType({}),
        *,
        directory_type: str = "dir",
    ) -> None:
        self.tells_creation = "create" in selected
        self._selected = selected
        self._allows = allows
        self._exceptions = exceptions
        self._directory_type = directory_type
        self._time_text = _time_format()
        self._writers: dict[tuple[bool, bool, bool, int, str, str], _Writer] = {}

    def row(self, info: FileInfo) -> str:
        name, kind, size, modified_ns, mode, _, owner, group, unique, _, created_ns = info
        if name in self._exceptions:
            write = self._writer(info, self._exceptions[name])
        else:
            # not the kind: an enum member's hash is computed in Python
            key = (kind is FileKind.FILE, kind is FileKind.DIRECTORY, kind is FileKind.LINK, mode, owner, group)
            write = self._writers.get(key) or _remember(self._writers, key, self._writer(info, self._allows))
        own_facts = f"unique={unique};" if unique and "unique" in self._selected else ""
        if created_ns is not None and self.tells_creation:
            own_facts += f"create={self._time_text(created_ns // 1_000_000_000)};"
        text = write(name, size, modified_ns // 1_000_000_000, own_facts)
        return f"type={_link_type(info.target)};{text}" if kind is FileKind.LINK and "type" in self._selected else text

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        tells_more = self._exceptions or self.tells_creation or "unique" in self._selected
        return None if tells_more else self._writer(info, self._allows)

    def _writer(self, info: FileInfo, allowed: Permission) -> _Writer:
        """Return what writes *info* and those like it; of a link all but its type, which tells the target."""
        selected, time_text = self._selected, self._time_text
        type_fact = f"type={self._type(info.kind)};" if "type" in selected and info.kind is not FileKind.LINK else ""
        has_size, has_time = "size" in selected and info.kind is FileKind.FILE, "modify" in selected
        slow_facts = _slow_facts(info, selected, allowed)

        def write(name: str, size: int, modified: int, own_facts: str = "") -> str:
            size_fact = f"size={size};" if has_size else ""
            time_fact = f"modify={time_text(modified)};" if has_time else ""
            return f"{type_fact}{size_fact}{time_fact}{own_facts}{slow_facts} {name}"

        def write_both(name: str, size: int, modified: int, own_facts: str = "") -> str:  # nearly every row: 0.1 us less
            return f"{type_fact}size={size};modify={time_text(modified)};{own_facts}{slow_facts} {name}"

        return write_both if has_size and has_time else write

    def _type(self, kind: FileKind) -> str:
        return "file" if kind is FileKind.FILE else self._directory_type if kind is FileKind.DIRECTORY else "OS.unix=other"


class _Writer(Protocol):
    def __call__(self, name: str, size: int, modified: int, own_facts: str = "") -> str: ...


def _link_type(target: str | None) -> str:
    # With the target as in the examples of RFC 3659 7.7.4 (FileZilla and WinSCP read it); the BNF of erratum 1500 has no room for one.
    return f"OS.unix=slink:{target}" if target and not _NOT_SCHAR.search(target) else "OS.unix=symlink"


def _slow_facts(info: FileInfo, selected: tuple[str, ...], allowed: Permission) -> str:
    """Write the facts that few different files of a directory differ in."""
    values = {
        "perm": "".join(letter for letter, needed in _LETTERS[info.kind] if needed & allowed),
        "UNIX.mode": f"{info.mode & 0o7777:04o}",
        "UNIX.owner": _NOT_SCHAR.sub("_", info.owner),
        "UNIX.group": _NOT_SCHAR.sub("_", info.group),
    }
    return "".join(f"{fact}={value};" for fact, value in values.items() if fact in selected)


def _time_format() -> Callable[[int], str]:
    """Return a :func:`format_time` of whole seconds that remembers the days it has met."""
    days: dict[int, str] = {}

    def time_text(seconds: int) -> str:
        day = seconds // _DAY_SECONDS
        date = days.get(day)
        if date is None:
            if not _FIRST_SECOND <= seconds <= _LAST_SECOND:
                return "00010101000000" if seconds < 0 else "99991231235959"
            date = _remember(days, day, _date(day))
        second = seconds % _DAY_SECONDS  # divmod makes a tuple first
        return f"{date}{_MINUTES[second // 60]}{_SECONDS[second % 60]}"

    return time_text


def _date(day: int) -> str:
    calendar_day = time.gmtime(day * _DAY_SECONDS)
    return f"{calendar_day.tm_year:04d}{calendar_day.tm_mon:02d}{calendar_day.tm_mday:02d}"


def _remember(table: dict[K, V], key: K, value: V) -> V:
    if len(table) >= _MOST_REMEMBERED:
        table.clear()
    table[key] = value
    return value
