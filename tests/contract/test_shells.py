"""Shells of third parties, `IFTPShell`, `IReadFile` and `IWriteFile`, as a client meets them: which methods a verb asks, and what each answer becomes."""

from __future__ import annotations

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, fail, succeed
from twisted.protocols import ftp as stock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpd.testing.dialogue import Dialogue
from ftpd.testing.login_contract import recorded_log

KEYS = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")
FILE = [5, False, 0o644, 1, 0, "o", "g"]
FOLDER = [0, True, 0o755, 1, 0, "o", "g"]


@implementer(stock.IReadFile)
class Reading:
    """A file that a test sends."""

    def __init__(self, data=b""):
        self.data = data
        self.done = Deferred()

    def send(self, consumer):
        self.consumer = consumer
        consumer.write(self.data)
        return self.done


@implementer(stock.IWriteFile, stock.IFinishableConsumer)
class Writing:
    """A file that is its own consumer, and writes down what is asked of it."""

    def __init__(self, closed=None):
        self.calls = []
        self.closed = closed

    def receive(self):
        return succeed(self)

    def registerProducer(self, producer, streaming):
        self.producer = producer

    def unregisterProducer(self):
        self.calls.append("unregister")

    def write(self, data):
        self.calls.append(data)

    def finish(self):
        self.calls.append("finish")

    def close(self):
        self.calls.append("close")
        return self.closed if self.closed is not None else succeed(None)


@implementer(stock.IFTPShell)
class Shell:
    """A shell with a file f and a directory d, whose answers a test may choose, and which writes down what is asked of it."""

    def __init__(self, **answers):
        self.asked = []
        self.answers = answers

    def _answer(self, name, *asked, otherwise=None):
        self.asked.append((name, *asked))
        answer = self.answers.get(name, otherwise)
        return fail(answer) if isinstance(answer, Exception) else answer if isinstance(answer, Deferred) else succeed(answer)

    def makeDirectory(self, path):
        return self._answer("makeDirectory", path)

    def removeDirectory(self, path):
        return self._answer("removeDirectory", path)

    def removeFile(self, path):
        return self._answer("removeFile", path)

    def rename(self, fromPath, toPath):
        return self._answer("rename", fromPath, toPath)

    def access(self, path):
        return self._answer("access", path)

    def stat(self, path, keys=()):
        found = {(): FOLDER, ("d",): FOLDER, ("f",): FILE}.get(tuple(path), stock.FileNotFoundError("/".join(path)))
        return self._answer("stat", path, otherwise=found)

    def list(self, path, keys=()):
        return self._answer("list", path, keys, otherwise=[("f", FILE)])

    def openForReading(self, path):
        return self._answer("openForReading", path, otherwise=Reading())

    def openForWriting(self, path):
        return self._answer("openForWriting", path, otherwise=Writing())

    def calls(self, *names):
        """Return what was asked of the methods called *names*."""
        return [call for call in self.asked if call[0] in names]


@implementer(IRealm)
class Realm:
    def __init__(self, shell):
        self.shell = shell
        self.logouts = 0

    def requestAvatar(self, avatarId, mind, *interfaces):
        return stock.IFTPShell, self.shell, self.logout

    def logout(self):
        self.logouts += 1


def visitor(shell):
    """A session of somebody who has this shell."""
    assert verifyObject(stock.IFTPShell, shell)
    return Dialogue(login="anonymous", portal=Portal(Realm(shell), [AllowAnonymousAccess()]))


# Which method a verb asks.


@pytest.mark.parametrize(
    ("line", "codes", "call"),
    [
        ("MKD new", [257], ("makeDirectory", ["new"])),
        ("RMD d", [250], ("removeDirectory", ["d"])),
        ("DELE d/f", [250], ("removeFile", ["d", "f"])),
        ("CWD d", [250], ("access", ["d"])),
        ("SIZE f", [213], ("stat", ["f"])),
        ("MDTM f", [213], ("stat", ["f"])),
        ("LIST", [150, 226], ("list", [], KEYS)),
        ("NLST d", [150, 226], ("list", ["d"], KEYS)),
        ("MLSD /d", [150, 226], ("list", ["d"], KEYS)),
    ],
)
def test_a_verb_asks_the_shell_for_its_path_as_a_list_of_text(line, codes, call):
    shell = Shell()
    client = visitor(shell).says(line)
    for code in codes:
        client.hears(code)
    assert call in shell.asked


