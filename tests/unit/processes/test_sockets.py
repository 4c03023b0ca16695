"""The parent's listening sockets: taken over, opened, kept, closed; and never two for one address."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from ftpd.config.tree import ListenSettings
from ftpd.listening import CannotListen, takes_ipv4_too
from ftpd.processes.sockets import Sockets, inherited
from ftpd.testing.login_contract import recorded_log

LOOPBACK = "127.0.0.1"


def listen(port=0, address=LOOPBACK):
    return ListenSettings(address=address, port=port)


def port_of(one):
    return one.getsockname()[1]


def is_open(one):
    return one.fileno() != -1


def accepts(port, address=LOOPBACK):
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def sockets():
    sockets = Sockets()
    yield sockets
    sockets.close()


@pytest.fixture
def given():
    """Return what makes a socket as systemd would; it is closed with the test."""
    made = []

    def make(address=LOOPBACK, port=0, is_dual=False):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        one = socket.create_server((address, port), family=family, dualstack_ipv6=is_dual)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def needs_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("machine: no IPv6 on loopback")


# Claiming.


def test_there_is_a_listening_socket_for_each_listener_in_their_order(sockets):
    one, two = sockets.claim([listen(address="127.0.0.1"), listen(address="127.0.0.2")])
    assert [one.getsockname()[0], two.getsockname()[0]] == ["127.0.0.1", "127.0.0.2"]
    assert accepts(port_of(one))
    assert accepts(port_of(two), "127.0.0.2")


def test_what_is_open_is_used_again(sockets):
    first = sockets.claim([listen()])
    sockets.keep(first)
    assert sockets.claim([listen(port_of(first[0]))]) == first


def test_port_0_keeps_its_port_over_a_reload(sockets):
    first = sockets.claim([listen()])
    sockets.keep(first)
    assert sockets.claim([listen()]) == first


def test_two_listeners_on_port_0_keep_theirs(sockets):
    first = sockets.claim([listen(), listen()])
    sockets.keep(first)
    assert sockets.claim([listen(), listen()]) == first


def test_port_0_does_not_take_the_port_that_another_names(sockets):
    [named] = first = sockets.claim([listen()])
    sockets.keep(first)
    any_port, again = sockets.claim([listen(), listen(port_of(named))])
    assert again is named
    assert port_of(any_port) != port_of(named)


def test_another_address_is_another_socket(sockets):
    [first] = sockets.claim([listen()])
    sockets.keep([first])
    [second] = sockets.claim([listen(port_of(first), "127.0.0.2")])
    assert second.getsockname() == ("127.0.0.2", port_of(first))


def test_listeners_that_are_gone_are_closed(sockets):
    one, two = sockets.claim([listen(), listen()])
    sockets.keep([one, two])
    port = port_of(one)
    sockets.keep(sockets.claim([listen(port_of(two))]))
    assert [accepts(port), accepts(port_of(two))] == [False, True]


def test_a_claim_that_fails_changes_nothing(sockets, given):
    taken = port_of(given())
    first = sockets.claim([listen()])
    sockets.keep(first)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(CannotListen, match=f"^Cannot listen on 127.0.0.1 port {taken}: another program"):
        sockets.claim([listen(), listen(address="127.0.0.3"), listen(taken)])
    assert os.listdir("/proc/self/fd") == before
    assert accepts(port_of(first[0]))
    assert sockets.claim([listen()]) == first


def test_what_was_claimed_and_is_not_kept_is_closed(sockets):
    first = sockets.claim([listen()])
    sockets.keep(first)
    [_, more] = sockets.claim([listen(), listen(address="127.0.0.2")])
    sockets.keep(first)  # a reload that failed later
    assert [is_open(first[0]), is_open(more)] == [True, False]


def test_closing_closes_all_and_may_be_done_twice(sockets):
    claimed = sockets.claim([listen(), listen()])
    sockets.keep(claimed)
    sockets.close()
    sockets.close()
    assert not any(map(is_open, claimed))


def test_a_socket_is_no_other_programs(sockets):
    [one] = sockets.claim([listen()])
    assert not one.get_inheritable()


@pytest.mark.usefixtures("needs_ipv6")
def test_an_ipv6_address_is_known_in_every_spelling(sockets):
    [first] = sockets.claim([listen(address="::1")])
    sockets.keep([first])
    assert sockets.claim([listen(port_of(first), "0:0:0:0:0:0:0:1")]) == [first]


@pytest.mark.usefixtures("needs_ipv6")
def test_every_ipv4_and_every_ipv6_address_are_two_sockets_on_one_port(sockets):
    for _ in range(20):  # another program may have the port, of one kind of address
        [six] = sockets.claim([listen(address="::")])
        sockets.keep([six])
        with suppress(CannotListen):
            both = sockets.claim([listen(port_of(six), "::"), listen(port_of(six), "0.0.0.0")])
            break
        sockets.keep([])
    assert both[0] is six
    assert not takes_ipv4_too(six)
    assert accepts(port_of(six), "127.0.0.1")


def test_a_kind_of_address_that_the_machine_lacks_is_said(sockets, monkeypatch):
    def without_ipv6(family, kind):
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("ftpd.listening.socket.socket", without_ipv6)
    with pytest.raises(CannotListen, match=r"^Cannot listen on :: port 21: this machine does not have that kind of address\.$"):
        sockets.claim([listen(21, "::")])


# Given by systemd.


def test_a_given_socket_serves_the_listener_of_its_address(given):
    one = given()
    assert Sockets([one]).claim([listen(port_of(one))]) == [one]


def test_a_given_socket_that_nobody_names_is_told_once(given):
    one = given()
    sockets = Sockets([one])
    claimed = sockets.claim([listen(address="127.0.0.2")])
    with recorded_log() as lines:
        sockets.keep(claimed)
        sockets.keep(claimed)
    [line] = lines
    assert (
        f"no [[listen]] names 127.0.0.1 port {port_of(one)}, where systemd listens for this server: clients there wait in vain"
        in line
    )
    sockets.close()


def test_a_given_socket_is_used_again_by_a_later_configuration(given):
    one = given()
    sockets = Sockets([one])
    with recorded_log() as lines:
        for _ in range(2):
            sockets.keep(sockets.claim([listen(address="127.0.0.2")]))
            assert sockets.claim([listen(port_of(one))]) == [one]
            sockets.keep([one])
    assert len(lines) == 2  # told again when it is left again
    sockets.close()


@pytest.mark.usefixtures("needs_ipv6")
def test_a_given_socket_of_both_families_serves_every_ipv6_address_and_says_so(given):
    both = given("::", is_dual=True)
    assert takes_ipv4_too(both)
    assert Sockets([both]).claim([listen(port_of(both), "::")]) == [both]


@pytest.mark.usefixtures("needs_ipv6")
def test_a_given_socket_of_both_families_leaves_no_room_for_ipv4_alone(given):
    both = given("::", is_dual=True)
    port = port_of(both)
    with pytest.raises(CannotListen) as caught:
        Sockets([both]).claim([listen(port, "::"), listen(port, "0.0.0.0")])
    assert str(caught.value) == (
        f"Cannot listen on 0.0.0.0 port {port}: the socket that systemd has opened for :: takes IPv4 clients too; either its unit has to say"
        " BindIPv6Only=ipv6-only, or the [[listen]] for :: is enough."
    )
    assert is_open(both)


# As systemd hands them over: in descriptors from 3 on, which a process of its own needs.

CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from ftpd.listening import CannotListen
from ftpd.processes.sockets import inherited
os.environ["LISTEN_PID"] = os.environ.get("LISTEN_PID") or str(os.getpid())
try:
    taken = inherited(os.environ, os.getpid())
    print([one.getsockname()[:2] for one in taken], [one.get_inheritable() for one in taken])
except CannotListen as error:
    print(error)
print([name for name in os.environ if name.startswith("LISTEN_")])
"""


