"""What every pump promises, as tests to inherit: one kit for those that send, one for those that receive.

    class TestMine(SenderContract):
        def make_pump(self, reactor, connection, file, wanted):
            return MyPump(reactor, connection, file, wanted)

Both run over real TCP on loopback, with a reactor of the test's own: what a kernel says of resets, half-closes and full buffers is what is
to be judged here.  With `line_kind = TLSLine`, of `ftpd.testing.lines`, a kit runs over TLS.  For a pump that has threads work there are `ThreadedSenderContract` and
`ThreadedReceiverContract`; it says in `held_calls` within which functions of `os` its threads can be met.
"""

from __future__ import annotations

from ftpd.testing.pump_contract.receiver import ReceiverContract
from ftpd.testing.pump_contract.sender import SenderContract
from ftpd.testing.pump_contract.threaded import ThreadedReceiverContract, ThreadedSenderContract

__all__ = ["ReceiverContract", "SenderContract", "ThreadedReceiverContract", "ThreadedSenderContract"]
