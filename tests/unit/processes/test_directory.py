"""The runtime directory: one server's, and nobody else's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from ftpd.processes import directory as module
from ftpd.processes.directory import RuntimeDirectory, control_path, directory_path
from ftpd.processes.identity import Identity
from ftpd.schema import ConfigError

OURS = Identity(os.geteuid(), os.getegid())
NOBODY = Identity(65534, 65534)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="machine: not root")

TAKE = """
import os, sys
from ftpd.processes.directory import RuntimeDirectory
from ftpd.processes.identity import Identity
RuntimeDirectory(sys.argv[1], Identity(os.geteuid(), os.getegid())).open()
print("taken", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def opened():
    """Return what opens a directory for as long as the test runs."""
    made = []

    def open_one(path, identity=OURS):
        directory = RuntimeDirectory(str(path), identity)
        made.append(directory)
        directory.open()
        return directory

    yield open_one
    for directory in made:
        directory.close()


def refusal(path, identity=OURS):
    with pytest.raises(ConfigError) as caught:
        RuntimeDirectory(str(path), identity).open()
    return str(caught.value)


def mode_and_owner(path):
    status = path.stat()
    return oct(stat.S_IMODE(status.st_mode)), status.st_uid, status.st_gid


def test_it_is_made_for_the_service_and_its_group(opened, tmp_path):
    before = os.umask(0o077)
    try:
        opened(tmp_path / "run" / "ftpd")
    finally:
        os.umask(before)
    assert mode_and_owner(tmp_path / "run" / "ftpd") == ("0o750", os.geteuid(), os.getegid())


@needs_root
def test_root_makes_it_for_who_the_server_becomes(opened, tmp_path):
    opened(tmp_path / "ftpd", NOBODY)
    assert mode_and_owner(tmp_path / "ftpd") == ("0o750", 65534, 65534)
    assert mode_and_owner(tmp_path / "ftpd" / "lock") == ("0o600", 65534, 65534)


@needs_root
def test_an_empty_one_of_root_becomes_the_servers(opened, tmp_path):
    (tmp_path / "ftpd").mkdir(mode=0o755)
    opened(tmp_path / "ftpd", NOBODY)
    assert mode_and_owner(tmp_path / "ftpd") == ("0o755", 65534, 65534)


@needs_root
def test_one_of_root_in_which_there_is_something_does_not(tmp_path):
    (tmp_path / "etc").mkdir(mode=0o755)
    (tmp_path / "etc" / "shadow").touch()
    assert refusal(tmp_path / "etc", NOBODY) == (
        f"process.directory: {tmp_path}/etc belongs to 'root'; it must be the server's, who is 'nobody'"
    )
    assert mode_and_owner(tmp_path / "etc") == ("0o755", 0, 0)


@needs_root
def test_one_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "ftpd").mkdir(mode=0o700)
    os.chown(tmp_path / "ftpd", 12345, 12345)
    assert refusal(tmp_path / "ftpd") == (
        f"process.directory: {tmp_path}/ftpd belongs to '12345'; it must be the server's, who is 'root'"
    )


@pytest.mark.parametrize("mode", [0o770, 0o757, 0o1777])
def test_one_to_which_others_may_write_is_refused(tmp_path, mode):
    (tmp_path / "ftpd").mkdir()
    (tmp_path / "ftpd").chmod(mode)
    assert f"may write to {tmp_path}/ftpd; chmod go-w" in refusal(tmp_path / "ftpd")


def test_a_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "ftpd").symlink_to("elsewhere")
    assert refusal(tmp_path / "ftpd") == (
        f"process.directory: {tmp_path}/ftpd cannot be used: Not a directory; a directory that the server may make, or that is its own"
    )


def test_a_file_is_refused(tmp_path):
    (tmp_path / "ftpd").touch()
    assert "cannot be used: Not a directory" in refusal(tmp_path / "ftpd")


def test_one_that_cannot_be_made_is_refused():
    assert "/proc/none/ftpd cannot be used: No such file or directory" in refusal("/proc/none/ftpd")


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "ftpd").mkdir(mode=0o700)
    (tmp_path / "ftpd" / "lock").symlink_to(tmp_path / "other")
    assert "cannot be used: Too many levels of symbolic links" in refusal(tmp_path / "ftpd")
    assert not (tmp_path / "other").exists()


