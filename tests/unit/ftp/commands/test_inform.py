from __future__ import annotations

import pytest
from twisted.logger import globalLogPublisher

from ftpd import __version__
from ftpd.ftp.commands import KNOWN_VERBS
from ftpd.ftp.settings import ActiveSettings, DeflateSettings, FTPSettings, ListingSettings, PassiveSettings
from ftpd.paths import ROOT, VirtualPath
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.tls_client import MemoryContexts
from ftpd.values import Account, Permission, Rule

FILES = {"/dir/x": b"", "/a": b"123"}


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("NOOP", 200),
        ("SYST", 215),
        ("HELP", 214),
        ("FEAT", 211),
        ("OPTS UTF8 ON", 200),
        ("CLNT x", 200),
        ("STAT", 211),
        ("TYPE I", 200),
    ],
)
def test_before_login_is_answered(line, code):
    Dialogue().hears(220).says(line).hears(code)


def test_noop_ignores_an_argument():
    ann().says("NOOP 0").hears(200)


def test_syst_is_unix():
    ann().says("SYST").hears(215, "UNIX Type: L8")


def test_help_lists_the_commands():
    dialogue = ann().says("HELP").hears(214)
    words = " ".join(dialogue.last.lines).split()
    assert {"USER", "RETR", "ABOR"} <= set(words)
    assert words.count("SITE") == 1


def test_help_of_a_command_is_its_syntax():
    ann().says("HELP retr").hears(
        214,
        "Syntax:",
        [
            " RETR path",
            " Send the file at the path, from the pending REST offset on, or the pending range of it.",
            " Needs a login and a data connection: PASV, EPSV, PORT or EPRT first.",
        ],
    )


@pytest.mark.parametrize("line", ["HELP SITE", "HELP site"])
def test_help_site_is_214(line):
    dialogue = ann().says(line).hears(214)
    assert "SITE CHMOD" in " ".join(dialogue.last.lines)


def test_help_of_a_site_command_is_its_syntax():
    dialogue = ann().says("HELP SITE CHMOD").hears(214)
    assert dialogue.last.lines[0] == " SITE CHMOD mode path"


def test_help_of_nothing_is_501():
    ann().says("HELP FOO").hears(501)


def feat(dialogue):
    """The lines of FEAT, without the one space that stands before each."""
    lines = dialogue.says("FEAT").hears(211).last.lines
    assert all(line[0] == " " and line[1] != " " for line in lines)
    return [line[1:] for line in lines]


def login(permissions, path="/", **arguments):
    """A login that may do *permissions* below *path*, and nothing elsewhere."""
    rules = (Rule(VirtualPath.parse(path), permissions),)
    return Dialogue(login="bob", accounts=[Account("bob", rules=rules)], files=FILES, **arguments)


def verbs(lines):
    return [line.split()[0] for line in lines]


@pytest.mark.parametrize(
    "line",
    [
        "CLNT",
        "CSID",
        "EPRT",
        "EPSV",
        "HOST",
        "LANG EN*;DE;FR",
        "LPRT",
        "LPSV",
        "MDTM",
        "MFCT",
        "MFMT",
        "REST STREAM",
        "SIZE",
        "TVFS",
        "UTF8",
    ],
)
def test_feat_shows_what_everybody_may_use_before_and_after_the_login(line):
    assert line in feat(Dialogue().hears(220))
    assert line in feat(ann())


def test_feat_shows_no_command_that_is_not_served():
    dialogue = ann()
    for line in feat(dialogue):
        verb = line.split()[0]
        if verb not in ("TVFS", "UTF8", "SITE"):
            reply = dialogue.says(verb).heard[-1]
            assert reply.code not in (500, 502), line


@pytest.mark.parametrize(
    ("permissions", "absent"),
    [
        (Permission.CREATE, {"MLST", "SIZE", "MDTM", "RANG", "MFMT", "MFCT", "HASH"}),
        (Permission.LIST, {"REST", "RANG", "MFMT", "MFCT", "HASH"}),
        (Permission.VIEW, {"MFMT", "MFCT", "COMB"}),
        (Permission.VIEW | Permission.ATTRIBUTES, {"COMB"}),
        (Permission.NONE, {"MLST", "SIZE", "MDTM", "REST", "RANG", "MFMT", "HASH"}),
    ],
)
def test_feat_withholds_what_the_rights_do_not_allow(permissions, absent):
    assert absent.isdisjoint(verbs(feat(login(permissions))))


