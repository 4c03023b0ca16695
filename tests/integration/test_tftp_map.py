"""Map files beside tftp-hpa: what its server makes of a name, ours does too.

Its server says no names, so the file that ours comes to is put there for it to find.  Where the two differ on purpose is in docs/tftp-maps.md.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftpd.schema import ConfigError
from ftpd.tftp.wire.mapfile import ENDLESS, MapFile
from tests.conftest import MACHINE_LACKS
from tests.integration.live import SECONDS

GET, PUT, DATA, ACK, ERROR = (bytes([0, code]) for code in range(1, 6))
ADDRESS = "127.0.0.1"

SAMPLE = """
ri	^[a-z]:				# Remove "drive letters"
rg	\\\\		/		# Convert backslashes to slashes
rg	\\#		@		# Convert hash marks to @ signs
rg	/../		/..no../	# Convert /../ to /..no../
e	^ok/				# These are always ok
r	^[^/]		/tftpboot/\\0	# Convert non-absolute files
a	\\.pvt$				# Reject requests for private files
"""

# Rules, and names to ask for.
RULES = {
    SAMPLE: ["C:\\boot\\pxe#0", "a/../b", "ok/x.pvt", "x.pvt", "z:z:z"],
    "r a b\nr b c": ["abc", "ccc"],
    "rg aa a": ["aaaa", "baaab"],
    "ri B x\nrgi C y": ["aBbcC"],
    "r b": ["abc"],
    "r ^ x/\nr $ .0": ["abc"],
    "r x* y": ["abxc"],
    "r a|abc X": ["abcd"],
    "r (a|ab)(c|bcd)(d*) <\\1|\\2|\\3>": ["abcd"],
    "r (.*)/(.*) \\2_\\1": ["a/b/c"],
    "r (.)\\1 <\\1>": ["abccd"],
    "r (a)|(b) [\\1\\2\\9]\\q\\\\e": ["b", "a"],
    "r b \\U\\0z\\i\\LABC\\x\\Edef": ["abx"],
    "r ^ \\x/\\i/": ["pxelinux.0"],
    "r [[:digit:]]+ N\nrg [^[:alnum:]/_] _\nr [[:upper:]]{2} uu": ["a12-b!c", "XYz"],
    "r a\\ b c\\ d\\#e#comment": ["a b"],
    "r a b # c\r\n  # x\r\n\r\n\tri\tB\tQ": ["a"],
    "r a b c d": ["a"],
    "re b c\nr c d": ["abc", "acc"],
    "es b\nr a x": ["abc", "acc"],
    "r z y\nrs ^b c\nr ^a b\nrs ^b d\nr ^d e": ["abc", "bbc"],
    "e z\n~e y\nr a x": ["abc", "yabc", "zabc"],
    "G~e z\nPr a b\nrG a c\nr4 a d\nr6 a e": ["a", "az"],
    "46r a b": ["a"],
    "g a b": ["a"],
    "a ^x": ["x", "ax"],
    "~a ok$": ["x", "ok"],
    "a ^xyz$ Not\\ for\\ \\i\\ \\x\\ \\0": ["xyz"],
    "ra ^x.*$ no": ["xy"],
    "e z\ns .": ["a", "z"],
    "r $ x\ns .": ["a"],
}
BROKEN = ["q a b", "r", "r~ a b", "r (a b", "r [[:no:]] b", "r a{2 b\nr"]


@pytest.fixture(scope="module")
def tftpd(program: Callable[[str], str]) -> str:
    """The server of tftp-hpa."""
    found = program("in.tftpd")
    version = subprocess.run(
        [found, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
    ).stdout
    if not version.startswith("tftp-hpa") or "with remap" not in version:
        pytest.skip(f"{MACHINE_LACKS}in.tftpd is another's: two servers have this name, and one machine has one of them")
    if os.geteuid() != 0:
        pytest.skip(f"{MACHINE_LACKS}in.tftpd has to be started as root")
    return found


@contextmanager
def serving(tftpd: str, rules: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], tuple[str, int]]]:
    """Run the server over *rules* and a directory `root` in *folder*, as inetd does: with a socket that is bound.  Yield it and its address."""
    (folder / "root").mkdir()
    (folder / "map").write_text(rules, newline="")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind((ADDRESS, 0))
        command = [tftpd, "-u", "root", "-s", "-m", str(folder / "map"), str(folder / "root")]
        server = subprocess.Popen(command, stdin=bound.fileno())
        try:
            yield server, bound.getsockname()
        finally:
            server.terminate()
            server.wait(SECONDS)


def answer(address: tuple[str, int], kind: bytes, name: str) -> bytes:
    """Return the first packet that a request is answered with; what it begins is broken off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(SECONDS)
        asking.sendto(kind + name.encode() + b"\0octet\0", address)
        packet, server = asking.recvfrom(600)
        asking.sendto(ERROR + b"\0\0enough\0", server)
        return packet


def expected(rules: str, name: str, kind: bytes, root: Path) -> bytes:
    """Return the answer of a server that does with *name* what ours does, and put in *root* the file that it needs for that."""
    mapped = MapFile.parse(rules).apply(name, is_write=kind == PUT, address=ADDRESS)
    if mapped.name is None:
        is_endless = mapped.refusal == ENDLESS
        return ERROR + b"\0\2" + (b"Remap table failure" if is_endless else mapped.refusal.encode() or b"Access denied") + b"\0"
    file = root / mapped.name.removeprefix("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(mapped.name)
    file.chmod(0o666)
    return ACK + b"\0\0" if kind == PUT else DATA + b"\0\1" + mapped.name.encode()


def empty(root: Path) -> None:
    """Take away what is in *root*, not the directory itself: the server is in it."""
    for entry in root.iterdir():
        entry.unlink() if entry.is_file() else shutil.rmtree(entry)


@pytest.mark.parametrize("rules", RULES)
def test_names_become_what_they_become_there(tftpd: str, tmp_path: Path, rules: str) -> None:
    root = tmp_path / "root"
    with serving(tftpd, rules, tmp_path) as (_, address):
        for kind, name in itertools.product((GET, PUT), RULES[rules]):
            wanted = expected(rules, name, kind, root)
            assert (name, answer(address, kind, name)) == (name, wanted)
            empty(root)


@pytest.mark.parametrize("rules", BROKEN)
def test_what_is_not_taken_there_is_not_taken_here(tftpd: str, tmp_path: Path, rules: str) -> None:
    with pytest.raises(ConfigError):
        MapFile.parse(rules)
    with serving(tftpd, rules, tmp_path) as (server, _):
        assert server.wait(SECONDS) == os.EX_CONFIG
