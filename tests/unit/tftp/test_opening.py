"""Opening: what a request means, what is refused, and that whatever was opened for one that fails is closed again."""

from __future__ import annotations

import ipaddress
import os
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from ftpd.accounts.realm import TransferRealm
from ftpd.errors import Unavailable
from ftpd.events import LoginFailed, RequestRefused
from ftpd.paths import VirtualPath
from ftpd.schema import Size
from ftpd.testing.fakes import finish
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp import opening as opening_module
from ftpd.tftp.path import PathProbe
from ftpd.tftp.server import FileRequest
from ftpd.tftp.settings import TFTPNetworkSettings, TFTPOptionSettings, TFTPSettings
from ftpd.tftp.wire.packets import ErrorCode, ack, oack
from ftpd.values import Account, WriteMode
from tests.unit.tftp.exchanges import FakeFile, FakeUpload, blocks_of, data, error_code, pattern
from tests.unit.tftp.scene import CONTENT, OTHER, Scene, read, request, write


@pytest.fixture
def scene_of(monkeypatch):
    return lambda **options: Scene(monkeypatch, **options)


def listen(**settings: Any) -> dict[str, Any]:
    return {"listen": settings}


# Terms.


def test_options_are_granted_in_the_order_asked(scene_of):
    scene = scene_of()
    answers = scene.port.says(read(tsize="0", blksize="1428", windowsize="16", nonsense="1"))
    assert answers == [oack({"tsize": "1300", "blksize": "1428", "windowsize": "16"})]
    assert scene.port.says(ack(0)) == blocks_of(CONTENT, 1428)


def test_size_of_text_is_not_told(scene_of):
    scene = scene_of()
    assert scene.port.says(request(1, "kernel", {"tsize": "0", "blksize": "1428"}, "netascii")) == [oack({"blksize": "1428"})]
    assert scene.port.says(ack(0)) == blocks_of(CONTENT.replace(b"\n", b"\r\n"), 1428)[:1]


def test_refused_option_is_as_if_nobody_knew_it(scene_of):
    scene = scene_of(settings=TFTPSettings(options=TFTPOptionSettings(refuse=("tsize",), largest_window=4, largest_block=1024)))
    assert scene.port.says(read(tsize="0", windowsize="64", blksize="8192")) == [oack({"windowsize": "4", "blksize": "1024"})]


def test_block_fits_the_path_unless_that_is_switched_off(scene_of, monkeypatch):
    monkeypatch.setattr(PathProbe, "path_block", lambda self, local, peer: 1468)
    assert scene_of().port.says(read(blksize="8192")) == [oack({"blksize": "1468"})]
    scene = scene_of(settings=TFTPSettings(options=TFTPOptionSettings(fit_mtu=False)))
    assert scene.port.says(read(blksize="8192")) == [oack({"blksize": "8192"})]


def test_stream_of_a_store_ends_where_its_bytes_end(scene_of, monkeypatch):
    class Streamed(FakeFile):
        def pieces(self, start):
            source = iter([CONTENT, b""])

            async def piece():
                return next(source)

            return piece

    scene = scene_of()

    async def open_read(path):
        return Streamed(b"a guess")

    patch_files(monkeypatch, open_read=open_read)
    assert scene.port.says(read(tsize="0", blksize="1024")) == [oack({"blksize": "1024"})]
    assert scene.port.says(ack(0)) == blocks_of(CONTENT, 1024)[:1]
    assert scene.port.says(ack(1)) == blocks_of(CONTENT, 1024)[1:]


# Roots.


def test_listener_has_its_own_root(scene_of):
    scene = scene_of(**listen(root="/boot"))
    scene.put("boot/kernel", b"of the root")
    assert scene.port.says(read("/kernel")) == [data(1, b"of the root")]
    assert error_code(scene.port.says(read("../kernel2"), OTHER)[0]) is ErrorCode.NOT_FOUND


