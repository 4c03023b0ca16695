"""TFTP inside a Twisted program of one's own: `python embed_tftp.py DIRECTORY [PORT]` serves a directory, and a file made for each client."""

import sys

from twisted.cred.portal import Portal
from twisted.internet import reactor

from ftpd import TransferRealm
from ftpd.accounts.settings import AnonymousSettings, SettingsAccounts
from ftpd.login.anonymous import AnonymousLogin
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.tftp.server import FileRequest, TFTPServer
from ftpd.tftp.settings import TFTPListenSettings
from ftpd.threads import Pool


def per_client(request: FileRequest) -> bytes | None:
    """Make up `/hello` for each client; everything else is looked for in the directory."""
    if str(request.path) == "/hello":
        return f"Hello {request.peer.address}\n".encode()
    return None


store = LocalStore(LocalSettings(root=sys.argv[1]), Pool(reactor, "storage"))
realm = TransferRealm(SettingsAccounts(anonymous=AnonymousSettings(enabled=True)), store)
port = int(sys.argv[2]) if len(sys.argv) > 2 else 6969
server = TFTPServer(
    Portal(realm, [AnonymousLogin()]), listen=TFTPListenSettings(address="127.0.0.1", port=port), files=per_client, reactor=reactor
)
server.listen()
print("listening on port", server.address[1], flush=True)
reactor.addSystemEventTrigger("before", "shutdown", server.drain, 0)
reactor.run()
