"""What the doctor finds on a server that says and does what the test wants: on loopback, one client, one dialogue."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from ftpd.doctor import examination
from ftpd.doctor.examination import Visit, examine
from ftpd.doctor.finding import Weight


class Scripted:
    """A server for one client: *answers* by verb, each a reply or a function that returns one; what else it is asked gets 200.

    `data` waits for a data connection, at the port that EPSV and PASV tell.
    """

    def __init__(self, **answers: str | Callable[[str], str]) -> None:
        self.data = socket.create_server(("127.0.0.1", 0))
        self.data.settimeout(10)
        port = self.data.getsockname()[1]
        self.heard: list[str] = []
        self._answers: dict[str, str | Callable[[str], str]] = {
            "greeting": "220 Hello.",
            "USER": "331 Who?",
            "PASS": "230 You.",
            "EPSV": f"229 Here (|||{port}|)",
            "PASV": f"227 Here (127,0,0,1,{port >> 8},{port & 255})",
            "EPRT": "500 No.",
            "LIST": self._list,
            **answers,
        }
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        number: int = self._listener.getsockname()[1]
        return number

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)
        self.data.close()

    def _serve(self) -> None:
        self._listener.settimeout(10)
        with self._listener.accept()[0] as control, control.makefile("rw", newline="") as lines:
            lines.write(f"{self._answers['greeting']}\r\n")
            lines.flush()
            for line in lines:
                self.heard.append(line.rstrip())
                verb = line.split()[0]
                answer = self._answers.get(verb, "200 Well.")
                lines.write((answer if isinstance(answer, str) else answer(line.rstrip())) + "\r\n")
                lines.flush()
                if verb == "QUIT":
                    return

    def _list(self, line: str) -> str:
        with self.data.accept()[0] as data:
            data.sendall(b"-rw-r--r-- 1 ftp ftp 1 Jan  1 00:00 a\r\n")
        return "150 Comes.\r\n226 Gone."


@pytest.fixture
def serve() -> Iterator[Callable[..., Scripted]]:
    started: list[Scripted] = []

    def start(**answers: str | Callable[[str], str]) -> Scripted:
        started.append(Scripted(**answers))
        return started[-1]

    yield start
    for server in started:
        server.close()


def found(server: Scripted, **more: object) -> list[tuple[Weight, str]]:
    visit = Visit("127.0.0.1", server.port, "ann", "secret", seconds=0.5, **more)  # type: ignore[arg-type]
    return [(finding.weight, finding.text) for finding in examine(visit)]


def texts(server: Scripted, weight: Weight, **more: object) -> list[str]:
    return [text for found_weight, text in found(server, **more) if found_weight is weight]


def test_what_works_is_told_and_what_is_declined_is_a_note(serve: Callable[..., Scripted]) -> None:
    server = serve()
    assert found(server) == [
        (Weight.GOOD, f"connected from 127.0.0.1 to 127.0.0.1 port {server.port}"),
        (Weight.GOOD, "logged in as ann in clear"),
        (Weight.GOOD, "EPSV works"),
        (Weight.GOOD, "PASV works"),
        (Weight.NOTE, "EPRT is declined: 500 No."),
    ]


def test_a_server_that_is_not_there_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [finding] = examine(Visit("127.0.0.1", port, "ann", "secret", seconds=0.5))
    assert finding.weight is Weight.FAULT
    assert finding.text.startswith("no control connection: ")


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ({"greeting": "421 Full."}, "the server does not let us in: 421 Full."),
        ({"USER": "530 In clear, never."}, "the login is refused: 530 In clear, never."),
        ({"PASS": "530 Wrong."}, "the login is refused: 530 Wrong."),
    ],
)
def test_without_a_login_nothing_is_tried(serve: Callable[..., Scripted], answers: dict[str, str], text: str) -> None:
    server = serve(**answers)
    assert texts(server, Weight.FAULT) == [text]
    assert not {"EPSV", "PASV", "LIST"} & set(server.heard)


def test_a_server_that_asks_for_patience_is_waited_for(serve: Callable[..., Scripted]) -> None:
    server = serve(greeting="120 In a moment.\r\n220 Hello.")
    assert (Weight.GOOD, "EPSV works") in found(server)


def test_an_address_that_cannot_be_read_is_that_command_s_fault(serve: Callable[..., Scripted]) -> None:
    server = serve(PASV="227 Entering passive mode.")
    assert found(server)[-2:] == [
        (Weight.FAULT, "PASV: no address of a data connection: '227 Entering passive mode.'"),
        (Weight.NOTE, "EPRT is declined: 500 No."),
    ]


def test_a_declined_command_names_the_settings(serve: Callable[..., Scripted]) -> None:
    server = serve(PASV="425 The external address of this server is not known now.")
    [finding] = [
        finding
        for finding in examine(Visit("127.0.0.1", server.port, "ann", "secret", seconds=0.5))
        if finding.weight is Weight.WARNING
    ]
    assert finding.text == "PASV is declined: 425 The external address of this server is not known now."
    assert finding.cure == "see ftp.passive.enabled, ftp.passive.external_address and ftp.deny_commands in its configuration"


def test_a_port_outside_the_range_is_a_fault(serve: Callable[..., Scripted]) -> None:
    server = serve()
    port = server.data.getsockname()[1]
    assert (
        texts(server, Weight.FAULT, ports=(20, 21))
        == [f"port {port} is not in 20-21, the ftp.passive.ports of the configuration"] * 2
    )


def test_a_port_within_the_range_is_none(serve: Callable[..., Scripted]) -> None:
    server = serve()
    port = server.data.getsockname()[1]
    assert texts(server, Weight.FAULT, ports=(port, port)) == []


def test_another_address_is_a_warning_and_is_not_connected_to(serve: Callable[..., Scripted]) -> None:
    server = serve(EPSV="500 No.")
    port = server.data.getsockname()[1]
    with socket.create_server(("127.0.0.2", port)) as elsewhere:
        elsewhere.setblocking(False)
        server._answers["PASV"] = f"227 There (127,0,0,2,{port >> 8},{port & 255})"
        assert (Weight.GOOD, "PASV works") in (all_found := found(server))
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert (Weight.WARNING, "PASV tells 127.0.0.2, and the server is reached at 127.0.0.1: 127.0.0.1 was tried") in all_found


def test_a_private_address_of_a_server_with_a_public_one_is_a_fault(
    serve: Callable[..., Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "is_private", lambda address: address == "10.0.0.2")
    server = serve()
    port = server.data.getsockname()[1]
    server._answers["PASV"] = f"227 There (10,0,0,2,{port >> 8},{port & 255})"
    assert texts(server, Weight.FAULT) == [
        "PASV tells 10.0.0.2, which is private, and the server is reached at 127.0.0.1: clients that believe it cannot connect"
    ]


def test_a_port_where_nobody_listens_is_a_fault(serve: Callable[..., Scripted]) -> None:
    server = serve(PASV="500 No.")
    port = server.data.getsockname()[1]
    server.data.close()
    assert texts(server, Weight.FAULT) == [
        f"EPSV: port {port} is refused (cannot connect to the passive port {port}: Connection refused)"
    ]


def test_a_connection_that_the_server_does_not_see_is_a_fault(serve: Callable[..., Scripted]) -> None:
    server = serve(LIST="425 Nobody came.", PASV="500 No.")
    assert texts(server, Weight.FAULT) == ["EPSV: we connected, and the server says that nobody did: 425 Nobody came."]


def test_a_connection_that_the_server_misses_after_its_150_is_a_fault(serve: Callable[..., Scripted]) -> None:
    def wait_in_vain(line: str) -> str:
        server.data.accept()[0].close()
        return "150 Wait.\r\n425 Nobody came."

    server = serve(LIST=wait_in_vain, PASV="500 No.")
    assert texts(server, Weight.FAULT) == ["EPSV: we connected, and the server says that nobody did: 425 Nobody came."]


def test_a_listing_that_fails_is_a_fault(serve: Callable[..., Scripted]) -> None:
    assert texts(serve(LIST="550 No.", PASV="500 No."), Weight.FAULT) == ["EPSV fails: 550 No."]


def test_modes_that_are_declined_are_told(serve: Callable[..., Scripted]) -> None:
    assert texts(serve(EPSV="500 No.", PASV="502 No."), Weight.WARNING) == [
        "EPSV is declined: 500 No.",
        "PASV is declined: 502 No.",
    ]


def test_a_server_that_falls_silent_is_a_fault(serve: Callable[..., Scripted]) -> None:
    assert [text for text in texts(serve(EPSV=""), Weight.FAULT) if text.startswith("the control connection failed: ")]


def test_what_a_server_says_steers_no_terminal(serve: Callable[..., Scripted]) -> None:
    server = serve(PASS="530 \x1b[2J\x07" + "x" * 1000)
    [text] = texts(server, Weight.FAULT)
    assert text.startswith("the login is refused: 530 ?[2J?xxx")
    assert len(text) < 250


def test_active_mode_that_comes_through_works(serve: Callable[..., Scripted]) -> None:
    where: list[int] = []

    def listed(line: str) -> str:
        if where:
            with socket.create_connection(("127.0.0.1", where[0])) as data:
                data.sendall(b"a\r\n")
            return "150 Comes.\r\n226 Gone."
        return server._list(line)

    def noted(line: str) -> str:
        where.append(int(line.split("|")[3]))
        return "200 Noted."

    server = serve(EPRT=noted, LIST=listed)
    assert (Weight.GOOD, "EPRT works") in found(server)


def test_active_mode_that_does_not_come_through_is_a_note(serve: Callable[..., Scripted]) -> None:
    server = serve(EPRT="200 Noted.", EPSV="500 No.", PASV="500 No.", LIST="425 No way.")
    assert texts(server, Weight.NOTE) == ["EPRT: the server does not come through: 425 No way."]


def test_the_password_is_in_no_representation() -> None:
    assert "secret" not in repr(Visit("127.0.0.1", 21, "ann", "secret"))
