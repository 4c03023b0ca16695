"""The house rules that a machine can read: floors, cycles, docstrings, cancellation, leftovers.

Apart from all other tests because it reads the source and runs none of it.  The tables are the rules; docs/architecture.md has the
reasons.  A new package is a new row, or the first test says so.
"""

from __future__ import annotations

import ast
import graphlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent

# Room -> floor.  A module belongs to the longest name that it starts with, and imports from its own room and from floors below.
FLOORS = {
    "ftpd.errors": 0,
    "ftpd.paths": 0,
    "ftpd.values": 0,
    "ftpd.listing": 0,
    "ftpd.hostnames": 0,
    "ftpd.version": 0,
    "ftpd.private": 0,
    "ftpd.regular": 0,
    "ftpd.schema": 0,
    "ftpd.spi": 1,
    "ftpd.interfaces": 1,
    "ftpd.events": 1,
    "ftpd.stepping": 1,
    "ftpd.alarm": 1,
    "ftpd.disks": 1,
    "ftpd.binding": 1,
    "ftpd.storage": 2,
    "ftpd.login": 2,
    "ftpd.transfer": 2,
    "ftpd.tls": 2,
    "ftpd.extensions": 2,
    "ftpd.threads": 2,
    "ftpd.ambient": 2,
    "ftpd.logs": 2,
    "ftpd.state": 2,
    "ftpd.accounts": 3,
    "ftpd.ftp": 4,
    "ftpd.ftp.wire": 4,
    "ftpd.tftp": 4,
    "ftpd.tftp.wire": 4,
    "ftpd.tftp.window": 4,
    "ftpd.tftp.timing": 4,
    "ftpd.tftp.numbers": 4,
    "ftpd.tftp.multicast": 4,
    "ftpd.config": 5,
    "ftpd.listening": 5,
    "ftpd.service": 5,
    "ftpd.server": 5,
    "ftpd.datagrams": 5,
    "ftpd.certificates": 5,
    "ftpd.sites": 5,
    "ftpd.trial": 5,
    "ftpd.epoll": 5,
    "ftpd.reactor": 5,
    "ftpd.processes": 5,
    "ftpd.tap": 5,
    "ftpd.signals": 5,
    "ftpd.descriptors": 5,
    "ftpd.leaving": 5,
    "ftpd.checking": 5,
    "ftpd.doctor": 5,
    "ftpd.cli": 5,
    "ftpd.dialogue": 5,
    "ftpd.conformance": 5,
    "ftpd.replay": 5,
    "ftpd.testing": 5,
    "ftpd.__main__": 5,
    "ftpd": 5,
}
# On these floors rooms may import their neighbours; elsewhere never.
OPEN_FLOORS = {0, 1, 5}
# Bytes <-> values: no Twisted, and nothing of the house but floor 0.
PURE_ROOMS = {"ftpd.ftp.wire", "ftpd.tftp.wire", "ftpd.tftp.window", "ftpd.tftp.timing", "ftpd.tftp.numbers", "ftpd.tftp.multicast"}
PROTOCOLS = {"ftpd.ftp", "ftpd.tftp"}
# Who may know a protocol by name, besides itself: who wires the server together, and the public test tools.
MAY_NAME_A_PROTOCOL = {
    "ftpd",
    "ftpd.config",
    "ftpd.listening",
    "ftpd.service",
    "ftpd.datagrams",
    "ftpd.sites",
    "ftpd.tap",
    "ftpd.cli",
    "ftpd.conformance",
    "ftpd.testing",
}

# Floor -> packages of others that it may import, besides the standard library.
FOREIGN = {
    0: {"attrs"},
    1: {"attrs", "twisted", "zope"},
    2: {"attrs", "twisted", "zope"},
    3: {"attrs", "twisted", "zope"},
    4: {"attrs", "twisted", "zope"},
    5: {"attrs", "twisted", "zope"},
}
# What a room may import beyond its floor: the one thing it is there for.
FOREIGN_EXTRA = {
    "ftpd.login": {"bcrypt"},
    "ftpd.transfer": {"OpenSSL", "cryptography"},
    "ftpd.tls": {"OpenSSL", "cryptography", "service_identity"},
    "ftpd.config": {"cattrs"},
    "ftpd.cli": {"click"},
    "ftpd.testing": {"OpenSSL", "cryptography", "hypothesis", "pytest"},
}
PROTOCOL_TOOLS = {
    "ftpd.ftp.command",
    "ftpd.ftp.session",
    "ftpd.ftp.wire.replies",
    "ftpd.tftp.virtual",
}  # what an extension needs beyond floors 0 and 1: to add a verb, and to be asked for a file
STORE_TOOLS = {"ftpd.storage.simple", "ftpd.storage.content", "ftpd.storage.shared", "ftpd.storage.layer"}  # to be a store
TYPING_ONLY = {"_typeshed"}  # exists for the type checker alone

