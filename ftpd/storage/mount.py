"""Which file systems may hang, network and FUSE ones, and which are this machine's alone, told by their type.

Apart from the store: tables of magic numbers, judged once for each device.
"""

from __future__ import annotations

import os
from typing import Final

from ftpd.disks import Disk, disk_of, file_system_type

__all__ = ["Devices"]

# statfs(2) f_type.  FUSE counts: its server is a process (sshfs, rclone, s3fs) that may stop answering.
_MAY_HANG: Final = frozenset(
    {
        0x6969,  # NFS
        0x517B,  # SMB
        0xFE534D42,  # SMB2
        0xFF534D42,  # CIFS
        0x65735546,  # FUSE
        0x01021997,  # 9P
        0x00C36400,  # Ceph
        0x5346414F,  # OpenAFS
        0x6B414653,  # AFS in the kernel
        0x73757245,  # Coda
        0x564C,  # NCP
        0x01161970,  # GFS2
        0x7461636F,  # OCFS2
        0x0BD00BD0,  # Lustre
        0x19830326,  # BeeGFS
        0x47504653,  # GPFS
        0x786F4256,  # VirtualBox shared folders
        0x0187,  # autofs: the first touch mounts whatever is behind it
    }
)

# What no other machine can mount at the same time, so that the kernel knows of every lock.  What is in neither table may be a network file
# system as well: to take that for a disk of this machine would cost an upload, and the reverse only time.
_OWN: Final = frozenset(
    {
        0xEF53,  # ext2, ext3, ext4
        0x58465342,  # XFS
        0x9123683E,  # Btrfs
        0x2FC12FC1,  # ZFS
        0xCA451A4E,  # bcachefs
        0xF2F52010,  # F2FS
        0x794C7630,  # overlayfs: its locks are its own, whatever it lies on
        0x01021994,  # tmpfs
        0x858458F6,  # ramfs
        0x52654973,  # ReiserFS
        0x3153464A,  # JFS
        0x3434,  # NILFS2
        0x4D44,  # FAT
        0x2011BAB0,  # exFAT
        0x7366746E,  # NTFS
    }
)


class Devices:
    """Remembers of each device whether it may hang.  *setting* is "auto", or "yes" or "no" for all."""

    def __init__(self, setting: str = "auto") -> None:
        self._setting = setting
        self._known: dict[int, bool] = {}
        self._own: dict[int, bool] = {}

    def is_own(self, descriptor: int) -> bool:
        """Whether only this machine uses the device of *descriptor*, an open file of it; False where nobody can say.

        "no" says that a disk does not hang, not that nobody else uses it; "yes" does away with any trust.
        """
        device = os.fstat(descriptor).st_dev
        if device not in self._own:
            self._own[device] = self._setting != "yes" and file_system_type(descriptor) in _OWN
        return self._own[device]

    def disk(self, descriptor: int) -> Disk | None:
        """Return the local disk of *descriptor*, an open file of it; None where it may hang."""
        return None if self.may_hang(descriptor) else disk_of(descriptor)

    def may_hang(self, descriptor: int) -> bool:
        """Judge the device of *descriptor*, an open file of it.  Where the type cannot be told (not Linux), it is taken for local."""
        if self._setting != "auto":
            return self._setting == "yes"
        device = os.fstat(descriptor).st_dev
        if device not in self._known:
            self._known[device] = file_system_type(descriptor) in _MAY_HANG
        return self._known[device]
