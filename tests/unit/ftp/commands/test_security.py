from __future__ import annotations

import pytest

from ftpd.events import LoggedOut, TransferEnded
from ftpd.ftp.hosts import Host
from ftpd.ftp.settings import FTPSettings, ProtectionSettings
from ftpd.ftp.wire.form import Representation
from ftpd.paths import ROOT
from ftpd.schema import ConfigError, Problem
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.tls_client import MemoryContexts
from ftpd.values import Account, ClientCertificate, Permission, Rule, TLSFacts

CERTIFICATE = ClientCertificate(subject="CN=ann", common_name="ann", emails=(), fingerprint="ab" * 32)
MECHANISMS = ["TLS", "TLS-C", "SSL", "TLS-P"]


def rules(**values):
    return FTPSettings(tls=ProtectionSettings(**values))


def plain(**arguments):
    """A connection in clear to a server that has TLS."""
    return Dialogue(contexts=MemoryContexts(), **arguments).hears(220)


def protected(login=None, mechanism="TLS", **arguments):
    """A connection on which AUTH is done, and the login if one is asked for."""
    dialogue = plain(**arguments).says(f"AUTH {mechanism}").hears(234).shakes_hands()
    if login is not None:
        dialogue.says(f"USER {login}").hears(331).says("PASS secret").hears(230)
    return dialogue


def features(dialogue):
    return [line.strip() for line in dialogue.says("FEAT").hears(211).last.lines]


class Unreadable(MemoryContexts):
    def for_session(self, host=""):
        raise ConfigError([Problem("", "tls.certificates[0].chain", "cannot be read", "")])


class TestWithoutTLS:
    @pytest.mark.parametrize("mechanism", [*MECHANISMS, "GSSAPI"])
    def test_auth_is_504(self, mechanism):
        Dialogue().hears(220).says(f"AUTH {mechanism}").hears(504).says("USER ann").hears(331)

    def test_auth_without_a_mechanism_is_501(self):
        Dialogue().hears(220).says("AUTH").hears(501)

    @pytest.mark.parametrize("line", ["PBSZ 0", "PROT P", "PROT C"])
    def test_before_auth_it_is_503(self, line):
        Dialogue(login="ann").says(line).hears(503, "AUTH has to come first.")

    def test_ccc_is_533(self):
        Dialogue(login="ann").says("CCC").hears(533)

    @pytest.mark.parametrize("line", ["ADAT x", "MIC x", "CONF x", "ENC x"])
    def test_other_security_commands_are_502(self, line):
        Dialogue(login="ann").says(line).hears(502)

    def test_feat_advertises_no_security(self):
        assert {"AUTH TLS", "PBSZ", "PROT", "CCC"}.isdisjoint(features(Dialogue().hears(220)))


