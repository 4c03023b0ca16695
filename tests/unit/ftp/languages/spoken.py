"""Every text that a reply can have, read out of the sources: what a catalogue has to know.

Apart from the test that compares, which is one line long.  A text is given as it stands in the f-string, with `{}` for what is put in; a
conditional expression gives both of its texts, and a name that stands for texts in the same function or module gives those.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[4] / "ftpd"
ROOMS = ("accounts", "ftp", "storage", "transfer", "errors.py", "paths.py", "threads.py")
ERRORS = {name for name in vars(__import__("ftpd.errors", fromlist=["errors"])) if name[0].isupper()}
_MOST_VARIANTS = 16
_DEEPEST = 8
_PROSE = "status.py"  # whose generators yield sentences
_SPEAKING = {"_give_up", "_move", "_announced", "TooManySessions"}  # functions that take words and make a reply of them


def spoken() -> dict[str, str]:
    """Return the texts, and where each was found first."""
    found: dict[str, str] = {}
    for room in ROOMS:
        place = PACKAGE / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if "languages" not in file.parts:
                for line, text in texts_of(file.read_text(encoding="utf-8"), is_prose=file.name == _PROSE):
                    found.setdefault(text, f"{file.relative_to(PACKAGE.parent)}:{line}")
    return found


def texts_of(source: str, *, is_prose: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of all that *source* says to a client; where it *is_prose*, also of what it yields."""
    tree = ast.parse(source)
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))]:
        names = {**_assigned(tree), **_assigned(scope)}
        for node in _own_nodes(scope):
            said = [node.value] if is_prose and isinstance(node, ast.Yield) and node.value else _said(node)
            for expression in said:
                yield from ((node.lineno, text) for text in _variants(expression, names, 0) if any(map(str.isalpha, text)))


def _own_nodes(scope: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """What stands in *scope*, and in no function inside it."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.expr | ast.stmt):
            yield child
        yield from _own_nodes(child)


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in _own_nodes(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            found.setdefault(node.target.id, []).append(node.value)
    return found


def _said(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions of *node* that end in a reply: of a `Reply`, an error, a summary, a row of the errno table, a status line."""
    match node:
        case ast.Call(func=ast.Name(id="Reply"), args=args, keywords=keywords):
            yield from args[1:2]
            yield from (keyword.value for keyword in keywords if keyword.arg in ("text", "last"))
            yield from args[3:4]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in ERRORS:
            yield from args[:2]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in _SPEAKING:
            yield from args
        case ast.Tuple(elts=[ast.Name(id=name), words]) if name in ERRORS:
            yield words
        case ast.Assign(
            targets=[ast.Name(id="summary" | "ABORTED" | "DISCONNECTED" | "SHUTDOWN" | "TIMED_OUT" | "KICKED")], value=value
        ):
            yield value


def _variants(expression: ast.expr, names: dict[str, list[ast.expr]], depth: int) -> list[str]:
    """The texts that *expression* can be; `{}` alone where that cannot be told."""
    if depth > _DEEPEST:
        return ["{}"]
    match expression:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=orelse):
            return _variants(body, names, depth + 1) + _variants(orelse, names, depth + 1)
        case ast.BoolOp(values=values):
            return list(itertools.chain.from_iterable(_variants(value, names, depth + 1) for value in values))
        case ast.Name(id=name) if name in names:
            return list(itertools.chain.from_iterable(_variants(value, names, depth + 1) for value in names[name]))
        case ast.Subscript(value=ast.Name(id=name)) if name in names:
            tables = [value for value in names[name] if isinstance(value, ast.Dict)]
            texts = itertools.chain.from_iterable(_variants(value, names, depth + 1) for table in tables for value in table.values)
            return list(texts) or ["{}"]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([_variants(left, names, depth + 1), _variants(right, names, depth + 1)])
        case ast.JoinedStr(values=values):
            return _joined([_variants(value, names, depth + 1) for value in values])
        case ast.FormattedValue(value=value):
            return _variants(value, names, depth + 1)
    return ["{}"]


def _joined(parts: list[list[str]]) -> list[str]:
    return ["".join(pieces) for pieces in itertools.islice(itertools.product(*parts), _MOST_VARIANTS)]
