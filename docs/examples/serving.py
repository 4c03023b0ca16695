"""What the examples have in common: a store behind FTP on loopback, for ann, whose password is secret."""

from __future__ import annotations

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint

from ftpd import FTPFactory, TransferRealm
from ftpd.accounts.settings import AccountSettings, SettingsAccounts
from ftpd.login.memory import MemoryPasswords
from ftpd.spi import Store


def serve(store: Store, *permissions: str) -> None:
    """Serve *store* on a port of its own choice until the process is ended; *permissions* are those of the settings, by default all."""
    ann = AccountSettings(permissions=permissions or ("all",))
    realm = TransferRealm(SettingsAccounts(named={"ann": ann}), store)
    factory = FTPFactory(Portal(realm, [MemoryPasswords({b"ann": b"secret"})]), reactor=reactor)
    listening = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
    listening.addCallback(lambda port: print("listening on port", port.getHost().port, flush=True))
    reactor.run()
