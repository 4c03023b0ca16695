"""What is written from the settings: the sample file, the reference page, and the effective settings of one configuration.

Apart from reading; all three come from the classes themselves, so that none of them can be out of date.
"""

from __future__ import annotations

import ipaddress
import json
import re
import textwrap
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import attrs

from ftpd.config.kinds import login_kinds, store_kinds
from ftpd.config.tree import Config, HostSettings, LoginSettings, StorageSettings
from ftpd.ftp.settings import DeviceSettings, NetworkProtectionSettings, PassiveNetworkSettings, TraceSettings
from ftpd.schema import FORMS, FilePath
from ftpd.tftp.settings import TFTPListenSettings, TFTPNetworkSettings
from ftpd.tls.settings import CertificateSettings

__all__ = ["effective", "sample", "settings_page"]

_WIDTH = 120
_REPEAT = "The table may be repeated for more."
_EXAMPLES = {
    CertificateSettings: CertificateSettings(chain=FilePath("fullchain.pem"), key=FilePath("privkey.pem")),
    DeviceSettings: DeviceSettings(device="scanner", networks=(ipaddress.ip_network("10.0.0.0/8"),)),
    TraceSettings: TraceSettings(directory=FilePath("/var/lib/ftpd/traces"), accounts=("scanner",)),
    HostSettings: HostSettings(names=("ftp.example.com",)),
    NetworkProtectionSettings: NetworkProtectionSettings(networks=(ipaddress.ip_network("10.0.0.0/8"),)),
    PassiveNetworkSettings: PassiveNetworkSettings(networks=(ipaddress.ip_network("10.0.0.0/8"),)),
    TFTPListenSettings: TFTPListenSettings(account="boot"),
    TFTPNetworkSettings: TFTPNetworkSettings(networks=(ipaddress.ip_network("10.0.0.0/8"),), root="/other"),
}
"""What has to be filled in."""
_SAMPLE_HEAD = """\
# ftpd.toml: every setting with its default.  Settings behind a # without a space belong to tables that are not there by default.
# Durations: 90, "90 s", "5 min", "2 h", "7 d".  Sizes: 4096, "64 KiB", "2 MB", "1 GiB".  Modes: "0644".
# Relative paths are relative to this file.  `ftpd check FILE` names every mistake and prints the settings in effect.
"""
_PAGE_HEAD = """\
# Settings

Generated from the code by `python -m ftpd.config.reference`; the same settings with their defaults stand in `etc/ftpd.toml`.
`ftpd check FILE` names every mistake in a file at once, with its dotted path, and prints the settings in effect.
Relative paths are relative to the file. Unknown settings are errors.
"""


def sample() -> str:
    """Return the text of `etc/ftpd.toml`."""
    tables = _tables(Config(), _Walk(with_examples=True, with_values=True))
    return "\n".join([_SAMPLE_HEAD, *(_sample_table(table) for table in tables if table.rows)])


def settings_page() -> str:
    """Return the text of `docs/settings.md`."""
    return "\n".join([_PAGE_HEAD, *(_page_table(table) for table in _tables(Config(), _Walk(with_examples=True)) if table.rows)])


def effective(config: Config) -> str:
    """Return *config* as TOML that gives the same settings again; secrets are shown as `(hidden)`."""
    return "\n".join(_effective_table(table) for table in _tables(config, _Walk()) if table.rows)


@attrs.frozen
class _Row:
    """One setting: its field, and its value in TOML."""

    field: Any
    value: str


@attrs.frozen
class _Table:
    """One TOML table: its header with brackets, what it is, and its plain settings; an example is not in effect."""

    header: str
    text: str
    rows: tuple[_Row, ...]
    is_example: bool


@attrs.frozen
class _Walk:
    """What stays the same on the way down: whether empty places are shown by an example, with values that stand in for an operator's, and
    whether this is inside one.
    """

    with_examples: bool = False
    with_values: bool = False
    is_example: bool = False


def _tables(config: Config, walk: _Walk) -> Iterator[_Table]:
    yield from _table(config, "[{}]", "", "", walk)


def _table(value: Any, header: str, path: str, text: str, walk: _Walk) -> Iterator[_Table]:
    """Yield the table of one settings object, then those below it."""
    members = list(_members(value))
    rows = tuple(_Row(field, _toml(content, field)) for field, content in members if _inner(field.type) is None)
    yield _Table(header.format(path), text, rows, walk.is_example)
    if isinstance(value, StorageSettings):
        yield from _storage_tables(value, path, walk)
    for field, content in members:
        if _inner(field.type) is not None:
            yield from _inner_tables(field, content, f"{path}.{field.name}".lstrip("."), walk)


