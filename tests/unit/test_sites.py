from __future__ import annotations

import pytest
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.internet.task import Clock

from ftpd.accounts.settings import AccountSettings, AnonymousSettings
from ftpd.config.tree import Config, HostSettings, LoginSettings, StorageSettings
from ftpd.ftp.settings import FTPSettings
from ftpd.interfaces import IAvatar
from ftpd.login.credentials import AnonymousCredentials, PasswordCredentials, VouchedCredentials
from ftpd.login.memory import MemoryPasswords, MemorySettings
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import ConfigError, FilePath
from ftpd.sites import Sites, make_checkers, make_store
from ftpd.storage.local import LocalSettings
from ftpd.storage.memory import MemoryStore
from ftpd.storage.readonly import ReadOnly
from ftpd.testing.fakes import finish
from ftpd.trial import WithoutThreads
from ftpd.values import Account, Peer

PEER = Peer("192.0.2.1", 40000, "192.0.2.9", 21)
MEMORY = StorageSettings(kind="memory")
THREADS = WithoutThreads(Clock())


def passwords(**known):
    return LoginSettings(kind="memory", settings=MemorySettings(passwords=known))


def sites(*hosts, checkers=(), proved=list, **settings):
    settings.setdefault("storage", MEMORY)
    return Sites(Config(hosts=hosts, **settings), THREADS, THREADS, checkers, proved)


async def logged_in(portal, credentials):
    _, avatar, _ = await portal.login(credentials, PEER, IAvatar)
    return avatar.account


def account(portal, name="ann", password="secret"):
    return finish(logged_in(portal, PasswordCredentials(name.encode(), password.encode(), PEER)))


def anonymous(portal):
    return finish(logged_in(portal, AnonymousCredentials(b"ann@example.com", PEER)))


class TestServer:
    def test_the_portal_logs_in_by_the_configured_sources(self):
        assert account(sites(login=(passwords(ann="secret"),)).portal).name == "ann"

    def test_checkers_of_the_program_are_asked_first(self):
        portal = sites(login=(passwords(ann="other"),), checkers=[MemoryPasswords({b"ann": b"secret"})]).portal
        assert account(portal).name == "ann"
        assert account(portal, password="other").name == "ann"

    def test_anonymous_logins_are_off_unless_they_are_on(self):
        with pytest.raises(UnhandledCredentials):
            anonymous(sites().portal)
        assert anonymous(sites(anonymous=AnonymousSettings(enabled=True)).portal).is_anonymous

    def test_checkers_are_wrapped_on_every_site(self):
        wrapped = []

        def proved(checkers):
            wrapped.append([type(checker) for checker in checkers])
            return checkers

        host = HostSettings(names=("a",), login=())
        sites(host, login=(passwords(ann="secret"),), anonymous=AnonymousSettings(enabled=True), proved=proved)
        assert [len(kinds) for kinds in wrapped] == [2, 1]
        assert wrapped[0][0] is MemoryPasswords


class TestPasswordless:
    def portal(self, **settings):
        return sites(**settings).passwordless_portal

    def vouched(self, portal, name="boot"):
        return finish(logged_in(portal, VouchedCredentials(name.encode(), PEER)))

    def test_it_lets_in_whom_a_listener_vouches_for_as_the_account_it_is_elsewhere(self):
        portal = self.portal(accounts={"boot": AccountSettings(home="/tftp", permissions=("view",), max_sessions=7)})
        boot = self.vouched(portal)
        assert (boot.name, str(boot.home), boot.max_sessions, boot.is_anonymous) == ("boot", "/tftp", 7, False)

    def test_it_takes_no_password(self):
        portal = self.portal(login=(passwords(ann="secret"),), checkers=[MemoryPasswords({b"bob": b"secret"})])
        with pytest.raises(UnhandledCredentials):
            account(portal)

    def test_the_portal_with_passwords_believes_no_listener(self):
        with pytest.raises(UnhandledCredentials):
            self.vouched(sites(login=(passwords(ann="secret"),)).portal)

    def test_anonymous_clients_are_let_in_where_they_are_elsewhere(self):
        with pytest.raises(UnhandledCredentials):
            anonymous(self.portal())
        assert anonymous(self.portal(anonymous=AnonymousSettings(enabled=True))).is_anonymous

    def test_a_checker_that_takes_passwords_too_is_asked_for_anonymous_clients_only(self):
        class Both(MemoryPasswords):
            credentialInterfaces = (IUsernamePassword, IAnonymous)

            def requestAvatarId(self, credentials):
                return () if IAnonymous.providedBy(credentials) else super().requestAvatarId(credentials)

        portal = self.portal(checkers=[Both({b"ann": b"secret"})], anonymous=AnonymousSettings(enabled=True))
        assert anonymous(portal).is_anonymous
        with pytest.raises(UnhandledCredentials):
            account(portal)

    def test_an_account_that_needs_tls_is_refused(self):
        with pytest.raises(UnauthorizedLogin):
            self.vouched(self.portal(accounts={"boot": AccountSettings(tls="required")}))

    def test_client_certificates_are_not_asked_for_where_there_is_no_tls(self):
        wrapped = []
        here = sites(anonymous=AnonymousSettings(enabled=True), proved=lambda checkers: wrapped.append(checkers) or [])
        assert len(wrapped) == 1
        assert anonymous(here.passwordless_portal).is_anonymous