def test_network_has_its_own_root(scene_of):
    lab = TFTPNetworkSettings(networks=(ipaddress.ip_network("10.0.0.8/32"),), root="/lab")
    scene = scene_of(**listen(networks=(lab,)))
    scene.put("lab/kernel", b"of the lab")
    assert scene.port.says(read(), OTHER) == [data(1, b"of the lab")]
    assert scene.port.says(read()) == blocks_of(CONTENT, 512)[:1]


def test_client_has_its_own_directory_where_there_is_one(scene_of):
    scene = scene_of(**listen(unique_root="address"))
    scene.put("10.0.0.8/kernel", b"of this client")
    assert scene.port.says(read(), OTHER) == [data(1, b"of this client")]
    assert scene.port.says(read()) == blocks_of(CONTENT, 512)[:1]


# Writing.


@pytest.mark.parametrize(
    ("rule", "new", "old"),
    [
        ("never", ErrorCode.ACCESS_VIOLATION, ErrorCode.ACCESS_VIOLATION),
        ("existing", ErrorCode.NOT_FOUND, None),
        ("create", None, ErrorCode.ALREADY_EXISTS),
        ("any", None, None),
    ],
)
def test_what_may_be_written_is_the_listeners(scene_of, rule, new, old):
    for name, code in (("new", new), ("kernel", old)):
        scene = scene_of(**listen(write=rule))
        (answer,) = scene.port.says(write(name))
        if code is None:
            assert answer == ack(0)
        else:
            assert error_code(answer) is code
            assert scene.is_clean()


def test_too_large_a_file_is_refused_before_it_is_sent(scene_of):
    scene = scene_of(settings=TFTPSettings(largest_file=Size(1000)))
    (answer,) = scene.port.says(write(tsize="1001"))
    assert error_code(answer) is ErrorCode.DISK_FULL
    assert scene.is_clean()
    assert scene.port.says(write(tsize="1000")) == [oack({"tsize": "1000"})]


def test_too_large_a_file_is_refused_when_it_shows(scene_of):
    scene = scene_of(settings=TFTPSettings(largest_file=Size(1000)))
    scene.port.says(write())
    scene.port.says(data(1, pattern(512)))
    assert error_code(scene.port.says(data(2, pattern(512)))[0]) is ErrorCode.DISK_FULL
    assert scene.is_clean()
    assert error_code(scene.port.says(read("new"))[0]) is ErrorCode.NOT_FOUND


def test_largest_file_of_the_account_counts_too(scene_of):
    scene = scene_of(account={"max_file_size": 500})
    assert error_code(scene.port.says(write(tsize="501"))[0]) is ErrorCode.DISK_FULL
    scene.port.says(write())
    assert error_code(scene.port.says(data(1, pattern(512)))[0]) is ErrorCode.DISK_FULL
    assert scene.is_clean()


def test_full_disk_is_said_before_it_is_sent(scene_of):
    scene = scene_of()
    scene.memory.capacity = 2000
    assert error_code(scene.port.says(write(tsize="1000"))[0]) is ErrorCode.DISK_FULL
    assert scene.is_clean()


# Nothing leaks.


def patch_files(monkeypatch: pytest.MonkeyPatch, **calls: Any) -> None:
    """Have logins get a filesystem with *calls* in the place of its own."""
    original = TransferRealm._open

    async def _open(self: TransferRealm, account: Account) -> Any:
        files = await original(self, account)
        for name, call in calls.items():
            setattr(files, name, call)
        return files

    monkeypatch.setattr(TransferRealm, "_open", _open)


