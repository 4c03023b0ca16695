from __future__ import annotations

import attrs
import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from ftpd.accounts.limits import LimitSettings
from ftpd.errors import Unavailable
from ftpd.events import LoggedIn, LoggedOut, LoginFailed
from ftpd.ftp.settings import FTPSettings, ProtectionSettings
from ftpd.login.certificate import CertificateLogin
from ftpd.login.memory import MemoryPasswords
from ftpd.state.memory import MemoryState
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import finish
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.server import Server
from ftpd.testing.tls_client import MemoryContexts
from ftpd.values import Account, ClientCertificate, Place

REMOTE = {"address": "192.0.2.1", "local_address": "192.0.2.9"}
LOOPBACK_LIKE = {"address": "192.0.2.1", "local_address": "127.0.0.1"}


def patient(**arguments):
    """A server that answers failed logins at once."""
    return Dialogue(limits=LimitSettings(failure_delay=0, **arguments)).hears(220)


@implementer(ICredentialsChecker)
class BrokenChecker:
    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials):
        raise RuntimeError("the database is down")


def test_login_is_331_and_230():
    dialogue = Dialogue().hears(220).says("USER ann").hears(331, "Password required.").says("PASS secret").hears(230, "Logged in.")
    assert [(event.account, event.is_anonymous) for event in dialogue.events(LoggedIn)] == [("ann", False)]


def test_user_is_331_for_every_name():
    Dialogue().hears(220).says("USER ann").hears(331, "Password required.").says("USER nobody").hears(331, "Password required.")


def test_user_without_a_name_is_501():
    Dialogue().hears(220).says("USER").hears(501)


def test_pass_first_is_503():
    Dialogue().hears(220).says("PASS secret").hears(503, "Send USER first.")


def test_second_pass_is_503():
    Dialogue(login="ann").says("PASS secret").hears(503)


def test_wrong_password_is_530():
    patient().says("USER ann").hears(331).says("PASS wrong").hears(530, "Login incorrect.").says("PWD").hears(530)


def test_unknown_name_is_answered_like_a_wrong_password():
    patient().says("USER nobody").hears(331).says("PASS wrong").hears(530, "Login incorrect.")


def test_password_may_contain_and_end_with_spaces():
    dialogue = Dialogue(passwords={"ann": " a b "}).hears(220)
    dialogue.says("USER ann").hears(331).says("PASS  a b ").hears(230)


def test_password_may_be_any_bytes():
    dialogue = Dialogue(passwords={"ann": "p\udce4ss"}).hears(220)
    dialogue.says("USER ann").hears(331).says(b"PASS p\xe4ss").hears(230)


def test_failed_login_is_answered_late():
    dialogue = Dialogue().hears(220).says("USER ann").hears(331).says("PASS wrong").hears_nothing()
    dialogue.waits(0.5).hears_nothing().waits(0.5).hears(530)


def test_each_failure_is_answered_later_than_the_one_before():
    dialogue = Dialogue().hears(220)
    dialogue.says("USER ann").hears(331).says("PASS wrong").waits(1).hears(530)
    dialogue.says("USER ann").hears(331).says("PASS wrong").waits(1).hears_nothing().waits(1).hears(530)


def test_third_failed_login_is_421_and_a_close():
    dialogue = patient(login_failures_per_session=3)
    for _ in range(2):
        dialogue.says("USER ann").hears(331).says("PASS wrong").hears(530)
    dialogue.says("USER ann").hears(331).says("PASS wrong").hears(421, "Too many failed logins; closing.").is_closed()


def test_banned_address_is_421_at_the_door():
    dialogue = patient(failures_per_address=1, login_failures_per_session=1)
    dialogue.says("USER ann").hears(331).says("PASS wrong").hears(421).is_closed()
    Dialogue(server=dialogue.server).hears(421).is_closed()


def test_client_that_hangs_up_while_its_failure_is_delayed_is_gone():
    dialogue = Dialogue().hears(220).says("USER ann").hears(331).says("PASS wrong").hangs_up()
    assert dialogue.server.factory.channels == set()
    assert dialogue.server.clock.getDelayedCalls() == []


def test_correct_login_after_a_failed_one():
    patient().says("USER ann").hears(331).says("PASS wrong").hears(530).says("USER ann").hears(331).says("PASS secret").hears(230)


