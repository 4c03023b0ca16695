"""From a TOML file to the tree of settings, or to everything that is wrong with it.

Apart from `tables`, which reads one table: here is which table is what, and which kinds of stores and logins there are.
"""

from __future__ import annotations

import copy
import functools
import operator
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

import attrs

from ftpd.config.kinds import login_kinds, store_kinds
from ftpd.config.rules import problems_of
from ftpd.config.tables import Tables
from ftpd.config.text import read_text
from ftpd.config.tree import Config, ExtensionSettings, HostSettings, LoginSettings, StorageSettings
from ftpd.schema import ConfigError, Problem, nearest

__all__ = ["load_config", "parse_common", "parse_config"]

_SELECTED_BY_KIND = ("storage", "login", "hosts", "extensions")  # read by functions of their own below


def load_config(os_path: str | os.PathLike[str]) -> Config:
    """Read the file; relative paths in it are relative to its directory.  Raises `ConfigError` with every problem."""
    name = os.fspath(os_path)
    return parse_config(read_text(name), name, os.path.dirname(os.path.abspath(name)))


def parse_config(text: str, name: str = "", directory: str = "") -> Config:
    """Read *text*; *name* stands for it in problems, relative paths are relative to *directory*.  Raises `ConfigError`."""
    try:
        return _parsed(_toml(text, name), name, directory)
    except RecursionError:
        raise ConfigError([Problem(name, "", "its tables or arrays are nested too deeply", "")]) from None


def parse_common(text: str, name: str = "", directory: str = "") -> Config:
    """Read *text*, which `parse_config` has found good in another process, likewise, without what extensions have a say in: stores, login sources and
    virtual hosts are left at their defaults.  Raises `ConfigError` where this release knows less than that process.
    """
    tables = Tables(name, directory)
    values = _read_common(_toml(text, name), tables)
    if tables.problems:
        raise ConfigError(tables.problems)
    return Config(**values)


