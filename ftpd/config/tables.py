"""TOML tables become settings objects, and everything that is wrong with them a list of problems.

Apart from what the tables are, because an extension's settings are read by the same rules.  cattrs walks the classes and collects what
the hooks here raise; attrs validators would stop at the first.
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import AttributeValidationNote, BaseValidationError, ForbiddenExtraKeysError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, override

from ftpd.schema import FORMS, FilePath, Form, Problem, Unfit, nearest

__all__ = ["Tables", "written"]

T = TypeVar("T")
_HIDDEN: Final = object()  # stands for a secret in a problem


class Tables:
    """Reads the tables of one file and keeps what is wrong with them in `problems`.

    *file* names it in problems; *directory* is what relative paths are relative to.
    """

    def __init__(self, file: str, directory: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._directory = directory
        self._converter = _converter(directory)

    def read(self, kind: type[T], value: object, path: str) -> T | None:
        """Turn *value*, found at the dotted *path*, into a *kind*; None, and problems, where that fails."""
        try:
            return self._converter.structure(value, kind)
        except (BaseValidationError, _Misfit) as error:
            self.problems.extend(self._explain(error, path))
            return None

    def complain(self, path: str, found: str, allowed: str = "") -> None:
        """Add a problem that no single value shows."""
        self.problems.append(Problem(self._file, path, found, allowed))

    def _explain(self, error: BaseException, path: str) -> Iterator[Problem]:
        """Walk cattrs' tree of errors; its notes tell which attribute or entry each came from."""
        if isinstance(error, BaseValidationError):
            for part in error.exceptions:
                yield from self._explain(part, path + _step(part))
        elif isinstance(error, ForbiddenExtraKeysError):
            names = [field.name for field in attrs.fields(error.cl)]
            for key in sorted(error.extra_fields):
                yield Problem(self._file, f"{path}.{key}".lstrip("."), "no such setting", nearest(key, names))
        elif isinstance(error, _Misfit):
            yield Problem(self._file, path, error.found, f"it must be {error.allowed}")
        elif isinstance(error, KeyError):  # what cattrs raises for a field without default
            yield Problem(self._file, path, "missing", "it has no default")
        else:
            raise error


def written(value: object) -> str:
    """Show a TOML value in a message, cut short: the file has the rest."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Misfit(Exception):
    """A value cannot be what its place demands."""

    def __init__(self, value: object, allowed: str) -> None:
        super().__init__(allowed)
        self.found = "found a value that is not shown" if value is _HIDDEN else f"found {written(value)}"
        self.allowed = allowed


def _step(error: BaseException) -> str:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name}"
        if isinstance(note, IterableValidationNote):
            return f"[{note.index}]" if isinstance(note.index, int) else f".{note.index}"
    return ""


def _converter(directory: str) -> Converter:
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind, form in FORMS.items():
        if isinstance(kind, type) and get_origin(kind) is None:  # str, int …: cattrs' own hooks for these would convert 3 to "3"
            converter.register_structure_hook(kind, _form_hook(form))
        else:
            converter.register_structure_hook_func(functools.partial(operator.eq, kind), _form_hook(form))
    # cattrs asks the newest hook first
    converter.register_structure_hook_func(lambda wanted: wanted is FilePath, _path_hook(directory))
    converter.register_structure_hook_factory(attrs.has, lambda kind: _class_hook(kind, converter))
    converter.register_structure_hook_factory(_is_list, lambda kind: _shape_hook(list, "an array", _entries(kind, converter)))
    converter.register_structure_hook_factory(_is_mapping, lambda kind: _shape_hook(dict, "a table", _values(kind, converter)))
    return converter


Hook = Callable[[Any, Any], Any]


def _form_hook(form: Form) -> Hook:
    def read(value: object, _kind: Any) -> Any:
        try:
            return form.read(value)
        except Unfit as error:
            raise _Misfit(value, str(error)) from None

    return read


def _path_hook(directory: str) -> Hook:
    read_text = _form_hook(FORMS[FilePath])

    def read(value: object, kind: Any) -> Any:
        text = read_text(value, kind)
        return FilePath(os.path.join(directory, text)) if text else text

    return read


def _shape_hook(shape: type, allowed: str, read_rest: Callable[[Any], Any]) -> Hook:
    def read(value: object, _kind: Any) -> Any:
        if not isinstance(value, shape):
            raise _Misfit(value, allowed)
        return read_rest(value)

    return read


def _class_hook(kind: type[Any], converter: Converter) -> Hook:
    hooks: Any = {
        field.name: override(struct_hook=_field_hook(field, converter)) for field in attrs.fields(attrs.resolve_types(kind))
    }
    read_table = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **hooks)
    return _shape_hook(dict, "a table", lambda value: read_table(value, kind))


def _field_hook(field: attrs.Attribute[Any], converter: Converter) -> Hook:
    def read(value: object, kind: Any) -> Any:
        try:
            result = converter.structure(value, kind)
            _check_limits(result, value, field.metadata)
        except (BaseValidationError, _Misfit) as error:
            if field.metadata.get("is_secret"):
                raise _Misfit(_HIDDEN, getattr(error, "allowed", "as the reference says")) from None
            raise error
        return result

    return read


def _check_limits(result: Any, value: object, metadata: Mapping[str, Any]) -> None:
    choices, minimum, maximum = metadata.get("choices"), metadata.get("minimum"), metadata.get("maximum")
    for part in result if isinstance(result, tuple) else (result,):
        if choices is not None and part not in choices:
            raise _Misfit(value, f"one of {', '.join(choices)}")
        if (minimum is not None and part < minimum) or (maximum is not None and part > maximum):
            raise _Misfit(value, _limits(minimum, maximum, metadata.get("unit", "")))


def _limits(minimum: float | None, maximum: float | None, unit: str) -> str:
    words = [
        f"at least {minimum:.15g}" if minimum is not None else "",
        f"at most {maximum:.15g}" if maximum is not None else "",
    ]
    return " and ".join(filter(None, words)) + (f" {unit}" if unit else "")


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (Ellipsis,)


def _is_mapping(kind: Any) -> bool:
    return get_origin(kind) is Mapping  # not dict, which `_values` leaves to cattrs


def _entries(kind: Any, converter: Converter) -> Callable[[list[Any]], tuple[Any, ...]]:
    entries: Any = list[get_args(kind)[0]]  # type: ignore[misc]  # a type made at run time
    return lambda values: tuple(converter.structure(values, entries))


def _values(kind: Any, converter: Converter) -> Callable[[dict[str, Any]], dict[str, Any]]:
    table: Any = dict[str, get_args(kind)[1]]  # type: ignore[misc]  # a type made at run time
    return lambda values: converter.structure(values, table)
