"""pyftpdlib as its tutorial sets it up: `pyftpdlib_server.py PORT HOME USER PASSWORD on|off`; the last word is about its log."""

import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

port, home, user, password, log = sys.argv[1:]
if log == "off":
    logging.disable(logging.CRITICAL)
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, home, perm="elradfmwMT")
FTPHandler.authorizer = authorizer
FTPHandler.timeout = 3600
server = FTPServer(("127.0.0.1", int(port)), FTPHandler)
server.max_cons = 15_000
server.max_cons_per_ip = 0
server.serve_forever(handle_exit=False)
