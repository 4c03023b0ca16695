"""What `twisted.protocols.ftp` 26.10 gets wrong, each as a test of ours."""

from __future__ import annotations

import ast
import inspect

from twisted.cred.checkers import FilePasswordDB

from ftpd import errors
from ftpd.ftp.settings import FTPSettings, TimeoutSettings
from ftpd.testing.dialogue import Dialogue

FILES = {"/a": b"one\ntwo\n", "/dir": None}


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def test_ascii_download_arrives():
    ann(is_ascii=True).says("RETR a").hears(150).hears(226).data(b"one\r\ntwo\r\n")


def test_ascii_upload_is_stored():
    ann(is_ascii=True).says("STOR b").hears(150).sends(b"one\r\ntwo\r\n").ends().hears(226).stored("/b", b"one\ntwo\n")


def test_pasv_does_not_shut_the_control_channel_until_the_client_connects():
    dialogue = ann().says("PASV").hears(227).says("NOOP").hears(200)
    assert dialogue.port.connection is None


def test_control_channel_goes_on_while_a_command_runs():
    ann().says("RETR a", reads=False).hears(150).says("STAT").hears(211).reads_on().hears(226)


def test_port_of_another_host_is_not_connected_to():
    dialogue = ann().says("PORT 10,0,0,1,16,1").hears(501)
    assert dialogue.server.ports.given == []


def test_port_of_another_service_is_not_connected_to():
    dialogue = ann().says("PORT 127,0,0,1,0,25").hears(501)
    assert dialogue.server.ports.given == []


def test_twisteds_password_file_lets_people_in(tmp_path):
    (tmp_path / "passwords").write_text("ann:secret\n")
    Dialogue(login="ann", checkers=[FilePasswordDB(str(tmp_path / "passwords"))])


def test_logout_of_the_portal_is_called():
    assert ann().says("QUIT").hears(221).server.logouts == 1


def test_upload_cut_by_a_reset_is_not_226():
    ann().says("STOR b").hears(150).sends(b"half").resets().hears(426).stored("/b", None)


def test_upload_cut_by_a_reset_leaves_the_old_file():
    ann().says("STOR a").hears(150).sends(b"half").resets().hears(426).stored("/a", b"one\ntwo\n")


def test_abor_is_served():
    ann().says("RETR a", reads=False).hears(150).says("ABOR").hears(426).hears(226)


def test_rest_is_served():
    ann().says("REST 4").hears(350).says("RETR a").hears(150).hears(226).data(b"two\n")


def test_mlsd_is_served():
    ann().says("MLSD dir").hears(150).hears(226).data(b"")


def test_type_a_n_and_type_l_8_are_taken():
    ann().says("TYPE A N").hears(200).says("TYPE L 8").hears(200)


def test_rnto_without_rnfr_is_503():
    ann().says("RNTO b").hears(503)


def test_rnfr_does_not_lock_the_session():
    ann().says("RNFR a").hears(350).says("NOOP").hears(200).says("RNTO b").hears(250)


def test_cdup_at_the_root_is_250():
    ann().says("CDUP").hears(250)


def test_idle_session_is_told_421_before_it_is_closed():
    settings = FTPSettings(timeouts=TimeoutSettings(idle=10))
    ann(settings=settings).waits(12).hears(421).is_closed()


def test_commands_and_listings_speak_of_names_in_the_same_bytes():
    dialogue = ann().says("MKD dir/\u00fc").hears(257).says("NLST dir").hears(150).hears(226).data("dir/\u00fc\r\n".encode())
    dialogue.says("CWD dir/\u00fc").hears(250)


def test_257_doubles_quotation_marks():
    ann().says('MKD a"b').hears(257, '"/a""b" created.')


def test_unknown_command_is_500_and_a_known_one_502():
    ann().says("FOO").hears(500).says("XSEM x").hears(502)


def test_feat_syst_noop_help_and_opts_are_answered_before_login():
    dialogue = Dialogue().hears(220)
    dialogue.says("FEAT").hears(211).says("SYST").hears(215).says("NOOP").hears(200).says("HELP").hears(214).says(
        "OPTS UTF8 ON"
    ).hears(200)


def test_transfer_without_a_data_connection_announced_is_425():
    ann().raw(b"RETR a\r\n").hears(425)


def test_errors_of_storage_carry_no_reply_code():
    codes = [node.value for node in ast.walk(ast.parse(inspect.getsource(errors))) if isinstance(node, ast.Constant)]
    assert [code for code in codes if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 699] == []