class TestAuth:
    @pytest.mark.parametrize("mechanism", MECHANISMS)
    def test_every_mechanism_is_234_and_then_tls(self, mechanism):
        dialogue = protected(mechanism=mechanism).says("NOOP").hears(200)
        assert dialogue.session.peer.tls.version == "TLSv1.3"

    def test_it_is_read_in_any_case(self):
        plain().says("auth tls").hears(234).shakes_hands().says("NOOP").hears(200)

    def test_an_unknown_mechanism_is_504_and_names_the_known(self):
        plain().says("AUTH GSSAPI").hears(504, "Unknown mechanism; there are TLS, TLS-C, SSL, TLS-P.")

    def test_a_second_one_is_503(self):
        protected().says("AUTH TLS").hears(503, "The control connection is protected already.").says("NOOP").hears(200)

    def test_where_tls_is_off_for_the_client_it_is_504(self):
        plain(settings=rules(login="off")).says("AUTH TLS").hears(504)

    def test_a_login_is_forgotten_and_given_back(self):
        dialogue = Dialogue(login="ann", contexts=MemoryContexts()).says("AUTH TLS").hears(234)
        assert [event.account for event in dialogue.events(LoggedOut)] == ["ann"]
        assert dialogue.server.logouts == 1
        dialogue.shakes_hands().says("PWD").hears(530)

    def test_a_name_given_in_clear_is_forgotten(self):
        plain().says("USER ann").hears(331).says("AUTH TLS").hears(234).shakes_hands().says("PASS secret").hears(503)

    def test_type_rest_cwd_and_data_port_are_forgotten(self):
        dialogue = Dialogue(login="ann", files={"/dir/a": b"x"}, contexts=MemoryContexts())
        dialogue.says("CWD dir").hears(250).says("PASV").hears(227).says("REST 1").hears(350).says("AUTH TLS").hears(234)
        session = dialogue.shakes_hands().session
        assert (session.representation, session.restart, session.cwd, session.data) == (Representation.ASCII, 0, ROOT, None)
        assert dialogue.port.is_closed

    @pytest.mark.parametrize("mechanism", MECHANISMS)
    def test_only_ssl_and_tls_p_make_data_private_at_once(self, mechanism):
        protection = protected(mechanism=mechanism).session.protection
        assert (protection.has_size, protection.is_private) == ((True, True) if mechanism in ("SSL", "TLS-P") else (False, False))

    def test_ssl_does_not_make_data_private_where_that_is_off(self):
        assert not protected(mechanism="SSL", settings=rules(data="off")).session.protection.is_private

    def test_the_context_is_that_of_the_host_named_before(self):
        contexts = MemoryContexts()
        host = Host("a.example.com", None, "A ready.")
        dialogue = Dialogue(contexts=contexts, hosts=[("a.example.com", host)]).hears(220).says("HOST A.example.com").hears(220)
        dialogue.says("AUTH TLS").hears(234).shakes_hands()
        assert contexts.hosts == ["a.example.com"]

    def test_certificates_that_cannot_be_read_are_431_and_the_login_stays(self):
        with recorded_log() as log:
            dialogue = Dialogue(login="ann", contexts=Unreadable()).says("AUTH TLS").hears(431).says("PWD").hears(257)
        assert dialogue.server.logouts == 0
        (line,) = log
        assert line.partition("] ")[2].startswith("no TLS: tls.certificates[0].chain: cannot be read {")

    def test_it_waits_for_a_transfer_under_way(self):
        dialogue = Dialogue(login="ann", contexts=MemoryContexts()).says("STOR a").hears(150).says("AUTH TLS").hears_nothing()
        dialogue.sends(b"content").ends().hears(226).hears(234).shakes_hands().says("NOOP").hears(200).stored("/a", b"content")
        assert [event.moved for event in dialogue.events(TransferEnded)] == [7]


class TestInjection:
    """What is said in clear behind AUTH counts no more (RFC 4217 15)."""

    SMUGGLED = b"AUTH TLS\r\nUSER ann\r\nPASS secret\r\nDELE a\r\n"

    def check(self, dialogue):
        dialogue.hears(234)
        assert dialogue.server.logins == 0
        assert dialogue.server.file("/a") == b"x"
        return dialogue

    def test_what_shares_a_segment_with_auth_is_dropped(self):
        self.check(plain(files={"/a": b"x"}).raw(self.SMUGGLED)).shakes_hands().says("NOOP").hears(200).hears_nothing()

    @pytest.mark.parametrize("cut", range(10, len(SMUGGLED), 3))
    def test_in_two_segments_it_is_dropped_or_ends_the_connection(self, cut):
        dialogue = plain(files={"/a": b"x"}).raw(self.SMUGGLED[:cut]).injected(self.SMUGGLED[cut:])
        self.check(dialogue).hears(421).is_closed()

    def test_half_a_line_in_front_of_the_handshake_is_no_part_of_what_follows(self):
        self.check(plain(files={"/a": b"x"}).raw(b"AUTH TLS\r\nDE")).shakes_hands().raw(b"LE a\r\n").hears(500)

    def test_abor_behind_auth_is_dropped_too(self):
        plain().raw(b"AUTH TLS\r\nABOR\r\n").hears(234).shakes_hands().says("NOOP").hears(200)


