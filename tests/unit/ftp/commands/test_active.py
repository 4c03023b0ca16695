from __future__ import annotations

import pytest

from ftpd.events import DataFault
from ftpd.ftp.settings import ActiveSettings, FTPSettings
from ftpd.paths import ROOT
from ftpd.testing.dialogue import Dialogue
from ftpd.values import Account, Permission, Rule

FXP = Account("fay", rules=(Rule(ROOT, Permission.ALL),), may_fxp=True)


def ann(**arguments):
    return Dialogue(login="ann", files={"/a": b"x"}, **arguments)


@pytest.mark.parametrize("argument", ["127,0,0,1,16,1", "127, 0, 0, 1, 16, 1 ", "127,000,0,001,16,01"])
def test_port_is_200(argument):
    dialogue = ann().says(f"PORT {argument}").hears(200)
    assert (dialogue.port.address, dialogue.port.port) == ("127.0.0.1", 4097)


def test_port_connects_when_the_transfer_comes_and_not_before():
    dialogue = ann().says("PORT 127,0,0,1,16,1").hears(200)
    assert not dialogue.port.is_opened
    dialogue.says("RETR a").hears(150).hears(226).data(b"x")
    assert dialogue.port.is_opened


def test_port_that_refuses_is_425():
    dialogue = ann().says("PORT 127,0,0,1,16,1").hears(200).says("RETR a", connects=False).hears(150)
    dialogue.refuses_data("Cannot connect to 127.0.0.1 port 4097 (ECONNREFUSED)")
    dialogue.hears(425, "Cannot connect to 127.0.0.1 port 4097 (ECONNREFUSED).")


@pytest.mark.parametrize("address", ["10,0,0,1", "127,0,0,2", "255,255,255,255"])
def test_port_of_somebody_else_is_501(address):
    dialogue = ann().says(f"PORT {address},16,1").hears(501, "The address is not that of this connection.")
    assert dialogue.server.ports.given == []


@pytest.mark.parametrize("line", ["PORT 0,0,0,0,16,1", "EPRT |1|0.0.0.0|4097|"])
def test_address_that_is_none_means_the_client(line):
    dialogue = ann().says(line).hears(200)
    assert (dialogue.port.address, dialogue.port.port) == ("127.0.0.1", 4097)


def test_port_of_somebody_else_is_a_right_of_the_account():
    Dialogue(login="fay", accounts=[FXP]).says("PORT 10,0,0,1,16,1").hears(200)


@pytest.mark.parametrize("port", ["0,25", "3,255"])
def test_port_below_1024_is_501_for_everybody(port):
    ann().says(f"PORT 127,0,0,1,{port}").hears(501)
    Dialogue(login="fay", accounts=[FXP]).says(f"PORT 127,0,0,1,{port}").hears(501)


@pytest.mark.parametrize(
    "argument", ["", "1,2,3", "127,0,0,1,256,1", "127,0,0,1,16,1,1", "127.0.0.1:80", "127,0,0,1,-1,1", "127,0,0,1,0,0"]
)
def test_port_that_cannot_be_read_is_501(argument):
    ann().says(f"PORT {argument}").hears(501)


@pytest.mark.parametrize("argument", ["|1|127.0.0.1|4097|", "!1!127.0.0.1!4097!", "~1~127.0.0.1~4097~"])
def test_eprt_is_200(argument):
    ann().says(f"EPRT {argument}").hears(200).says("RETR a").hears(150).hears(226).data(b"x")


def test_eprt_over_ipv6_is_200_in_any_spelling():
    ann(address="::1", local_address="::1").says("EPRT |2|0:0:0:0:0:0:0:1|4097|").hears(200)


def test_eprt_with_ipv4_on_a_mapped_connection_is_200():
    ann(address="::ffff:127.0.0.1", local_address="::ffff:127.0.0.1").says("EPRT |1|127.0.0.1|4097|").hears(200)


def test_eprt_of_an_unknown_family_is_522():
    ann().says("EPRT |3|127.0.0.1|4097|").hears(522, "Network protocol not supported, use (1,2)")


@pytest.mark.parametrize(
    "argument", ["", "|1|127.0.0.1|4097", "|1|10.0.0.1|4097|", "|1|127.0.0.1|25|", "|2|fe80::1%lo|4097|", "|1|::1|4097|", "|1|127.0.0.1|99999|"]
)  # fmt: skip
def test_eprt_that_cannot_be_used_is_501(argument):
    ann().says(f"EPRT {argument}").hears(501)


