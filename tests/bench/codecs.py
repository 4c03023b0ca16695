"""The codecs of TYPE, STRU and MODE by themselves: megabytes of a file a second, both ways.  `python -m tests.bench.codecs [AFS ...]`

Apart from the measures, which have a server and a network: here nothing else moves, so that a codec that has become slower shows.  The rows are those of
docs/representations.md.
"""

from __future__ import annotations

import itertools
import random
import string
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ftpd import spi
from ftpd.ftp.wire.conversion import incoming, outgoing
from ftpd.ftp.wire.form import Form, Mode, Representation, Structure
from ftpd.values import Mark

PIECE_BYTES = 256 * 1024  # what a pump hands over
FILE_BYTES = 8 * 1024 * 1024
ROUNDS = 5  # of which the best counts: others use the same caches


def text() -> bytes:
    """Lines of 60 bytes, of words."""
    numbers = random.Random(1)
    words = ["".join(numbers.choices(string.ascii_lowercase, k=numbers.randint(2, 9))) for _ in range(2000)]
    return b"".join([" ".join(numbers.choices(words, k=40)).encode()[:59] + b"\n" for _ in range(FILE_BYTES // 60)])


def indented() -> bytes:
    """Program text."""
    source = Path(spi.__file__).read_bytes()
    return source * (FILE_BYTES // len(source))


FILES = {"text": text(), "indented": indented(), "random": random.Random(1).randbytes(FILE_BYTES)}


def moved(conversion: spi.Conversion, data: bytes) -> Iterator[bytes | Mark]:
    for start in range(0, len(data), PIECE_BYTES):
        yield from conversion.convert(data[start : start + PIECE_BYTES])
    if not conversion.is_complete:
        yield from conversion.end()


def timed(parts: Iterable[bytes | Mark]) -> tuple[float, bytes]:
    began = time.thread_time()  # of this thread's processor: wall time would count whoever else is at work
    kept = [part for part in parts if isinstance(part, bytes)]
    return time.thread_time() - began, b"".join(kept)


def rates(form: Form, content: bytes) -> str:
    """Return the megabytes of *content* a second, of a download and of an upload."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        out, back = outgoing(form, 0), incoming(form)
        assert out is not None
        assert back is not None
        spent, wire = timed(moved(out, content))
        seconds[0].append(spent)
        seconds[1].append(timed(moved(back, wire))[0])
    return " / ".join([f"{len(content) / min(spent) / 1e6:.0f}" for spent in seconds])


def main(wanted: list[str]) -> None:
    print("| form |", " | ".join(FILES), "|\n|---|---|---|---|")
    for letters in map("".join, itertools.product("AEI", "FR", "SBCZ")):
        form = Form(Representation(letters[0]), Structure(letters[1]), Mode(letters[2]))
        if form.is_converted and (not wanted or letters in wanted):
            print(f"| {letters} |", " | ".join([rates(form, content) for content in FILES.values()]), "|", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