def test_failed_login_tells_the_log_no_unknown_name():
    dialogue = patient().says("USER secret").hears(331).says("PASS wrong").hears(530)
    assert [event.account for event in dialogue.events(LoginFailed)] == ["(name not known)"]


def test_failed_login_tells_the_log_a_known_name():
    dialogue = patient().says("USER ann").hears(331).says("PASS wrong").hears(530)
    assert [event.account for event in dialogue.events(LoginFailed)] == ["ann"]


def test_checker_that_raises_is_530_and_a_traceback_in_the_log():
    dialogue = Dialogue(checkers=[BrokenChecker()], limits=LimitSettings(failure_delay=0)).hears(220)
    with recorded_log() as log:
        dialogue.says("USER ann").hears(331).says("PASS hunter2").hears(530, "Login incorrect.")
    assert sum("log_failure" in event for event in log) == 1
    assert "hunter2" not in repr(log)


@pytest.mark.parametrize("name", ["anonymous", "ANONYMOUS", "Anonymous"])
def test_anonymous_is_331_and_230(name):
    dialogue = Dialogue().hears(220).says(f"USER {name}").hears(331).says("PASS me@example.org").hears(230, "Logged in.")
    assert [event.is_anonymous for event in dialogue.events(LoggedIn)] == [True]


def test_anonymous_password_may_be_empty():
    Dialogue().hears(220).says("USER anonymous").hears(331).says("PASS").hears(230)


def test_anonymous_where_it_is_not_allowed_is_a_name_like_any_other():
    dialogue = patient()
    dialogue.server.factory.allowAnonymous = False
    dialogue.says("USER anonymous").hears(331, "Password required.").says("PASS me@").hears(530)


@pytest.mark.parametrize("name", ["ann", "nobody", "root"])
@pytest.mark.parametrize("addresses", [REMOTE, LOOPBACK_LIKE])
def test_password_in_clear_is_refused_at_user_for_every_name(addresses, name):
    dialogue = Dialogue(**addresses).hears(220)
    dialogue.says(f"USER {name}").hears(530, "Passwords are not taken over an unprotected connection here.")
    dialogue.says("PASS secret").hears(503)


def test_password_in_clear_is_a_setting():
    dialogue = Dialogue(settings=FTPSettings(plaintext_passwords=True), **REMOTE).hears(220)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230)


def test_anonymous_needs_no_leave_for_passwords_in_clear():
    Dialogue(**REMOTE).hears(220).says("USER anonymous").hears(331).says("PASS me@").hears(230)


def test_user_after_login_starts_a_login_anew():
    dialogue = Dialogue(login="ann").says("USER anonymous").hears(331).says("PWD").hears(530).says("PASS x").hears(230)
    assert (dialogue.server.logins, dialogue.server.logouts) == (2, 1)
    assert len(dialogue.events(LoggedOut)) == 1


def test_user_after_login_keeps_the_type():
    dialogue = Dialogue(login="ann", files={"/a": b"\n"}).says("USER ann").hears(331).says("PASS secret").hears(230)
    dialogue.says("RETR a").hears(150).hears(226).data(b"\n")


def test_rein_is_220_and_forgets_everything():
    dialogue = Dialogue(login="ann", files={"/a": b"\n", "/d": None})
    dialogue.says("CWD d").hears(250).says("RNFR /a").hears(350).says("EPSV").hears(229)
    port = dialogue.port
    dialogue.says("REIN").hears(220, "ftpd ready.").says("PWD").hears(530)
    assert port.is_closed
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("PWD").hears(257, '"/" is the working directory.')
    dialogue.says("RNTO b").hears(503).says("RETR /a").hears(150).hears(226).data(b"\r\n")


def test_rein_before_login_is_220():
    Dialogue().hears(220).says("USER ann").hears(331).says("REIN").hears(220).says("PASS secret").hears(503)


@pytest.mark.parametrize("login", [None, "ann"])
def test_acct_is_202(login):
    dialogue = Dialogue(login=login)
    if login is None:
        dialogue.hears(220)
    dialogue.says("ACCT x").hears(202)


def test_acct_without_an_argument_is_501():
    Dialogue().hears(220).says("ACCT").hears(501)


