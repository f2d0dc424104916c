"""The rig with the driver by the kernel's interfaces: calls go to the twin's kernel."""

from __future__ import annotations

import errno
import os

from tests.hat.rig import Rig

from pilothat.board.kernelabi import DESCRIPTOR_BYTES, size_of
from pilothat.board.kernelhat import KernelHat
from pilothat.board.kernelio import TwinIo
from pilothat.board.kernelwire import Call
from pilothat.board.revision import Revision
from pilothat.ports import PilotBackend
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.twin.kernel import Kernel, Program

CALL_S = 0.00001  # a Pi's estimate
CONVERSION_S = 0.000034  # clock, and the chip select's pause


class RigIo(TwinIo):
    """The calls of the driver without a socket: at once, for the time they take."""

    def __init__(self, rig: KernelRig) -> None:
        self._rig = rig

    def _ask(
        self, call: Call, handle: int = 0, request: int = 0, data: bytes = b""
    ) -> tuple[int, bytes]:
        rig = self._rig
        if DaemonFault.REFUSING in rig.failures:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        count = size_of(request) // DESCRIPTOR_BYTES if call is Call.TRANSFER else 0
        told = rig.program.answer(call, handle, request, data, rig.now)
        rig.spend(CALL_S + count * CONVERSION_S)
        rig.kernel.spi_ends = rig.now
        return told


class KernelRig(Rig):
    """Guard, driver, kernel, board and car in virtual time."""

    def opened(self, board: Revision) -> PilotBackend:
        """Return the driver."""
        self.kernel = Kernel(self.hat, board, self.daemon.soc)
        self.program = Program(self.kernel)
        return KernelHat(RigIo(self), board, clock=lambda: self.now)