def _members(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each setting of *value* as field and content; the table of a login source holds its kind's settings too."""
    for field in attrs.fields(attrs.resolve_types(type(value))):
        if "help" in field.metadata:
            yield field, getattr(value, field.name)
    if isinstance(value, LoginSettings) and value.settings is not None:
        yield from _members(value.settings)


def _inner(kind: Any) -> Any:
    """Return the settings class that a field of type *kind* holds, one or several times; None for a plain value."""
    kind = _present(kind)
    inner = get_args(kind)[-1 if get_origin(kind) is Mapping else 0] if get_args(kind) else kind
    return inner if isinstance(inner, type) and attrs.has(inner) else None


def _present(kind: Any) -> Any:
    """Return what an optional setting is where it is there."""
    return get_args(kind)[0] if get_origin(kind) is types.UnionType else kind


def _inner_tables(field: Any, content: Any, path: str, walk: _Walk) -> Iterator[_Table]:
    if content is None:
        return
    text = field.metadata["help"]
    example = attrs.evolve(walk, is_example=True)
    if isinstance(content, Mapping):
        for name, entry in content.items():
            yield from _table(entry, "[{}]", f"{path}.{_key(name)}", text, walk)
        if walk.with_examples and not content:
            yield from _table(_inner(field.type)(), "[{}]", f"{path}.NAME", text, example)
    elif isinstance(content, tuple):
        for entry in content:
            yield from _table(entry, "[[{}]]", path, f"{text}  {_REPEAT}", walk)
        if walk.with_examples and not content:
            for entry in _examples(_inner(field.type), walk):
                yield from _table(entry, "[[{}]]", path, f"{text}  {_REPEAT}", example)
    else:
        yield from _table(content, "[{}]", path, text, walk)


def _examples(kind: Any, walk: _Walk) -> Iterator[Any]:
    if walk.with_values and kind in _EXAMPLES:
        yield _EXAMPLES[kind]
    elif kind is LoginSettings:
        yield from (
            LoginSettings(kind=name, settings=login.settings())
            for name, login in login_kinds().items()
            if attrs.fields(login.settings)
        )
    else:
        yield kind()


def _storage_tables(storage: StorageSettings, path: str, walk: _Walk) -> Iterator[_Table]:
    if storage.settings is not None:
        yield from _table(storage.settings, "[{}]", f"{path}.{storage.kind}", "", walk)
    elif walk.with_examples:
        for name, kind in store_kinds().items():
            is_example = walk.is_example or name != storage.kind
            text = f"What storage.kind = {_literal(name)} needs."
            yield from _table(kind.settings(), "[{}]", f"{path}.{name}", text, attrs.evolve(walk, is_example=is_example))


def _sample_table(table: _Table) -> str:
    mark = "#" if table.is_example else ""
    lines = [f"# {table.text}", mark + table.header]
    for row in table.rows:
        lines += textwrap.wrap(_sentence(row.field), _WIDTH, initial_indent="# ", subsequent_indent="# ")
        lines.append(f"{mark}{row.field.name} = {row.value}")
    return "\n".join(lines) + "\n"


def _page_table(table: _Table) -> str:
    lines = [f"## `{table.header}`", "", table.text, "", "| setting | default | meaning |", "|---|---|---|"]
    for row in table.rows:
        lines.append(f"| `{row.field.name}` | `{row.value}` | {_sentence(row.field)} |".replace("*", "\\*"))
    return "\n".join(lines) + "\n"


def _effective_table(table: _Table) -> str:
    return "\n".join([table.header, *(f"{row.field.name} = {row.value}" for row in table.rows)]) + "\n"


def _sentence(field: Any) -> str:
    """Return what there is to know of one setting: the sentence, the unit, the limits, the choices."""
    metadata = field.metadata
    minimum, maximum = metadata["minimum"], metadata["maximum"]
    words = [
        f"Unit: {metadata['unit']}." if metadata["unit"] else "",
        f"One of {', '.join(filter(None, metadata['choices']))}." if metadata["choices"] else "",
        f"{minimum:.15g} to {maximum:.15g}." if minimum is not None and maximum is not None else "",
        f"At least {minimum:.15g}." if minimum is not None and maximum is None else "",
        f"At most {maximum:.15g}." if maximum is not None and minimum is None else "",
    ]
    return " ".join(filter(None, [metadata["help"], *words]))


def _toml(value: Any, field: Any) -> str:
    if field.metadata["is_secret"] and value:
        return '"(hidden)"'
    return _literal(_shown(value, field.type))


def _shown(value: Any, kind: Any) -> Any:
    if kind in FORMS:
        return FORMS[kind].show(value)
    if isinstance(value, Mapping):
        return {key: _shown(part, get_args(kind)[1]) for key, part in value.items()}
    return [_shown(part, get_args(kind)[0]) for part in value]


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_key(key)} = {_literal(part)}' for key, part in value.items())} }}" if value else "{}"
    # A TOML basic string is JSON's, save that DEL must be escaped as well.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _literal(name)


def _write(root: Path) -> None:
    """Write both generated files below *root*, the top of a checkout."""
    (root / "etc" / "ftpd.toml").write_text(sample(), encoding="utf-8")
    (root / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    _write(Path.cwd())
