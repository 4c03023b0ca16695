"""From the name in a request to the path that is meant."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.errors import BadName, NotPermitted
from ftpd.paths import VirtualPath
from ftpd.schema import ConfigError
from ftpd.tftp.names import Names, read_map_file
from ftpd.tftp.settings import TFTPListenSettings, TFTPNetworkSettings
from ftpd.tftp.wire.mapfile import MapFile

CLIENT = "192.0.2.7"


def resolved(name, *, rules=None, mac_of=None, address=CLIENT, is_write=False, **settings):
    names = Names(TFTPListenSettings(**settings), None if rules is None else MapFile.parse(rules), mac_of)
    return names.resolve(name, is_write=is_write, address=address)


def path(name, **options):
    return str(resolved(name, **options).path)


def entry(root, *networks):
    return TFTPNetworkSettings(root=root, networks=tuple(map(ipaddress.ip_network, networks)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a", "/srv/a"),
        (b"/a/b", "/srv/a/b"),
        (b"a//./b/", "/srv/a/b"),
        (b"a/../b", "/srv/b"),
        (rb"boot\x64\a", "/srv/boot/x64/a"),
        (rb"\boot\a", "/srv/boot/a"),
        (b"..", None),
        (b"../../etc/passwd", "/srv/etc/passwd"),
        (b"/../../etc/passwd", "/srv/etc/passwd"),
        (b"a/../../../etc/passwd", "/srv/etc/passwd"),
        (rb"..\..\etc\passwd", "/srv/etc/passwd"),
        (rb"a\..\..\..\etc/../passwd", "/srv/passwd"),
        (rb"\\host\share\a", "/srv/host/share/a"),
        (rb"C:\boot\a", "/srv/boot/a"),
        (b"z:/boot/a", "/srv/boot/a"),
        (rb"C:\..\..\a", "/srv/a"),
        (b"C:D:/a", "/srv/C:D:/a"),
        (b"a/C:/b", "/srv/a/C:/b"),
        (b"C:a", "/srv/C:a"),
        (b"C:\\", None),
        (rb"C:..\..\..\a", "/srv/a"),
        (b"....//a", "/srv/..../a"),
        (b"%2e%2e/a", "/srv/%2e%2e/a"),
        (b"..\xc0\xafa", "/srv/..\udcc0\udcafa"),
        (b"~root/a", "/srv/~root/a"),
        (b"srv/a", "/srv/srv/a"),
        (b"", None),
        (b"/", None),
        (b".", None),
        (b"\\", None),
        (b"a/..", None),
        (b"a\nb", None),
    ],
)
def test_name_is_below_the_root_or_none(name, expected):
    if expected is None:
        with pytest.raises(BadName):
            resolved(name, root="/srv")
    else:
        assert path(name, root="/srv") == expected


@given(st.lists(st.sampled_from([b"..", b".", b"/", b"\\", b"a", b"C:", b""]), max_size=12), st.sampled_from([b"", b"/", b"\\"]))
def test_no_name_leads_out_of_the_root(parts, between):
    try:
        found = resolved(between.join(parts), root="/srv/boot")
    except BadName:
        return
    assert found.path.is_within(VirtualPath(("srv", "boot")))
    assert ".." not in found.path.parts


def test_name_that_was_sent_is_told():
    assert resolved(b"..\\A\xff", fold_case=True).name == "..\\A\udcff"


def test_bytes_that_are_not_utf8_name_the_same_file():
    assert bytes(resolved(b"a\xff/\xfe").path) == b"/a\xff/\xfe"


def test_case_is_kept_unless_it_is_folded():
    assert path(b"/Boot/A.EFI") == "/Boot/A.EFI"
    assert path(b"/Boot/A.EFI", fold_case=True) == "/boot/a.efi"


def test_case_of_a_root_is_not_folded():
    assert path(b"A", root="/Srv", fold_case=True) == "/Srv/a"


def test_rules_see_lower_case():
    assert path(b"A.PVT", rules="r ^a \\UX\\0", fold_case=True) == "/XA.pvt"


def test_rules_see_the_backslashes_that_were_sent():
    assert path(rb"boot\x64\a", rules="r ^boot\\\\(.*)\\\\ /wds/\\1/") == "/wds/x64/a"


def test_with_rules_nothing_but_a_rule_turns_backslashes():
    # Or a client could spell with a backslash what a rule refuses with a slash.
    assert path(rb"secret\a", rules="a ^secret/") == "/secret\\a"
    assert path(rb"..\..\a", rules="a ^secret/", root="/srv") == "/srv/..\\..\\a"
    with pytest.raises(NotPermitted):
        resolved(rb"secret\a", rules="rg \\\\ /\na ^secret/")


def test_rules_cannot_lead_out_of_the_root():
    assert path(b"a", rules="r ^ ../../../etc/", root="/srv") == "/srv/etc/a"


def test_refusal_of_a_rule_is_told_in_its_words():
    with pytest.raises(NotPermitted) as raised:
        resolved(b"a.pvt", rules="a pvt$ Not\\ public")
    assert str(raised.value) == "Not public"


def test_refusal_without_words_is_told():
    with pytest.raises(NotPermitted) as raised:
        resolved(b"a.pvt", rules="a pvt$")
    assert str(raised.value) == "Permission denied"


def test_rules_that_leave_no_name_name_no_file():
    with pytest.raises(BadName):
        resolved(b"a", rules="r .*")


def test_rules_know_who_asks_and_for_what():
    rules = "rP ^ up/\\i/\nrG ^ down/\\x/"
    assert path(b"a", rules=rules, is_write=True) == "/up/192.0.2.7/a"
    assert path(b"a", rules=rules) == "/down/C0000207/a"


@pytest.mark.parametrize(
    ("address", "root"),
    [
        ("192.0.2.7", "/office"),
        ("192.0.2.200", "/desk"),
        ("10.9.9.9", "/lab"),
        ("203.0.113.1", "/srv"),
        ("2001:db8::7", "/six"),
        ("2001:db9::7", "/srv"),
    ],
)
def test_root_is_that_of_the_first_network_with_the_client(address, root):
    networks = (
        entry("/desk", "192.0.2.200/32"),
        entry("/office", "192.0.2.0/24"),
        entry("/lab", "10.0.0.0/8", "172.16.0.0/12"),
        entry("/six", "2001:db8::/32"),
        entry("/never", "192.0.2.0/24"),
    )
    found = resolved(b"../a", root="/srv", networks=networks, address=address)
    assert (str(found.root), str(found.path)) == (root, f"{root}/a")


def test_root_of_a_client_is_found_again():
    names = Names(TFTPListenSettings(networks=(entry("/lab", "10.0.0.0/8"),)))
    for address, root in [("10.0.0.1", "/lab"), ("192.0.2.1", "/"), ("10.0.0.1", "/lab")]:
        assert str(names.resolve(b"a", is_write=False, address=address).root) == root


def test_there_is_no_directory_for_one_client_unless_asked_for():
    assert resolved(b"a").unique is None


@pytest.mark.parametrize(("address", "unique"), [("192.0.2.7", "/srv/192.0.2.7"), ("2001:db8::7", "/srv/2001:db8::7")])
def test_client_has_a_directory_by_its_address(address, unique):
    assert str(resolved(b"a", root="/srv", unique_root="address", address=address).unique) == unique


def test_client_has_a_directory_by_its_mac_address():
    found = resolved(b"x/a", root="/srv", unique_root="mac", mac_of={CLIENT: "01-23-45-67-89-ab"}.get)
    assert str(found.unique) == "/srv/01-23-45-67-89-ab"
    assert str(found.below(found.unique)) == "/srv/01-23-45-67-89-ab/x/a"
    assert str(found.path) == "/srv/x/a"


def test_client_without_a_mac_address_has_no_directory():
    assert resolved(b"a", unique_root="mac", mac_of={}.get).unique is None
    assert resolved(b"a", unique_root="mac").unique is None


def test_directory_of_a_client_is_in_the_root_of_its_network():
    found = resolved(b"a", unique_root="address", networks=(entry("/office", "192.0.2.0/24"),))
    assert str(found.unique) == "/office/192.0.2.7"


def test_path_is_not_above_the_directory_of_a_client():
    found = resolved(rb"..\..\a", root="/srv", unique_root="address")
    assert str(found.below(found.unique)) == "/srv/192.0.2.7/a"


def test_map_file_is_read(tmp_path):
    file = tmp_path / "tftp.map"
    file.write_bytes(b"r a \xff\r\n")
    assert read_map_file(str(file)).apply("a", is_write=False, address=CLIENT).name == "\udcff"


def test_problems_of_a_map_file_name_it(tmp_path):
    file = tmp_path / "tftp.map"
    file.write_text("r a b\nz a b\n")
    with pytest.raises(ConfigError) as raised:
        read_map_file(str(file))
    assert str(raised.value) == f"{file}: line 2: operation 'z'; allowed are r g i e s a j G P 4 6 ~"


def test_map_file_that_is_not_there_is_a_problem(tmp_path):
    with pytest.raises(ConfigError) as raised:
        read_map_file(str(tmp_path / "none"))
    assert str(raised.value) == f"{tmp_path / 'none'}: No such file or directory"
