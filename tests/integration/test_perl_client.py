"""What ProFTPD's own suite exercises, by the client that it uses: Perl's Net::FTP, and its `quot` for what Net::FTP has no method for.

Apart from the other clients, which transfer files: this one says any command, so that the replies are looked at too.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.clients import Program
from tests.integration.conftest import Running
from tests.integration.live import ConfiguredServer, Guest
from tests.integration.perl_client import ActiveExplicitPerl, ActiveExplicitPerl12, ActivePerl, ExplicitPerl, ImplicitPerl, Perl

IN_CLEAR = (Perl, ActivePerl)
OVER_TLS = (ImplicitPerl, ExplicitPerl, ActiveExplicitPerl, ActiveExplicitPerl12)
SIZES = {"empty": 0, "one": 1, "odd": 65_537, "large": 5_000_000}
LARGE = 40_000_000  # more than the kernel takes for a client that does not read
_numbers = itertools.count()
Use = Callable[..., Perl]


@pytest.fixture(scope="module")
def perl_server(running: Running, has_ipv6: bool) -> Iterator[ConfiguredServer]:
    """TLS, explicit on 127.0.0.1 and implicit on 127.0.0.2; links may be made."""
    listen = [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.2", "port": 0, "implicit_tls": True}]
    listen += [{"address": "::1", "port": 0}] if has_ipv6 else []
    with running({"listen": listen, "ftp": {"files": {"make_links": True}, "tls": {"ccc": True}}}) as server:
        yield server


@pytest.fixture
def use(program: Program, perl_server: ConfiguredServer, home: Path) -> Use:
    """Make a client of a kind for an account of its own, reached over the address."""

    def make(kind: type[Perl], address: str = "") -> Perl:
        host = address or ("127.0.0.2" if kind is ImplicitPerl else "127.0.0.1")
        guest = perl_server.add(f"perl{next(_numbers)}")
        return kind(program, guest._replace(host=host, port=perl_server.ports[host]), home)

    return make


@pytest.fixture
def perl(use: Use) -> Perl:
    return use(Perl)


# Files.


BACK_AND_FORTH = """
my $ftp = logged_in();
for my $name (qw(empty one odd large)) {
    ok($ftp, put => $name);
    say "$name ", $ftp->size($name);
    ok($ftp, get => $name, "$name.back");
}
ok($ftp, 'quit');
"""


def exchange(perl: Perl) -> None:
    """Have files go up and come down, and compare every byte."""
    contents = {name: os.urandom(size) for name, size in SIZES.items()}
    for name, content in contents.items():
        (perl.home / name).write_bytes(content)
    assert perl.says(BACK_AND_FORTH) == ["empty 0", "one 1", "odd 65537", "large 5000000"]
    for name, content in contents.items():
        assert (perl.guest.home / name).read_bytes() == content
        assert (perl.home / f"{name}.back").read_bytes() == content


@pytest.mark.parametrize("kind", [*IN_CLEAR, *OVER_TLS], ids=lambda kind: str(kind.name))
def test_files_go_up_and_come_down(use: Use, kind: type[Perl]) -> None:
    exchange(use(kind))


@pytest.mark.parametrize("kind", IN_CLEAR, ids=["EPSV", "EPRT"])
def test_files_go_up_and_come_down_over_ipv6(use: Use, has_ipv6: bool, kind: type[Perl]) -> None:
    if not has_ipv6:
        pytest.skip("machine: no IPv6 on loopback")
    exchange(use(kind, "::1"))


def test_eprt_is_taken_over_ipv4(perl: Perl) -> None:
    script = """
    my $ftp = logged_in();
    ok($ftp, 'eprt');
    my $data = ok($ftp, stor => 'file');
    $data->write("0123456789", 10);
    $data->close;
    say reply($ftp) =~ s/ in .*//r;
    """
    assert perl.says(script) == ["226|Transfer complete: 10 bytes stored"]
    assert (perl.guest.home / "file").read_bytes() == b"0123456789"


def test_append_goes_behind_what_is_there(perl: Perl) -> None:
    perl.says(
        "my $ftp = logged_in(); stored($ftp, $_->[0], $_->[1], 'file') or die reply($ftp) for [put => 'abc'], [append => 'def']"
    )
    assert (perl.guest.home / "file").read_bytes() == b"abcdef"


def test_unique_names_are_told(perl: Perl) -> None:
    script = "my $ftp = logged_in(); say stored($ftp, 'put_unique', $_, 'file') for 'first', 'second'"
    assert perl.says(script) == ["/file", "/file.1"]
    assert (perl.guest.home / "file").read_bytes() == b"first"
    assert (perl.guest.home / "file.1").read_bytes() == b"second"


def test_restart_takes_up_both_ways(perl: Perl) -> None:
    (perl.guest.home / "down").write_bytes(b"0123456789")
    (perl.guest.home / "up").write_bytes(b"01234xxxxx")
    script = """
    my $ftp = logged_in();
    say fetched($ftp, 'down', 4);
    $ftp->restart(5);
    stored($ftp, put => '56789', 'up') or die reply($ftp);
    """
    assert perl.says(script) == ["456789"]
    assert (perl.guest.home / "up").read_bytes() == b"0123456789"


def test_range_is_of_the_next_download_alone(perl: Perl) -> None:
    (perl.guest.home / "file").write_bytes(b"0123456789")
    script = "my $ftp = logged_in(); say told($ftp, RANG => '2 4'); say fetched($ftp, 'file') for 1, 2"
    assert perl.says(script) == ["350|The next transfer is of bytes 2 to 4.", "234", "0123456789"]


def test_text_has_the_ends_of_lines_of_either_side(perl: Perl) -> None:
    script = r"""
    my $ftp = logged_in();
    ok($ftp, 'ascii');
    stored($ftp, put => "one\ntwo\n", 'text') or die reply($ftp);
    print fetched($ftp, 'text');
    ok($ftp, 'binary');
    print fetched($ftp, 'text') =~ s/\n/<LF>/gr;
    """
    assert perl.says(script) == ["one", "two", "one<LF>two<LF>"]
    assert (perl.guest.home / "text").read_bytes() == b"one\ntwo\n"


# Directories and names.


def test_directories_are_made_entered_and_left(perl: Perl) -> None:
    script = """
    my $ftp = logged_in();
    say ok($ftp, mkdir => 'a "b"');
    say reply($ftp);
    ok($ftp, cwd => 'a "b"');
    say $ftp->pwd;
    ok($ftp, 'cdup');
    say $ftp->pwd;
    say ok($ftp, mkdir => 'x/y/z', 1);
    ok($ftp, cwd => 'x/y/z');
    ok($ftp, cwd => '..');
    say $ftp->pwd;
    ok($ftp, 'cwd');
    say $ftp->pwd;
    """
    assert perl.says(script) == ['a "b"', '257|"/a ""b""" created.', '/a "b"', "/", "/x/y/z", "/x/y", "/"]


