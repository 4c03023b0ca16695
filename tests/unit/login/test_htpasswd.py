from __future__ import annotations

import os
import re
import stat

import pytest

from ftpd.login.hashing import hash_password, verify
from ftpd.login.htpasswd import BrokenLine, parse, read, set_password

HASH = b"$2y$04$abcdefghijklmnopqrstuuFfRULlklvlEIYM.Vi1hd.LFo7gfyomi"
OTHER = b"$2b$05$abcdefghijklmnopqrstuuFfRULlklvlEIYM.Vi1hd.LFo7gfyomi"


def test_each_line_is_a_name_and_its_hash():
    assert parse(b"ann:%s\nbob:%s\n" % (HASH, OTHER), "passwd") == {b"ann": HASH, b"bob": OTHER}


def test_comments_blank_lines_crlf_and_a_missing_last_newline_are_read():
    assert parse(b"# staff\n\n  \nann:%s\r\nbob:%s" % (HASH, HASH), "passwd") == {b"ann": HASH, b"bob": HASH}


def test_names_are_bytes_as_they_stand():
    assert parse(b"\xff n\xc3\xa9:%s\n" % HASH, "passwd") == {b"\xff n\xc3\xa9": HASH}


def test_what_follows_a_second_colon_is_ignored():
    assert parse(b"ann:%s:Ann Example\n" % HASH, "passwd") == {b"ann": HASH}


def test_an_empty_file_has_no_names():
    assert parse(b"", "passwd") == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"ann", "passwd:2: not of the form name:hash"),
        (b":" + HASH, "passwd:2: not of the form name:hash"),
        (b"ann:", "passwd:2: not a bcrypt hash ($2y$, $2b$ or $2a$)"),
        (b"ann:secret", "passwd:2: not a bcrypt hash ($2y$, $2b$ or $2a$)"),
        (b"ann:" + HASH[:-1], "passwd:2: not a bcrypt hash ($2y$, $2b$ or $2a$)"),
        (b"ann:" + HASH.replace(b"$04$", b"$31$"), "passwd:2: bcrypt cost 31 is not between 4 and 20"),
        (b"first:" + HASH, "passwd:2: the name stands on an earlier line already"),
    ],
)
def test_a_broken_line_is_named_and_its_content_is_not_shown(line, words):
    with pytest.raises(BrokenLine) as error:
        parse(b"first:%s\n%s\n" % (HASH, line), "passwd")
    assert str(error.value) == words


def test_read_tells_a_replaced_file_from_the_old_one(tmp_path):
    path = tmp_path / "passwd"
    path.write_bytes(b"ann:%s\n" % HASH)
    before, _, _ = read(str(path))
    (tmp_path / "new").write_bytes(b"bob:%s\n" % HASH)
    os.replace(tmp_path / "new", path)
    after, _, entries = read(str(path))
    assert before != after
    assert entries == {b"bob": HASH}


