from __future__ import annotations

import ipaddress

import pytest

from ftpd.events import FaultTolerated, SessionClosed
from ftpd.ftp.devices import NO_DEVICE, Devices, shown_faults
from ftpd.ftp.settings import DeviceSettings, FTPSettings
from ftpd.ftp.tolerance import KINDS, Tolerance
from ftpd.testing.dialogue import Dialogue

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
ELSEWHERE = (ipaddress.ip_network("192.0.2.0/24"),)


def client(device="", *, files=None, login="ann", default_type="A", networks=HERE, **arguments):
    entry = DeviceSettings(device=device, networks=networks, **arguments)
    settings = FTPSettings(default_type=default_type, devices=(entry,))
    return Dialogue(login=login, settings=settings, files=files or {"/dir": None, "/old": b"0123456789"})


def told(dialogue):
    return [(event.fault, event.times) for event in dialogue.events(FaultTolerated)]


def test_without_devices_nobody_is_one():
    assert Devices(()).find("192.0.2.1", "ann") is NO_DEVICE


@pytest.mark.parametrize(
    ("address", "account", "name"),
    [
        ("192.0.2.1", None, "scanner"),
        ("192.0.2.1", "ann", "scanner"),
        ("10.0.0.1", None, ""),
        ("10.0.0.1", "cam", "camera"),
        ("192.0.2.1", "cam", "camera"),
        ("", "cam", "camera"),
        ("", None, ""),
        ("2001:db8::1", "plc", ""),
        ("10.0.0.1", "plc", "plc"),
    ],
)
def test_the_first_that_fits_address_and_account_counts(address, account, name):
    devices = Devices(
        [
            DeviceSettings(device="camera", accounts=("cam",)),
            DeviceSettings(device="scanner", networks=ELSEWHERE),
            DeviceSettings(device="plc", networks=(ipaddress.ip_network("10.0.0.0/8"),), accounts=("plc",)),
        ]
    )
    assert devices.find(address, account).name == name


def test_single_tolerances_are_added_and_taken_away():
    entry = DeviceSettings(device="printer", networks=HERE, tolerate=("odd-allo",), refuse=("odd-type",))
    device = Devices([entry]).find("127.0.0.1", None)
    assert device.tolerances == KINDS["printer"] - {Tolerance.ODD_TYPE} | {Tolerance.ODD_ALLO}


def test_no_kind_makes_directories_or_stores_elsewhere():
    assert not any({Tolerance.MISSING_DIRECTORY, Tolerance.IGNORED_CWD} & kind for kind in KINDS.values())


def test_faults_are_shown_with_their_numbers_the_most_frequent_first():
    assert shown_faults({Tolerance.NO_QUIT: 1, Tolerance.ODD_TYPE: 3}) == "odd-type 3, no-quit"


def test_somebody_else_is_forgiven_nothing():
    dialogue = client("scanner", networks=ELSEWHERE)
    dialogue.says("TYPE X").hears(501).says("STRU X").hears(501).says("ALLO").hears(501).says("SITE FOO").hears(504)
    dialogue.says("CWD C:\\dir").hears(550).says("MKD dir").hears(550)
    assert told(dialogue) == []


def test_an_odd_type_is_taken_for_image():
    dialogue = client("printer").says("TYPE A").hears(200)
    dialogue.says("TYPE L 36").hears(200, "Type L 36 is taken for BINARY.").says("STOR new").hears(150).sends(
        b"a\r\nb"
    ).ends().hears(226)
    dialogue.stored("/new", b"a\r\nb")
    assert told(dialogue) == [("odd-type", 1)]


def test_a_device_that_forgets_type_sends_an_image():
    dialogue = client("scanner", login=None).hears(220).says("USER ann").hears(331).says("PASS secret").hears(230)
    dialogue.says("STOR new").hears(150).sends(b"a\r\nb").ends().hears(226).stored("/new", b"a\r\nb")
    assert told(dialogue) == [("no-type", 1)]


def test_a_device_known_by_its_account_alone_sends_an_image_too():
    dialogue = client("scanner", login=None, networks=(), accounts=("ann",)).hears(220)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230)
    dialogue.says("STOR new").hears(150).sends(b"a\r\nb").ends().hears(226).stored("/new", b"a\r\nb")


