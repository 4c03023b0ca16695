"""FTP inside a Twisted program of one's own: `python embed.py DIRECTORY [PORT]` serves a directory to ann, whose password is secret."""

import sys

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint

from ftpd import FTPFactory, TransferRealm
from ftpd.accounts.settings import AccountSettings, SettingsAccounts
from ftpd.login.memory import MemoryPasswords
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.threads import Pool

store = LocalStore(LocalSettings(root=sys.argv[1]), Pool(reactor, "storage"))
realm = TransferRealm(SettingsAccounts(named={"ann": AccountSettings()}), store)
factory = FTPFactory(Portal(realm, [MemoryPasswords({b"ann": b"secret"})]), reactor=reactor)
factory.welcomeMessage = "Hello from a Twisted program."

endpoint = TCP4ServerEndpoint(reactor, int(sys.argv[2]) if len(sys.argv) > 2 else 2121, interface="127.0.0.1")
endpoint.listen(factory).addCallback(lambda port: print("listening on port", port.getHost().port, flush=True))
reactor.run()