def test_quit_before_login_is_221():
    Dialogue().hears(220).says("QUIT").hears(221, "Goodbye.").is_closed()


def test_account_with_too_many_sessions_is_421_and_logged_out():
    server = Server(accounts=[Account("bob", max_sessions=1)])
    Dialogue(login="bob", server=server)
    second = Dialogue(server=server).hears(220).says("USER bob").hears(331)
    second.says("PASS secret").hears(421).is_closed()
    assert (server.logins, server.logouts) == (2, 1)


def test_account_has_room_again_after_a_logout():
    server = Server(accounts=[Account("bob", max_sessions=1)])
    Dialogue(login="bob", server=server).says("QUIT").hears(221)
    Dialogue(login="bob", server=server)


def test_account_has_room_again_after_rein():
    server = Server(accounts=[Account("bob", max_sessions=1)])
    Dialogue(login="bob", server=server).says("REIN").hears(220)
    Dialogue(login="bob", server=server)


def test_server_without_a_portal_lets_nobody_in():
    dialogue = patient()
    dialogue.server.factory.portal = None
    dialogue.says("USER anonymous").hears(331).says("PASS x").hears(530)


# TLS.


def with_rules(**rules):
    return FTPSettings(tls=ProtectionSettings(**rules))


def protected(certificate=None, server=None, **arguments):
    """A connection with TLS, on which the client has shown a certificate or none."""
    server = server or Server(
        contexts=MemoryContexts(),
        limits=LimitSettings(failure_delay=0),
        **{key: arguments.pop(key) for key in ("settings", "checkers") if key in arguments},
    )
    dialogue = Dialogue(server=server, **arguments).hears(220).says("AUTH TLS").hears(234).shakes_hands()
    if certificate is not None:
        peer = dialogue.session.peer
        dialogue.session.peer = peer._replace(tls=attrs.evolve(peer.tls, client=certificate))
    return dialogue


def of_ann(*names):
    """Checkers for which every certificate stands for *names*."""
    return [MemoryPasswords({b"ann": b"secret", b"bob": b"secret"}), CertificateLogin(lambda certificate: names)]


CERTIFICATE = ClientCertificate(subject="CN=ann", common_name="ann", emails=(), fingerprint="ab" * 32)


@pytest.mark.parametrize("name", ["ann", "nobody", "anonymous", "root"])
def test_where_tls_is_required_user_in_clear_is_530_alike_for_every_name(name):
    dialogue = Dialogue(contexts=MemoryContexts(), settings=with_rules(login="required")).hears(220)
    dialogue.says(f"USER {name}").hears(530, "A login needs TLS here: send AUTH TLS first.").says("PASS secret").hears(503)


def test_where_tls_is_required_a_login_in_tls_is_taken():
    protected(settings=with_rules(login="required")).says("USER ann").hears(331).says("PASS secret").hears(230)


def test_password_from_afar_in_clear_is_refused_at_user_with_the_way_out():
    dialogue = Dialogue(contexts=MemoryContexts(), **REMOTE).hears(220)
    dialogue.says("USER ann").hears(530, "Passwords are not taken over an unprotected connection here: send AUTH TLS first.")


def test_no_way_out_is_told_where_there_is_none():
    words = "Passwords are not taken over an unprotected connection here."
    Dialogue(**REMOTE).hears(220).says("USER ann").hears(530, words)
    dialogue = Dialogue(contexts=MemoryContexts(), settings=with_rules(login="off"), **REMOTE).hears(220)
    dialogue.says("USER ann").hears(530, words)


def test_password_from_afar_in_tls_is_taken():
    protected(**REMOTE).says("USER ann").hears(331).says("PASS secret").hears(230)


def test_account_that_needs_tls_is_refused_like_a_wrong_password_and_the_log_says_why():
    dialogue = (
        patient_with(Account("tia", needs_tls=True)).says("USER tia").hears(331).says("PASS secret").hears(530, "Login incorrect.")
    )
    (event,) = dialogue.events(LoginFailed)
    assert (event.account, event.reason) == ("tia", "the password was right, and sent in clear: the account needs TLS")


def patient_with(account):
    return Dialogue(limits=LimitSettings(failure_delay=0), accounts=[account]).hears(220)