def test_a_type_that_was_given_before_the_login_stays():
    dialogue = client("scanner", login=None, networks=(), accounts=("ann",)).hears(220).says("TYPE A").hears(200)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230)
    dialogue.says("STOR new").hears(150).sends(b"a\r\nb").ends().hears(226).stored("/new", b"a\nb")


def test_who_logs_out_is_no_longer_the_device_of_the_account():
    dialogue = client("scanner", networks=(), accounts=("ann",)).says("TYPE X").hears(200).says("REIN").hears(220)
    dialogue.says("TYPE X").hears(501)


def test_raw_ascii_changes_no_line_end():
    dialogue = client("camera").says("TYPE A").hears(200).says("STOR new").hears(150).sends(b"\xff\r\n").ends().hears(226)
    dialogue.stored("/new", b"\xff\r\n")
    assert told(dialogue) == [("raw-ascii", 1)]


def test_odd_structures_and_modes_leave_what_is():
    dialogue = client("scanner").says("STRU P").hears(200, "Structure is FILE.").says("MODE X").hears(200, "Mode is STREAM.")
    assert told(dialogue) == [("odd-structure", 1)]


def test_real_structures_and_modes_are_real():
    client("scanner").says("STRU R").hears(200, "Structure is RECORD.").says("MODE B").hears(200, "Mode is BLOCK.")


@pytest.mark.parametrize("argument", ["", " ", " lots", " -1"])
def test_an_odd_allo_is_202(argument):
    dialogue = client("scanner").says(f"ALLO{argument}").hears(202)
    assert told(dialogue) == [("odd-allo", 1)]


@pytest.mark.parametrize("name", ["\\dir\\new", "C:\\dir\\new", "c:/dir/new", "\\\\dir\\new", "C:dir\\new"])
def test_windows_paths_are_paths(name):
    dialogue = client("scanner").says(f"STOR {name}").hears(150).ends().hears(226).stored("/dir/new", b"")
    assert told(dialogue) == [("windows-path", 1)]


def test_a_windows_path_climbs_no_higher_than_any_other():
    client("scanner").says("CWD \\..\\..\\dir").hears(250, "Working directory is /dir")


def test_a_drive_behind_flags_is_dropped():
    client("scanner").says("LIST -la C:\\dir").hears(150).hears(226)


def test_a_drive_alone_leaves_the_directory():
    client("scanner").says("CWD C:").hears(250, "Working directory is /")


def test_a_password_is_what_it_is():
    server = Dialogue(
        settings=FTPSettings(devices=(DeviceSettings(device="plc", networks=HERE),)), passwords={"ann": "C:\\ x "}, login=None
    )
    server.hears(220).says("USER ann").hears(331).says("PASS C:\\ x ").hears(230)


def test_padding_is_cut():
    dialogue = client("plc").says("STOR new\0\0 ").hears(150).ends().hears(226).stored("/new", b"")
    assert told(dialogue) == [("padded-argument", 1)]


def test_a_missing_directory_deeper_than_any_devices_is_not_made():
    dialogue = client(tolerate=("missing-directory",))
    dialogue.says("CWD " + "a/" * 64).hears(250).says("CWD /" + "b/" * 65).hears(550).says("RMD /b").hears(550)


def test_a_missing_directory_is_made_with_those_above():
    dialogue = client(tolerate=("missing-directory",)).says("CWD /a/b").hears(250, "Working directory is /a/b")
    assert dialogue.server.tree() == {"/a": None, "/a/b": None, "/dir": None, "/old": b"0123456789"}
    assert told(dialogue) == [("missing-directory", 1)]


def test_a_directory_is_made_for_a_file():
    dialogue = client(tolerate=("missing-directory",)).says("STOR a/b/new").hears(150).sends(b"x").ends().hears(226)
    dialogue.stored("/a/b/new", b"x")


def test_a_file_in_the_way_is_no_directory():
    dialogue = client(tolerate=("missing-directory",)).says("CWD old/b").hears(550).says("STOR old/b").hears(553)
    assert told(dialogue) == []


