"""pyftpdlib as its tutorial sets it up: `pyftpdlib_server.py PORT HOME USER PASSWORD on|off [PEM_FILE]`.

The fifth word is about its log; the file of certificate and key makes it an FTPS server.
"""

import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

port, home, user, password, log, *certificate = sys.argv[1:]
if log == "off":
    logging.disable(logging.CRITICAL)
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, home, perm="elradfmwMT")
handler = FTPHandler
if certificate:
    from pyftpdlib.handlers import TLS_FTPHandler  # not there without pyopenssl

    TLS_FTPHandler.certfile = certificate[0]
    handler = TLS_FTPHandler
handler.authorizer = authorizer
handler.timeout = 3600
server = FTPServer(("127.0.0.1", int(port)), handler)
server.max_cons = 15_000
server.max_cons_per_ip = 0
server.serve_forever(handle_exit=False)
