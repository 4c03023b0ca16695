"""What is left of a process that has dropped its privileges, as the kernel says it: of the process itself, and of one that it starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from ftpd.processes import privileges
from ftpd.processes.identity import Identity
from ftpd.schema import ConfigError

CHECKOUT = os.path.dirname(os.path.dirname(sys.modules["ftpd"].__file__))
FIELDS = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
NOBODY = 65534
NONE = "0000000000000000"
LOW_PORTS = "0000000000000400"  # CAP_NET_BIND_SERVICE alone
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="machine: not root")

DROP = """
import json, os, socket, subprocess, sys
from ftpd.processes.identity import Identity
from ftpd.processes.privileges import drop
user, group, keeps = json.loads(sys.argv[1])
if os.geteuid() == 0 and user:
    os.setgroups([1, 2, 3])
drop(Identity(os.geteuid() if user is None else user, os.getegid() if group is None else group), keeps_low_ports=keeps)

def fails(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.strerror
    return "done"

def low_port():
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 20))

with open("/proc/self/status") as status:
    own = status.read()
print(json.dumps({
    "own": own,
    "started": subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout,
    "root again": fails(os.setuid, 0),
    "groups again": fails(os.setgroups, [0]),
    "low port": fails(low_port),
}))
"""


def dropped(user=None, group=None, keeps_low_ports=False, by=()):
    """Return what a process says after it has dropped its privileges, started by way of the command *by*."""
    finished = subprocess.run(
        [*by, sys.executable, "-c", DROP, json.dumps([user, group, keeps_low_ports])],
        env={**os.environ, "PYTHONPATH": CHECKOUT, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if not finished.stdout and "unshare" in finished.stderr:
        pytest.skip(f"machine: no user namespaces ({finished.stderr.strip()})")
    assert finished.stderr == ""
    said = json.loads(finished.stdout)
    return {**said, "own": fields(said["own"]), "started": fields(said["started"])}


def fields(status):
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return {name: " ".join(lines[name].split()) for name in FIELDS}


def nothing_left(user, group, **other):
    ids = {"Uid": " ".join([str(user)] * 4), "Gid": " ".join([str(group)] * 4), "Groups": "", "NoNewPrivs": "1"}
    return {**dict.fromkeys(FIELDS, NONE), **ids, **other}


def in_namespace(*options):
    """The command that gives a process every capability in a user namespace of its own, where it is user and group 4711."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    return ("unshare", "--user", "--map-user=4711", "--map-group=4711", "--keep-caps", *options)


@needs_root
def test_root_becomes_the_user_and_nothing_is_left_of_root():
    said = dropped(NOBODY, NOBODY)
    assert said["own"] == nothing_left(NOBODY, NOBODY)
    assert said["started"] == nothing_left(NOBODY, NOBODY)


@needs_root
def test_there_is_no_way_back():
    said = dropped(NOBODY, NOBODY)
    assert said["root again"] == "Operation not permitted"
    assert said["groups again"] == "Operation not permitted"
    assert said["low port"] == "Permission denied"


@needs_root
def test_the_right_to_low_ports_stays_where_active_mode_needs_it_also_in_workers():
    said = dropped(NOBODY, NOBODY, keeps_low_ports=True)
    kept = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), LOW_PORTS)
    assert said["own"] == nothing_left(NOBODY, NOBODY, **kept)
    assert said["started"] == nothing_left(NOBODY, NOBODY, **kept)
    assert said["low port"] == "done"
    assert said["root again"] == "Operation not permitted"


@needs_root
def test_root_without_the_right_to_low_ports_does_not_get_it():
    bare = ("setpriv", "--inh-caps=-all", "--bounding-set=-net_bind_service")
    said = dropped(NOBODY, NOBODY, keeps_low_ports=True, by=bare)
    assert said["own"] == nothing_left(NOBODY, NOBODY)
    assert said["low port"] == "Permission denied"


@needs_root
def test_without_the_right_to_shrink_it_the_bounding_set_stays_and_is_of_no_use():
    said = dropped(NOBODY, NOBODY, by=("setpriv", "--bounding-set=-setpcap"))
    assert {**said["own"], "CapBnd": NONE} == nothing_left(NOBODY, NOBODY)
    assert said["own"]["CapBnd"] != NONE
    assert said["own"]["NoNewPrivs"] == "1"


