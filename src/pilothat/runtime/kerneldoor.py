"""The door at which the twin's kernel is asked: one packet a call, one its answer."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import struct
import time
from pathlib import Path

from pilothat.board.kernelwire import PACKET_BYTES, REPLY, REQUEST, Call
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.runtime.doors import Caller, Door, Faults
from pilothat.twin.kernel import Kernel, Program

BACKLOG = 4


class ProgramCaller(Caller):
    """A program at the twin's kernel."""

    def __init__(self, connection: socket.socket, program: Program) -> None:
        super().__init__(connection)
        self.program = program


class KernelDoor(Door[ProgramCaller]):
    """Where programs ask the kernel; what they held is free when they are gone."""

    def __init__(
        self, selector: selectors.BaseSelector, path: str, kernel: Kernel
    ) -> None:
        super().__init__(
            selector,
            f"twin of the HAT, {path}",
            lambda: _listening(path),
            lambda connection: ProgramCaller(connection, Program(kernel)),
        )

    def hear(self, caller: ProgramCaller, faults: Faults) -> None:
        """Answer the calls that have come. Raises OSError when the caller has gone."""
        with contextlib.suppress(BlockingIOError):
            packet = caller.connection.recv(PACKET_BYTES)
            if len(packet) < REQUEST.size:
                raise ConnectionResetError
            now = time.monotonic()
            caller.answer(_answer(caller.program, packet, faults, now), faults, now)
            self.send(caller, now)

    def send(self, caller: ProgramCaller, now: float) -> None:
        """Send what is due; a caller that takes none of it has gone."""
        for answer in caller.due(now):
            caller.connection.send(answer)

    def lost(self, caller: ProgramCaller) -> None:
        """Free what the program held."""
        caller.program.end()


def _answer(program: Program, packet: bytes, faults: Faults, now: float) -> bytes:
    """Return the answer to a packet; what the kernel refuses is one, too."""
    number, call, handle, request = REQUEST.unpack_from(packet)
    if DaemonFault.REFUSING in faults:
        return REPLY.pack(number, -errno.EIO)
    data = packet[REQUEST.size :]
    try:
        result, told = program.answer(Call(call), handle, request, data, now)
    except OSError as error:
        return REPLY.pack(number, -(error.errno or errno.EIO))
    except (ValueError, struct.error):  # no call, no text, too short for its head
        return REPLY.pack(number, -errno.EINVAL)
    return REPLY.pack(number, result) + told


def _listening(path: str) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(path)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