def handed_over(*files, **environment):
    """Return what a process prints that is started with *files* in its descriptors from 3 on."""

    def arrange():
        copies = [os.dup(file.fileno()) for file in files]
        for number, copy in enumerate(copies, 3):
            os.dup2(copy, number, inheritable=True)

    checkout = os.path.dirname(os.path.dirname(sys.modules["ftpd"].__file__))
    finished = subprocess.run(
        [sys.executable, "-c", CHILD, checkout],
        env={**os.environ, **environment},
        preexec_fn=arrange,
        close_fds=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stderr == ""
    return finished.stdout.splitlines()


def test_sockets_of_systemd_are_taken_and_its_variables_too(given):
    one, two = given(), given("127.0.0.2")
    answer = handed_over(one, two, LISTEN_FDS="2", LISTEN_FDNAMES="ftpd.socket:ftpd.socket")
    assert answer == [f"[('127.0.0.1', {port_of(one)}), ('127.0.0.2', {port_of(two)})] [False, False]", "[]"]


def test_sockets_for_another_process_are_not_taken(given):
    assert handed_over(given(), LISTEN_FDS="1", LISTEN_PID="1") == ["[] []", "[]"]


def test_a_bound_datagram_socket_is_taken():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((LOOPBACK, 0))
        assert handed_over(one, LISTEN_FDS="1") == [f"[('127.0.0.1', {port_of(one)})] [False]", "[]"]


def test_a_datagram_socket_without_a_port_is_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        assert handed_over(one, LISTEN_FDS="1", LISTEN_FDNAMES="ftpd.socket") == [
            "Descriptor 3 (ftpd.socket), handed over by systemd, listens neither for TCP nor for UDP: its unit needs ListenStream= and"
            " Accept=no, or ListenDatagram=.",
            "[]",
        ]


def test_a_connection_is_refused(given):
    with socket.create_connection(given().getsockname()) as one:
        assert handed_over(one, LISTEN_FDS="1") == [
            "Descriptor 3, handed over by systemd, listens neither for TCP nor for UDP: its unit needs ListenStream= and Accept=no, or"
            " ListenDatagram=.",
            "[]",
        ]


def test_a_unix_socket_is_refused(tmp_path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "socket"))
        one.listen()
        assert "listens neither for TCP nor for UDP" in handed_over(one, LISTEN_FDS="1")[0]


def test_a_descriptor_that_is_no_socket_is_refused(tmp_path):
    with (tmp_path / "file").open("w") as file:
        assert handed_over(file, LISTEN_FDS="1") == [
            "Descriptor 3, handed over by systemd, is no socket: Socket operation on non-socket.",
            "[]",
        ]


def test_without_the_variables_nothing_is_taken():
    environ = {}
    assert inherited(environ, os.getpid()) == []


def test_a_count_that_is_no_number_is_nothing():
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "-1"}
    assert inherited(environ, os.getpid()) == []
    assert environ == {}