@needs_root
def test_root_that_stays_root_keeps_what_it_has_and_gains_nothing():
    said = dropped(0, 0)
    assert said["own"]["Uid"] == "0 0 0 0"
    assert said["own"]["CapEff"] == said["started"]["CapEff"] != NONE
    assert said["own"]["NoNewPrivs"] == said["started"]["NoNewPrivs"] == "1"


@needs_root
def test_what_systemd_has_given_another_user_is_dropped():
    ambient = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    capabilities = ("--inh-caps=+net_bind_service,+chown", "--ambient-caps=+net_bind_service,+chown")
    said = dropped(by=(*ambient, *capabilities))
    assert {**said["own"], "CapBnd": NONE} == nothing_left(NOBODY, NOBODY)
    assert {**said["started"], "CapBnd": NONE} == nothing_left(NOBODY, NOBODY)


@needs_root
def test_what_systemd_has_given_for_low_ports_stays_where_it_is_needed():
    ambient = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all,+net_bind_service")
    capabilities = ("--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service")
    said = dropped(keeps_low_ports=True, by=(*ambient, *capabilities))
    kept = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), LOW_PORTS)
    assert said["started"] == nothing_left(NOBODY, NOBODY, **kept)
    assert said["low port"] == "done"


# Without root: a user namespace has capabilities to lose.


def test_ambient_capabilities_are_lost():
    said = dropped(by=in_namespace())
    assert said["own"]["Uid"] == "4711 4711 4711 4711"
    for process in ("own", "started"):
        assert {name: said[process][name] for name in FIELDS[3:]} == {**dict.fromkeys(FIELDS[3:8], NONE), "NoNewPrivs": "1"}
    assert said["root again"] != "done"


def test_of_ambient_capabilities_the_right_to_low_ports_may_stay():
    said = dropped(keeps_low_ports=True, by=in_namespace())
    for process in ("own", "started"):
        assert {name: said[process][name] for name in FIELDS[3:]} == {**dict.fromkeys(FIELDS[3:8], LOW_PORTS), "NoNewPrivs": "1"}


def test_a_user_without_any_gains_none():
    said = dropped(keeps_low_ports=True, by=in_namespace("setpriv", "--ambient-caps=-all", "--inh-caps=-all"))
    assert {**said["started"], "CapBnd": NONE} == nothing_left(4711, 4711, Groups=said["started"]["Groups"])


def test_who_may_not_become_another_is_told(monkeypatch):
    def forbidden(groups):
        raise PermissionError(1, "Operation not permitted")

    class Unchanged:
        def permitted(self):
            return 0

        def bound(self, kept): ...

        def outlive_root(self): ...

    monkeypatch.setattr(privileges, "Capabilities", Unchanged)
    monkeypatch.setattr(os, "setgroups", forbidden)
    with pytest.raises(ConfigError) as caught:
        privileges.drop(Identity(os.geteuid() + 1, 1), keeps_low_ports=False)
    assert "cannot be given up" in str(caught.value)
    assert "Operation not permitted; root needs CAP_SETUID and CAP_SETGID for that" in str(caught.value)


def test_a_system_that_lets_root_come_back_is_not_trusted(monkeypatch):
    class Careless:
        def permitted(self):
            return 0

        def bound(self, kept): ...

        def outlive_root(self): ...

        def limit(self, kept): ...

        def forbid_gains(self): ...

    monkeypatch.setattr(privileges, "Capabilities", Careless)
    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda _: None)
    with pytest.raises(RuntimeError, match="root could be had again"):
        privileges.drop(Identity(os.geteuid() + 1, 1), keeps_low_ports=False)


LOSS = """
import sys
from ftpd.processes.identity import Identity
from ftpd.processes.privileges import drop, loss
drop(Identity(65534, 65534), keeps_low_ports=False)
print(loss(sys.argv[1]))
"""


@needs_root
@pytest.mark.parametrize(("mode", "is_said"), [(0o600, True), (0o640, True), (0o644, False)])
def test_a_configuration_that_only_root_can_read_is_told_of(mode, is_said):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = os.path.join(folder, "ftpd.toml")
        open(file, "x").close()
        os.chmod(file, mode)
        done = subprocess.run(
            [sys.executable, "-c", LOSS, file], env={"PYTHONPATH": CHECKOUT}, capture_output=True, text=True, check=True
        )
    assert done.stdout.startswith(f"'nobody' cannot read {file}, so that it cannot be reloaded; chown root:") is is_said
