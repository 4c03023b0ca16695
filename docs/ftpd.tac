"""Run with `twistd -ny ftpd.tac`: the server that ftpd.toml in the current directory describes, as a Twisted application."""

from twisted.application.service import Application
from twisted.internet import reactor

from ftpd import load_config, make_service

application = Application("ftpd")
make_service(load_config("ftpd.toml"), reactor).setServiceParent(application)
