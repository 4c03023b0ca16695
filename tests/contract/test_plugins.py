"""The examples in `plugins/` keep the contracts of what they are, loaded as the server loads them."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest
from twisted.cred.error import UnauthorizedLogin
from zope.interface.verify import verifyObject

from ftpd.errors import IntegrityLost, NotADirectory, NotFound, Unsupported
from ftpd.events import Event, FileChanged, LoggedIn
from ftpd.extensions import load_file
from ftpd.ftp.command import table
from ftpd.ftp.commands import standard_commands
from ftpd.interfaces import IEventObserver, ILoginKind, IStoreKind, IVirtualFiles
from ftpd.login.credentials import PasswordCredentials
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import ConfigError, FilePath
from ftpd.spi import Filesystem, Store, Threads
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.testing.filesystem_contract import READ_ONLY_TREE, ReadOnlyContract
from ftpd.testing.login_contract import PasswordLoginContract, answer, recorded_log
from ftpd.testing.server import Server
from ftpd.tftp.virtual import FileRequest
from ftpd.values import Account, Outcome, Peer, Permission, Rule
from tests.contract.threads import OnThreads
from tests.transfer_ended import transfer_ended

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
T = TypeVar("T")


def plugin(name: str) -> ModuleType:
    return load_file(PLUGINS / f"{name}.py")


# The store.


def write_archive(file: Path, tree: Mapping[str, bytes | None], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in tree.items():
            archive.writestr(name.removeprefix("/") + ("/" if content is None else ""), content or b"")
    return file


_open_archives: list[Any] = []


@pytest.fixture(autouse=True)
def _closed_archives() -> Iterator[None]:
    yield
    while _open_archives:
        finish(_open_archives.pop().close())


def open_zip(file: Path, threads: Threads | None = None) -> Any:
    kind = plugin("zip_archive").ZIP
    _open_archives.append(kind.make(kind.settings(archive=FilePath(str(file))), threads or InlineThreads()))
    return _open_archives[-1]


def everything_in(store: Any) -> Filesystem:
    files: Filesystem = finish(store.open(Account("ann")))
    return files


def names(files: Filesystem, path: str = "/") -> list[str]:
    return [info.name for info in finish(finish(files.open_directory(VirtualPath.parse(path))).next_batch())]


def content(files: Filesystem, path: str) -> bytes:
    async def read() -> bytes:
        async with await files.open_read(VirtualPath.parse(path)) as file:
            return await file.read_at(0, 1_000_000)

    return finish(read())


class TestZipArchive(ReadOnlyContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_store(self) -> Store:
        store: Store = open_zip(write_archive(self.directory / "tree.zip", READ_ONLY_TREE))
        return store


class TestStoredZipArchive(TestZipArchive):
    def make_store(self) -> Store:
        store: Store = open_zip(write_archive(self.directory / "tree.zip", READ_ONLY_TREE, zipfile.ZIP_STORED))
        return store


class TestZipArchiveOnThreads(OnThreads, TestZipArchive):
    def make_store(self) -> Store:
        store: Store = open_zip(write_archive(self.directory / "tree.zip", READ_ONLY_TREE), self.pool)
        return store


def test_the_zip_store_is_a_store_kind() -> None:
    assert verifyObject(IStoreKind, plugin("zip_archive").ZIP)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../etc/passwd", "./etc//passwd"])
def test_no_name_in_an_archive_leads_out_of_it(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr(name, b"theirs")
    files = everything_in(open_zip(tmp_path / "evil.zip"))
    assert content(files, "/etc/passwd") == b"theirs"
    assert names(files) == ["etc"]


def test_a_name_with_a_line_feed_is_left_out(tmp_path: Path) -> None:
    files = everything_in(open_zip(write_archive(tmp_path / "odd.zip", {"a\n226 done": b"x", "b": b"y"})))
    assert names(files) == ["b"]


def test_a_name_longer_than_any_disk_takes_is_left_out(tmp_path: Path) -> None:
    files = everything_in(
        open_zip(write_archive(tmp_path / "deep.zip", {"x/" * 2048 + "a": b"x", "b": b"y", "y/" * 2047 + "c": b"z"}))
    )
    assert sorted(names(files)) == ["b", "y"]


@pytest.mark.parametrize("order", [["a", "a/b"], ["a/b", "a"]])
def test_where_a_file_and_a_directory_have_one_name_the_directory_is_served(tmp_path: Path, order: list[str]) -> None:
    files = everything_in(open_zip(write_archive(tmp_path / "both.zip", dict.fromkeys(order, b"x"))))
    assert content(files, "/a/b") == b"x"
    assert names(files) == ["a"]


def test_a_path_as_deep_as_a_line_is_long_is_not_found(tmp_path: Path) -> None:
    files = everything_in(open_zip(write_archive(tmp_path / "flat.zip", {"a": b"x"})))
    for path, error in (("x/" * 100_000, NotFound), ("a/" * 100_000, NotADirectory)):
        with pytest.raises(error):
            finish(files.stat(VirtualPath.parse(path)))


def test_times_are_read_as_utc_and_an_impossible_one_is_the_epoch(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "times.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("a", (2001, 2, 3, 4, 5, 6)), b"")
        archive.writestr(zipfile.ZipInfo("b", (1980, 0, 0, 0, 0, 0)), b"")
    files = everything_in(open_zip(tmp_path / "times.zip"))
    assert [finish(files.stat(VirtualPath.parse(name))).modified for name in "ab"] == [981_173_106, 0]


def test_a_method_that_is_not_bounded_is_not_served(tmp_path: Path) -> None:
    files = everything_in(open_zip(write_archive(tmp_path / "lzma.zip", {"a": b"x"}, zipfile.ZIP_LZMA)))
    with pytest.raises(Unsupported):
        finish(files.open_read(VirtualPath.parse("/a")))


def test_a_damaged_member_is_integrity_lost(tmp_path: Path) -> None:
    file = write_archive(tmp_path / "damaged.zip", {"a": b"0123456789"}, zipfile.ZIP_STORED)
    file.write_bytes(file.read_bytes().replace(b"0123456789", b"0123X56789", 1))
    files = everything_in(open_zip(file))
    with pytest.raises(IntegrityLost):
        content(files, "/a")


def test_what_is_no_archive_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("hello")
    for name in ("text.zip", "missing.zip"):
        with pytest.raises(ConfigError, match=r"^archive: cannot be read: "):
            open_zip(tmp_path / name)


VERSION, FLAGS, NAME = 6, 8, 46  # where they stand in an entry of the index (APPNOTE.TXT 4.3.12)


@pytest.mark.parametrize(
    "changes", [{VERSION: 99}, {FLAGS + 1: 8, NAME: 0xFF}], ids=["of a later version", "a name that is no UTF-8"]
)
def test_an_index_that_cannot_be_read_is_a_config_error(tmp_path: Path, changes: Mapping[int, int]) -> None:
    file = write_archive(tmp_path / "odd.zip", {"a": b"x"})
    change_index(file, changes)
    with pytest.raises(ConfigError, match=r"^archive: cannot be read: "):
        open_zip(file)


def test_a_member_whose_own_name_is_no_utf_8_is_integrity_lost(tmp_path: Path) -> None:
    file = write_archive(tmp_path / "odd.zip", {"a": b"x"})
    raw = bytearray(file.read_bytes())
    raw[7], raw[30] = 8, 0xFF  # flags and name in the header of the member itself (4.3.7)
    file.write_bytes(raw)
    with pytest.raises(IntegrityLost):
        content(everything_in(open_zip(file)), "/a")


def change_index(file: Path, changes: Mapping[int, int]) -> None:
    raw = bytearray(file.read_bytes())
    start = raw.index(b"PK\1\2")
    for offset, value in changes.items():
        raw[start + offset] = value
    file.write_bytes(raw)


# The login source.


def write_passes(file: Path, passwords: Mapping[bytes, bytes], until: str = "2100-01-01T00:00:00Z") -> Path:
    digest_of = plugin("guest_passes").digest_of
    file.write_text(
        "".join(
            f'[{json.dumps(name.decode())}]\ndigest = "{digest_of(password).hex()}"\nuntil = {until}\n'
            for name, password in passwords.items()
        )
    )
    return file


def guest_passes(file: Path, threads: Threads | None = None) -> Any:
    kind = plugin("guest_passes").GUEST_PASSES
    return kind.make(kind.settings(path=FilePath(str(file))), threads or InlineThreads())


class TestGuestPasses(PasswordLoginContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        return guest_passes(write_passes(self.directory / "guests.toml", passwords))


def test_the_guest_passes_are_a_login_kind() -> None:
    assert verifyObject(ILoginKind, plugin("guest_passes").GUEST_PASSES)


def test_a_pass_ends_at_its_moment(tmp_path: Path) -> None:
    file = write_passes(tmp_path / "guests.toml", {b"ann": b"secret"}, "2030-01-01T12:00:00+01:00")
    end = datetime(2030, 1, 1, 11, tzinfo=UTC)
    clock = [end - timedelta(microseconds=1)]
    checker = plugin("guest_passes").GuestPasses(str(file), InlineThreads(), lambda: clock[0])
    assert answer(checker, PasswordCredentials(b"ann", b"secret")) == b"ann"
    clock[0] = end
    with pytest.raises(UnauthorizedLogin):
        answer(checker, PasswordCredentials(b"ann", b"secret"))


def test_a_pass_that_is_added_counts_at_once_and_one_that_is_removed_no_more(tmp_path: Path) -> None:
    checker = guest_passes(write_passes(tmp_path / "guests.toml", {b"ann": b"secret"}))
    write_passes(tmp_path / "guests.toml", {b"bob": b"other"})
    assert answer(checker, PasswordCredentials(b"bob", b"other")) == b"bob"
    with pytest.raises(UnauthorizedLogin):
        answer(checker, PasswordCredentials(b"ann", b"secret"))


@pytest.mark.parametrize("change", [lambda file: file.write_text("[ann\n"), lambda file: file.unlink()])
def test_while_the_file_is_broken_the_old_passes_stay_and_the_log_says_so(tmp_path: Path, change: Any) -> None:
    file = write_passes(tmp_path / "guests.toml", {b"ann": b"secret"})
    checker = guest_passes(file)
    change(file)
    with recorded_log() as lines:
        assert answer(checker, PasswordCredentials(b"ann", b"secret")) == b"ann"
    assert [line.partition(":")[0] for line in lines] == ["guest passes not read, the old ones stay"]


@pytest.mark.parametrize(
    "table",
    [
        "[ann]\n",
        'ann = "secret"\n',
        '[ann]\ndigest = "00"\nuntil = 2030-01-01\n',
        '[ann]\ndigest = "00"\nuntil = 2030-01-01T00:00:00\n',
        '[ann]\ndigest = "xy"\nuntil = 2030-01-01T00:00:00Z\n',
        '[ann]\ndigest = "00"\nuntil = 2030-01-01T00:00:00Z\nadmin = true\n',
        "[ann]\n[ann]\n",
        "\xff",
    ],
)
def test_a_broken_file_is_refused_at_start(tmp_path: Path, table: str) -> None:
    (tmp_path / "guests.toml").write_bytes(table.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"^path: cannot be used: "):
        guest_passes(tmp_path / "guests.toml")


def test_a_pass_that_the_command_made_logs_in(tmp_path: Path) -> None:
    command = [sys.executable, "-P", str(PLUGINS / "guest_passes.py"), 'carol "c"', "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(PLUGINS.parent)})
    password = done.stderr.removeprefix("password: ").strip()
    (tmp_path / "guests.toml").write_text(done.stdout)
    until = tomllib.loads(done.stdout)['carol "c"']["until"]
    assert timedelta(days=6.9) < until - datetime.now(UTC) <= timedelta(days=7)
    assert len(password) == 22
    assert answer(guest_passes(tmp_path / "guests.toml"), PasswordCredentials(b'carol "c"', password.encode())) == b'carol "c"'


# The virtual files.


MENUS = """
files = ["grub.cfg"]
template = "menuentry '$title' { linux $prefix/$kernel host=$address }"
[defaults]
title = "Install"
kernel = "vmlinuz"
[clients."192.0.2.7"]
title = "Rescue"
"""


def menu(address: str, path: str = "/boot/grub/grub.cfg", menus: str = MENUS) -> bytes | None:
    """Return what the client at *address* gets as the file at *path*."""
    files = plugin("boot_menus").BootMenus(tomllib.loads(menus))
    assert verifyObject(IVirtualFiles, files)
    peer = Peer(address, 2070, "192.0.2.1", 69, protocol="tftp")
    content: bytes | None = files(FileRequest(path, VirtualPath.parse(path), peer, {}))
    return content


def test_a_client_gets_the_menu_that_is_its_own() -> None:
    assert menu("192.0.2.7") == b"menuentry 'Rescue' { linux $prefix/vmlinuz host=192.0.2.7 }"


def test_every_other_client_gets_the_defaults_with_its_address() -> None:
    assert menu("2001:db8::1") == b"menuentry 'Install' { linux $prefix/vmlinuz host=2001:db8::1 }"


@pytest.mark.parametrize("path", ["/boot/vmlinuz", "/grub.cfg.bak", "/"])
def test_other_files_are_left_to_the_store(path: str) -> None:
    assert menu("192.0.2.7", path) is None


def test_without_tables_only_the_address_is_filled_in() -> None:
    assert menu("192.0.2.7", menus='files = ["grub.cfg"]\ntemplate = "$title $address"') == b"$title 192.0.2.7"


# The event observer.

ended = partial(transfer_ended, command="STOR", direction="upload", path="/in/a.txt", moved=5)


def queued(file: Path, *events: Event, most_waiting: int = 100) -> list[dict[str, Any]]:
    """Return what stands in the queue after *events*."""
    queue = plugin("upload_queue").UploadQueue(str(file), most_waiting)
    for event in events:
        queue(event)
    queue.close()
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_the_upload_queue_is_an_event_observer(tmp_path: Path) -> None:
    queue = plugin("upload_queue").UploadQueue(str(tmp_path / "queue"))
    assert verifyObject(IEventObserver, queue)
    queue.close()


def test_a_finished_upload_is_a_line(tmp_path: Path) -> None:
    [row] = queued(tmp_path / "queue", ended())
    assert abs(datetime.fromisoformat(row.pop("time")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert row == {"session": "s1", "account": "ann", "path": "/in/a.txt", "bytes": 5}


@pytest.mark.parametrize(
    "event",
    [
        ended(outcome=Outcome.CANCELLED),
        ended(outcome=Outcome.PEER_FAULT),
        ended(direction="download", command="RETR"),
        ended(direction="listing", command="LIST"),
        LoggedIn(peer=ended().peer, account="ann"),
        FileChanged(peer=ended().peer, account="ann", change="removed", path="/in/a.txt"),
    ],
)
def test_nothing_else_is(tmp_path: Path, event: Event) -> None:
    assert queued(tmp_path / "queue", event) == []


def test_lines_are_in_the_order_of_the_uploads(tmp_path: Path) -> None:
    rows = queued(tmp_path / "queue", *(ended(path=f"/{number}") for number in range(50)))
    assert [row["path"] for row in rows] == [f"/{number}" for number in range(50)]


@pytest.mark.parametrize("name", ['/quote" and \\', "/latin \udce9", "/日本語", "/tab\tand\rreturn\u2028"])
def test_any_name_is_one_line_of_ascii_and_round_trips(tmp_path: Path, name: str) -> None:
    assert [row["path"] for row in queued(tmp_path / "queue", ended(path=name))] == [name]
    assert (tmp_path / "queue").read_bytes().isascii()


def test_a_queue_that_was_taken_is_begun_anew(tmp_path: Path) -> None:
    queued(tmp_path / "queue", ended(path="/1"))
    (tmp_path / "queue").rename(tmp_path / "taken")
    assert [row["path"] for row in queued(tmp_path / "queue", ended(path="/2"))] == ["/2"]


def test_the_queue_is_not_for_everybody_to_read(tmp_path: Path) -> None:
    queued(tmp_path / "queue", ended())
    assert (tmp_path / "queue").stat().st_mode & 0o007 == 0


def test_a_line_that_cannot_be_written_is_in_the_log(tmp_path: Path) -> None:
    with recorded_log() as lines:
        queued(tmp_path / "missing" / "queue", ended())
    assert len(lines) == 1
    assert lines[0].startswith("upload queue lost a line: [Errno 2] No such file or directory")


def test_a_queue_that_is_stuck_is_in_the_log_and_takes_no_more(tmp_path: Path) -> None:
    with recorded_log() as lines:
        assert queued(tmp_path / "queue", ended(), most_waiting=0) == []
    assert lines[0].startswith("upload queue is stuck: /in/a.txt of ann is not in it")


# The verb.


def counting(**files: bytes | None) -> Dialogue:
    tree = {f"/{name}": data for name, data in files.items()}
    return Dialogue(login="ann", files=tree, commands={**standard_commands(), **table([plugin("site_count").site_count])})


def test_site_count_tells_what_a_directory_holds() -> None:
    dialogue = counting(a=b"12345", b=b"", d=None)
    dialogue.says("SITE COUNT").hears(213, "Files: 2; bytes: 5; directories: 1.")
    dialogue.says("SITE COUNT /d").hears(213, "Files: 0; bytes: 0; directories: 0.")


def test_site_count_of_what_is_no_directory_is_550() -> None:
    counting(a=b"12345").says("SITE COUNT a").hears(550).says("SITE COUNT none").hears(550)


def test_site_count_needs_a_login() -> None:
    dialogue = Dialogue(commands={**standard_commands(), **table([plugin("site_count").site_count])})
    dialogue.hears(220).says("SITE COUNT").hears(530)


def test_site_count_needs_the_right_to_list() -> None:
    blind = Account("blind", rules=(Rule(ROOT, Permission.READ),))
    server = Server(accounts=[blind], commands={**standard_commands(), **table([plugin("site_count").site_count])})
    Dialogue(server=server, login="blind").says("SITE COUNT").hears(550)


def test_the_page_on_extending_shows_it_as_it_is() -> None:
    source = (PLUGINS / "site_count.py").read_text()
    assert source[source.index("@command") :] in (PLUGINS.parent / "docs" / "extending.md").read_text()


def test_site_help_tells_of_it() -> None:
    dialogue = counting().says("SITE HELP").hears(214)
    assert " SITE COUNT [directory]" in dialogue.last.lines
