"""What a client says at random, command lines and the places at which a stream of them is cut; and what it finds on the server.

Apart from the tests, in clear and over TLS, which say the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import hypothesis.strategies as st

from ftpd.ftp.commands import KNOWN_VERBS, standard_commands

FILES = {"/a": b"0123456789\n", "/dir/b": b"", "/dir/sub": None}

VERBS = sorted(standard_commands().keys() | KNOWN_VERBS)
PLAIN_ARGUMENTS = (
    b"/|a|dir|dir/b|..|*|-R|-la|[|A|I|ann|anonymous|secret|0|1|2|5|99|ALL|127,0,0,1,20,1|20200102030405 a|600 a|MLST size;|UTF8 ON|TLS|caf\xe9"
).split(b"|")
ARGUMENTS = st.one_of(st.sampled_from([b"", b"|1|127.0.0.1|4000|", b"x" * 300, *PLAIN_ARGUMENTS]), st.binary(max_size=20))
LINES = st.tuples(st.sampled_from(VERBS), ARGUMENTS).map(lambda pair: pair[0] + (b" " + pair[1] if pair[1] else b""))
CUTS = st.lists(st.integers(min_value=0, max_value=1000), max_size=20)


def chunks(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]
