from __future__ import annotations

import datetime

import attrs
import pytest
from cryptography.x509.oid import NameOID
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpd.certificates import Certificates
from ftpd.config.tree import Config, HostSettings, ListenSettings
from ftpd.login.certificate import CertificateLogin, SecondFactor
from ftpd.login.memory import MemoryPasswords
from ftpd.schema import ConfigError
from ftpd.testing.certificates import make_authority, make_certificate
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.tls_client import TLSClient
from ftpd.tls.settings import CertificateSettings, ClientSettings, TLSSettings
from ftpd.transfer.tunnel import Tunnel

AUTHORITY = make_authority()


class Files:
    def __init__(self, folder):
        self.folder = folder

    def hold(self, name, **options):
        """Write a certificate for *name*, and return the settings that name it."""
        identity = make_certificate(AUTHORITY, [name], **options)
        return self.write(name, identity.pem)

    def write(self, name, content):
        file = self.folder / f"{name}.pem"
        file.write_bytes(content)
        file.chmod(0o600)
        return CertificateSettings(chain=str(file))


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def config(*certificates, hosts=(), **settings):
    return Config(tls=TLSSettings(certificates=certificates, **settings), hosts=hosts)


def served(certificates, name=""):
    """The common name of the certificate that a client sees who asks for *name*."""
    context, client = certificates.contexts(ListenSettings()).for_session(), TLSClient(name)
    server = Tunnel(context)
    for _ in range(3):
        server.feed(client.outgoing())
        server.shake_hands()
        client.feed(server.outgoing())
    assert client.is_established
    (name,) = client.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return name.value


def in_days(days):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)


class TestReading:
    def test_the_certificate_is_served(self, files):
        assert served(Certificates(config(files.hold("ftp.example.com")))) == "ftp.example.com"

    def test_each_host_has_its_own_under_all_its_names(self, files):
        host = HostSettings(names=("a.example.com", "b.example.com"), certificates=(files.hold("a.example.com"),))
        certificates = Certificates(config(files.hold("ftp.example.com"), hosts=(host,)))
        names = ["a.example.com", "B.example.com", "c.example.com", ""]
        assert [served(certificates, name) for name in names] == [
            "a.example.com",
            "a.example.com",
            "ftp.example.com",
            "ftp.example.com",
        ]

    def test_a_host_without_one_has_the_servers(self, files):
        certificates = Certificates(config(files.hold("ftp.example.com"), hosts=(HostSettings(names=("a.example.com",)),)))
        assert served(certificates, "a.example.com") == "ftp.example.com"

    def test_everything_that_is_wrong_is_told_at_once(self, files):
        host = HostSettings(names=("a.example.com",), certificates=(CertificateSettings(chain="/nowhere/a.pem"),))
        clients = ClientSettings(certificates="required", authorities="/nowhere/ca.pem")
        broken = config(files.write("broken", b"no certificate"), hosts=(host,), ciphers="NONSENSE", clients=clients)
        with pytest.raises(ConfigError) as caught:
            Certificates(broken)
        paths = [problem.path for problem in caught.value.problems]
        assert paths == ["tls.ciphers", "tls.certificates[0].chain", "hosts[0].certificates[0].chain", "tls.clients.authorities"]

    def test_required_resumption_needs_a_library_that_can_tell(self, files, monkeypatch):
        monkeypatch.setattr("ftpd.certificates.can_tell_resumption", lambda: False)
        wanted = config(files.hold("ftp.example.com"))
        wanted = attrs.evolve(wanted, ftp=attrs.evolve(wanted.ftp, tls=attrs.evolve(wanted.ftp.tls, data_resumption="required")))
        with pytest.raises(ConfigError, match=r"ftp\.tls\.data_resumption"):
            Certificates(wanted)


class TestWarnings:
    def test_a_good_one_has_none(self, files):
        assert list(Certificates(config(files.hold("ftp.example.com"))).warnings()) == []

    def test_one_that_expires_soon_has_one(self, files):
        (warning,) = Certificates(config(files.hold("ftp.example.com", not_after=in_days(10.5)))).warnings()
        assert "certificate of ftp.example.com" in warning
        assert "expires in 10 days, on " in warning

    def test_one_that_is_for_another_name_than_its_host_has_one(self, files):
        host = HostSettings(names=("a.example.com", "b.example.com"), certificates=(files.hold("a.example.com"),))
        (warning,) = Certificates(config(files.hold("ftp.example.com"), hosts=(host,))).warnings()
        assert warning.endswith("is not for b.example.com: clients that verify it refuse it")

    def test_host_that_is_an_ipv6_address_is_one_of_them(self, files):
        host = HostSettings(names=("[2001:db8::1]",), certificates=(files.hold("a.example.com"),))
        (warning,) = Certificates(config(files.hold("ftp.example.com"), hosts=(host,))).warnings()
        assert warning.endswith("is not for 2001:db8::1: clients that verify it refuse it")


