"""A machine that boots from the network: QEMU, whose network card has iPXE in its ROM, and the program that it boots.

Apart from the test, which says what it is offered.  Its card hangs on the far end of the test's own network by a relay of frames, which needs
no device of the host's, and notes what the machine asks for.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.integration.live import SECONDS
from tests.integration.network import Network

__all__ = ["BOOTED", "TFTP_PORT", "BootingMachine", "boot_program"]

BOOTED: Final = 33  # QEMU's exit code for 16 at the port of isa-debug-exit; 35 is for 17
_LOADED_AT: Final = 0x7C00  # where the BIOS and PXE put a boot program (PXE 2.1, 2.2.4)
_DEBUG_PORT: Final = 0xE9
_EXIT_PORT: Final = 0x501
TFTP_PORT: Final = 69  # the only one that firmware knows
_MEMORY: Final = "64"  # MiB
_FRAME_BYTES: Final = 65536


class BootingMachine:
    """A machine that is switched on; *program* finds QEMU.  What its boot program says goes to `said` in *folder*."""

    def __init__(self, program: Callable[[str], str], network: Network, folder: Path) -> None:
        self._output = folder / "said"
        card, plug = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._cable = _Cable(network.frames(), plug)
        with card:
            self._process = subprocess.Popen(
                [
                    program("qemu-system-x86_64"),
                    *("-accel", "tcg", "-machine", "pc", "-m", _MEMORY, "-nodefaults", "-display", "none", "-boot", "n"),
                    *("-netdev", f"socket,id=network,fd={card.fileno()}", "-device", "virtio-net-pci,netdev=network"),
                    *("-debugcon", f"file:{self._output}"),
                    *("-device", f"isa-debug-exit,iobase={_EXIT_PORT},iosize=1"),
                ],
                pass_fds=[card.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    @property
    def said(self) -> str:
        return self._output.read_text("ascii")

    @property
    def requests(self) -> list[bytes]:
        """The TFTP requests that it has sent, whole datagrams."""
        return self._cable.requests

    def run(self) -> int:
        """Wait until it is switched off; return QEMU's exit code."""
        self._process.wait(SECONDS)
        return self._process.returncode

    def close(self) -> None:
        """Switch it off, if it is not."""
        self._process.kill()
        self._process.wait()
        self._cable.close()


class _Cable:
    """Carries frames between two sockets, in a thread of its own."""

    def __init__(self, network: socket.socket, plug: socket.socket) -> None:
        self.requests: list[bytes] = []
        self._network = network
        self._plug = plug
        self._ending, self._end = os.pipe()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def close(self) -> None:
        os.close(self._end)
        self._thread.join()
        os.close(self._ending)
        self._network.close()
        self._plug.close()

    def _carry(self) -> None:
        poll = select.poll()
        for descriptor in (self._network.fileno(), self._plug.fileno(), self._ending):
            poll.register(descriptor, select.POLLIN)
        while self._ending not in (ready := {descriptor for descriptor, _ in poll.poll()}):
            if self._network.fileno() in ready:
                self._carry_in()
            if self._plug.fileno() in ready and not self._carry_out():
                poll.unregister(self._plug)

    def _carry_in(self) -> None:
        frame, (_, _, kind, *_) = self._network.recvfrom(_FRAME_BYTES)
        if kind != socket.PACKET_OUTGOING:
            with contextlib.suppress(OSError):  # a card that is full, or gone (ENOTCONN), drops what comes
                self._plug.send(frame, socket.MSG_DONTWAIT)

    def _carry_out(self) -> bool:
        """Carry one frame of the machine's; whether there may be more."""
        frame = self._plug.recv(_FRAME_BYTES)
        if frame:
            self._note(frame)
            self._network.send(frame)
        return bool(frame)

    def _note(self, frame: bytes) -> None:
        if frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP:
            start = 14 + 4 * (frame[14] & 0x0F)
            _, port, size = struct.unpack_from(">HHH", frame, start)
            if port == TFTP_PORT:
                self.requests.append(frame[start + 8 : start + size])


def boot_program(text: str, size: int) -> bytes:
    """Return a program of about *size* bytes, 30,000 at most, that says *text* and switches off with `BOOTED`.

    Most of it is noise, which it adds up before: where a byte is missing or another, it says nothing and switches off with 35.
    """
    noise = random.Random(text).randbytes(size)
    code_at = _LOADED_AT + 3 + size
    text_at = code_at + len(_code(0, size, 0))
    return b"\xe9" + struct.pack("<H", size) + noise + _code(text_at, size, _sum(noise)) + text.encode("ascii") + b"\0"  # jmp code


def _code(text_at: int, size: int, expected: int) -> bytes:
    return b"".join(
        [
            b"\xfa\xfc\x31\xc0\x8e\xd8\x31\xdb",  # cli; cld; xor ax, ax; mov ds, ax; xor bx, bx
            struct.pack("<BHBH", 0xBE, _LOADED_AT + 3, 0xB9, size),  # mov si, noise; mov cx, size
            b"\xac\x01\xc3\xd1\xc3\xe2\xf9",  # more: lodsb; add bx, ax; rol bx, 1; loop more
            struct.pack("<BBH", 0x81, 0xFB, expected),  # cmp bx, expected
            b"\xb0\x11\x75\x0e",  # mov al, 17; jne off
            struct.pack("<BH", 0xBE, text_at),  # mov si, text
            b"\xac\x84\xc0\x74\x04\xe6",  # next: lodsb; test al, al; jz done; out ...
            struct.pack("<B", _DEBUG_PORT),  # ... debug port, al
            b"\xeb\xf7\xb0\x10",  # jmp next; done: mov al, 16
            struct.pack("<BH", 0xBA, _EXIT_PORT),  # off: mov dx, exit port
            b"\xee\xf4",  # out dx, al; hlt
        ]
    )


def _sum(noise: bytes) -> int:
    """Add up as the program does."""
    total = 0
    for byte in noise:
        total = (total + byte) & 0xFFFF
        total = (total << 1 | total >> 15) & 0xFFFF
    return total
