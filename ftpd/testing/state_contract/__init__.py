"""Every promise of `spi.State`, as tests to inherit.

Public, apart from our own states, so that one of yours proves itself in a few lines::

    class TestMine(SharedStateContract):
        def make_state(self, worker: str) -> State:
            return MyState(self.clock, worker)

`make_state` is called once for each worker of a test, and gives each another view of the same state, which is empty before the first.  A
state that one process has for itself inherits :class:`StateContract`.  `wait` is for states that really wait, and `clock` the time that they go by; that
limits hold between processes, and what a killed one leaves behind, is to be shown besides.
"""

from __future__ import annotations

from ftpd.testing.state_contract.one import StateContract
from ftpd.testing.state_contract.shared import SharedStateContract
from ftpd.testing.state_contract.trial import row

__all__ = ["SharedStateContract", "StateContract", "row"]
