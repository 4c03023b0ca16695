"""The htpasswd format: `name:hash` lines, read as a whole and rewritten as a whole.

Apart from the checker, because `ftpd passwd` writes the same file without serving anything.  Blocking calls: the server makes them
in the login pool.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import secrets
from collections.abc import Iterator
from typing import Final

import attrs

from ftpd.login.hashing import DEFAULT_COST, cost_of, hash_password
from ftpd.paths import encode_name
from ftpd.regular import open_regular

__all__ = ["BrokenLine", "Signature", "parse", "read", "set_password"]

_MOST_BYTES: Final = 64 * 1024 * 1024  # about 800,000 accounts; a file beyond that is not a password file
_LONGEST_NAME: Final = 255  # bytes, as in htpasswd(1)


class BrokenLine(ValueError):
    """A line of the file cannot be read; the message names file, line and cause, and never the hash."""


@attrs.frozen
class Signature:
    """What tells one content of a file from another without reading it."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def read(os_path: str) -> tuple[Signature, int, dict[bytes, bytes]]:
    """Return the signature, the mode and the entries of a file, all of one moment; raises `OSError` and :class:`BrokenLine`."""
    with open_regular(os_path) as file:
        status = os.fstat(file.fileno())
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise BrokenLine(f"{os_path}: more than {_MOST_BYTES} bytes")
    return Signature.of(status), status.st_mode, parse(content, os_path)


def parse(content: bytes, source: str) -> dict[bytes, bytes]:
    """Return the hash of each name; raises :class:`BrokenLine` with *source* and the number of the first line that cannot be read.

    As htpasswd has it: blank lines and lines that start with `#` say nothing, and what follows a second colon is ignored.  A name
    given twice is an error here, since which of the two passwords counts differs between readers of this format.
    """
    entries: dict[bytes, bytes] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        line = line.removesuffix(b"\r")
        if not line.strip() or line.startswith(b"#"):
            continue
        name, password_hash = _entry(line, f"{source}:{number}")
        if name in entries:
            raise BrokenLine(f"{source}:{number}: the name stands on an earlier line already")
        entries[name] = password_hash
    return entries


def _entry(line: bytes, place: str) -> tuple[bytes, bytes]:
    name, colon, rest = line.partition(b":")
    if not colon or not name:
        raise BrokenLine(f"{place}: not of the form name:hash")
    password_hash = rest.partition(b":")[0].strip()
    try:
        cost_of(password_hash)
    except ValueError as error:
        raise BrokenLine(f"{place}: {error}") from None
    return name, password_hash


def set_password(os_path: str | os.PathLike[str], user: str, password: str, cost: int = DEFAULT_COST) -> bool:
    """Give *user* a new password in the file; return whether the name is new there.

    A missing file is made with mode 0600; an existing one keeps its mode, its owner and every other line, and a reader sees the old
    content or the new one, never a mixture.  A symbolic link stays one.  Raises `ValueError` in words for the user (a name or
    password that the format cannot hold), and `OSError`.
    """
    name = _checked_name(user)
    password_hash = hash_password(encode_name(password), cost)
    target = os.path.realpath(os_path)
    with _only_writer(os.path.dirname(target)) as directory:
        old, status = _content(target)
        lines, is_new = _with_entry(old, name, password_hash)
        _replace(directory, os.path.basename(target), b"".join(lines), status)
    return is_new


def _checked_name(user: str) -> bytes:
    name = encode_name(user)
    if not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError(f"a user name has 1 to {_LONGEST_NAME} bytes, not {len(name)}")
    if name != name.strip() or name.startswith(b"#"):
        raise ValueError("a user name starts neither with # nor with a space, nor ends with one")
    if b":" in name or any(byte < 0x20 or byte == 0x7F for byte in name):
        raise ValueError("a user name contains neither a colon nor control characters")
    return name


@contextlib.contextmanager
def _only_writer(os_directory: str) -> Iterator[int]:
    # The directory is locked, not the file: the file is replaced, and a lock on the old one would guard nothing.
    directory = os.open(os_directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield directory
    finally:
        os.close(directory)


def _content(os_path: str) -> tuple[bytes, os.stat_result | None]:
    try:
        with open_regular(os_path) as file:
            return file.read(), os.fstat(file.fileno())
    except FileNotFoundError:
        return b"", None


def _with_entry(content: bytes, name: bytes, password_hash: bytes) -> tuple[list[bytes], bool]:
    lines = io.BytesIO(content).readlines()
    entry = b"%s:%s\n" % (name, password_hash)
    places = [number for number, line in enumerate(lines) if line.startswith(name + b":")]
    if places:
        lines[places[0]] = entry
        for number in reversed(places[1:]):
            del lines[number]
    else:
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        lines.append(entry)
    return lines, not places


def _replace(directory: int, name: str, content: bytes, old: os.stat_result | None) -> None:
    temporary = f".{secrets.token_hex(8)}.passwd"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            if old is not None:
                _copy_owner_and_mode(file.fileno(), old)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)


def _copy_owner_and_mode(descriptor: int, old: os.stat_result) -> None:
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, old.st_uid, old.st_gid)  # else the server could no longer read what root has written
    os.fchmod(descriptor, old.st_mode & 0o777)
