"""Perl's Net::FTP, by which ProFTPD's own test suite drives its server, in clear and over TLS (IO::Socket::SSL).

Apart from the other clients: a test gives it a script, and hears what that says, line by line.
"""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.integration.clients import RUN_SECONDS, Client, Program
from tests.integration.live import PASSWORD, Guest
from tests.integration.secure_clients import AUTHORITY

# What every script begins with.  A warning ends it: Net::FTP warns where it has lost data.
_PRELUDE: Final = r"""
use strict; use warnings; use feature 'say';
use Net::FTP;
$SIG{__WARN__} = sub { die @_ };
my ($host, $port, $user, $password, %options) = @ARGV;

sub connected {
    my $ftp = Net::FTP->new($host, Port => $port, Timeout => 20, %options) or die "no connection: $@";
    !$options{StartTLS} or $ftp->starttls or die 'AUTH: ', reply($ftp);
    $ftp;
}
sub logged_in { my $ftp = connected(); ok($ftp, login => $user, $password); ok($ftp, 'binary'); $ftp }

# Call a method that has to succeed; return what it returned.
sub ok { my ($ftp, $method, @arguments) = @_; $ftp->$method(@arguments) or die "$method: ", reply($ftp) }

# The last reply, and that to a command: the code and the lines.
sub reply { my ($ftp) = @_; join '|', $ftp->code, map { s/\s+\z//r } $ftp->message }
sub told { my ($ftp, @command) = @_; $ftp->quot(@command); reply($ftp) }

sub stored { my ($ftp, $method, $content, @name) = @_; open my $file, '<:raw', \$content or die $!; $ftp->$method($file, @name) }
sub fetched { my ($ftp, @name) = @_; open my $file, '>:raw', \my $content or die $!; ok($ftp, get => $name[0], $file, @name[1 .. $#name]); $content }
"""


@functools.cache
def _knows_ftp(perl: str) -> bool:
    return (
        subprocess.run(
            [perl, "-MNet::FTP", "-e", "exit !Net::FTP->can_ssl"], stderr=subprocess.DEVNULL, timeout=RUN_SECONDS
        ).returncode
        == 0
    )


class Perl(Client):
    """Passive; scripts run with the prelude above before them, in the client's home."""

    name = "perl, passive"
    needs = "perl"
    options: tuple[str, ...] = ("Passive", "1")

    def __init__(self, program: Program, guest: Guest, home: Path) -> None:
        super().__init__(program, guest, home)
        if not _knows_ftp(self._path):
            pytest.skip("Perl's Net::FTP and IO::Socket::SSL are not installed")

    def says(self, script: str) -> list[str]:
        """Run *script*, and return the lines that it printed."""
        arguments = (self.guest.host, str(self.guest.port), self.guest.name, PASSWORD, *self.options)
        told = self.run(self._path, "-e", _PRELUDE + script, *arguments)
        assert told.stderr == b"", told.stderr
        return told.stdout.decode().splitlines()

    def fetch(self, remote: str, local: Path) -> None:
        self.says(f"ok(logged_in(), get => '{remote}', '{local}')")

    def store(self, local: Path, remote: str) -> None:
        self.says(f"ok(logged_in(), put => '{local}', '{remote}')")


class ActivePerl(Perl):
    name = "perl, active"
    options = ("Passive", "0")


class ImplicitPerl(Perl):
    name = "perl, implicit TLS"
    options = ("Passive", "1", "SSL_ca_file", AUTHORITY, "SSL", "1")


class ExplicitPerl(Perl):
    name = "perl, explicit TLS"
    options = ("Passive", "1", "SSL_ca_file", AUTHORITY, "StartTLS", "1")


class ActiveExplicitPerl(Perl):
    """It looks the control connection's session up for data connections, which in passive mode Net::FTP 3.14 forgets to."""

    name = "perl, explicit TLS, active"
    options = ("Passive", "0", "SSL_ca_file", AUTHORITY, "StartTLS", "1")


class ActiveExplicitPerl12(Perl):
    name = "perl, explicit TLS 1.2, active"
    options = ("Passive", "0", "SSL_ca_file", AUTHORITY, "StartTLS", "1", "SSL_version", "TLSv1_2")