def test_directory_is_removed_with_all_that_is_in_it(perl: Perl) -> None:
    tree = perl.guest.home / "tree"
    (tree / "below").mkdir(parents=True)
    for name in ("a file", "below/file", ".hidden"):
        (tree / name).write_bytes(b"x")
    script = "my $ftp = logged_in(); $ftp->rmdir('tree') and die; say $ftp->code; ok($ftp, rmdir => 'tree', 1); say $ftp->code"
    assert perl.says(script) == ["550", "250"]
    assert os.listdir(perl.guest.home) == []


@pytest.mark.parametrize("kind", [*IN_CLEAR, *OVER_TLS], ids=lambda kind: str(kind.name))
def test_listings_have_every_name(use: Use, kind: type[Perl]) -> None:
    perl = use(kind)
    (perl.guest.home / "directory").mkdir()
    (perl.guest.home / "directory" / "two words").write_bytes(b"12345")
    script = r"""
    my $ftp = logged_in();
    say join ',', $ftp->ls;
    say join ',', $ftp->ls('directory');
    say map { s/^(\S+) .* (\d+) \w+ +\d+ +\d+:\d+ /$1 $2 /r } $ftp->dir('directory');
    """
    assert perl.says(script) == ["directory", "directory/two words", f"-rw-{'r--' * 2} 5 two words"]


def test_files_are_renamed_and_deleted(perl: Perl) -> None:
    (perl.guest.home / "old").write_bytes(b"x")
    script = "my $ftp = logged_in(); ok($ftp, rename => 'old', 'new name'); say reply($ftp); ok($ftp, delete => 'new name'); say reply($ftp)"
    assert perl.says(script) == ["250|/old is now /new name.", "250|/new name deleted."]
    assert os.listdir(perl.guest.home) == []


# What the server tells.