# Word that no finished code says -> modules that may, with the reason.
UNFINISHED: dict[str, set[str]] = {
    "TODO": set(),
    "FIXME": set(),
    "XXX": set(),
    "NotImplementedError": {
        "ftpd.accounts.realm",  # what IRealm.requestAvatar is documented to raise
        "ftpd.ftp.shell.logins",  # and what it catches of other realms
        "ftpd.testing.filesystem_contract.trial",  # the subclass that runs a kit says what it runs over
        "ftpd.testing.login_contract",
        "ftpd.testing.pump_contract.threaded",
        "ftpd.testing.pump_contract.trial",
        "ftpd.testing.state_contract.trial",
        "ftpd.transfer.openssl",  # what pyOpenSSL raises where OpenSSL is too old to name the group
    },
}
UNFINISHED_WORD = re.compile(rf"\b(?:{'|'.join(UNFINISHED)})\b")
CANCEL_SAFE = re.compile(r"#\s*cancel-safe: \w+")


class Import(NamedTuple):
    """One name that a module imports; `is_at_start` when importing the module runs it."""

    name: str
    line: int
    is_at_start: bool


class Module(NamedTuple):
    name: str
    file: Path
    source: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return room_of(self.name)

    def at(self, line: int) -> str:
        return f"{self.file.relative_to(CHECKOUT)}:{line}"


def room_of(name: str) -> str:
    fitting = [room for room in FLOORS if room != "ftpd" and f"{name}.".startswith(f"{room}.")]
    if fitting:
        return max(fitting, key=len)
    return "ftpd" if name == "ftpd" else ""


