"""Extensions: finding what a package, Twisted's plugin folders and the configured directories offer of one kind.

Apart from what is looked for, so that a store, a login source or a verb is one new file and no list has to be edited.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from zope.interface.interface import InterfaceClass

from ftpd.regular import NotRegular, open_regular

__all__ = ["gather", "kind", "kinds", "load_file"]

_log = Logger()


def kinds(interface: InterfaceClass, package: str, directories: Iterable[str] = ()) -> dict[str, Any]:
    """Return the providers of *interface* by their `name`.

    They are looked for in *package*, then among the Twisted plugins, then in the files of *directories*.  A name that is taken
    already stays with its first owner: a file that is dropped in must not replace a part of the server unseen; it is logged.
    """
    found: dict[str, Any] = {}
    for provider in gather(interface.providedBy, package, directories, interface):
        if found.setdefault(provider.name, provider) is not provider:
            _log.warn("extension {name!r} is left out: there is one of that name already", name=provider.name)
    return found


def kind(interface: InterfaceClass, package: str, name: str, directories: Iterable[str] = ()) -> Any:
    """Return the one provider of *interface* that is called *name*; raises `KeyError`.

    What is ours stands in the module of its name, which is looked at first: a start then reads one module, and no plugin folder.
    """
    if importlib.util.find_spec(f"{package}.{name}") is not None:
        for candidate in vars(importlib.import_module(f"{package}.{name}")).values():
            if interface.providedBy(candidate) and candidate.name == name:
                return candidate
    return kinds(interface, package, directories)[name]


def gather(
    is_wanted: Callable[[Any], bool],
    package: str | None,
    directories: Iterable[str] = (),
    interface: InterfaceClass | None = None,
) -> Iterator[Any]:
    """Yield every object that *is_wanted* says yes to, once: module-level names of *package* and of the files in *directories*.

    *interface* adds the Twisted plugins that provide it.  Whatever fails to load is logged by name, and left out.
    """
    seen: set[int] = set()
    for candidate in _candidates(package, directories, interface):
        if not isinstance(candidate, type) and is_wanted(candidate) and id(candidate) not in seen:
            seen.add(id(candidate))
            yield candidate


def load_file(os_path: Path) -> ModuleType:
    """Import the file at *os_path* as a module of its own, once per process.  Raises `OSError`, and whatever the file raises."""
    digest = hashlib.sha256(str(os_path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    name = f"ftpd_extension_{digest}_{os_path.stem}"  # two directories may hold files of one name
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, os_path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{os_path} is not a Python file")
    open_regular(os_path).close()  # the import system would wait for a FIFO
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: dataclasses and attrs look their module up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _candidates(package: str | None, directories: Iterable[str], interface: InterfaceClass | None) -> Iterator[Any]:
    for module in _package_modules(package):
        yield from vars(module).values()
    if interface is not None:
        yield from _twisted_plugins(interface)
    for directory in directories:
        for module in _directory_modules(Path(directory)):
            yield from vars(module).values()


def _package_modules(package: str | None) -> Iterator[ModuleType]:
    """Import the modules of *package*, our own: one that fails is a fault of the installation and is not hidden."""
    if package is None:
        return
    parent = importlib.import_module(package)
    for entry in sorted(pkgutil.iter_modules(parent.__path__), key=lambda entry: entry.name):
        yield importlib.import_module(f"{package}.{entry.name}")


def _twisted_plugins(interface: InterfaceClass) -> Iterator[Any]:
    from twisted.plugin import getPlugins  # reads every plugin folder: not for a start that does not look here

    wanted: Any = interface  # typed as a class by Twisted; zope's interfaces are instances
    yield from getPlugins(wanted)


def _directory_modules(directory: Path) -> Iterator[ModuleType]:
    try:
        files = sorted(file for file in directory.iterdir() if file.suffix == ".py" and not file.name.startswith(("_", ".")))
    except OSError as error:
        _log.error("extension directory {directory} cannot be read: {error}", directory=str(directory), error=error)
        return
    for file in files:
        try:
            yield load_file(file)
        except (GeneratorExit, CancelledError):
            raise
        except NotRegular as error:
            _log.error("extension {file} is left out: {error}", file=str(file), error=error.strerror)
        except (
            Exception,
            SystemExit,
        ):  # sys.exit() of a script that lies there by mistake would end the server, as if all was well
            _log.failure("extension {file} is left out: it fails to load", file=str(file))