STEPS = ["agree", "Geometry", "FileFrames", "Sender", "Download"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", [Unavailable(), RuntimeError("a bug")])
def test_file_is_closed_whatever_fails_behind_it(scene_of, monkeypatch, step, fault):
    file = FakeFile(CONTENT, unique="a")

    async def open_read(path):
        return file

    def fail(*arguments: Any, **named: Any) -> Any:
        raise fault

    scene = scene_of()
    patch_files(monkeypatch, open_read=open_read)
    monkeypatch.setattr(opening_module, step, fail)
    with recorded_log():
        scene.port.says(read())
    assert file.is_closed
    assert scene.server._opening._hot._files == {}
    assert scene.is_clean()


@pytest.mark.parametrize("step", ["Receiver", "Upload"])
def test_upload_is_abandoned_whatever_fails_behind_it(scene_of, monkeypatch, step):
    file = FakeUpload()

    async def open_write(path, **named):
        return file

    def fail(*arguments: Any, **named: Any) -> Any:
        raise RuntimeError("a bug")

    scene = scene_of()
    patch_files(monkeypatch, open_write=open_write)
    monkeypatch.setattr(opening_module, step, fail)
    with recorded_log():
        scene.port.says(write())
    assert file.end == "abandoned"
    assert scene.is_clean()


def test_upload_that_is_cancelled_while_it_is_opened_makes_nothing(scene_of):
    scene = scene_of(is_slow=True)
    scene.port.says(write())
    scene.store.let_go()
    assert scene.store.waiting == ["open_write"]
    scene.server.close_sessions()
    assert scene.is_clean()
    files = finish(scene.memory.open(Account("x")))
    assert finish(files.open_write(VirtualPath(("new",)), mode=WriteMode.CREATE)) is not None


def test_program_that_is_cancelled_leaves_nothing(scene_of):
    coming: Deferred[bytes] = Deferred()
    scene = scene_of(files=lambda wanted: coming)
    scene.port.says(read())
    scene.server.close_sessions()
    assert coming.called
    assert scene.is_clean()


@pytest.mark.parametrize("content", ["text", 7, ["list"]])
def test_program_that_gives_no_bytes_is_a_fault_of_ours(scene_of, content):
    def files(wanted: FileRequest) -> Any:
        return content

    scene = scene_of(files=files)
    with recorded_log() as log:
        (answer,) = scene.port.says(read())
    assert error_code(answer) is ErrorCode.UNDEFINED
    assert log
    assert scene.is_clean()


def test_sockets_of_refused_requests_are_closed(scene_of):
    scene = scene_of(**listen(single_port=False))
    scene.clock.addReader = scene.clock.removeReader = lambda reader: None
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        scene.port.received(read("absent"), ("127.0.0.1", 3000 + number), (("127.0.0.1", 69), []))
    assert len(os.listdir("/proc/self/fd")) == before
    assert scene.is_clean()


def test_machine_without_a_port_left_says_so(scene_of):
    scene = scene_of(**listen(single_port=False, ports=(1, 1)))
    with recorded_log():
        scene.port.received(read(), ("127.0.0.1", 3000), (("203.0.113.7", 69), []))  # an address that is not ours
    assert error_code(scene.port.taken(("127.0.0.1", 3000))[0]) in (ErrorCode.UNDEFINED, ErrorCode.ACCESS_VIOLATION)
    assert scene.is_clean()


# Refusals are told.


def test_refusal_names_file_account_and_reason(scene_of):
    scene = scene_of(**listen(write="never"))
    scene.port.says(write("a\\b"))
    (event,) = scene.events
    assert isinstance(event, RequestRefused)
    assert (event.account, event.command, event.path, event.is_missing) == ("anonymous", "WRQ", "a\\b", False)
    assert event.reason == "This server takes no files by TFTP"


def test_failed_login_is_told(scene_of):
    scene = scene_of(**listen(account="robot"))
    (answer,) = scene.port.says(read())
    assert error_code(answer) is ErrorCode.ACCESS_VIOLATION
    assert [type(event) for event in scene.events] == [LoginFailed, RequestRefused]
    assert scene.events[0].account == "robot"
    assert scene.is_clean()


@pytest.mark.parametrize("name", ["/", ".", "..", "../..", "\\"])
def test_name_of_no_file_is_refused(scene_of, name):
    scene = scene_of()
    assert error_code(scene.port.says(read(name))[0]) is ErrorCode.ACCESS_VIOLATION
    assert scene.is_clean()


def test_directory_is_no_file(scene_of):
    scene = scene_of()
    scene.put("boot/kernel", b"x")
    assert error_code(scene.port.says(read("boot"))[0]) is ErrorCode.ACCESS_VIOLATION
    assert scene.is_clean()
