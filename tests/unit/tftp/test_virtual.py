"""Virtual files: what a program makes up reads as any file."""

from __future__ import annotations

from ftpd.testing.fakes import finish
from ftpd.tftp.virtual import VirtualFile


def test_virtual_file_is_read_as_any_other():
    file = VirtualFile("grub.cfg", b"0123456789")
    assert (file.info.name, file.info.size, file.descriptor()) == ("grub.cfg", 10, None)
    assert finish(file.read_at(2, 3)) == b"234"
    assert finish(file.read_at(8, 100)) == b"89"
    assert finish(file.read_at(10, 1)) == b""


def test_virtual_file_shares_its_frames_with_no_other():
    assert VirtualFile("grub.cfg", b"for one client").info.unique == ""
