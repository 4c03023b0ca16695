"""Twisted's own tests of its FTP server, over ours: `python -m tests.integration.twisted_own.cases` prints a line of JSON for each.

A process of its own, because trial's tests run on the process's reactor and stop it.  What is compared are the codes of replies: the words
are free (RFC 959 4.2), and ours say more.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import unittest
from types import SimpleNamespace

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import ClientCreator, Factory
from twisted.test import test_ftp as theirs

from tests.integration.twisted_own.stand_in import StandIn

OVER_THE_WIRE = tuple(
    name
    for name, kind in vars(theirs).items()
    if isinstance(kind, type) and issubclass(kind, theirs.FTPServerTestCase) and kind is not theirs.FTPServerTestCase
)
"""The names of the classes whose tests speak to a server; the others are about Twisted's client, shells, realms and functions."""


class CodesAlone:
    """The assertions of `FTPServerTestCase`, of the codes that replies end with; LIST rows and the like are compared as they are."""

    timeout = 20  # seconds; trial's own would hold a test that hangs for two minutes

    def assertEqual(self, first, second, msg=None):
        return super().assertEqual(codes_of(first), codes_of(second), msg)  # noqa: PT009  # trial's own, overridden

    def assertCommandResponse(self, command, expectedResponseLines, chainDeferred=None):
        chained = chainDeferred if chainDeferred is not None else succeed(None)
        chained.addCallback(lambda _: self.client.queueStringCommand(command))
        return chained.addCallback(lambda lines: self.assertEqual(expectedResponseLines[-1], lines[-1]))  # noqa: PT009


class DataWhereControlIs:
    """Data connections after EPSV go to the address of the control connection (RFC 2428 3); Twisted's server listens on `::`, its tests connect to `::1`."""

    def _makeDataConnection(self, ignored=None):
        def connect(lines):
            _, _, port = self.decodeExtendedAddressLine(lines[-1][4:])
            return ClientCreator(reactor, theirs._BufferingProtocol).connectTCP("127.0.0.1", port)

        return self.client.queueStringCommand("EPSV").addCallback(connect)


class DataWhenAskedFor:
    """Active data connections are made by the transfer command; Twisted's server makes them by PORT, and its tests wait for that."""

    command = "PORT {commas}"

    def _makeDataConnection(self, ignored=None):
        over = Deferred()

        class Data(theirs._BufferingProtocol):
            def connectionLost(self, reason):
                over.callback(self)

        port = reactor.listenTCP(0, Factory.forProtocol(Data), interface="127.0.0.1")
        self.dataPorts.append(port)
        number = port.getHost().port
        commas = theirs.ftp.encodeHostPort("127.0.0.1", number)
        announced = self.client.queueStringCommand(self.command.format(commas=commas, number=number))
        transport = SimpleNamespace(loseConnection=lambda: None)
        return announced.addCallback(lambda _: SimpleNamespace(d=over, transport=transport))


class DataWhenAskedForExtended(DataWhenAskedFor):
    command = "EPRT |1|127.0.0.1|{number}|"


CHANGED = {
    "FTPServerEpsvDataConnectionTests": DataWhereControlIs,
    "FTPServerPortDataConnectionTests": DataWhenAskedFor,
    "FTPServerEprtDataConnectionTests": DataWhenAskedForExtended,
}


def codes_of(told):
    """Return the code of a reply's line, or of each of several; what is no reply stays as it is."""
    if isinstance(told, list):
        return [codes_of(line) for line in told]
    text = told.decode("utf-8", "replace") if isinstance(told, bytes) else told
    return text[:3] if isinstance(text, str) and re.match(r"[1-5][0-9]{2}[ -]", text) else told


def case(name):
    """Return Twisted's class called *name*, changed so that it fits."""
    return type(name, (CHANGED.get(name, object), CodesAlone, getattr(theirs, name))[name not in CHANGED :], {})


def suite(names):
    """Return the tests of the classes called *names*."""
    load = unittest.TestLoader().loadTestsFromTestCase
    return unittest.TestSuite(load(case(name)) for name in names)


class Report(unittest.TestResult):
    """Writes what became of each test, as soon as it is over."""

    def stopTest(self, test):
        name = f"{type(test).__name__}.{test.id().rpartition('.')[2]}"
        told = [words for case, words in (*self.failures, *self.errors) if case is test]
        skipped = [words for case, words in self.skipped if case is test]
        print(json.dumps({"test": name, "fault": "\n".join(told), "skipped": " ".join(skipped)}), flush=True)
        gc.collect()  # a Deferred whose failure nobody took would be told of in the middle of another test
        test.flushLoggedErrors()
        super().stopTest(test)


if __name__ == "__main__":
    theirs.ftp.FTPFactory = StandIn
    suite(sys.argv[1:] or OVER_THE_WIRE).run(Report())
