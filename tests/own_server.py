"""A server of the test's own: what it does with a connection is the test's.

Apart from the real server, which does nothing wrong; the tools that are clients have to bear with those that do.
"""

from __future__ import annotations

import socket as sockets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PATIENCE = 20.0  # seconds


@contextmanager
def serving(act: Callable[[sockets.socket], None], most_clients: int = 1) -> Iterator[int]:
    """Serve clients by *act*, one after the other, in a thread, and read on until each is gone; yields the port."""
    listener = sockets.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE)

    def serve() -> None:
        with suppress(OSError):  # the listener is shut
            for _ in range(most_clients):
                connection, _ = listener.accept()
                with connection, suppress(OSError):  # the client may be gone at any time
                    connection.settimeout(PATIENCE)
                    act(connection)
                    while connection.recv(65536):
                        pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):  # nobody is connected
            listener.shutdown(sockets.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE)