def test_rename_asks_the_shell_with_both_paths():
    shell = Shell()
    visitor(shell).says("RNFR f").hears(350).says("RNTO d/g").hears(250)
    assert shell.calls("rename") == [("rename", ["f"], ["d", "g"])]


def test_a_directory_that_access_keeps_shut_is_not_entered():
    client = visitor(Shell(access=stock.PermissionDeniedError("d"))).says("CWD d").hears(550, "/d: Permission denied.")
    client.says("PWD").hears(257, '"/" is the working directory.')


# Errors.


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (stock.FileNotFoundError("f"), "RETR f", 550),
        (stock.PermissionDeniedError("f"), "RETR f", 550),
        (stock.IsADirectoryError("f"), "RETR f", 550),
        (stock.PermissionDeniedError("f"), "STOR f", 553),
        (stock.AnonUserDeniedError(), "MKD new", 550),
        (stock.FileExistsError("new"), "MKD new", 550),
        (stock.IsNotADirectoryError("d"), "RMD d", 550),
        (stock.IsADirectoryError("f"), "DELE f", 550),
        (OSError(13, "Permission denied"), "DELE f", 550),
        (RuntimeError("nobody foresaw this"), "DELE f", 451),
    ],
)
def test_an_error_of_the_shell_is_the_reply_that_rfc_959_has_for_it(error, line, code):
    names = ("openForReading", "openForWriting", "makeDirectory", "removeDirectory", "removeFile")
    with recorded_log():
        visitor(Shell(**dict.fromkeys(names, error))).says(line).hears(code).says("NOOP").hears(200)


class Full(stock.FTPCmdError):
    errorCode = stock.EXCEEDED_STORAGE_ALLOC


def test_an_error_of_ones_own_goes_by_its_code():
    visitor(Shell(openForWriting=Full("f"))).says("STOR f").hears(552)


# Shells that take their time.


@pytest.mark.parametrize("method", ["stat", "openForReading"])
def test_a_shell_that_never_answers_is_cancelled_by_abor(method):
    cancelled = []
    client = visitor(Shell(**{method: Deferred(cancelled.append)})).says("RETR f").hears_nothing()
    client.says("ABOR").hears(426).hears(226).says("NOOP").hears(200)
    assert len(cancelled) == 1


@pytest.mark.parametrize(
    ("method", "line"), [("stat", "SIZE f"), ("list", "NLST"), ("openForWriting", "STOR f"), ("removeFile", "DELE f")]
)
def test_a_shell_that_never_answers_is_cancelled_when_its_client_goes(method, line):
    cancelled = []
    client = visitor(Shell(**{method: Deferred(cancelled.append)})).says(line).hangs_up()
    assert len(cancelled) == 1
    assert not client.server.factory.channels


def test_an_answer_that_comes_late_is_an_answer():
    late = Deferred()
    client = visitor(Shell(stat=late)).says("SIZE f").hears_nothing()
    late.callback(FILE)
    client.rests().hears(213, "5")


def test_a_send_that_never_ends_is_aborted():
    file = Reading(b"some")
    client = visitor(Shell(openForReading=file)).says("RETR f").hears(150).hears_nothing()
    client.says("ABOR").hears(426).hears(226)
    assert file.done.called


def test_an_upload_is_226_when_close_is_done():
    file = Writing(Deferred())
    client = visitor(Shell(openForWriting=file)).says("STOR new").hears(150).sends(b"data").ends().hears_nothing()
    assert file.calls == [b"data", "unregister", "finish", "close"]
    file.closed.callback(None)
    client.rests().hears(226)


def test_an_upload_that_is_cut_is_closed_and_never_finished():
    file = Writing()
    visitor(Shell(openForWriting=file)).says("STOR new").hears(150).sends(b"half").resets().hears(426)
    assert file.calls == [b"half", "unregister", "close"]


def test_a_close_that_fails_is_no_226():
    visitor(Shell(openForWriting=Writing(fail(OSError(28, "full"))))).says("STOR new").hears(150).sends(b"data").ends().hears(
        552, "/new: No space left."
    )


def test_the_logout_is_called_once_when_the_session_ends():
    realm = Realm(Shell())
    client = Dialogue(login="anonymous", portal=Portal(realm, [AllowAnonymousAccess()]))
    client.says("QUIT").hears(221).is_closed()
    assert realm.logouts == 1
