"""The settings of the store on a POSIX disk.

Apart from the store, which makes filesystems that go by them too.
"""

from __future__ import annotations

from typing import Final

import attrs

from ftpd.schema import FileMode, FilePath, Seconds, setting
from ftpd.storage.draft import DEFAULT_FILE_MODE

__all__ = ["DEFAULT_DIRECTORY_MODE", "LocalSettings"]

DEFAULT_DIRECTORY_MODE: Final = 0o777  # as DEFAULT_FILE_MODE


@attrs.frozen
class LocalSettings:
    """The `[storage.local]` table."""

    root: FilePath = setting(FilePath("/srv/ftp"), help="Directory that is served; the homes of accounts lie below it.")
    durable: str = setting(
        "file",
        help="What a success promises after a power cut: nothing, the file's content, or its name in the directory as well.",
        choices=("none", "file", "full"),
    )
    cut_upload: str = setting(
        "keep",
        help="What becomes of an upload cut short: discarded, kept hidden for its account to resume, or published as it is.",
        choices=("discard", "keep", "publish"),
    )
    partial_lifetime: Seconds = setting(Seconds(7 * 86400), help="Kept parts older than this are removed.", unit="s", minimum=60)
    in_place: bool = setting(
        False, help="Write uploads directly under their name, without a staging file; one cut short leaves a partial file."
    )
    file_mode: FileMode = setting(
        FileMode(DEFAULT_FILE_MODE), help="Mode of new files; 0666 leaves it to the umask, any other value is set exactly."
    )
    directory_mode: FileMode = setting(
        FileMode(DEFAULT_DIRECTORY_MODE),
        help="Mode of new directories; 0777 leaves it to the umask, any other value is set exactly.",
    )
    hidden_names: tuple[str, ...] = setting((), help="Patterns (*, ?, [...]) of names that are neither listed nor reachable.")
    symlinks: str = setting(
        "follow",
        help="Symbolic links: followed as far as they stay inside, listed but not followed, or hidden.",
        choices=("follow", "deny", "hide"),
    )
    show_owners: bool = setting(False, help='Show the real names of owners and groups; otherwise all is owned by "ftp".')
    create_homes: bool = setting(False, help="Make an account's home directory at its first login.")
    network_file_system: str = setting(
        "auto",
        help="Whether the disk may hang, so that every call needs a thread; auto: judged by its type.",
        choices=("auto", "yes", "no"),
    )
    storage_timeout: Seconds = setting(Seconds(30), help="How long a call to a disk that may hang can take.", unit="s", minimum=0.1)
