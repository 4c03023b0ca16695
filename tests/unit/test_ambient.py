"""The reactor that a program has."""

from __future__ import annotations

from ftpd.ambient import ambient_reactor
from ftpd.ftp.factory import FTPFactory
from ftpd.tftp.server import TFTPServer


def test_servers_that_were_given_no_reactor_have_the_process_its():
    from twisted.cred.portal import Portal
    from twisted.internet import reactor

    assert ambient_reactor() is reactor
    assert FTPFactory(None).reactor is reactor
    server = TFTPServer(Portal(None))  # type: ignore[arg-type]
    assert server.reactor is reactor
    server.close()