def test_an_ignored_cwd_stays_where_it_is():
    dialogue = client(tolerate=("ignored-cwd",)).says("CWD dir").hears(250)
    dialogue.says("CWD nowhere").hears(250, "Working directory is /dir")
    assert told(dialogue) == [("ignored-cwd", 1)]


def test_a_directory_that_is_there_is_made_again():
    dialogue = client("camera").says("MKD dir").hears(257, '"/dir" is there already.').says("MKD old").hears(550)
    assert told(dialogue) == [("existing-directory", 1)]


def test_nlst_with_l_has_long_rows():
    client("plc").says("NLST -l old").hears(150).hears(226)
    dialogue = client("plc").says("NLST -l old").hears(150)
    assert dialogue.connection.received.startswith(b"-rw")


def test_an_odd_site_command_is_202():
    client("scanner").says("SITE LRECL=80").hears(202)


def test_a_client_that_leaves_without_quit_is_told_as_such():
    dialogue = client("scanner").hangs_up()
    assert [event.reason for event in dialogue.events(SessionClosed)] == ["the client left without QUIT, as this device does"]
    assert told(dialogue) == [("no-quit", 1)]


@pytest.mark.parametrize(("device", "stored"), [("camera", b"picture"), ("", None)])
def test_what_a_device_has_sent_whole_is_stored_though_it_leaves_without_quit(device, stored):
    dialogue = client(device).says("TYPE I").hears(200).says("STOR new").hears(150)
    dialogue.waits(3).sends(b"picture").ends().hangs_up()
    dialogue.stored("/new", stored)


def test_quit_is_no_fault():
    dialogue = client("scanner").says("QUIT").hears(221).is_closed()
    assert told(dialogue) == []


def test_a_fault_is_told_at_once_and_its_number_at_the_end():
    dialogue = client("scanner").says("TYPE X").hears(200)
    assert [(event.account, event.device) for event in dialogue.events(FaultTolerated)] == [("ann", "scanner")]
    dialogue.says("TYPE X").hears(200).says("TYPE Y").hears(200).says("ALLO").hears(202).says("QUIT").hears(221)
    assert told(dialogue) == [("odd-type", 1), ("odd-allo", 1), ("odd-type", 3)]


def test_stat_and_the_row_tell_what_was_tolerated():
    dialogue = client("scanner").says("TYPE X").hears(200).says("TYPE X").hears(200).says("STAT").hears(211)
    assert {" Taken for the device scanner", " Tolerated: odd-type 2"} <= set(dialogue.last.lines)
    row = next(iter(dialogue.server.factory.rows()))
    assert (row.device, row.tolerated) == ("scanner", "odd-type 2")


def test_stat_of_nobody_in_particular_names_no_device():
    dialogue = client("scanner", networks=ELSEWHERE).says("STAT").hears(211)
    assert not any("device" in line for line in dialogue.last.lines)


def test_active_only_means_that_passive_modes_are_not_served():
    dialogue = client(data="active").says("PASV").hears(502).says("EPSV").hears(502).says("FEAT").hears(211)
    assert " EPSV" not in dialogue.last.lines


def test_passive_only_means_that_active_modes_are_not_served():
    client(data="passive").says("PORT 127,0,0,1,200,10").hears(502).says("EPRT |1|127.0.0.1|51210|").hears(502)


def test_a_command_can_be_withheld():
    dialogue = client(withhold=("epsv",)).says("EPSV").hears(502)
    dialogue.says("PASV").hears(227)


def test_a_command_is_withheld_with_its_aliases():
    client(withhold=("cwd",)).says("CWD dir").hears(502).says("XCWD dir").hears(502)


def test_an_alias_alone_can_be_withheld():
    client(withhold=("XCWD",)).says("XCWD dir").hears(502).says("CWD dir").hears(250)


def test_all_of_site_can_be_withheld():
    dialogue = client(withhold=("SITE",)).says("SITE CHMOD 644 old").hears(502).says("FEAT").hears(211)
    assert not [line for line in dialogue.last.lines if "SITE" in line]