@pytest.mark.parametrize(
    ("permissions", "shown"),
    [
        (Permission.READ, {"REST", "RANG", "SIZE", "MDTM", "MLST"}),
        (Permission.LIST, {"SIZE", "MDTM", "MLST"}),
        (Permission.CREATE, {"REST"}),
        (Permission.ATTRIBUTES, {"MFMT", "MFCT"}),
    ],
)
def test_feat_shows_what_is_allowed_in_one_subtree(permissions, shown):
    assert shown <= set(verbs(feat(login(permissions, "/dir"))))


@pytest.mark.parametrize("verb", ["EPSV", "LPSV"])
def test_feat_withholds_passive_modes_that_are_switched_off(verb):
    assert verb not in feat(ann(settings=FTPSettings(passive=PassiveSettings(enabled=False))))


@pytest.mark.parametrize("verb", ["EPRT", "LPRT"])
def test_feat_withholds_active_modes_that_are_switched_off(verb):
    assert verb not in feat(ann(settings=FTPSettings(active=ActiveSettings(enabled=False))))


def test_feat_after_epsv_all_shows_epsv_alone():
    shown = verbs(feat(ann().says("EPSV ALL").hears(200)))
    assert "EPSV" in shown
    assert {"EPRT", "LPRT", "LPSV"}.isdisjoint(shown)


def test_feat_shows_mode_z_where_it_is_switched_on():
    assert "MODE Z" not in feat(ann(settings=FTPSettings(deflate=DeflateSettings(enabled=False))))
    assert "MODE Z" in feat(ann(settings=FTPSettings(deflate=DeflateSettings(enabled=True))))


def test_feat_in_clear_shows_auth_where_there_is_tls():
    assert {"AUTH TLS", "PBSZ", "PROT"} <= set(feat(Dialogue(contexts=MemoryContexts()).hears(220)))
    assert {"AUTH TLS", "PBSZ", "PROT"}.isdisjoint(feat(Dialogue().hears(220)))


def test_feat_over_tls_shows_prot_and_auth_no_more():
    shown = feat(Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234).shakes_hands())
    assert {"PBSZ", "PROT"} <= set(shown)
    assert "AUTH TLS" not in shown


def test_feat_shows_transfers_between_servers_to_whom_they_are_allowed():
    fay = Account("fay", rules=(Rule(ROOT, Permission.ALL),), may_fxp=True)
    assert {"SSCN", "CPSV"} <= set(feat(Dialogue(login="fay", accounts=[fay], contexts=MemoryContexts())))
    assert {"SSCN", "CPSV"}.isdisjoint(feat(Dialogue(login="ann", contexts=MemoryContexts())))


def test_feat_on_a_unix_socket_shows_no_data_connections():
    dialogue = ann()
    dialogue.session.peer = dialogue.session.peer._replace(address="", local_address="")
    assert {"EPSV", "EPRT", "LPSV", "LPRT"}.isdisjoint(verbs(feat(dialogue)))


def test_feat_does_not_show_pret_which_would_cost_its_clients_a_round_trip_for_each_file():
    assert "PRET" not in verbs(feat(ann()))


def test_feat_does_not_advertise_what_is_denied():
    dialogue = ann(settings=FTPSettings(deny_commands=("MLST", "REST"))).says("FEAT").hears(211)
    assert [line for line in dialogue.last.lines if "MLST" in line or "REST" in line] == []


def test_feat_does_not_advertise_epsv_where_passive_mode_is_off():
    dialogue = ann(settings=FTPSettings(passive=PassiveSettings(enabled=False))).says("FEAT").hears(211)
    assert " EPSV" not in dialogue.last.lines


@pytest.mark.parametrize("argument", ["UTF8 ON", "UTF8", "utf8 on", "UTF-8 ON", "UTF8 NLST"])
def test_opts_utf8_is_200(argument):
    ann().says(f"OPTS {argument}").hears(200)


def test_opts_utf8_off_is_501():
    ann().says("OPTS UTF8 OFF").hears(501)


def test_opts_mlst_is_200_and_changes_feat_and_facts():
    dialogue = ann().says("OPTS MLST size;type;none;").hears(200, "MLST OPTS type;size;").says("FEAT").hears(211)
    assert " MLST type*;size*;modify;create;perm;unique;UNIX.mode;UNIX.owner;UNIX.group;" in dialogue.last.lines
    dialogue.says("MLST a").hears(250, "Listing /a", [" type=file;size=3; /a"])