def test_a_lock_that_is_another_file_as_well_is_refused_and_stays_whose_it_is(tmp_path):
    (tmp_path / "ftpd").mkdir(mode=0o750)
    (tmp_path / "secret").write_text("root's")
    os.link(tmp_path / "secret", tmp_path / "ftpd" / "lock")
    assert refusal(tmp_path / "ftpd") == (
        f"process.directory: {tmp_path}/ftpd/lock is no plain file of the server's; remove it and see who has put it there"
    )
    assert (tmp_path / "secret").stat().st_uid == os.geteuid()


@needs_root
def test_root_gives_no_file_away_that_was_linked_to_the_lock(tmp_path):
    (tmp_path / "ftpd").mkdir(mode=0o750)
    os.chown(tmp_path / "ftpd", NOBODY.user, NOBODY.group)
    (tmp_path / "secret").write_text("root's")
    os.link(tmp_path / "secret", tmp_path / "ftpd" / "lock")
    refusal(tmp_path / "ftpd", NOBODY)
    assert (tmp_path / "secret").stat().st_uid == 0


def test_a_pipe_in_the_place_of_the_lock_is_refused(tmp_path):
    (tmp_path / "ftpd").mkdir(mode=0o750)
    os.mkfifo(tmp_path / "ftpd" / "lock")
    assert "is no plain file of the server's" in refusal(tmp_path / "ftpd")


def test_it_is_used_again(opened, tmp_path):
    opened(tmp_path / "ftpd").close()
    (tmp_path / "ftpd" / "state.db").touch()
    opened(tmp_path / "ftpd")
    assert sorted(os.listdir(tmp_path / "ftpd")) == ["lock", "state.db"]


def test_another_server_may_not_have_it_at_the_same_time(opened, tmp_path):
    opened(tmp_path / "ftpd")
    assert refusal(tmp_path / "ftpd") == (f"process.directory: another ftpd is using {tmp_path}/ftpd; each needs its own")


def test_another_process_may_not_and_a_dead_one_holds_nothing(opened, tmp_path):
    checkout = os.path.dirname(os.path.dirname(sys.modules["ftpd"].__file__))
    other = subprocess.Popen(
        [sys.executable, "-c", TAKE, str(tmp_path / "ftpd")],
        env={**os.environ, "PYTHONPATH": checkout},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout.readline() == b"taken\n"
        assert "another ftpd is using" in refusal(tmp_path / "ftpd")
        other.kill()
    opened(tmp_path / "ftpd")


def test_closing_lets_another_have_it_and_may_be_done_twice(opened, tmp_path):
    first = opened(tmp_path / "ftpd")
    first.close()
    first.close()
    opened(tmp_path / "ftpd")


def test_a_refusal_leaves_nothing_open(opened, tmp_path):
    opened(tmp_path / "ftpd")
    before = os.listdir("/proc/self/fd")
    refusal(tmp_path / "ftpd")
    assert os.listdir("/proc/self/fd") == before


def test_its_paths(tmp_path):
    directory = RuntimeDirectory("/srv/run", OURS)
    assert (directory.path, directory.control, directory.state) == ("/srv/run", "/srv/run/control", "/srv/run/state.db")


@pytest.fixture
def environ(monkeypatch):
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_setting_comes_first(environ):
    environ.setenv("RUNTIME_DIRECTORY", "/run/unit")
    assert directory_path("/srv/run") == "/srv/run"
    assert control_path("/srv/run") == "/srv/run/control"


def test_then_systemds(environ):
    environ.setenv("RUNTIME_DIRECTORY", "/run/unit:/run/second")
    assert directory_path("") == "/run/unit"


@pytest.mark.parametrize(
    ("user", "base", "path"),
    [(0, "/run/user/0", "/run/ftpd"), (1000, "/run/user/1000", "/run/user/1000/ftpd"), (1000, "", "/tmp/ftpd-1000")],
)
def test_then_that_of_the_user(environ, user, base, path):
    environ.setattr(module.os, "geteuid", lambda: user)
    environ.setenv("XDG_RUNTIME_DIR", base)
    assert directory_path("") == path
