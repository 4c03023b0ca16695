from __future__ import annotations

import pytest

from ftpd.events import DataFault
from ftpd.ftp.settings import FTPSettings, PassiveSettings
from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FXP = Account("fay", rules=(Rule(ROOT, Permission.ALL),), may_fxp=True)


def ipv6():
    return Dialogue(login="ann", address="::1", local_address="::1")


def mapped():
    return Dialogue(login="ann", address="::ffff:127.0.0.1", local_address="::ffff:127.0.0.1")


@pytest.mark.parametrize("verb", ["PASV", "P@SW", "pasv"])
def test_pasv_is_227_with_address_and_port(verb):
    Dialogue(login="ann").says(verb).hears(227, "Entering Passive Mode (127,0,0,1,195,80).")


def test_pasv_is_answered_before_the_client_connects():
    dialogue = Dialogue(login="ann").says("PASV").hears(227)
    assert dialogue.port.connection is None
    dialogue.says("NOOP").hears(200)


def test_second_pasv_drops_the_first():
    dialogue = Dialogue(login="ann").says("PASV").hears(227)
    first = dialogue.port
    dialogue.says("PASV").hears(227, "Entering Passive Mode (127,0,0,1,195,81).")
    assert first.is_closed


def test_pasv_over_ipv6_is_425():
    ipv6().says("PASV").hears(425, "PASV is for IPv4; use EPSV.")


def test_pasv_over_mapped_ipv4_is_227():
    mapped().says("PASV").hears(227, "Entering Passive Mode (127,0,0,1,195,80).")


def test_pasv_without_a_free_port_is_425():
    dialogue = Dialogue(login="ann")
    dialogue.server.ports.is_exhausted = True
    dialogue.says("PASV").hears(425)


def test_pasv_announces_the_external_address():
    settings = FTPSettings(passive=PassiveSettings(external_address="203.0.113.7"))
    Dialogue(login="ann", settings=settings).says("PASV").hears(227, "Entering Passive Mode (203,0,113,7,195,80).")


@pytest.mark.parametrize("verb", ["PASV", "EPSV"])
def test_where_passive_mode_is_off_it_is_502(verb):
    Dialogue(login="ann", settings=FTPSettings(passive=PassiveSettings(enabled=False))).says(verb).hears(502)


@pytest.mark.parametrize("line", ["EPSV", "EPSV 1", "epsv 1 "])
def test_epsv_is_229_with_the_port(line):
    Dialogue(login="ann").says(line).hears(229, "Entering Extended Passive Mode (|||50000|)")


def test_epsv_over_ipv6_is_229():
    ipv6().says("EPSV").hears(229).says("EPSV 2").hears(229)


def test_epsv_for_the_other_family_is_522():
    Dialogue(login="ann").says("EPSV 2").hears(522, "Network protocol not supported, use (1)")
    ipv6().says("EPSV 1").hears(522, "Network protocol not supported, use (2)")


def test_epsv_for_an_unknown_family_is_522():
    Dialogue(login="ann").says("EPSV 3").hears(522)


def test_epsv_all_is_200_and_then_only_epsv_is_taken():
    dialogue = Dialogue(login="ann").says("EPSV ALL").hears(200)
    for line in ("PASV", "PORT 127,0,0,1,10,0", "EPRT |1|127.0.0.1|2560|"):
        dialogue.says(line).hears(503)
    dialogue.says("EPSV").hears(229)


def test_epsv_all_survives_a_transfer():
    dialogue = Dialogue(login="ann", files={"/a": b"x"}).says("EPSV all").hears(200)
    dialogue.says("RETR a").hears(150).hears(226).says("PASV").hears(503)


def test_epsv_all_is_forgotten_by_rein():
    dialogue = Dialogue(login="ann").says("EPSV ALL").hears(200).says("REIN").hears(220)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("PASV").hears(227)


def test_stranger_may_connect_only_for_an_account_with_fxp():
    assert not Dialogue(login="ann").says("PASV").hears(227).port.from_anywhere
    assert Dialogue(login="fay", accounts=[FXP]).says("PASV").hears(227).port.from_anywhere


def test_data_port_opened_with_the_right_to_fxp_is_not_left_to_the_next_login():
    dialogue = Dialogue(login="fay", accounts=[FXP]).says("PASV").hears(227)
    dialogue.says("USER ann").hears(331)
    assert dialogue.port.is_closed


@pytest.mark.parametrize("verb", ["PASV", "EPSV", "EPSV ALL"])
def test_before_login_it_is_530(verb):
    Dialogue().hears(220).says(verb).hears(530)


# NAT.


def faults(dialogue):
    return [event.fault for event in dialogue.server.events if isinstance(event, DataFault)]


@pytest.mark.parametrize(
    ("client", "local", "external", "told"),
    [
        ("203.0.113.9", "10.0.0.2", "", ["private-announced"]),
        ("203.0.113.9", "10.0.0.2", "192.168.1.1", ["private-announced"]),
        ("203.0.113.9", "10.0.0.2", "198.51.100.1", []),
        ("203.0.113.9", "198.51.100.1", "", []),
        ("10.0.0.9", "10.0.0.2", "", []),
        ("100.64.0.9", "10.0.0.2", "", []),
    ],
)
def test_a_private_address_announced_to_a_public_client_is_told(client, local, external, told):
    settings = FTPSettings(passive=PassiveSettings(external_address=external), plaintext_passwords=True)
    dialogue = Dialogue(login="ann", address=client, local_address=local, settings=settings)
    dialogue.says("PASV").hears(227)
    assert faults(dialogue) == told


def test_epsv_announces_no_address_and_so_no_private_one():
    dialogue = Dialogue(
        login="ann", address="203.0.113.9", local_address="10.0.0.2", settings=FTPSettings(plaintext_passwords=True)
    )
    dialogue.says("EPSV").hears(229)
    assert faults(dialogue) == []


def test_lpsv_is_228_with_address_and_port():
    Dialogue(login="ann").says("LPSV").hears(228, "Entering Long Passive Mode (4,4,127,0,0,1,2,195,80)")


def test_lpsv_over_ipv6_is_228_with_its_address():
    ipv6().says("LPSV").hears(228, "Entering Long Passive Mode (6,16,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,2,195,80)")


def test_lpsv_announces_the_external_address():
    settings = FTPSettings(passive=PassiveSettings(external_address="203.0.113.7"))
    Dialogue(login="ann", settings=settings).says("LPSV").hears(228, "Entering Long Passive Mode (4,4,203,0,113,7,2,195,80)")


def test_lpsv_after_epsv_all_is_503():
    Dialogue(login="ann").says("EPSV ALL").hears(200).says("LPSV").hears(503)


def test_lpsv_where_passive_mode_is_off_is_502():
    Dialogue(login="ann", settings=FTPSettings(passive=PassiveSettings(enabled=False))).says("LPSV").hears(502)
