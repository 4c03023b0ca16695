"""FTPFactory in the place of Twisted's, for Twisted's own tests.

Apart from the tests that run with it: this is what those look at beside the wire, inside of Twisted's server, shown from the inside of ours.
"""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from ftpd import FTPFactory, FTPSettings
from ftpd.accounts.limits import Limits, LimitSettings


class StandIn(FTPFactory):
    """Ours, with what embedders of Twisted's have from the start: TYPE I; failed logins are not delayed, so that nothing waits."""

    def __init__(self, portal=None, userAnonymous="anonymous"):
        limits = Limits(LimitSettings(failure_delay=0), reactor)
        super().__init__(portal, userAnonymous, settings=FTPSettings(default_type="I"), limits=limits)

    def buildProtocol(self, addr):
        channel = super().buildProtocol(addr)
        channel.wrappedProtocol = Inside(channel)
        return channel


class Inside:
    """What Twisted's tests look at in its `FTP`; whatever else they touch is an attribute of nothing."""

    def __init__(self, channel):
        self._channel = channel
        self.dtpFactory = SimpleNamespace(deferred=Deferred())  # fired by tests that pretend a data connection
        self.passivePortRange = channel.factory.passivePortRange

    @property
    def transport(self):
        return self._channel.transport

    @property
    def portal(self):
        return self._channel.factory.portal

    @property
    def dtpPort(self):
        port = self._channel.session.data.port
        return SimpleNamespace(getHost=lambda: SimpleNamespace(port=port))

    @property
    def shell(self):
        return self._channel.session.files._files._shell