def test_port_replaces_pasv():
    dialogue = ann().says("PASV").hears(227)
    passive = dialogue.port
    dialogue.says("PORT 127,0,0,1,16,1").hears(200)
    assert passive.is_closed


@pytest.mark.parametrize("line", ["PORT 127,0,0,1,16,1", "EPRT |1|127.0.0.1|4097|"])
def test_where_active_mode_is_off_it_is_502(line):
    ann(settings=FTPSettings(active=ActiveSettings(enabled=False))).says(line).hears(502)


@pytest.mark.parametrize("line", ["PORT 127,0,0,1,16,1", "EPRT |1|127.0.0.1|4097|"])
def test_before_login_it_is_530(line):
    Dialogue().hears(220).says(line).hears(530)


# NAT.


def behind_nat(private_address="refuse", login="ann", client="203.0.113.9", **arguments):
    settings = FTPSettings(active=ActiveSettings(private_address=private_address), plaintext_passwords=True)
    return Dialogue(login=login, address=client, local_address="198.51.100.1", settings=settings, accounts=[FXP], **arguments)


def faults(dialogue):
    return [(event.fault, event.address, event.port) for event in dialogue.server.events if isinstance(event, DataFault)]


@pytest.mark.parametrize("line", ["PORT 192,168,1,9,16,1", "EPRT |1|192.168.1.9|4097|"])
def test_a_private_address_of_a_public_client_is_refused_and_told(line):
    dialogue = behind_nat().says(line).hears(501, "The address is not that of this connection.")
    assert dialogue.server.ports.given == []
    assert faults(dialogue) == [("target-private", "192.168.1.9", 4097)]


@pytest.mark.parametrize(
    "line", ["PORT 192,168,1,9,16,1", "PORT 100,64,0,1,16,1", "EPRT |1|10.0.0.9|4097|", "EPRT |2|fd00::9|4097|"]
)
def test_it_is_replaced_by_the_address_the_client_has_where_the_settings_say_so(line):
    dialogue = behind_nat("replace").says(line).hears(200)
    assert (dialogue.port.address, dialogue.port.port) == ("203.0.113.9", 4097)


def test_an_account_that_may_fxp_is_not_sent_to_private_addresses_where_they_are_replaced():
    dialogue = behind_nat("replace", login="fay").says("PORT 192,168,1,9,16,1").hears(200)
    assert dialogue.port.address == "203.0.113.9"


@pytest.mark.parametrize("address", ["198,51,100,77", "203,0,113,10"])
def test_a_public_address_of_somebody_else_is_never_replaced(address):
    dialogue = behind_nat("replace").says(f"PORT {address},16,1").hears(501)
    assert faults(dialogue) == []


def test_a_private_address_of_a_private_client_is_not_replaced():
    dialogue = behind_nat("replace", client="10.0.0.9").says("PORT 10,0,0,8,16,1").hears(501)
    assert faults(dialogue) == []


def test_a_port_below_1024_is_not_connected_to_at_a_replaced_address():
    behind_nat("replace").says("PORT 192,168,1,9,0,25").hears(501)


def test_lprt_is_200():
    dialogue = ann().says("LPRT 4,4,127,0,0,1,2,16,1").hears(200)
    assert (dialogue.port.address, dialogue.port.port) == ("127.0.0.1", 4097)


def test_lprt_over_ipv6_is_200():
    dialogue = Dialogue(login="ann", address="::1", local_address="::1")
    dialogue.says("LPRT 6,16,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1,2,16,1").hears(200)
    assert (dialogue.port.address, dialogue.port.port) == ("::1", 4097)


def test_lprt_of_another_family_is_521_with_those_there_are():
    ann().says("LPRT 5,4,127,0,0,1,2,16,1").hears(521, "Supported address families are (4,6)")


@pytest.mark.parametrize("argument", ["4,4,10,0,0,1,2,16,1", "4,4,127,0,0,1,2,0,25", "4,4,127,0,0,1,2,0,0", "nonsense", ""])
def test_lprt_is_refused_as_port_is(argument):
    dialogue = ann().says(f"LPRT {argument}").hears(501)
    assert dialogue.server.ports.given == []


def test_lprt_after_epsv_all_is_503():
    ann().says("EPSV ALL").hears(200).says("LPRT 4,4,127,0,0,1,2,16,1").hears(503)
