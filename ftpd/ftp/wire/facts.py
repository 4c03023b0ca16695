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
from typing import Final, TypeVar

from ftpd.errors import BadArgument
from ftpd.values import FileInfo, FileKind, Permission

__all__ = ["DEFAULT_FACTS", "FACTS", "fact_format", "feat_line", "format_time", "opts_line", "parse_time", "select_facts"]

FACTS: Final[tuple[str, ...]] = ("type", "size", "modify", "perm", "unique", "UNIX.mode", "UNIX.owner", "UNIX.group")
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
    return _time_format()(nanoseconds)


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


def select_facts(text: str) -> tuple[str, ...]:
    """Read the argument of OPTS MLST, `type;size;`: any case, unknown facts ignored, none at all allowed (RFC 3659 7.9)."""
    wanted = {_CANONICAL.get(fact.lower()) for fact in text.split(";")}
    return tuple(fact for fact in FACTS if fact in wanted)


def feat_line(selected: tuple[str, ...]) -> str:
    """Write the line of FEAT, a `*` at each fact that is sent (RFC 3659 7.8)."""
    return "MLST " + "".join(f"{fact}*;" if fact in selected else f"{fact};" for fact in FACTS)


def opts_line(selected: tuple[str, ...]) -> str:
    """Write the text of the 200 to OPTS MLST: what will be sent from now on (RFC 3659 7.9)."""
    return f"MLST OPTS {''.join(f'{fact};' for fact in selected)}".rstrip()


def fact_format(
    selected: tuple[str, ...],
    allows: Permission,
    exceptions: Mapping[str, Permission] = MappingProxyType({}),
    *,
    directory_type: str = "dir",
) -> Callable[[FileInfo], str]:
    """Return a function that writes one file as `fact=value;fact=value; name`, without a line end.

    *allows* is what the account may do with the entries of the listed directory, *exceptions* with the entry of a name that has a rule
    of its own.  *directory_type* is `cdir` or `pdir` for the rows of the listed directory itself and of its parent (RFC 3659 7.5.1).
    The caller leaves out names that contain CR or LF.
    """
    has_type, has_size, has_time, has_unique = (fact in selected for fact in ("type", "size", "modify", "unique"))
    time_text = _time_format()
    remembered: dict[tuple[bool, bool, int, str, str], str] = {}

    def row(info: FileInfo) -> str:
        name, kind, size, modified_ns, mode, _, owner, group, unique, _ = info
        is_file, is_directory = kind is FileKind.FILE, kind is FileKind.DIRECTORY
        if name in exceptions:
            slow_facts = _slow_facts(info, selected, exceptions[name])
        else:
            key = (is_file, is_directory, mode, owner, group)  # not the kind: an enum member's hash is computed in Python
            known = remembered.get(key)
            slow_facts = _remember(remembered, key, _slow_facts(info, selected, allows)) if known is None else known
        type_fact = (
            "" if not has_type else "type=file;" if is_file else f"type={directory_type if is_directory else _odd_type(info)};"
        )
        size_fact = f"size={size};" if has_size and is_file else ""
        time_fact = f"modify={time_text(modified_ns)};" if has_time else ""
        unique_fact = f"unique={unique};" if has_unique and unique else ""
        return f"{type_fact}{size_fact}{time_fact}{unique_fact}{slow_facts} {name}"

    return row


def _odd_type(info: FileInfo) -> str:
    """Return the type of what is neither a file nor a directory."""
    if info.kind is FileKind.OTHER:
        return "OS.unix=other"
    # With the target as in the examples of RFC 3659 7.7.4 (FileZilla and WinSCP read it); the BNF of erratum 1500 has no room for one.
    if info.target and not _NOT_SCHAR.search(info.target):
        return f"OS.unix=slink:{info.target}"
    return "OS.unix=symlink"


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
    """Return a :func:`format_time` that remembers the days it has met."""
    days: dict[int, str] = {}

    def time_text(nanoseconds: int) -> str:
        seconds = min(max(nanoseconds // 1_000_000_000, _FIRST_SECOND), _LAST_SECOND)
        day, second = divmod(seconds, _DAY_SECONDS)
        date = days.get(day) or _remember(days, day, _date(day))
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