def _toml(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also for a number of thousands of digits
        raise ConfigError([Problem(name, "", f"not TOML: {error}", "")]) from error


def _parsed(document: dict[str, Any], name: str, directory: str) -> Config:
    tables = Tables(name, directory)
    values = _read_document(document, tables)
    problems = tables.problems
    # The rules between settings are judged all the same, as if what is wrong were left out: every mistake is named at once.
    if problems:
        tables = Tables(name, directory)
        values = _read_document(_without(document, [problem.path for problem in problems]), tables)
    if not tables.problems:
        config = Config(**values)
        problems += [attrs.evolve(problem, file=name) for problem in problems_of(config)]
    if problems:
        raise ConfigError(problems)
    return config


def _without(document: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return a copy of *document* that lacks what stands at the dotted *paths*; entries of arrays become empty tables, to keep their numbers."""
    rest: Any = copy.deepcopy(document)
    for path in paths:
        *steps, last = (int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path))
        with suppress(LookupError, TypeError):  # what is missing, or inside something that is wrong as a whole
            place = functools.reduce(operator.getitem, steps, rest)
            if isinstance(place, list):
                place[last] = {}
            else:
                del place[last]
    return cast("dict[str, Any]", rest)


def _read_common(document: dict[str, Any], tables: Tables) -> dict[str, Any]:
    fields: dict[str, Any] = attrs.fields_dict(attrs.resolve_types(Config))
    for key in sorted(document.keys() - fields.keys()):
        tables.complain(key, "no such table", nearest(key, fields))
    values = {
        key: tables.read(fields[key].type, value, key)
        for key, value in document.items()
        if key in fields and key not in _SELECTED_BY_KIND
    }
    values["extensions"] = tables.read(ExtensionSettings, document.get("extensions", {}), "extensions") or ExtensionSettings()
    return values


def _read_document(document: dict[str, Any], tables: Tables) -> dict[str, Any]:
    values = _read_common(document, tables)
    extensions = values["extensions"]
    stores, logins = store_kinds(extensions.directories), login_kinds(extensions.directories)
    values["storage"] = _read_storage(document.get("storage", {}), tables, stores)
    if "login" in document:
        values["login"] = _read_logins(document["login"], tables, logins)
    if "hosts" in document:
        values["hosts"] = _read_hosts(document["hosts"], tables, stores, logins)
    return values


def _read_hosts(
    value: object, tables: Tables, stores: Mapping[str, Any], logins: Mapping[str, Any]
) -> tuple[HostSettings | None, ...]:
    if not isinstance(value, list):
        tables.complain("hosts", "found a single value", "it must be an array of tables: [[hosts]]")
        return ()
    return tuple(_read_host(entry, tables, stores, logins, f"hosts[{index}]") for index, entry in enumerate(value))


def _read_host(
    entry: object, tables: Tables, stores: Mapping[str, Any], logins: Mapping[str, Any], path: str
) -> HostSettings | None:
    """Read a host, and the tables of its own by which it differs from the rest of the configuration."""
    if not isinstance(entry, dict):
        return tables.read(HostSettings, entry, path)
    host = tables.read(HostSettings, {key: value for key, value in entry.items() if key not in ("storage", "login")}, path)
    own: dict[str, Any] = {}
    if "storage" in entry:
        own["storage"] = _read_storage(entry["storage"], tables, stores, f"{path}.storage")
    if "login" in entry:
        own["login"] = _read_logins(entry["login"], tables, logins, f"{path}.login")
    return None if host is None else attrs.evolve(host, **own)


def _read_storage(table: object, tables: Tables, available: Mapping[str, Any], path: str = "storage") -> StorageSettings | None:
    """Read `[storage]` and the `[storage.KIND]` of every kind: one that is not chosen is checked as well, and not used."""
    if not isinstance(table, dict):
        return tables.read(StorageSettings, table, path)
    names = [field.name for field in attrs.fields(StorageSettings) if field.name != "settings"]  # no key, but the table of the kind
    for key in sorted(table.keys() - available.keys() - set(names)):
        tables.complain(f"{path}.{key}", "no such setting", nearest(key, [*names, *available]))
    storage = tables.read(StorageSettings, {key: table[key] for key in names if key in table}, path)
    wanted = storage.kind if storage is not None else ""
    settings = {
        kind: tables.read(available[kind].settings, table.get(kind, {}), f"{path}.{kind}")
        for kind in available
        if kind in table or kind == wanted
    }
    if storage is None or not _is_available(f"{path}.kind", wanted, available, tables):
        return None
    return attrs.evolve(storage, settings=settings[wanted])


def _read_logins(
    value: object, tables: Tables, available: Mapping[str, Any], path: str = "login"
) -> tuple[LoginSettings | None, ...]:
    if not isinstance(value, list):
        tables.complain(path, "found a single value", f"it must be an array of tables: [[{path.rpartition('.')[2]}]]")
        return ()
    return tuple(_read_login(entry, tables, available, f"{path}[{index}]") for index, entry in enumerate(value))


def _read_login(entry: object, tables: Tables, available: Mapping[str, Any], path: str) -> LoginSettings | None:
    if not isinstance(entry, dict):
        return tables.read(LoginSettings, entry, path)
    login = tables.read(LoginSettings, {key: value for key, value in entry.items() if key == "kind"}, path)
    if login is None:
        return None
    if login.kind == "anonymous":  # a login source elsewhere; here a table of its own, which also says what such clients may do
        tables.complain(path, "anonymous logins are not a login source here", "use the [anonymous] table")
        return None
    if not _is_available(f"{path}.kind", login.kind, available, tables):
        return None
    own = {key: value for key, value in entry.items() if key != "kind"}
    return attrs.evolve(login, settings=tables.read(available[login.kind].settings, own, path))


def _is_available(path: str, kind: str, available: Mapping[str, Any], tables: Tables) -> bool:
    if kind not in available:
        tables.complain(path, f"there is no kind {kind!r}", nearest(kind, available))
    return kind in available