class TestHosts:
    def test_each_name_of_a_host_leads_to_it_and_its_certificates_are_filed_under_the_first(self):
        here = sites(HostSettings(names=("a", "b")), HostSettings(names=("c",)))
        assert [(name, host.name) for name, host in here.hosts] == [("a", "a"), ("b", "a"), ("c", "c")]
        assert here.hosts[0][1] is here.hosts[1][1]

    def test_what_a_host_leaves_out_is_as_in_the_rest(self):
        common = {"login": (passwords(ann="secret"),), "anonymous": AnonymousSettings(enabled=True, names=("guest",))}
        here = sites(
            HostSettings(names=("a",)), ftp=FTPSettings(greeting="Hello."), accounts={"ann": AccountSettings(home="/x")}, **common
        )
        ((_, host),) = here.hosts
        assert (host.greeting, host.anonymous_names) == ("Hello.", ("guest",))
        assert here.stores[1:] == []
        assert account(host.portal).home == VirtualPath.parse("/x")

    def test_a_host_may_have_its_own_of_everything(self):
        own = HostSettings(
            names=("a",),
            greeting="A.",
            storage=MEMORY,
            login=(passwords(ann="other"),),
            anonymous=AnonymousSettings(enabled=True, names=("visitor",)),
            account=AccountSettings(fxp=True),
            accounts={"bob": AccountSettings()},
        )
        here = sites(own, login=(passwords(ann="secret"),))
        ((_, host),) = here.hosts
        assert (host.greeting, host.anonymous_names) == ("A.", ("visitor",))
        assert len(here.stores) == 2
        assert account(host.portal, password="other").may_fxp
        assert not account(here.portal).may_fxp
        with pytest.raises(UnauthorizedLogin):
            account(host.portal)
        with pytest.raises(UnauthorizedLogin):
            account(here.portal, password="other")
        assert anonymous(host.portal).is_anonymous

    def test_a_host_with_no_login_sources_lets_nobody_in(self):
        ((_, host),) = sites(HostSettings(names=("a",), login=()), login=(passwords(ann="secret"),)).hosts
        with pytest.raises(UnhandledCredentials):
            account(host.portal)

    def test_anonymous_logins_may_be_off_on_a_host_alone(self):
        host = HostSettings(names=("a",), anonymous=AnonymousSettings())
        ((_, made),) = sites(host, anonymous=AnonymousSettings(enabled=True)).hosts
        assert made.anonymous_names == ()
        assert IAnonymous not in made.portal.listCredentialsInterfaces()


class TestFaults:
    def test_an_unknown_kind_of_store_is_named_with_its_path(self):
        with pytest.raises(ConfigError, match=r"^hosts\[0\]\.storage\.kind: there is no kind 'tape'"):
            sites(HostSettings(names=("a",), storage=StorageSettings(kind="tape")))

    def test_all_unknown_sources_of_logins_are_named_at_once(self):
        logins = (LoginSettings(kind="x"), passwords(ann="secret"), LoginSettings(kind="y"))
        with pytest.raises(ConfigError) as caught:
            make_checkers(logins, Config(), THREADS, "hosts[1].login")
        assert [problem.path for problem in caught.value.problems] == ["hosts[1].login[0].kind", "hosts[1].login[2].kind"]

    def test_what_a_kind_complains_of_is_below_its_table(self, tmp_path):
        storage = StorageSettings(settings=LocalSettings(root=FilePath("")))
        with pytest.raises(ConfigError) as caught:
            make_store(storage, Config(), THREADS, "storage")
        assert [problem.path for problem in caught.value.problems] == ["storage.local.root"]


class TestStores:
    def test_read_only_is_put_around_any_store(self):
        assert isinstance(make_store(StorageSettings(kind="memory", read_only=True), Config(), THREADS, "storage"), ReadOnly)
        assert isinstance(make_store(MEMORY, Config(), THREADS, "storage"), MemoryStore)

    def test_hosts_do_not_share_a_store_of_their_own(self):
        here = sites(HostSettings(names=("a",), storage=MEMORY))
        finish(with_directory(here.stores[0]))
        assert finish(listed(here.stores[0])) == ["d"]
        assert finish(listed(here.stores[1])) == []


async def with_directory(store):
    await (await store.open(Account("ann"))).make_directory(VirtualPath.parse("/d"))


async def listed(store):
    async with await (await store.open(Account("ann"))).open_directory(ROOT) as directory:
        return [info.name for info in await directory.next_batch()]


def test_an_account_of_a_hosts_own_tables_is_not_the_servers_of_that_name():
    both = sites(
        HostSettings(names=("a",), login=(passwords(ann="secret"),)), HostSettings(names=("b",)), login=(passwords(ann="secret"),)
    )
    hosts = dict(both.hosts)
    assert [account(portal).host for portal in (both.portal, hosts["a"].portal, hosts["b"].portal)] == ["", "a", ""]