class TestClients:
    def settings(self, files, **options):
        (files.folder / "ca.pem").write_bytes(AUTHORITY.certificate)
        return ClientSettings(certificates="requested", authorities=str(files.folder / "ca.pem"), **options)

    def test_without_client_certificates_the_checkers_stay(self, files):
        checkers = [MemoryPasswords({})]
        assert Certificates(config(files.hold("ftp.example.com"))).proved(checkers) == checkers

    def test_as_a_second_factor_they_stand_around_each_checker(self, files):
        certificates = Certificates(config(files.hold("ftp.example.com"), clients=self.settings(files)))
        assert [type(checker) for checker in certificates.proved([MemoryPasswords({}), MemoryPasswords({})])] == [SecondFactor] * 2

    def test_as_a_login_they_stand_beside_the_checkers(self, files):
        certificates = Certificates(config(files.hold("ftp.example.com"), clients=self.settings(files, proves="login")))
        assert [type(checker) for checker in certificates.proved([MemoryPasswords({})])] == [MemoryPasswords, CertificateLogin]


class TestWhileRunning:
    @pytest.fixture
    def clock(self):
        return Clock()

    def start(self, clock, files, **options):
        certificates = Certificates(config(files.hold("ftp.example.com", **options)))
        certificates.start(clock, InlineThreads())
        return certificates

    def test_what_changes_is_served_after_the_next_look_and_told(self, clock, files):
        certificates = self.start(clock, files)
        files.write("ftp.example.com", make_certificate(AUTHORITY, ["new.example.com"]).pem)
        assert served(certificates) == "ftp.example.com"
        with recorded_log() as log:
            clock.advance(60)
        assert served(certificates) == "new.example.com"
        (line,) = log
        assert line.startswith("certificate files were read again: ")
        assert line.partition(" {")[0].endswith("/ftp.example.com.pem")

    def test_what_has_not_changed_is_not_told(self, clock, files):
        self.start(clock, files)
        with recorded_log() as log:
            clock.pump([60, 60, 60])
        assert log == []

    def test_a_broken_file_keeps_the_old_and_is_told_once(self, clock, files):
        certificates = self.start(clock, files)
        files.write("ftp.example.com", b"no certificate")
        with recorded_log() as log:
            clock.pump([60] * 5)
        assert served(certificates) == "ftp.example.com"
        (line,) = log
        assert line.startswith("certificates stay as they are: tls.certificates[0].chain")

    def test_an_operator_who_asks_is_told_at_once(self, files):
        certificates = Certificates(config(files.hold("ftp.example.com")))
        files.write("ftp.example.com", b"no certificate")
        with recorded_log() as log:
            finish(certificates.refresh(InlineThreads(), is_asked_for=True))
        assert len(log) == 1

    def test_an_expiring_one_is_told_at_the_start_and_once_a_day(self, clock, files):
        with recorded_log() as log:
            self.start(clock, files, not_after=in_days(10.5))
            assert len(log) == 1
            clock.pump([60] * 1439)
            assert len(log) == 1
            clock.pump([60] * 2)
        assert len(log) == 2

    def test_stopped_it_looks_no_more(self, clock, files):
        certificates = self.start(clock, files)
        certificates.stop()
        certificates.stop()
        assert clock.getDelayedCalls() == []

    def test_stopping_what_never_began_is_harmless(self, files):
        Certificates(config(files.hold("ftp.example.com"))).stop()

    def test_stopped_in_the_middle_of_a_look_it_looks_no_more(self, clock, files):
        class Slow:
            def __init__(self):
                self.looks = []

            def run(self, function, *args, **kwargs):
                self.looks.append(Deferred())
                return self.looks[-1]

        certificates, slow = Certificates(config(files.hold("ftp.example.com"))), Slow()
        certificates.start(clock, slow)
        clock.advance(60)
        certificates.stop()
        for look in slow.looks:
            look.callback(None)
        assert clock.getDelayedCalls() == []

    def test_a_fault_in_a_look_is_logged_and_the_next_one_comes(self, clock, files):
        class Broken:
            def run(self, function, *args, **kwargs):
                raise RuntimeError("the pool is broken")

        certificates = Certificates(config(files.hold("ftp.example.com")))
        certificates.start(clock, Broken())
        with recorded_log() as log:
            clock.advance(60)
        assert len(log) == 1
        assert "the pool is broken" in log[0]
        assert len(clock.getDelayedCalls()) == 1