class TestSizeAndLevel:
    def test_pbsz_and_prot_need_no_login(self):
        protected().says("PBSZ 0").hears(200, "PBSZ=0").says("PROT P").hears(200, "Data connections are private.")

    @pytest.mark.parametrize("size", ["0", "1", "16384", "4294967295"])
    def test_any_size_is_answered_by_0(self, size):
        protected().says(f"PBSZ {size}").hears(200, "PBSZ=0")

    @pytest.mark.parametrize("size", ["", "x", "-1", "0 0", "4294967296", "\u0663", "9" * 5000])
    def test_what_is_no_32_bit_number_is_501(self, size):
        protected().says(f"PBSZ {size}").hears(501)

    def test_prot_without_pbsz_is_503(self):
        protected().says("PROT P").hears(503, "PBSZ has to come first.")

    def test_prot_c_makes_data_clear_again(self):
        dialogue = protected("ann").says("PBSZ 0").hears(200).says("PROT P").hears(200).says("PROT C").hears(200)
        assert not dialogue.session.protection.is_private

    @pytest.mark.parametrize("level", ["S", "E", "s"])
    def test_safe_and_confidential_are_536(self, level):
        protected().says("PBSZ 0").hears(200).says(f"PROT {level}").hears(536)

    def test_an_unknown_level_is_504(self):
        protected().says("PBSZ 0").hears(200).says("PROT X").hears(504)

    def test_a_level_is_demanded(self):
        protected().says("PBSZ 0").hears(200).says("PROT").hears(501)

    def test_prot_c_is_534_where_data_has_to_be_private(self):
        protected(settings=rules(data="required")).says("PBSZ 0").hears(200).says("PROT C").hears(534)

    def test_prot_p_is_534_where_it_is_off(self):
        protected(settings=rules(data="off")).says("PBSZ 0").hears(200).says("PROT P").hears(534)

    def test_rein_takes_tls_off(self):
        dialogue = protected("ann").says("PBSZ 0").hears(200).says("PROT P").hears(200).says("REIN").hears(220)
        assert (dialogue.session.protection.has_size, dialogue.session.protection.is_private) == (False, False)
        dialogue.says_end().says("PROT P").hears(503)
        assert dialogue.transport.writes[-1].startswith(b"503 ")
        assert dialogue.session.peer.tls is None

    def test_after_rein_tls_can_be_begun_again(self):
        dialogue = protected("ann").says("REIN").hears(220).says_end().says("AUTH TLS").hears(234).shakes_hands()
        dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("PBSZ 0").hears(200).says("PROT P").hears(200)

    def test_the_end_of_a_tls_that_rein_has_taken_off_does_not_come_into_the_next(self):
        dialogue = protected("ann").says("REIN").hears(220)
        dialogue.tls = None
        dialogue.injected(b"AUTH TLS\r\n").hears(234).shakes_hands().waits(1).says("NOOP").hears(200)

    def test_after_rein_a_password_in_clear_from_afar_is_refused(self):
        dialogue = Dialogue(contexts=MemoryContexts(), address="192.0.2.7", local_address="192.0.2.1").hears(220)
        dialogue.says("AUTH TLS").hears(234).shakes_hands().says("USER ann").hears(331).says("PASS secret").hears(230)
        dialogue.says("REIN").hears(220).says_end().says("USER ann").hears(530)

    def test_rein_keeps_what_is_implicit(self):
        dialogue = Dialogue(contexts=MemoryContexts(), is_implicit=True).shakes_hands().hears(220)
        assert dialogue.says("REIN").hears(220).session.protection.is_private

    def test_behind_somebody_elses_tls_prot_p_needs_a_context_of_ours(self):
        dialogue = Dialogue(login="ann")
        dialogue.session.peer = dialogue.session.peer._replace(tls=TLSFacts("", ""))
        dialogue.says("PBSZ 0").hears(200).says("PROT P").hears(536)

    def test_prot_c_drops_a_data_port_on_which_tls_may_have_begun(self):
        dialogue = protected("ann").says("PBSZ 0").hears(200).says("PASV").hears(227).says("PROT C").hears(200)
        assert not dialogue.port.is_closed
        dialogue.says("PROT P").hears(200).says("PASV").hears(227).says("PROT C").hears(200)
        assert dialogue.port.is_closed

    def test_behind_somebody_elses_tls_certificates_that_cannot_be_read_are_431(self):
        dialogue = Dialogue(login="ann", contexts=Unreadable())
        dialogue.session.peer = dialogue.session.peer._replace(tls=TLSFacts("", ""))
        dialogue.says("PBSZ 0").hears(200).says("PROT P").hears(431).says("PROT C").hears(200)
        assert not dialogue.session.protection.is_private

    def test_behind_somebody_elses_tls_data_gets_a_context_of_its_own(self):
        dialogue = Dialogue(login="ann", contexts=MemoryContexts())
        dialogue.session.peer = dialogue.session.peer._replace(tls=TLSFacts("", ""))
        dialogue.says("PBSZ 0").hears(200).says("PROT P").hears(200)
        assert dialogue.session.protection.context is not None


