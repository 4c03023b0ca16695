"""What `twistd ftp` builds (twisted.tap.ftp), on loopback: `twisted_server.py PORT HOMES USER PASSWORD on|off`.

As a script because `twistd ftp --auth=memory` lets nobody in on Python 3: the checker holds bytes, the protocol hands it text.
"""

import sys

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.protocols.ftp import FTPFactory, FTPRealm
from twisted.python import log

port, homes, user, password, wants_log = sys.argv[1:]
if wants_log == "on":
    log.startLogging(sys.stderr, setStdout=False)
checker = InMemoryUsernamePasswordDatabaseDontUse()
checker.addUser(user, password)  # type: ignore[arg-type]  # text: see above
factory = FTPFactory(Portal(FTPRealm("/nonexistent", userHome=homes), [checker]))
factory.timeOut = 3600
reactor.listenTCP(int(port), factory, backlog=1024, interface="127.0.0.1")
reactor.run()
