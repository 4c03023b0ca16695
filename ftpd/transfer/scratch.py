"""Buffers that every transfer of a thread uses in turn: each is of no interest any more when a step is over."""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["scratch"]

_BYTES: Final = 1024 * 1024


class _Scratch(threading.local):
    """Each thread sees its own; the kernel gives a page of it once it is touched."""

    def __init__(self) -> None:
        self.wire = memoryview(bytearray(_BYTES))
        self.plain = memoryview(bytearray(_BYTES))


scratch: Final = _Scratch()