class TestTransfersThatHaveToBePrivate:
    @pytest.mark.parametrize("line", ["RETR a", "STOR b", "APPE a", "STOU", "LIST", "NLST", "MLSD"])
    def test_in_clear_they_are_521(self, line):
        dialogue = protected("ann", files={"/a": b"x"}, settings=rules(data="required")).says("PASV").hears(227)
        dialogue.says(line).hears(521, "Data connections have to be protected here: send PBSZ 0 and PROT P first.")
        assert dialogue.server.tree() == {"/a": b"x"}

    def test_an_account_can_demand_it(self):
        bob = Account("bob", rules=(Rule(ROOT, Permission.ALL),), needs_private_data=True)
        protected("bob", accounts=[bob]).says("PASV").hears(227).says("NLST").hears(521)

    def test_the_data_port_stays_announced(self):
        dialogue = protected("ann", settings=rules(data="required")).says("PASV").hears(227).says("NLST").hears(521)
        assert not dialogue.port.is_closed


class TestCCC:
    def cleared(self, **arguments):
        return protected("ann", settings=rules(ccc=True), **arguments).says("CCC").hears(200)

    @pytest.mark.parametrize("is_implicit", [False, True])
    def test_rein_forgets_it_and_tls_can_be_begun_again(self, is_implicit):
        if is_implicit:
            dialogue = Dialogue(contexts=MemoryContexts(), is_implicit=True, settings=rules(ccc=True)).shakes_hands().hears(220)
            dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("CCC").hears(200)
        else:
            dialogue = self.cleared()
        dialogue.says_end().says("REIN").hears(220)
        assert "AUTH TLS" in features(dialogue)
        assert not dialogue.session.protection.is_private
        dialogue.says("AUTH TLS").hears(234).shakes_hands()
        dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("PBSZ 0").hears(200).says("PROT P").hears(200)

    def test_it_goes_on_in_clear_after_close_notify(self):
        dialogue = self.cleared().says_end().says("PWD").hears(257).is_open()
        assert dialogue.transport.writes[-1] == b'257 "/" is the working directory.\r\n'

    def test_a_client_may_leave_out_its_close_notify(self):
        dialogue = self.cleared().waits(1)  # for ours
        dialogue.injected(b"PWD\r\n")
        assert dialogue.transport.writes[-1] == b'257 "/" is the working directory.\r\n'

    def test_ours_does_not_come_with_the_200(self):
        dialogue = self.cleared()
        assert not dialogue.tls.has_heard_end
        dialogue.waits(0.5)
        assert dialogue.tls.has_heard_end

    def test_commands_behind_it_in_the_same_record_are_answered(self):
        dialogue = protected("ann", settings=rules(ccc=True)).raw(b"CCC\r\nPWD\r\n").hears(200).hears(257)
        dialogue.says_end().says("NOOP").hears(200)

    def test_commands_in_tls_after_it_are_answered(self):
        self.cleared().says("PWD").hears(257).says_end().says("NOOP").hears(200)

    def test_idle_time_between_the_two_ends_is_421(self):
        self.cleared().waits(301).hears(421).is_closed()

    def test_what_the_data_connections_are_stays(self):
        dialogue = protected("ann", settings=rules(ccc=True)).says("PBSZ 0").hears(200).says("PROT P").hears(200)
        dialogue.says("CCC").hears(200).says_end().says("NOOP").hears(200)
        assert dialogue.session.protection.is_private

    def test_whose_the_data_connections_are_stays(self):
        dialogue = protected("ann", settings=rules(ccc=True))
        dialogue.session.peer = dialogue.session.peer._replace(tls=TLSFacts("", "", client=CERTIFICATE))
        dialogue.says("CCC").hears(200)
        assert dialogue.session.protection.cleared_client == CERTIFICATE

    @pytest.mark.parametrize("line", ["AUTH TLS", "PBSZ 0", "PROT C", "PROT P"])
    def test_what_ccc_has_ended_is_503(self, line):
        self.cleared().says_end().says(line).hears(503)

    def test_twice_is_533(self):
        self.cleared().says_end().says("CCC").hears(533)

    def test_by_default_it_is_534(self):
        protected("ann").says("CCC").hears(534).says("NOOP").hears(200)

    def test_before_the_login_it_is_534(self):
        protected(settings=rules(ccc=True)).says("CCC").hears(534)

    def test_somebody_elses_tls_cannot_be_taken_off(self):
        dialogue = Dialogue(login="ann", contexts=MemoryContexts(), settings=rules(ccc=True))
        dialogue.session.peer = dialogue.session.peer._replace(tls=TLSFacts("", ""))
        dialogue.says("CCC").hears(534, "The TLS of this listener cannot be taken off.")


