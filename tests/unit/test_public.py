"""The package's public names."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.protocols import ftp as stock
from zope.interface import implementer

import ftpd


@implementer(IReactorFDSet)
class MemoryReactor(Clock):
    """A clock that says it watches descriptors, and has none."""


@pytest.mark.parametrize("name", ftpd.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ftpd, name) is not None


def test_public_names_are_where_the_tour_says():
    assert set(ftpd._HOMES) | {"__version__"} == set(ftpd.__all__)


PUBLIC = {
    "ftpd.storage.content": ["Content", "Entries", "Gathering", "OpenedContent"],
    "ftpd.storage.layer": ["Layer", "LayeredUpload"],
    "ftpd.storage.shared": ["SharedStore"],
    "ftpd.storage.simple": ["SimpleFilesystem", "StoringFilesystem"],
    "ftpd.testing.dialogue": ["Dialogue"],
    "ftpd.testing.filesystem_contract": [
        "READ_ONLY_TREE",
        "FilesystemContract",
        "KeptPartContract",
        "ReadOnlyContract",
        "StagedUploadContract",
    ],
    "ftpd.testing.login_contract": ["AnonymousLoginContract", "CertificateLoginContract", "PasswordLoginContract"],
    "ftpd.testing.pump_contract": ["ReceiverContract", "SenderContract", "ThreadedReceiverContract", "ThreadedSenderContract"],
    "ftpd.testing.server": ["PASSWORD", "Server"],
    "ftpd.testing.state_contract": ["SharedStateContract", "StateContract"],
}


@pytest.mark.parametrize("module", PUBLIC)
def test_what_the_docs_promise_of_a_module_is_in_it(module):
    found = importlib.import_module(module)
    assert set(PUBLIC[module]) <= set(found.__all__)
    assert all(hasattr(found, name) for name in found.__all__)


def test_what_embedders_may_set_is_on_the_factory():
    attributes = ("portal", "userAnonymous", "allowAnonymous", "timeOut", "welcomeMessage", "passivePortRange", "connectionLimit")
    factory = ftpd.FTPFactory(reactor=MemoryReactor())
    assert [name for name in attributes if not hasattr(factory, name)] == []


def names_of(kind):
    """Return the public names of one of Twisted's classes; commands and types are many, and one row of the table."""
    return {name for name in vars(kind) if not name.startswith(("_", "ftp_", "type_"))}


def names_of_the_module():
    """Return what Twisted's FTP module defines itself, but errors of commands and reply codes, which are one row of the table."""
    own = {name: value for name, value in vars(stock).items() if getattr(value, "__module__", "") == stock.__name__}
    errors = {name for name, value in own.items() if isinstance(value, type) and issubclass(value, stock.FTPCmdError)}
    return {name for name in own if not name.startswith("_")} - errors


def test_the_docs_say_of_every_public_name_of_twisteds_ftp_what_becomes_of_it():
    page = (Path(__file__).resolve().parents[2] / "docs" / "embedding.md").read_text()
    told = set(re.findall(r"`(?:FTP\.)?(\w+)[`(]", page))
    assert sorted((names_of_the_module() | names_of(stock.FTP) | names_of(stock.FTPFactory)) - told) == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ftpd.nothing


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, ftpd; print([name for name in ('twisted', 'attr', 'cattrs', 'click') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
