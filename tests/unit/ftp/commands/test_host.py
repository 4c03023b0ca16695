from __future__ import annotations

import pytest
from twisted.cred.portal import Portal

from ftpd.accounts.limits import LimitSettings
from ftpd.ftp.hosts import Host
from ftpd.ftp.settings import FTPSettings
from ftpd.login.memory import MemoryPasswords
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import Server
from ftpd.testing.tls_client import MemoryContexts

A, B = "a.example.com", "b.example.com"


def served(**arguments):
    """A server with two virtual hosts, of which the second knows other passwords and calls others anonymous."""
    arguments.setdefault("limits", LimitSettings(failure_delay=0))
    server = Server(**arguments)
    realm = server.factory.portal.realm
    server.factory.hosts = {
        A: Host(A, server.factory.portal, "A ready."),
        B: Host(B, Portal(realm, [MemoryPasswords({b"ann": b"other"})]), "B ready.", ("guest",)),
    }
    return server


def plain(**arguments):
    return Dialogue(server=served(**arguments)).hears(220, "ftpd ready.")


def protected(name="", **arguments):
    dialogue = Dialogue(server=served(contexts=MemoryContexts(), **arguments)).hears(220)
    return dialogue.says("AUTH TLS").hears(234).shakes_hands(name)


class TestInClear:
    @pytest.mark.parametrize("name", [B, "B.Example.COM", "b.example.com."])
    def test_it_is_220_with_the_greeting_of_the_host(self, name):
        plain().says(f"HOST {name}").hears(220, "B ready.")

    def test_the_login_is_that_of_the_host(self):
        plain().says(f"HOST {B}").hears(220).says("USER ann").hears(331).says("PASS other").hears(230)
        plain().says(f"HOST {B}").hears(220).says("USER ann").hears(331).says("PASS secret").hears(530)

    def test_anonymous_names_are_those_of_the_host(self):
        plain().says(f"HOST {B}").hears(220).says("USER Guest").hears(
            331, "Anonymous login: send your e-mail address as the password."
        )
        plain().says(f"HOST {B}").hears(220).says("USER anonymous").hears(331, "Password required.")

    def test_the_last_one_counts(self):
        plain().says(f"HOST {B}").hears(220).says(f"HOST {A}").hears(220, "A ready.")

    @pytest.mark.parametrize("name", ["127.0.0.1", "ftp.example.com", "FTP.example.com."])
    def test_the_address_and_the_servers_own_names_mean_the_server_itself(self, name):
        settings = FTPSettings(names=("ftp.example.com",))
        plain(settings=settings).says(f"HOST {A}").hears(220, "A ready.").says(f"HOST {name}").hears(220, "ftpd ready.")

    @pytest.mark.parametrize("name", ["c.example.com", "127.0.0.2", "[::1]", "example.com"])
    def test_an_unknown_one_is_504(self, name):
        plain().says(f"HOST {name}").hears(504, "No such host here.").says("USER ann").hears(331)

    @pytest.mark.parametrize(
        "name", ["", "a.example.com:21", "[::1]:21", "a b", "-a", "1.2.3", "a" * 64 + ".com", "\u00e4.example.com", "."]
    )
    def test_what_is_no_name_is_501(self, name):
        plain().says(f"HOST {name}").hears(501)

    def test_after_user_it_is_503(self):
        plain().says("USER ann").hears(331).says(f"HOST {A}").hears(503, "HOST comes before USER.")

    def test_after_the_login_it_is_503(self):
        Dialogue(login="ann", server=served()).says(f"HOST {A}").hears(503)

    def test_rein_forgets_it(self):
        dialogue = plain().says(f"HOST {B}").hears(220).says("REIN").hears(220, "ftpd ready.")
        dialogue.says("USER ann").hears(331).says("PASS secret").hears(230)

    def test_after_rein_it_may_be_said_again(self):
        dialogue = plain().says("USER ann").hears(331).says("PASS secret").hears(230).says("REIN").hears(220)
        dialogue.says(f"HOST {B}").hears(220, "B ready.")


class TestWithTLS:
    def test_sni_chooses_the_host(self):
        protected(B).says("USER ann").hears(331).says("PASS other").hears(230)

    def test_an_unknown_name_in_sni_means_the_server_itself(self):
        protected("c.example.com").says("USER ann").hears(331).says("PASS secret").hears(230)

    def test_host_may_say_what_sni_has_said(self):
        protected(B).says(f"HOST {B}").hears(220, "B ready.")

    @pytest.mark.parametrize("other", [A, "127.0.0.1"])
    def test_host_may_not_say_another_name_than_sni(self, other):
        protected(B).says(f"HOST {other}").hears(504, "TLS was begun with another host name.")

    def test_host_may_not_name_a_virtual_host_where_sni_means_the_server_itself(self):
        protected("c.example.com").says(f"HOST {A}").hears(504)

    def test_without_sni_host_chooses(self):
        protected().says(f"HOST {B}").hears(220, "B ready.").says("REIN").hears(220, "ftpd ready.")

    def test_rein_forgets_what_sni_has_said_since_tls_goes_with_it(self):
        protected(B).says(f"HOST {B}").hears(220).says("REIN").hears(220, "ftpd ready.")

    def test_rein_keeps_what_the_sni_of_implicit_tls_has_said(self):
        dialogue = Dialogue(server=served(contexts=MemoryContexts(), is_implicit=True)).shakes_hands(B).hears(220, "B ready.")
        dialogue.says(f"HOST {B}").hears(220).says("REIN").hears(220, "B ready.")

    def test_host_before_auth_chooses_the_context(self):
        dialogue = (
            Dialogue(server=served(contexts=MemoryContexts())).hears(220).says(f"HOST {B}").hears(220).says("AUTH TLS").hears(234)
        )
        assert dialogue.shakes_hands(B).says("PWD").hears(530).server.factory.contexts.hosts == [B]

    @pytest.mark.parametrize("other", [A, "c.example.com"])
    def test_sni_that_contradicts_an_earlier_host_is_421_and_a_close(self, other):
        dialogue = (
            Dialogue(server=served(contexts=MemoryContexts())).hears(220).says(f"HOST {B}").hears(220).says("AUTH TLS").hears(234)
        )
        dialogue.shakes_hands(other).hears(421, "TLS was begun with another name than HOST has named; closing.").is_closed()

    def test_sni_that_contradicts_the_server_itself_as_host_is_421(self):
        dialogue = (
            Dialogue(server=served(contexts=MemoryContexts()))
            .hears(220)
            .says("HOST 127.0.0.1")
            .hears(220)
            .says("AUTH TLS")
            .hears(234)
        )
        dialogue.shakes_hands(A).hears(421).is_closed()

    def test_the_greeting_of_an_implicit_connection_is_that_of_its_sni(self):
        Dialogue(server=served(contexts=MemoryContexts(), is_implicit=True)).shakes_hands("A.example.com").hears(220, "A ready.")
