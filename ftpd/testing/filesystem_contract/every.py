"""FilesystemContract: what every store promises that can be written to.

Apart from its parts, each of which is one subject.
"""

from __future__ import annotations

from ftpd.errors import NotADirectory, NotFound
from ftpd.testing.filesystem_contract.directories import DirectoriesContract
from ftpd.testing.filesystem_contract.names import NamesContract
from ftpd.testing.filesystem_contract.trial import path
from ftpd.testing.filesystem_contract.uploads import UploadsContract
from ftpd.values import Account

__all__ = ["FilesystemContract"]


class FilesystemContract(NamesContract, UploadsContract, DirectoriesContract):
    """What every store promises."""

    def test_reads_end_at_the_end(self) -> None:
        self.put("/a", b"0123456789")
        file = self.run(self.ann.open_read(path("/a")))
        assert self.run(file.read_at(0, 4)) == b"0123"
        assert self.run(file.read_at(8, 4)) == b"89"
        assert self.run(file.read_at(10, 4)) == b""
        assert self.run(file.read_at(1000, 4)) == b""
        self.run(file.close())
        self.run(file.close())

    def test_accounts_share_what_is_published(self) -> None:
        self.put("/a", b"x")
        assert self.get("/a", self.bob) == b"x"

    def test_a_confined_account_has_its_home_as_root(self) -> None:
        self.run(self.ann.make_directory(path("/home")))
        guest = self.open("guest", home=path("/home"))
        self.put("/home/a", b"x")
        assert self.get("/a", guest) == b"x"
        self.fails(NotFound, guest.stat(path("/home")))
        assert list(self.entries("/", guest)) == ["a"]

    def test_an_account_that_is_not_confined_sees_all(self) -> None:
        self.run(self.ann.make_directory(path("/home")))
        user = self.open("user", home=path("/home"), is_confined=False)
        assert list(self.entries("/", user)) == ["home"]

    def test_a_home_that_is_a_file_is_refused(self) -> None:
        self.put("/a", b"x")
        self.fails(NotADirectory, self.store.open(Account("guest", home=path("/a"))))

    def test_closing_twice_is_allowed(self) -> None:
        self.run(self.ann.close())
        self.run(self.ann.close())
        self.run(self.store.close())
        self.run(self.store.close())
