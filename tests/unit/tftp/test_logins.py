"""Logins: who gets whose, how long one lives, how many are kept, and that each is ended once.

What a whole server makes of them is in test_server.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from zope.interface import implementer

from ftpd.interfaces import IAvatar
from ftpd.testing.fakes import finish
from ftpd.tftp.logins import Login, Logins
from ftpd.values import Account, Peer


@implementer(IAvatar)
class Avatar:
    account = Account("anonymous", is_anonymous=True)
    files = None


class Realm:
    """`minds` are the peers that it was asked for, `ended` how many have logged out; `failure` is raised, if any, and `fault` at a logout."""

    def __init__(self) -> None:
        self.minds: list[Peer] = []
        self.ended = 0
        self.failure: Exception | None = None
        self.fault: Exception | None = None

    def requestAvatar(self, avatar_id: Any, mind: Any, *interfaces: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        self.minds.append(mind)
        return IAvatar, Avatar(), self._end

    def _end(self) -> None:
        self.ended += 1
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def realm():
    return Realm()


@pytest.fixture
def logins(clock, realm):
    return Logins(Portal(realm, [AllowAnonymousAccess()]), b"", clock)


def peer(address: str = "10.0.0.7", port: int = 2070, ours: str = "10.0.0.1") -> Peer:
    return Peer(address, port, ours, 69, "tftp", "lab", "s1")


def enter(logins: Logins, *where: Any) -> Login:
    login: Login = finish(logins.enter(peer(*where)))
    return login


def test_login_that_is_handed_on_is_the_clients_next_one(logins, realm):
    first = enter(logins)
    logins.hand_on(first)
    assert enter(logins, "10.0.0.7", 2071) is first
    assert (len(realm.minds), realm.ended) == (1, 0)


def test_login_in_use_is_nobody_elses(logins, realm):
    assert enter(logins) is not enter(logins)
    assert len(realm.minds) == 2


@pytest.mark.parametrize("where", [("10.0.0.8",), ("10.0.0.7", 2070, "10.0.0.2")])
def test_another_address_on_either_side_logs_in_itself(logins, realm, where):
    logins.hand_on(enter(logins))
    enter(logins, *where)
    assert realm.minds == [peer(), peer(*where)]


def test_login_lives_for_a_second_from_its_beginning_however_often_it_is_used(logins, realm, clock):
    for _ in range(4):
        logins.hand_on(enter(logins))
        clock.advance(0.25)
    enter(logins)
    assert (len(realm.minds), realm.ended) == (2, 1)


def test_login_that_is_too_old_when_its_request_ends_is_ended(logins, realm, clock):
    login = enter(logins)
    clock.advance(1)
    logins.hand_on(login)
    assert realm.ended == 1


def test_logins_that_nobody_wants_any_more_are_ended_and_leave_no_timer(logins, realm, clock):
    logins.hand_on(enter(logins))
    clock.advance(0.5)
    logins.hand_on(enter(logins, "10.0.0.8"))
    clock.advance(0.5)
    assert realm.ended == 1
    clock.advance(1)
    assert realm.ended == 2
    assert clock.getDelayedCalls() == []


def test_eight_of_one_address_are_kept(logins, realm):
    for login in [enter(logins, "10.0.0.7", port) for port in range(9)]:
        logins.hand_on(login)
    assert realm.ended == 1


def test_a_thousand_addresses_are_remembered(logins, realm):
    for number in range(1025):
        logins.hand_on(enter(logins, f"10.0.{number >> 8}.{number & 255}"))
    assert realm.ended == 1


def test_refusal_is_not_remembered(logins, realm):
    realm.failure = UnauthorizedLogin()
    for _ in range(2):
        with pytest.raises(UnauthorizedLogin):
            enter(logins)
    realm.failure = None
    enter(logins)
    assert len(realm.minds) == 1


def test_portals_fault_at_a_logout_is_told_and_stops_nobody(logins, realm, clock):
    realm.fault = RuntimeError("the directory is down")
    for address in ("10.0.0.7", "10.0.0.8"):
        logins.hand_on(enter(logins, address))
    with capturedLogs() as told:
        clock.advance(1)
    assert realm.ended == 2
    assert [str(event["log_failure"].value) for event in told] == ["the directory is down"] * 2
    logins.hand_on(enter(logins))
    assert len(clock.getDelayedCalls()) == 1


def test_closed_logins_end_what_is_kept_and_keep_no_more(logins, realm, clock):
    other = enter(logins, "10.0.0.8")
    logins.hand_on(enter(logins))
    logins.close()
    logins.close()
    assert realm.ended == 1
    logins.hand_on(other)
    assert realm.ended == 2
    assert clock.getDelayedCalls() == []