class TestServersAmongThemselves:
    FXP = Account("fay", rules=(Rule(ROOT, Permission.ALL),), may_fxp=True)

    def fay(self, **arguments):
        return protected("fay", accounts=[self.FXP], **arguments)

    def test_sscn_tells_and_sets_the_role(self):
        dialogue = self.fay().says("SSCN").hears(200, "SSCN:SERVER METHOD").says("SSCN ON").hears(200, "SSCN:CLIENT METHOD")
        dialogue.says("SSCN").hears(200, "SSCN:CLIENT METHOD").says("sscn off").hears(200, "SSCN:SERVER METHOD")

    def test_the_role_ends_with_the_login(self):
        dialogue = self.fay().says("SSCN ON").hears(200).says("USER fay").hears(331).says("PASS secret").hears(230)
        dialogue.says("SSCN").hears(200, "SSCN:SERVER METHOD")

    def test_sscn_with_anything_else_is_501(self):
        self.fay().says("SSCN MAYBE").hears(501)

    def test_cpsv_is_227(self):
        self.fay().says("PBSZ 0").hears(200).says("PROT P").hears(200).says("CPSV").hears(227)

    def test_cpsv_without_prot_p_is_503(self):
        self.fay().says("CPSV").hears(503, "PROT P has to come first.")

    def test_cpsv_that_cannot_announce_is_425(self):
        dialogue = self.fay().says("PBSZ 0").hears(200).says("PROT P").hears(200)
        dialogue.server.ports.is_exhausted = True
        dialogue.says("CPSV").hears(425)

    @pytest.mark.parametrize("line", ["SSCN ON", "CPSV"])
    def test_without_the_right_it_is_504(self, line):
        protected("ann").says(line).hears(504)

    @pytest.mark.parametrize("line", ["SSCN ON", "CPSV"])
    def test_where_data_must_resume_it_is_504(self, line):
        self.fay(settings=rules(data_resumption="required")).says(line).hears(504)

    @pytest.mark.parametrize("line", ["SSCN ON", "CPSV"])
    def test_in_clear_it_is_503(self, line):
        Dialogue(login="fay", accounts=[self.FXP], contexts=MemoryContexts()).says(line).hears(503)

    @pytest.mark.parametrize("line", ["SSCN ON", "CPSV"])
    def test_before_the_login_it_is_530(self, line):
        protected().says(line).hears(530)


class TestFeatures:
    def test_before_auth(self):
        assert [line for line in features(plain()) if line in ("AUTH TLS", "PBSZ", "PROT", "CCC")] == ["AUTH TLS", "PBSZ", "PROT"]

    def test_after_auth(self):
        assert [line for line in features(protected()) if line in ("AUTH TLS", "PBSZ", "PROT", "CCC")] == ["PBSZ", "PROT"]

    def test_ccc_where_it_is_served(self):
        assert "CCC" in features(plain(settings=rules(ccc=True)))

    def test_nothing_where_tls_is_off_for_the_client(self):
        found = features(plain(settings=FTPSettings(tls=ProtectionSettings(login="off", ccc=True))))
        assert {"AUTH TLS", "PBSZ", "PROT", "CCC"}.isdisjoint(found)
