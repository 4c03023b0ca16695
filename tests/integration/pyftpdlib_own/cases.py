"""pyftpdlib's own functional tests, over our server: `python -m tests.integration.pyftpdlib_own.cases` prints a line of JSON for each.

It is run in the root of that server, with the ports by which it is reached on 127.0.0.1 and on ::1, and with the names of the classes.  A
process of its own, because these tests make their files where they run, and because what they share is changed here.  What is
compared are the codes of replies: the words are free (RFC 959 4.2).
"""

from __future__ import annotations

import ftplib
import json
import re
import sys
import unittest
import warnings
from types import SimpleNamespace

import pytest

from tests.integration.live import PASSWORD, SECONDS

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of asyncore and asynchat, which left Python in 3.12
    from pyftpdlib import test as shared
    from pyftpdlib.handlers import FTPHandler

    # The modules below take these by name, when they are imported.
    shared.PASSWD, shared.GLOBAL_TIMEOUT, shared.NO_RETRIES = PASSWORD, SECONDS, 1
    from pyftpdlib.test import test_functional as theirs
    from pyftpdlib.test import test_functional_ssl as theirs_over_tls

CLASSES = {
    name: kind
    for module in (theirs, theirs_over_tls)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, unittest.TestCase) and kind is not shared.PyftpdlibTestCase
}


VAIN_SECONDS = 1.0
"""What these wait for does not come: here commands wait for the end of a transfer, and PORT connects nowhere."""
VAIN = ("test_rein_during_transfer", "test_user_during_transfer", "test_quit_during_transfer", "test_port_race_condition")


class Reply(str):
    """A reply that is equal to every other of its code; a refusal may be in any words."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return self[:3] == other[:3]

    def __ne__(self, other):
        return not self == other

    def __contains__(self, words):
        return self[0] in "45" or super().__contains__(words)

    def __str__(self):
        return self  # ftplib's errors are told by `str`


class CodesAlone:
    """A client whose replies are told apart by their codes."""

    def getmultiline(self):
        return Reply(super().getmultiline())


class WhenAskedFor:
    """A client that asks for a listing once its EPRT is accepted: pyftpdlib's server connects upon EPRT, ours upon the transfer command."""

    def sendcmd(self, cmd):
        reply = super().sendcmd(cmd)
        if cmd.startswith("eprt"):
            self.putcmd("NLST")
        return reply


class InClear(WhenAskedFor, CodesAlone, ftplib.FTP):
    pass


class OverTLS(WhenAskedFor, CodesAlone, theirs_over_tls.FTPSClient):
    pass


class Explicit(CodesAlone, ftplib.FTP_TLS):
    """The client of the tests that choose themselves when TLS begins."""


class Served:
    """In the place of a server that is started for each test: ours, which runs; what a test sets on it is set on nothing."""

    port_on: dict[str, int] = {}  # noqa: RUF012  # by address, from the command line

    def __init__(self, address=("127.0.0.1", 0)):
        self.host = address[0]
        self.port = self.port_on[self.host]
        self.handler = SimpleNamespace(proto_cmds=FTPHandler.proto_cmds)

    def start(self):
        pass

    def stop(self):
        pass


def raises(kind, match=""):
    """As pytest's, but of *match* the code of a reply alone, if it begins with one."""
    code = re.match(r"[1-5][0-9]{2}", match)
    return pytest.raises(kind, match=code and code[0])


def case(name):
    """Return the class called *name* with our server and our client."""

    class Case(CLASSES[name]):
        server_class = Served
        client_class = OverTLS if issubclass(CLASSES[name], theirs_over_tls.TLSTestMixin) else InClear

        def setUp(self):
            theirs.GLOBAL_TIMEOUT = VAIN_SECONDS if self._testMethodName in VAIN else SECONDS
            super().setUp()

    Case.__name__ = name
    return Case


class Report(unittest.TestResult):
    """Writes what became of each test, as soon as it is over."""

    def stopTest(self, test):
        name = f"{type(test).__name__}.{test.id().rpartition('.')[2]}"
        told = [words for case, words in (*self.failures, *self.errors) if case is test]
        print(json.dumps({"test": name, "fault": "\n".join(told)}), flush=True)
        super().stopTest(test)


def run(names):
    """Run the classes called *names*."""
    for module in (theirs, theirs_over_tls):
        module.pytest = SimpleNamespace(raises=raises)
    theirs_over_tls.FTPSServer = Served
    theirs_over_tls.ftplib = SimpleNamespace(FTP_TLS=Explicit, error_perm=ftplib.error_perm)
    load = unittest.TestLoader().loadTestsFromTestCase
    unittest.TestSuite(load(case(name)) for name in names).run(Report())


if __name__ == "__main__":
    Served.port_on = {"127.0.0.1": int(sys.argv[1]), "::1": int(sys.argv[2])}
    run(sys.argv[3:])
