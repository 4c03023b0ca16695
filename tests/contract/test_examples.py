"""The stores of docs/examples: what each promises, and that each runs as it says."""

from __future__ import annotations

import ftplib
import hashlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from ftpd.errors import NotPermitted, OverQuota
from ftpd.storage.memory import MemoryStore
from ftpd.storage.shared import SharedStore
from ftpd.testing.dialogue import Dialogue

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = CHECKOUT / "docs" / "examples"
SECONDS = 30.0


def example(name):
    """Import the example called *name* as a module."""
    found = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "file", [*sorted(EXAMPLES.glob("*.py")), CHECKOUT / "plugins" / "zip_archive.py"], ids=lambda file: file.name
)
def test_an_example_is_a_hundred_lines_at_most(file):
    assert len(file.read_text().splitlines()) <= 100


# A dictionary.


def dictionary(tree):
    return Dialogue(login="ann", store=SharedStore(example("dictionary_files").DictionaryFiles(tree)))


def test_a_dictionary_is_a_directory_and_bytes_are_a_file():
    client = dictionary({"notes": {"todo": b"Buy milk.\n"}})
    client.says("NLST").hears(150).hears(226).data(b"notes\r\n").says("RETR notes/todo").hears(150).hears(226).data(b"Buy milk.\n")


def test_a_file_that_is_made_is_made_each_time_it_is_read():
    made = ["one"]
    client = dictionary({"made": lambda: " ".join(made).encode()})
    client.says("RETR made").hears(150).hears(226).data(b"one")
    made.append("two")
    client.says("RETR made").hears(150).hears(226).data(b"one two")


def test_a_file_that_is_made_is_not_stored_over():
    tree = {"now": lambda: b"noon"}
    dictionary(tree).says("STOR now").hears(553)
    assert tree["now"]() == b"noon"


def test_an_upload_is_in_the_dictionary_when_it_is_whole():
    tree = {}
    client = dictionary(tree).says("STOR f").hears(150).sends(b"one")
    assert tree == {}
    client.sends(b"two").ends().hears(226)
    assert tree == {"f": b"onetwo"}


def test_an_upload_that_is_cut_changes_nothing():
    tree = {"f": b"old"}
    dictionary(tree).says("STOR f").hears(150).sends(b"new").resets().hears(426)
    assert tree == {"f": b"old"}


def test_the_tree_is_changed_by_its_verbs():
    tree = {"f": b"1", "full": {"g": b"2"}}
    client = dictionary(tree)
    client.says("MKD new").hears(257).says("RNFR f").hears(350).says("RNTO new/f").hears(250).says("DELE full/g").hears(250)
    assert tree == {"full": {}, "new": {"f": b"1"}}
    client.says("RMD full").hears(250).says("RMD new").hears(550).says("DELE new").hears(550).says("MKD new").hears(550)
    assert tree == {"new": {"f": b"1"}}


@pytest.mark.parametrize("name", ["none/f", "g/f", "made", "full"])
def test_a_file_that_cannot_be_moved_stays_what_it_is(name):
    tree = {"f": b"1", "g": b"2", "made": lambda: b"3", "full": {"h": b"4"}}
    before = dict(tree)
    dictionary(tree).says("RNFR f").hears(350).says(f"RNTO {name}").hears(553)
    assert tree == before


def test_a_directory_is_not_moved_into_itself():
    tree = {"a": {}}
    dictionary(tree).says("RNFR a").hears(350).says("RNTO a/b").hears(553)
    assert tree == {"a": {}}


# A drop-box.


class Callback:
    """Tells of what has arrived, and is done when the test says so."""

    def __init__(self):
        self.told = []
        self.done = Deferred()

    async def __call__(self, account, path, files):
        async with await files.open_read(path) as file:
            self.told.append((account.name, str(path), await file.read_at(0, 1000)))
        await self.done


def drop_box(arrived):
    return Dialogue(login="ann", store=example("drop_box").DropBox(MemoryStore(), arrived))


def test_226_comes_when_the_callback_is_done():
    callback = Callback()
    client = drop_box(callback).says("STOR f").hears(150).sends(b"content").ends().hears_nothing()
    assert callback.told == [("ann", "/f", b"content")]
    callback.done.callback(None)
    client.rests().hears(226)


def test_a_callback_that_refuses_is_the_clients_answer_and_nothing_stays():
    callback = Callback()
    client = drop_box(callback).says("STOR f").hears(150).sends(b"content").ends()
    callback.done.errback(OverQuota(None, "The archive is full"))
    client.rests().hears(552, "The archive is full.").stored("/f", None)


def test_a_callback_that_breaks_is_451_and_nothing_stays():
    async def breaks(account, path, files):
        raise ZeroDivisionError

    drop_box(breaks).says("STOR f").hears(150).sends(b"content").ends().hears(451).stored("/f", None)


def test_a_client_that_vanishes_does_not_stop_the_callback():
    callback = Callback()
    client = drop_box(callback).says("STOR f").hears(150).sends(b"content").ends().hangs_up()
    callback.done.callback(None)
    client.rests().stored("/f", b"content")


def test_a_cut_upload_is_nobodys_business():
    callback = Callback()
    drop_box(callback).says("STOR f").hears(150).sends(b"cont").resets().hears(426).stored("/f", None)
    assert callback.told == []


def test_what_has_no_code_once_a_transfer_was_announced_is_451_in_its_words():
    async def refuses(account, path, files):
        raise NotPermitted(path, "Not on Sundays")

    drop_box(refuses).says("STOR f").hears(150).sends(b"x").ends().hears(451, "/f: Not on Sundays.")


# As programs.


@contextmanager
def running(name, *arguments):
    """Start the example and log in."""
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(re.fullmatch(r"listening on port (\d+)\n", process.stdout.readline())[1])
        with ftplib.FTP(timeout=SECONDS) as client:
            client.connect("127.0.0.1", port)
            client.login("ann", "secret")
            yield process, client
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()


def fetched(client, name):
    pieces = []
    client.retrbinary(f"RETR {name}", pieces.append)
    return b"".join(pieces)


def test_the_dictionary_example_runs():
    with running("dictionary_files.py") as (_, client):
        assert fetched(client, "notes/todo") == b"Buy milk.\n"
        client.storbinary("STOR notes/more", io.BytesIO(b"Buy bread.\n"))
        assert sorted(client.nlst("notes")) == ["notes/more", "notes/old", "notes/todo"]
        assert fetched(client, "version") == sys.version.encode()


def test_the_drop_box_example_runs(tmp_path):
    with running("drop_box.py", str(tmp_path)) as (process, client):
        client.storbinary("STOR f", io.BytesIO(b"content"))
        assert process.stdout.readline() == f"ann /f {hashlib.sha256(b'content').hexdigest()}\n"
        with pytest.raises(ftplib.error_perm, match="An empty file is of no use here"):
            client.storbinary("STOR empty", io.BytesIO())
        assert os.listdir(tmp_path) == ["f"]
        with pytest.raises(ftplib.error_perm, match="550"):
            client.delete("f")
