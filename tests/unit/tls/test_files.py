from __future__ import annotations

import os

import pytest

from ftpd.schema import ConfigError, Problem
from ftpd.tls.files import Kept


class Pair:
    """Two files, chain and key, that are good when they say the same."""

    def __init__(self, folder):
        self.chain, self.key = folder / "chain", folder / "key"
        self.chain.write_text("old")
        self.key.write_text("old")
        self.reads = 0

    def read(self):
        self.reads += 1
        try:
            chain, key = self.chain.read_text(), self.key.read_text()
        except OSError as error:
            raise ConfigError([Problem("", "chain", error.strerror, "")]) from error
        if chain != key:
            raise ConfigError([Problem("", "key", f"{key} is not {chain}", "")])
        return chain


@pytest.fixture
def pair(tmp_path):
    return Pair(tmp_path)


@pytest.fixture
def kept(pair):
    return Kept([str(pair.chain), str(pair.key), ""], pair.read)


def look(kept, **options):
    return [str(problem) for problem in kept.take(kept.refresh(**options))]


def test_what_is_broken_from_the_start_is_an_error(pair):
    pair.key.write_text("new")
    with pytest.raises(ConfigError, match="new is not old"):
        Kept([str(pair.chain), str(pair.key)], pair.read)


def test_files_that_have_not_changed_are_not_read(pair, kept):
    assert look(kept) == []
    assert pair.reads == 1


def test_a_change_counts_once_it_is_taken(pair, kept):
    pair.chain.write_text("new!")
    pair.key.write_text("new!")
    found = kept.refresh()
    assert kept.current == "old"
    assert kept.take(found) == ()
    assert kept.current == "new!"


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read(pair, kept):
    status = pair.chain.stat()
    for path in (pair.chain, pair.key):
        other = path.with_suffix(".new")
        other.write_text("NEW")
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(other, path)
    look(kept)
    assert kept.current == "NEW"


def test_a_symbolic_link_that_points_elsewhere_is_a_change(tmp_path, pair):
    (tmp_path / "live").symlink_to(pair.chain)
    kept = Kept([str(tmp_path / "live")], lambda: (tmp_path / "live").read_text())
    (tmp_path / "archive2").write_text("newer")
    (tmp_path / "link").symlink_to(tmp_path / "archive2")
    os.replace(tmp_path / "link", tmp_path / "live")
    look(kept)
    assert kept.current == "newer"


def test_a_swap_seen_halfway_is_not_told(pair, kept):
    pair.chain.write_text("new!")
    assert look(kept) == []
    assert kept.current == "old"
    pair.key.write_text("new!")
    assert look(kept) == []
    assert kept.current == "new!"


def test_what_stays_broken_is_told_at_the_second_look_and_then_no_more(pair, kept):
    pair.chain.write_text("new!")
    assert [look(kept) for _ in range(4)] == [[], ["key: old is not new!"], [], []]
    assert kept.current == "old"


def test_other_words_for_what_is_broken_are_told(pair, kept):
    pair.chain.write_text("new!")
    look(kept)
    look(kept)
    pair.chain.unlink()
    assert look(kept) == ["chain: No such file or directory"]


def test_a_mended_file_that_breaks_again_is_told_again(pair, kept):
    pair.chain.write_text("new!")
    look(kept)
    look(kept)
    pair.key.write_text("new!")
    assert look(kept) == []
    pair.chain.write_text("newer!")
    assert [look(kept), look(kept)] == [[], ["key: new! is not newer!"]]


def test_a_look_that_was_asked_for_tells_at_once_and_every_time(pair, kept):
    pair.chain.write_text("new!")
    assert look(kept, is_asked_for=True) == ["key: old is not new!"]
    assert look(kept, is_asked_for=True) == ["key: old is not new!"]


def test_a_look_that_was_asked_for_reads_what_has_not_changed(pair, kept):
    look(kept, is_asked_for=True)
    assert pair.reads == 2


def test_a_file_that_was_broken_is_read_again_though_it_has_not_changed(pair, kept):
    pair.key.chmod(0o000)  # what its mode says is no part of the signature
    pair.chain.write_text("new!")
    look(kept)
    look(kept)
    assert pair.reads == 3


def test_a_file_that_has_come_back_is_good(pair, kept):
    pair.chain.unlink()
    look(kept)
    pair.chain.write_text("old")
    assert look(kept) == []
    assert kept.current == "old"