def test_opts_mlst_without_facts_is_200():
    ann().says("OPTS MLST").hears(200, "MLST OPTS").says("MLST a").hears(250, "Listing /a", ["  /a"])


@pytest.mark.parametrize("argument", ["", "FOO", "NOOP x"])
def test_opts_of_what_has_none_is_501(argument):
    ann().says(f"OPTS {argument}").hears(501)


def test_clnt_is_told_to_the_log_once_somebody_has_logged_in():
    log = []
    globalLogPublisher.addObserver(log.append)
    try:
        Dialogue().hears(220).says("CLNT Early 1").hears(200)
        Dialogue().hears(220).says("CLNT NcFTP 3.2").hears(200).says("USER ann").hears(331).says("PASS secret").hears(230)
        ann().says("CLNT FileZilla").hears(200)
    finally:
        globalLogPublisher.removeObserver(log.append)
    assert [event["client"] for event in log if "client" in event] == ["NcFTP 3.2", "FileZilla"]


def test_clnt_without_a_name_is_501():
    ann().says("CLNT").hears(501)


def test_csid_tells_the_server_and_its_version_to_whom_has_logged_in():
    Dialogue().hears(220).says("CSID Name=Client; Version=1;").hears(200, "Name=ftpd; DirSep=/;")
    ann().says("CSID Name=Client; Version=1;").hears(200, f"Name=ftpd; Version={__version__}; DirSep=/;")


@pytest.mark.parametrize(
    ("facts", "client"), [("Name=BadgerClient; Version=2;", "BadgerClient"), ("Badger 2", "Badger 2"), ("version=2;name=B;", "B")]
)
def test_csid_tells_the_client(facts, client):
    assert ann().says(f"CSID {facts}").hears(200).session.client == client


def test_csid_of_nobody_is_501():
    ann().says("CSID").hears(501)


def test_help_tells_aliases_and_needs():
    lines = ann().says("HELP CWD").hears(214).last.lines
    assert lines[-2:] == (" Also known as XCWD.", " Needs a login.")


def test_help_of_every_command_says_something():
    dialogue = ann()
    for row in set(dialogue.server.factory.commands.values()):
        dialogue.says(f"HELP {row.verb}").hears(214, "Syntax:")
        assert len(dialogue.last.lines) >= 2


def test_stat_tells_the_session():
    dialogue = ann().says("CLNT tester").hears(200).says("STAT").hears(211, "Status:")
    assert " Connected from 127.0.0.1" in dialogue.last.lines
    assert " Logged in as ann" in dialogue.last.lines
    assert dialogue.last.last == "End of status"


def test_stat_of_a_directory_is_212_with_indented_rows():
    dialogue = ann().says("STAT dir").hears(212)
    assert [line[:11] for line in dialogue.last.lines] == [" -rw-r--r--"]


def test_stat_of_a_file_is_213():
    dialogue = ann().says("STAT a").hears(213)
    assert len(dialogue.last.lines) == 1


def test_stat_of_a_pattern_is_212():
    dialogue = ann().says("STAT *").hears(212)
    assert len(dialogue.last.lines) == 2


def test_stat_of_nothing_is_550():
    ann().says("STAT none").hears(550)


def test_stat_of_a_path_before_login_is_530():
    Dialogue().hears(220).says("STAT /").hears(530)


def test_stat_of_a_large_directory_is_cut():
    settings = FTPSettings(listing=ListingSettings(max_matches=10))
    dialogue = Dialogue(login="ann", files={f"/{number}": b"" for number in range(20)}, settings=settings).says("STAT /").hears(212)
    assert len(dialogue.last.lines) == 10
    assert dialogue.last.last == "Only the first 10 are shown; use LIST"


@pytest.mark.parametrize("verb", sorted(KNOWN_VERBS))
def test_known_command_that_is_not_served_is_502(verb):
    ann().says(verb).hears(502)


@pytest.mark.parametrize("line", ["FOO", "", " ", " NOOP", "\tNOOP", "RETRX a", "\x00", "\u0131dle"])
def test_unknown_command_is_500(line):
    ann().says(line).hears(500).says("NOOP").hears(200)
