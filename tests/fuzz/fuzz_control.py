"""Coverage-guided fuzzing of the control channel with atheris: any bytes give replies or a close, and nothing else escapes.

Apart from the hypothesis tests because it runs for as long as one lets it, and needs atheris, which the checks do not:

    pip install atheris
    python tests/fuzz/fuzz_control.py -max_total_time=600 corpus/

Further arguments are libFuzzer's; `corpus/` keeps what reached new code.  The first byte of an input chooses who is logged in, the second
how the rest is cut; what it finds becomes an `@example` in test_session.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

LOGINS: Final = (None, "ann", "anonymous")
FILES: Final = {"/a": b"0123456789\n", "/dir/b": b"", "/dir/sub": None}
REPLIES: Final = re.compile(
    rb"(?:[1-5][0-9]{2} [^\r\n\0]*\r\n|([1-5][0-9]{2})-[^\r\n\0]*\r\n(?: [^\r\n\0]*\r\n)*\1 [^\r\n\0]*\r\n)*"
)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """Cut *data* into pieces of *size*; 0 leaves it whole."""
    step = size or max(1, len(data))
    for start in range(0, len(data), step):
        yield data[start : start + step]


def try_one(data: bytes, escaped: list[Any]) -> None:
    """Feed one session; *escaped* gets every traceback that is logged."""
    from ftpd.testing.dialogue import Dialogue

    if len(data) < 2:
        return
    dialogue = Dialogue(login=LOGINS[data[0] % len(LOGINS)], files=FILES)
    for piece in pieces(data[2:], data[1]):
        dialogue.raw(piece)
    dialogue.hangs_up()
    for port in dialogue.server.ports.given:
        port.expire()
    written = b"".join(dialogue.transport.writes)
    assert REPLIES.fullmatch(written), f"not replies: {written!r}"
    assert not escaped, f"escaped: {escaped}"
    assert dialogue.server.logins == dialogue.server.logouts, "a login was not given back"
    assert not dialogue.server.factory.channels, "a session did not end"


def main() -> None:
    import atheris  # not installed by default

    with atheris.instrument_imports(include=["ftpd"]):
        import ftpd.testing.dialogue  # noqa: F401  # what is imported here is what coverage guides
    from twisted.logger import globalLogPublisher

    escaped: list[Any] = []
    globalLogPublisher.addObserver(lambda event: escaped.append(event) if "log_failure" in event else None)
    atheris.Setup(sys.argv, lambda data: try_one(data, escaped))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