def test_what_is_supported_is_found_by_feat_and_help(perl: Perl) -> None:
    script = """
    my $ftp = logged_in();
    say join ' ', map { $_ . ($ftp->supported($_) ? '+' : '-') } qw(SIZE MDTM MLST ALLO RETR SITE FOO);
    say join ',', $ftp->feature('REST');
    say join ',', $ftp->feature('FOO');
    """
    assert perl.says(script) == ["SIZE+ MDTM+ MLST+ ALLO+ RETR+ SITE+ FOO-", "REST STREAM", ""]


def test_size_and_time_are_those_of_the_file(perl: Perl) -> None:
    (perl.guest.home / "file").write_bytes(b"0123456789")
    os.utime(perl.guest.home / "file", (0, 1_577_934_245))
    script = "my $ftp = logged_in(); say $ftp->size('file'); say $ftp->mdtm('file'); say reply($ftp)"
    assert perl.says(script) == ["10", "1577934245", "213|20200102030405"]


def test_marks_of_progress_are_printed(perl: Perl) -> None:
    (perl.guest.home / "file").write_bytes(bytes(4096))
    script = r"my $ftp = logged_in(); $ftp->hash(\*STDOUT, 1024); length fetched($ftp, 'file') == 4096 or die"
    assert perl.says(script) == ["####"]


REPLIES = {
    "SYST": "215|UNIX Type: L8",
    "NOOP": "200|OK.",
    "ACCT x": "202|No account is needed.",
    "ALLO 3": "200|3 bytes are expected.",
    "HOST localhost": "503|HOST comes before USER.",
    "LANG de": "200|Antworten sind auf Deutsch.",
    "LANG en": "200|Replies are in English.",
    "LANG xx": "504|There is no such language here; there are EN, DE, FR.",
    "OPTS MLST type;size;": "200|MLST OPTS type;size;",
    "MLST file": "250|Listing /file| type=file;size=3; /file|End",
    "MFMT 20200102030405 file": "213|Modify=20200102030405; /file",
    "MDTM file": "213|20200102030405",
    "MFF Modify=20210102030405;UNIX.mode=0640; file": "213|Modify=20210102030405;UNIX.mode=0640; /file",
    "HASH file": f"213|SHA-256 0-2 {hashlib.sha256(b'abc').hexdigest()} file",
    "OPTS HASH SHA-1": "200|SHA-1",
    "XCRC file": "250|352441C2",
    "XMD5 file": f"250|{hashlib.md5(b'abc').hexdigest().upper()}",
    "XSHA1 file": f"250|{hashlib.sha1(b'abc').hexdigest().upper()}",
    "XSHA256 file 0 2": f"250|{hashlib.sha256(b'ab').hexdigest().upper()}",
    "SITE CPFR file": "350|Ready for SITE CPTO.",
    "SITE CPTO copy": "250|/file copied to /copy, 3 bytes.",
    "SITE SYMLINK file link": "200|/link leads to /file.",
    "SITE CHMOD 600 file": "200|Mode is 600.",
    "SITE CHGRP 100 file": "504|SITE command not known; SITE HELP lists them.",
    "SITE HELP CHMOD": "214|Syntax:| SITE CHMOD mode path| Set the permission bits of a file, in octal.| Needs a login.|See convention",
    "RNTO copy": "503|Send RNFR first.",
    "FOO": "500|Command not recognised; HELP lists those that are.",
}


def test_replies_to_what_has_no_method(perl: Perl) -> None:
    (perl.guest.home / "file").write_bytes(b"abc")
    script = (
        "my $ftp = logged_in(); for (split /\\n/, <<'END') { say told($ftp, split / /, $_, 2) }\n" + "\n".join(REPLIES) + "\nEND\n"
    )
    assert dict(zip(REPLIES, perl.says(script), strict=True)) == REPLIES
    assert (perl.guest.home / "copy").read_bytes() == b"abc"
    assert os.readlink(perl.guest.home / "link") == "file"
    assert (perl.guest.home / "file").stat().st_mode & 0o777 == 0o600


def test_time_of_creation_is_set(perl: Perl) -> None:
    (perl.guest.home / "file").write_bytes(b"abc")
    told = perl.says("my $ftp = logged_in(); say told($ftp, MFCT => '20200102030405 file')")
    assert told == ["213|Create=20200102030405; /file"]


def test_site_has_a_method_of_its_own(perl: Perl) -> None:
    (perl.guest.home / "file").write_bytes(b"abc")
    script = (
        "my $ftp = logged_in(); say $ftp->site('CHMOD', '640', 'file'); say reply($ftp); say $ftp->site('CHMOD'); say $ftp->code"
    )
    assert perl.says(script) == ["2", "200|Mode is 640.", "5", "501"]


# A session and its transfers.