@cache
def modules() -> dict[str, Module]:
    """Every module of the package, by name."""
    found = {}
    for file in sorted(CHECKOUT.glob("ftpd/**/*.py")):
        parts = file.relative_to(CHECKOUT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        source = file.read_text(encoding="utf-8")
        found[name] = Module(name, file, source, ast.parse(source))
    return found


def statements(node: ast.AST, is_at_start: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Every statement below *node*, and whether importing the module runs it."""
    for child in ast.iter_child_nodes(node):
        runs = is_at_start and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            runs = False
        if isinstance(child, ast.stmt):
            yield child, runs
        yield from statements(child, runs)


def imports(tree: ast.Module) -> Iterator[Import]:
    for statement, is_at_start in statements(tree):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield Import(alias.name, statement.lineno, is_at_start)
        elif isinstance(statement, ast.ImportFrom):
            assert statement.module is not None, "relative imports are banned by ruff (TID)"
            for alias in statement.names:
                yield Import(f"{statement.module}.{alias.name}", statement.lineno, is_at_start)


def target(name: str) -> str:
    """The module of ours that importing *name* reaches: `ftpd.errors.NotFound` is found in `ftpd.errors`."""
    while name not in modules():
        name = name.rpartition(".")[0]
    return name


def is_ours(name: str) -> bool:
    return name.partition(".")[0] == "ftpd"


def may_import(room: str, other: str) -> bool:
    if room == other:
        return True
    if room in PURE_ROOMS:
        is_sibling = other in PURE_ROOMS and other.rpartition(".")[0] == room.rpartition(".")[0]
        return FLOORS[other] == 0 or is_sibling
    if other.startswith(f"{room}."):
        return True  # a protocol and its wire part
    if FLOORS[room] == FLOORS[other]:
        return FLOORS[room] in OPEN_FLOORS
    return FLOORS[room] > FLOORS[other]


def foreign_allowed(room: str) -> set[str]:
    floor = 0 if room in PURE_ROOMS else FLOORS[room]
    return FOREIGN[floor] | FOREIGN_EXTRA.get(room, set()) | TYPING_ONLY


def violations_of(check: str) -> list[str]:
    return [found for module in modules().values() for found in CHECKS[check](module)]


def without_room(module: Module) -> Iterator[str]:
    if not module.room:
        yield f"{module.name} is in no room of FLOORS"


def above_its_floor(module: Module) -> Iterator[str]:
    for found in imports(module.tree):
        if is_ours(found.name) and not may_import(module.room, room_of(target(found.name))):
            yield f"{module.at(found.line)} imports {found.name}"


def foreign_to_its_floor(module: Module) -> Iterator[str]:
    allowed = foreign_allowed(module.room)
    for found in imports(module.tree):
        root = found.name.partition(".")[0]
        if not is_ours(found.name) and root not in sys.stdlib_module_names and root not in allowed:
            yield f"{module.at(found.line)} imports {found.name}"


def naming_a_protocol(module: Module) -> Iterator[str]:
    for found in imports(module.tree):
        for protocol in PROTOCOLS:
            is_inside = f"{module.name}.".startswith(f"{protocol}.")
            if f"{found.name}.".startswith(f"{protocol}.") and not is_inside and module.room not in MAY_NAME_A_PROTOCOL:
                yield f"{module.at(found.line)} imports {found.name}: it would fall with that protocol"


def importing_the_reactor(module: Module) -> Iterator[str]:
    """Importing `twisted.internet.reactor` installs one, so whoever imports us could no longer choose."""
    for found in imports(module.tree):
        if found.is_at_start and found.name.startswith("twisted.internet.reactor"):
            yield f"{module.at(found.line)} imports the reactor when it is imported"


def without_docstring(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield f"{module.at(1)} has no docstring"


def swallowing_cancellation(module: Module) -> Iterator[str]:
    lines = module.source.splitlines()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Try | ast.TryStar):
            for handler in swallowing_handlers(node):
                if not CANCEL_SAFE.search(lines[handler.lineno - 1]):
                    yield f"{module.at(handler.lineno)} may swallow CancelledError"


def swallowing_handlers(attempt: ast.Try | ast.TryStar) -> Iterator[ast.ExceptHandler]:
    """The handlers that catch every Exception, CancelledError included, and do not let it go on."""
    if not can_be_cancelled(attempt.body):
        return
    for handler in attempt.handlers:
        names = caught(handler)
        if "CancelledError" in names:
            return
        if names & {"Exception", "BaseException"} and not ends_in_raise(handler):
            yield handler


def caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind).rpartition(".")[2] for kind in kinds}


def ends_in_raise(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def can_be_cancelled(body: list[ast.stmt]) -> bool:
    """Whether a cancelled Deferred can raise in *body*: it waits, steps a coroutine, or unwraps a Failure."""
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
    steps = {"send", "throw", "raiseException"}
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, waits):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in steps:
            return True
    return False


def printing(module: Module) -> Iterator[str]:
    if module.room == "ftpd.cli":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{module.at(node.lineno)} prints; only the command does"


def unfinished(module: Module) -> Iterator[str]:
    for number, line in enumerate(module.source.splitlines(), 1):
        for word in UNFINISHED_WORD.findall(line):
            if module.name not in UNFINISHED[word]:
                yield f"{module.at(number)} says {word}"


CHECKS = {
    check.__name__: check
    for check in (
        without_room,
        above_its_floor,
        foreign_to_its_floor,
        naming_a_protocol,
        importing_the_reactor,
        without_docstring,
        swallowing_cancellation,
        printing,
        unfinished,
    )
}


@pytest.mark.parametrize("check", CHECKS)
def test_no_module_is(check: str) -> None:
    assert violations_of(check) == []


def test_imports_form_no_cycle() -> None:
    graph = {
        module.name: {target(found.name) for found in imports(module.tree) if found.is_at_start and is_ours(found.name)}
        - {module.name}
        for module in modules().values()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_the_page_has_every_room_on_its_floor() -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    shown = {
        int(floor): set(re.findall(r"`([\w.]+)`", rooms))
        for floor, rooms in re.findall(r"^\| (\d) \| (.*?) \|", page, re.MULTILINE)
    }
    left_out = {"ftpd", "ftpd.__main__"} | {room for room in PURE_ROOMS if room.startswith("ftpd.tftp.")}  # "what it stands on"
    missing = [room for room, floor in FLOORS.items() if room.removeprefix("ftpd.") not in shown[floor] and room not in left_out]
    assert missing == []


def test_every_row_of_the_table_is_a_module() -> None:
    assert [room for room in FLOORS if room not in modules()] == []


def test_twisted_is_not_shadowed() -> None:
    assert list(CHECKOUT.glob("twisted/**/__init__.py")) == []


def test_example_extensions_import_what_extensions_may() -> None:
    allowed = {room for room, floor in FLOORS.items() if floor <= 1} | PROTOCOL_TOOLS | STORE_TOOLS
    found = [
        f"{file.name}:{found.line} imports {found.name}"
        for file in sorted(CHECKOUT.glob("plugins/*.py"))
        for found in imports(ast.parse(file.read_text(encoding="utf-8")))
        if is_ours(found.name) and target(found.name) not in allowed
    ]
    assert found == []


def module_of(source: str, name: str = "ftpd.ftp.example") -> Module:
    return Module(name, CHECKOUT / "example.py", source, ast.parse(source))


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("try:\n    await f()\nexcept Exception:\n    pass\n", [3]),
        ("try:\n    await f()\nexcept:\n    pass\n", [3]),
        ("try:\n    await f()\nexcept (ValueError, Exception):\n    pass\n", [3]),
        ("try:\n    c.send(None)\nexcept BaseException:\n    pass\n", [3]),
        ("try:\n    async with f():\n        pass\nexcept Exception:\n    pass\n", [4]),
        ("try:\n    await f()\nexcept Exception:\n    pass\nexcept CancelledError:\n    raise\n", [3]),
        ("try:\n    await f()\nexcept Exception:\n    if a:\n        raise\n", [3]),
        ("try:\n    await f()\nexcept defer.CancelledError:\n    raise\nexcept Exception:\n    pass\n", []),
        ("try:\n    await f()\nexcept Exception:\n    log()\n    raise\n", []),
        ("try:\n    await f()\nexcept Exception:  # cancel-safe: f is shielded\n    pass\n", []),
        ("try:\n    f()\nexcept Exception:\n    pass\n", []),
        ("try:\n    await f()\nexcept OSError:\n    pass\n", []),
    ],
)
def test_swallowed_cancellation_is_found(source: str, lines: list[int]) -> None:
    assert list(swallowing_cancellation(module_of(source))) == [f"example.py:{line} may swallow CancelledError" for line in lines]


@pytest.mark.parametrize(
    ("name", "source", "is_allowed"),
    [
        ("ftpd.paths", "from ftpd.errors import BadName", True),
        ("ftpd.paths", "from ftpd.spi import Store", False),
        ("ftpd.storage.local", "from ftpd.login import anonymous", False),
        ("ftpd.storage.local", "from ftpd.storage import memory", True),
        ("ftpd.storage.local", "def f():\n    from ftpd.accounts import guard", False),
        ("ftpd.accounts.guard", "import ftpd.ftp", False),
        ("ftpd.ftp.channel", "from ftpd.ftp.wire import lines", True),
        ("ftpd.ftp.wire.lines", "from ftpd.errors import BadSyntax", True),
        ("ftpd.ftp.wire.lines", "from ftpd.spi import Store", False),
        ("ftpd.ftp.wire.lines", "from ftpd.ftp.settings import FTPSettings", False),
        ("ftpd.service", "from ftpd.config import Config", True),
    ],
)
def test_floors_are_told_apart(name: str, source: str, is_allowed: bool) -> None:
    assert (list(above_its_floor(module_of(source, name))) == []) == is_allowed


@pytest.mark.parametrize(
    ("name", "source", "is_allowed"),
    [
        ("ftpd.values", "import attrs", True),
        ("ftpd.values", "from twisted.logger import Logger", False),
        ("ftpd.ftp.wire.lines", "from twisted.logger import Logger", False),
        ("ftpd.login.hashing", "import bcrypt", True),
        ("ftpd.storage.local", "import bcrypt", False),
        ("ftpd.values", "from os import path", True),
    ],
)
def test_foreign_packages_are_told_apart(name: str, source: str, is_allowed: bool) -> None:
    assert (list(foreign_to_its_floor(module_of(source, name))) == []) == is_allowed


@pytest.mark.parametrize(
    ("source", "is_allowed"),
    [
        ("from twisted.internet import reactor", False),
        ("try:\n    from twisted.internet import reactor\nexcept ImportError:\n    pass", False),
        ("if TYPE_CHECKING:\n    from twisted.internet import reactor", True),
        ("def f():\n    from twisted.internet import reactor", True),
        ("from twisted.internet.epollreactor import EPollReactor", True),
    ],
)
def test_reactor_imports_are_told_apart(source: str, is_allowed: bool) -> None:
    assert (list(importing_the_reactor(module_of(source))) == []) == is_allowed
