"""Checks on MFCT (draft-somers-ftp-mfxx 4), by the fact that it sets, create (RFC 3659 7.5.4).

Apart from the facts that are only read.  A draft has no number, and binds nobody: who keeps to something else is remarked on.
"""

from __future__ import annotations

import re
from typing import Final

from ftpd.conformance.check import check
from ftpd.conformance.conversation import shown
from ftpd.conformance.finding import demand, lacking
from ftpd.conformance.probe import Probe
from ftpd.conformance.run import FIXTURE
from ftpd.dialogue.control import Heard

_CREATED: Final = "19980615100045"  # the draft's own example
_REPLY: Final = re.compile(r"create=([0-9]{14}(?:\.[0-9]+)?); (.+)", re.IGNORECASE)
_NO_SUCH_TIME: Final = 504  # where the disk keeps none that could be set


@check(3659, "7.5.4", writes=True, is_advice=True)
def mfct_sets_the_fact_create(probe: Probe) -> None:
    """MFCT (draft-somers-ftp-mfxx 4) is answered by 213, Create=, the time, and the path; MLST tells that time."""
    heard = _mfct(probe, f"MFCT {_CREATED} {FIXTURE}")
    demand(heard.code == 213, f"MFCT is answered by {heard.code}, not by 213")
    told = _REPLY.fullmatch(heard.text)
    demand(told, f"it is {shown(heard.lines[-1])}")
    assert told is not None
    demand(told[1][:14] == _CREATED, f"{_CREATED} is asked for, and {told[1]} told")
    demand(told[2].endswith(FIXTURE), f"the path is {told[2][:80]!a}")
    facts = probe.tells(f"MLST {FIXTURE}", 250).raw.decode("utf-8", "surrogateescape")
    shows = re.search(r"[ ;]create=([0-9]{14})", facts, re.IGNORECASE)
    if shows is None:
        lacking("MLST has no fact create")
    demand(shows[1] == _CREATED, f"MFCT has set {_CREATED}, and MLST tells {shows[1]}")


@check(3659, "7.5.4", is_advice=True)
def mfct_of_what_is_missing_is_550(probe: Probe) -> None:
    """MFCT of what is not there is refused with 550."""
    heard = _mfct(probe, f"MFCT {_CREATED} missing-8c1d")
    demand(heard.code >= 400, f"it is answered by {heard.code}, as if it were right")
    demand(heard.code == 550, f"it is refused with {heard.code}")


def _mfct(probe: Probe, line: str) -> Heard:
    heard = probe.offered(line)
    if heard.code == _NO_SUCH_TIME:
        lacking(f"MFCT is refused with {_NO_SUCH_TIME}: the time of creation cannot be set here")
    return heard