def test_login_that_is_wrong_is_530_and_the_next_counts(perl: Perl) -> None:
    script = "my $ftp = connected(); $ftp->login($user, 'wrong') and die; say $ftp->code; ok($ftp, login => $user, $password); say $ftp->pwd"
    assert perl.says(script) == ["530", "/"]


@pytest.mark.parametrize("kind", [Perl, ImplicitPerl], ids=lambda kind: str(kind.name))
def test_rein_forgets_the_login(use: Use, kind: type[Perl]) -> None:
    script = "my $ftp = logged_in(); say told($ftp, 'REIN'); say $ftp->code if !$ftp->pwd; ok($ftp, login => $user, $password); say $ftp->pwd"
    assert use(kind).says(script) == ["220|ftpd ready.", "530", "/"]


@pytest.mark.parametrize("kind", IN_CLEAR, ids=lambda kind: str(kind.name))
def test_session_is_asked_while_it_sends(use: Use, kind: type[Perl]) -> None:
    perl = use(kind)
    with (perl.guest.home / "large").open("wb") as file:
        file.truncate(LARGE)
    script = r"""
    my $ftp = logged_in();
    my $data = ok($ftp, retr => 'large');
    my $had = $data->read(my $buffer, 10_000);
    my $status = told($ftp, 'STAT');
    say $status =~ /^211\|/ && $status =~ m{\| RETR /large\|} && $status =~ /\| \d+ of 40000000 bytes / ? 'status' : $status;
    say told($ftp, @$_) for ['NOOP'], [SIZE => 'large'];
    while (my $more = $data->read($buffer, 1_000_000)) { $had += $more }
    $data->close;
    say $had, ' ', $ftp->code;
    """
    assert perl.says(script) == ["status", "200|OK.", "213|40000000", "40000000 226"]


@pytest.mark.parametrize("kind", IN_CLEAR, ids=lambda kind: str(kind.name))
@pytest.mark.parametrize("way", ["$ftp->abort", "$data->abort", "$data->close"])
def test_download_is_aborted_by_a_synch_and_the_session_goes_on(use: Use, kind: type[Perl], way: str) -> None:
    """Net::FTP sends IP and Synch as urgent data, and that with ABOR twice: it closes its data connection by another abort (RFC 959 4.1.3)."""
    perl = use(kind)
    with (perl.guest.home / "large").open("wb") as file:
        file.truncate(LARGE)
    script = "my $ftp = logged_in(); my $data = ok($ftp, retr => 'large'); $data->read(my $buffer, 10_000); WAY; say reply($ftp); say $ftp->pwd"
    assert perl.says(script.replace("WAY", way)) == ["226|Abort processed.", "/"]


def test_upload_that_is_aborted_is_not_there(perl: Perl) -> None:
    script = (
        "my $ftp = logged_in(); my $data = ok($ftp, stor => 'file'); $data->write('x' x 10_000, 10_000); $ftp->abort; say $ftp->pwd"
    )
    assert perl.says(script) == ["/"]
    assert not (perl.guest.home / "file").exists()


# TLS.


def test_tls_is_put_on_and_taken_off(use: Use) -> None:
    script = """
    my $ftp = logged_in();
    say $ftp->is_SSL ? 'TLS' : 'clear';
    ok($ftp, 'stoptls');
    say $ftp->is_SSL ? 'TLS' : 'clear';
    say $ftp->pwd;
    """
    assert use(ExplicitPerl).says(script) == ["TLS", "clear", "/"]


def test_data_in_clear_beside_tls(use: Use) -> None:
    perl = use(ExplicitPerl)
    script = "my $ftp = logged_in(); ok($ftp, prot => 'C'); stored($ftp, put => 'abc', 'file'); say $ftp->code; say fetched($ftp, 'file')"
    assert perl.says(script) == ["226", "abc"]


def test_data_connections_resume_where_that_is_required(program: Program, strict_guest: Guest, home: Path) -> None:
    exchange(ActiveExplicitPerl12(program, strict_guest, home))


def test_downloads_resume_with_tickets_that_serve_once(program: Program, strict_guest: Guest, home: Path) -> None:
    """TLS 1.3: each download brings the ticket of the next; Net::FTP reads none on an upload."""
    (strict_guest.home / "file").write_bytes(b"0123456789")
    script = "my $ftp = logged_in(); say join ' ', map { ($ftp->ls, fetched($ftp, 'file')) } 1 .. 4"
    assert ActiveExplicitPerl(program, strict_guest, home).says(script) == [" ".join(["file 0123456789"] * 4)]
