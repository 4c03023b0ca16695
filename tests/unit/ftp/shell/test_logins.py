from __future__ import annotations

import pytest
from twisted.cred.checkers import (
    ANONYMOUS,
    AllowAnonymousAccess,
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.protocols import ftp as stock
from zope.interface import implementer
from zope.interface.verify import verifyObject

from ftpd.accounts.realm import TransferRealm
from ftpd.ftp.shell.logins import TextCredentials, interfaces_for, password_credentials, suited, takes_text
from ftpd.interfaces import IAvatar
from ftpd.login.credentials import PasswordCredentials
from ftpd.login.memory import MemoryPasswords
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import Server
from ftpd.values import Peer

PEER = Peer("127.0.0.1", 4000, "127.0.0.1", 21)


@implementer(IRealm)
class OtherRealm:
    def __init__(self, root=None):
        self.root = root
        self.ids = []
        self.logouts = 0

    def requestAvatar(self, avatarId, mind, *interfaces):
        self.ids.append(avatarId)
        return stock.IFTPShell, stock.FTPShell(self.root), self.logout

    def logout(self):
        self.logouts += 1


@implementer(ICredentialsChecker)
class OtherChecker:
    """A checker as people write it for `twisted.protocols.ftp`."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self):
        self.asked = []

    def requestAvatarId(self, credentials):
        self.asked.append((credentials.username, credentials.password))
        if credentials.username == "ann" and credentials.checkPassword("pw"):
            return credentials.username
        raise UnauthorizedLogin


def in_memory(name, password):
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser(name, password)
    return checker


@pytest.fixture
def stock_realm(tmp_path):
    (tmp_path / "home" / "ann" / "sub").mkdir(parents=True)
    (tmp_path / "home" / "ann" / "f").write_bytes(b"of ann")
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "p").write_bytes(b"public")
    return stock.FTPRealm(str(tmp_path / "public"), str(tmp_path / "home"))


@pytest.mark.parametrize("checker", [OtherChecker(), in_memory("ann", "pw")])
def test_a_portal_for_twisteds_ftp_is_shown_text(stock_realm, checker):
    assert takes_text(Portal(stock_realm, [checker]))


def test_text_users_are_shown_text_under_any_realm():
    assert takes_text(Portal(OtherRealm(), [in_memory("ann", "pw")]))


@pytest.mark.parametrize(
    "checker", [in_memory(b"ann", b"pw"), MemoryPasswords({b"ann": b"pw"}), FilePasswordDB("/nonexistent"), AllowAnonymousAccess()]
)
def test_checkers_of_bytes_are_shown_bytes_under_any_realm(checker, stock_realm):
    assert not takes_text(Portal(OtherRealm(), [checker]))
    if not isinstance(checker, AllowAnonymousAccess):
        assert not takes_text(Portal(stock_realm, [checker]))


def test_a_foreign_checker_under_a_foreign_realm_is_shown_bytes_as_cred_has_it():
    assert not takes_text(Portal(OtherRealm(), [OtherChecker()]))


def test_what_the_embedder_says_counts():
    portal = Portal(OtherRealm(), [OtherChecker()])
    assert isinstance(password_credentials(portal, b"ann", b"pw", PEER, True), TextCredentials)
    assert isinstance(password_credentials(portal, b"ann", b"pw", PEER), PasswordCredentials)
    portal = Portal(OtherRealm(), [in_memory("ann", "pw")])
    assert isinstance(password_credentials(portal, b"ann", b"pw", PEER, False), PasswordCredentials)


def test_text_credentials_are_credentials_and_show_no_password():
    credentials = password_credentials(Portal(OtherRealm(), [in_memory("x", "y")]), b"\xc3\xbc\xff", b"geheim", PEER)
    assert verifyObject(IUsernamePassword, credentials)
    assert credentials.username == "ü\udcff"
    assert credentials.password == "geheim"
    assert credentials.peer is PEER
    assert "geheim" not in repr(credentials)


@pytest.mark.parametrize(("password", "is_right"), [("gehéim", True), ("gehéim".encode(), True), ("geheim", False), ("", False)])
def test_text_credentials_check_text_and_bytes(password, is_right):
    assert TextCredentials("ann", "gehéim").checkPassword(password) is is_right


def test_text_users_log_in_and_a_wrong_password_does_not(stock_realm):
    server = Server(portal=Portal(stock_realm, [in_memory("ann", "pw")]))
    Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS pw").hears(230)
    Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS no").waits(10).hears(530, "Login incorrect.")
    Dialogue(server=server).hears(220).says("USER bob").hears(331).says("PASS pw").waits(10).hears(530, "Login incorrect.")


def test_a_checker_is_asked_once_for_a_failing_login(stock_realm):
    checker = OtherChecker()
    server = Server(portal=Portal(stock_realm, [checker]))
    Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS no").waits(10).hears(530)
    assert checker.asked == [("ann", "no")]


def test_a_checker_written_for_twisteds_ftp_lets_people_in(stock_realm):
    Dialogue(portal=Portal(stock_realm, [OtherChecker()])).hears(220).says("USER ann").hears(331).says("PASS pw").hears(230)


def test_a_stock_realm_behind_a_checker_of_bytes_serves_single_files(stock_realm):
    portal = Portal(stock_realm, [MemoryPasswords({b"ann": b"pw"})])
    talk = Dialogue(portal=portal).hears(220).says("USER ann").hears(331).says("PASS pw").hears(230).says("TYPE I").hears(200)
    talk.says("SIZE f").hears(213, "6").says("RETR f").hears(150).hears(226).data(b"of ann")


def test_a_stock_realm_knows_anonymous_by_creds_own_constant(stock_realm):
    portal = Portal(stock_realm, [AllowAnonymousAccess()])
    talk = Dialogue(portal=portal).hears(220).says("USER anonymous").hears(331).says("PASS me@here").hears(230)
    talk.says("SIZE p").hears(213, "6").says("DELE p").hears(550, "/p: Permission denied.")


def test_the_system_realm_gets_text_from_a_checker_of_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    homes = []

    class Realm(stock.SystemFTPRealm):
        """Twisted's own, `getHomeDirectory` included; only the lookup of the home is watched."""

    monkeypatch.setattr(stock.os.path, "expanduser", lambda name: homes.append(name) or str(tmp_path))
    portal = suited(Portal(Realm(str(tmp_path)), []))
    portal.realm.requestAvatar(b"ann", None, stock.IFTPShell)
    assert homes == ["~ann"]


def test_a_home_directory_of_ones_own_gets_what_the_checker_answered(tmp_path):
    ids = []

    class Realm(stock.BaseFTPRealm):
        def getHomeDirectory(self, avatarId):
            ids.append(avatarId)
            return stock.filepath.FilePath(str(tmp_path))

    portal = Portal(Realm(str(tmp_path)), [MemoryPasswords({b"ann": b"pw"})])
    Dialogue(portal=portal).hears(220).says("USER ann").hears(331).says("PASS pw").hears(230)
    assert ids == [b"ann"]


def test_a_portal_is_lent_and_never_changed(stock_realm):
    portal = Portal(stock_realm, [in_memory("ann", "pw")])
    assert suited(portal).checkers is portal.checkers
    assert portal.realm is stock_realm
    ours = Server().factory.portal
    ours.realm = TransferRealm(None, None)
    assert suited(ours) is ours


def test_a_realm_that_looks_at_the_first_interface_only_is_asked_again_and_its_checker_is_not(tmp_path):
    class FirstOnly(OtherRealm):
        def requestAvatar(self, avatarId, mind, *interfaces):
            if interfaces[0] is not stock.IFTPShell:
                raise NotImplementedError
            return super().requestAvatar(avatarId, mind, *interfaces)

    checker = OtherChecker()
    realm = FirstOnly(stock.filepath.FilePath(str(tmp_path)))
    server = Server(portal=Portal(realm, [checker]))
    server.factory.text_credentials = True
    Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS pw").hears(230)
    assert realm.ids == ["ann"]
    assert checker.asked == [("ann", "pw")]


def test_our_realm_is_not_asked_for_shells():
    assert interfaces_for(Portal(TransferRealm(None, None), [])) == (IAvatar,)
    assert interfaces_for(Portal(OtherRealm(), [])) == (IAvatar, stock.IFTPShell)


def test_anonymous_stays_creds_constant_on_its_way_to_a_stock_realm(stock_realm):
    portal = suited(Portal(stock_realm, []))
    _, shell, _ = portal.realm.requestAvatar(ANONYMOUS, None, stock.IFTPShell)
    assert type(shell) is stock.FTPAnonymousShell


def test_the_logout_of_a_foreign_portal_is_called_once(tmp_path):
    """`twisted.protocols.ftp` looks for `logout` on the shell and never calls the portal's."""
    realm = OtherRealm(stock.filepath.FilePath(str(tmp_path)))
    talk = (
        Dialogue(portal=Portal(realm, [in_memory("ann", "pw")])).hears(220).says("USER ann").hears(331).says("PASS pw").hears(230)
    )
    assert realm.logouts == 0
    talk.says("QUIT").hears(221).is_closed()
    assert realm.logouts == 1