class TestSetPassword:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "passwd"

    def test_a_new_file_is_private_and_holds_the_account(self, path):
        assert set_password(path, "ann", "secret", 4) is True
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        [(name, password_hash)] = parse(path.read_bytes(), "passwd").items()
        assert name == b"ann"
        assert verify(b"secret", password_hash, 4)

    def test_every_other_line_is_kept_as_it_is(self, path):
        path.write_bytes(b"# staff\nbob:{SHA}broken\nann:%s:old\n\nzoe:%s" % (HASH, HASH))
        assert set_password(path, "ann", "secret", 4) is False
        lines = path.read_bytes().split(b"\n")
        assert lines[:2] + lines[3:] == [b"# staff", b"bob:{SHA}broken", b"", b"zoe:" + HASH]
        assert lines[2].startswith(b"ann:$2y$04$")

    def test_an_account_is_added_behind_a_last_line_without_newline(self, path):
        path.write_bytes(b"bob:" + HASH)
        set_password(path, "ann", "secret", 4)
        assert [line.partition(b":")[0] for line in path.read_bytes().split(b"\n")] == [b"bob", b"ann", b""]

    def test_a_name_that_stood_twice_stands_once(self, path):
        path.write_bytes(b"ann:%s\nbob:%s\nann:%s\n" % (HASH, HASH, OTHER))
        set_password(path, "ann", "secret", 4)
        assert list(parse(path.read_bytes(), "passwd")) == [b"ann", b"bob"]

    def test_a_longer_name_that_begins_alike_is_not_touched(self, path):
        path.write_bytes(b"anna:%s\n" % HASH)
        assert set_password(path, "ann", "secret", 4) is True
        assert parse(path.read_bytes(), "passwd")[b"anna"] == HASH

    def test_an_existing_file_keeps_its_mode(self, path):
        path.write_bytes(b"")
        path.chmod(0o640)
        set_password(path, "ann", "secret", 4)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640

    @pytest.mark.skipif(os.geteuid() != 0, reason="machine: only root may give files away")
    def test_an_existing_file_keeps_its_owner(self, path):
        path.write_bytes(b"")
        os.chown(path, 1234, 2345)
        set_password(path, "ann", "secret", 4)
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)

    def test_a_symbolic_link_stays_and_its_target_is_written(self, path, tmp_path):
        target = tmp_path / "target"
        target.write_bytes(b"")
        path.symlink_to(target)
        set_password(path, "ann", "secret", 4)
        assert path.is_symlink()
        assert list(parse(target.read_bytes(), "passwd")) == [b"ann"]

    def test_nothing_is_left_behind(self, path, tmp_path):
        set_password(path, "ann", "secret", 4)
        assert os.listdir(tmp_path) == ["passwd"]

    def test_when_the_rename_fails_the_old_file_stands_and_nothing_is_left_behind(self, path, tmp_path, monkeypatch):
        path.write_bytes(b"bob:%s\n" % HASH)

        def rename(*arguments, **directories):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(OSError, match="No space left"):
            set_password(path, "ann", "secret", 4)
        assert path.read_bytes() == b"bob:%s\n" % HASH
        assert os.listdir(tmp_path) == ["passwd"]

    def test_a_missing_directory_is_an_oserror(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            set_password(tmp_path / "no" / "passwd", "ann", "secret", 4)

    def test_a_name_that_is_not_utf8_goes_in_as_its_bytes(self, path):
        set_password(path, "n\udcff", "secret", 4)
        assert list(parse(path.read_bytes(), "passwd")) == [b"n\xff"]

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("", "a user name has 1 to 255 bytes, not 0"),
            ("é" * 128, "a user name has 1 to 255 bytes, not 256"),
            ("a:b", "a user name contains neither a colon nor control characters"),
            ("a\nb", "a user name contains neither a colon nor control characters"),
            ("a\0b", "a user name contains neither a colon nor control characters"),
            ("a\x7fb", "a user name contains neither a colon nor control characters"),
            ("#ann", "a user name starts neither with # nor with a space, nor ends with one"),
            (" ann", "a user name starts neither with # nor with a space, nor ends with one"),
            ("ann\n", "a user name starts neither with # nor with a space, nor ends with one"),
        ],
    )
    def test_a_name_that_the_format_cannot_hold_is_refused(self, path, name, words):
        with pytest.raises(ValueError, match="^" + re.escape(words) + "$"):
            set_password(path, name, "secret", 4)
        assert not path.exists()

    def test_a_73_byte_password_is_refused_and_the_bytes_are_named(self, path):
        with pytest.raises(ValueError, match=r"^the password is 73 bytes long; bcrypt takes at most 72 bytes$"):
            set_password(path, "ann", "x" * 73, 4)
        assert not path.exists()

    def test_hashes_of_others_are_not_made_again(self, path):
        bobs = hash_password(b"bobs", 4)
        path.write_bytes(b"bob:%s\n" % bobs)
        set_password(path, "ann", "secret", 4)
        assert parse(path.read_bytes(), "passwd")[b"bob"] == bobs