def test_certificate_of_the_account_is_232():
    dialogue = protected(CERTIFICATE, checkers=of_ann("ann")).says("USER ann").hears(232).says("PWD").hears(257)
    assert [event.account for event in dialogue.events(LoggedIn)] == ["ann"]
    assert dialogue.events(LoginFailed) == []


def test_after_232_a_password_is_503():
    protected(CERTIFICATE, checkers=of_ann("ann")).says("USER ann").hears(232).says("PASS secret").hears(503).says("PWD").hears(257)


def test_certificate_of_another_account_leaves_the_password():
    dialogue = protected(CERTIFICATE, checkers=of_ann("ann")).says("USER bob").hears(331).says("PASS secret").hears(530)
    assert dialogue.events(LoggedIn) == []


def test_without_a_certificate_the_password_is_asked_for():
    protected(checkers=of_ann("ann")).says("USER ann").hears(331).says("PASS secret").hears(230)


def test_certificate_that_proves_nothing_here_leaves_the_password():
    protected(CERTIFICATE).says("USER ann").hears(331).says("PASS secret").hears(230)


def test_certificate_login_without_a_portal_leaves_the_password():
    dialogue = protected(CERTIFICATE)
    dialogue.server.factory.portal = None
    dialogue.says("USER ann").hears(331)


def test_certificate_login_counts_no_failure_and_obeys_the_limits():
    server = Server(
        accounts=[Account("bob", max_sessions=1)],
        checkers=of_ann("bob"),
        contexts=MemoryContexts(),
        limits=LimitSettings(failure_delay=0),
    )
    protected(CERTIFICATE, server=server).says("USER bob").hears(232)
    protected(CERTIFICATE, server=server).says("USER bob").hears(421).is_closed()
    assert (server.logins, server.logouts) == (2, 1)


class SharedState(MemoryState):
    """A state shared with another process, that has a session of Ann's; with `waits` a login waits until `let_go`."""

    def __init__(self):
        super().__init__(Clock())
        self.waits = False
        self.let_go = Deferred()

    async def take(self, session, places):
        full = await super().take(session, places)
        if self.waits:
            await self.let_go
        return full


class LostState(MemoryState):
    async def take(self, session, places):
        raise Unavailable(None, "the file is gone")

    async def fail(self, address, **rule):
        raise Unavailable(None, "the file is gone")


@pytest.fixture
def state():
    return SharedState()


def at_pass(state, **arguments):
    return Dialogue(state=state, limits=LimitSettings(failure_delay=0), **arguments).hears(220).says("USER ann").hears(331)


def test_login_waits_for_the_shared_state(state):
    state.waits = True
    dialogue = at_pass(state).says("PASS secret").hears_nothing()
    state.let_go.callback(None)
    dialogue.hears(230).says("PWD").hears(257)


def test_login_beyond_what_all_processes_may_have_is_421_and_given_back_to_the_portal(state):
    finish(state.take("another process's", [Place("account//ann", None)]))
    dialogue = at_pass(state, accounts=[Account("ann", max_sessions=1)]).says("PASS secret")
    dialogue.hears(421, "Too many sessions of this account; try again later.").is_closed()
    assert (dialogue.server.logins, dialogue.server.logouts) == (1, 1)


def test_client_that_hangs_up_while_its_place_is_taken_leaves_nothing(state):
    state.waits = True
    dialogue = at_pass(state).says("PASS secret").hangs_up()
    assert (dialogue.server.logins, dialogue.server.logouts) == (1, 1)
    assert state._held.counts == {}
    assert dialogue.server.factory.channels == set()


def test_login_goes_on_without_the_shared_state():
    at_pass(LostState(Clock())).says("PASS secret").hears(230)


def test_wrong_password_is_530_without_the_shared_state():
    at_pass(LostState(Clock())).says("PASS wrong").hears(530)


@pytest.mark.parametrize("command", ["REIN", "USER ann", "QUIT"])
def test_leaving_a_login_makes_room_for_other_processes(state, command):
    dialogue = at_pass(state).says("PASS secret").hears(230)
    assert state._held.counts == {"all": 1, "address/127.0.0.1": 1, "account//ann": 1}
    dialogue.says(command)
    assert state._held.counts == {}
