"""What the driver asks of a kernel: this machine's, or a twin's behind a UNIX socket.

Every call is one of the kernel's, and what fails raises OSError with the kernel's own
number. The twin is asked by packets, one a call, each with a number that its answer
repeats: a late or wrong answer ends the connection, and nobody takes it for another.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pilothat.board.kernelabi import GPIO_GET_LINES, SpiMessage, descriptor_of
from pilothat.board.kernelwire import PACKET_BYTES, REPLY, REQUEST, SPI_HEAD, Call
from pilothat.errors import BoardError

REPLY_S = 0.08  # our choice: a dead twin must be noticed within 100 ms

Ioctl = Callable[[int, int, bytearray], int]


class KernelIo(Protocol):
    """Files and devices of one kernel. All calls raise OSError."""

    def names(self, folder: str) -> Sequence[str]:
        """Return what is in a folder."""

    def target(self, link: str) -> str:
        """Return what a symbolic link says."""

    def read(self, path: str) -> str:
        """Return a small file's text without its last newline."""

    def write(self, path: str, text: str) -> None:
        """Write a small file in one piece."""

    def open(self, path: str) -> int:
        """Open a device."""

    def ioctl(self, handle: int, request: int, data: bytes) -> bytes:
        """Make a request; return the data as the kernel left it."""

    def lines(self, chip: int, request: bytes) -> int:
        """Take lines of a chip; return the handle that holds them."""

    def transfer(self, handle: int, message: SpiMessage) -> bytes:
        """Exchange a message on an SPI device; return what came in."""

    def close(self, handle: int) -> None:
        """Let go of a device, or of lines."""

    def wait(self, duration_s: float) -> None:
        """Let time pass."""

    def leave(self) -> None:
        """Let go of everything."""


class MachineIo:
    """The kernel of this machine.

    root:  where its files are; another folder for tests
    ioctl: makes a request
    """

    def __init__(self, root: Path = Path("/"), ioctl: Ioctl = fcntl.ioctl) -> None:
        self._root = root
        self._ioctl = ioctl
        self._handles: set[int] = set()

    def names(self, folder: str) -> Sequence[str]:
        """Return what is in a folder."""
        return sorted(one.name for one in self._path(folder).iterdir())

    def target(self, link: str) -> str:
        """Return what a symbolic link says."""
        return str(self._path(link).readlink())

    def read(self, path: str) -> str:
        """Return a small file's text without its last newline."""
        return self._path(path).read_text(encoding="ascii").rstrip("\n")

    def write(self, path: str, text: str) -> None:
        """Write a small file in one piece; never make one."""
        handle = os.open(self._path(path), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(handle, text.encode("ascii"))
        finally:
            os.close(handle)

    def open(self, path: str) -> int:
        """Open a device."""
        handle = os.open(self._path(path), os.O_RDWR | os.O_CLOEXEC)
        self._handles.add(handle)
        return handle

    def ioctl(self, handle: int, request: int, data: bytes) -> bytes:
        """Make a request; return the data as the kernel left it."""
        changed = bytearray(data)
        self._ioctl(handle, request, changed)
        return bytes(changed)

    def lines(self, chip: int, request: bytes) -> int:
        """Take lines of a chip; return the handle that holds them."""
        handle = descriptor_of(self.ioctl(chip, GPIO_GET_LINES, request))
        self._handles.add(handle)
        return handle

    def transfer(self, handle: int, message: SpiMessage) -> bytes:
        """Exchange a message on an SPI device; return what came in."""
        count = self._ioctl(handle, message.request, message.descriptors)
        if count != len(message.sent):  # what came in may be of an earlier time
            raise OSError(errno.EIO, f"{count} of {len(message.sent)} bytes")
        return message.received

    def close(self, handle: int) -> None:
        """Let go of a device, or of lines."""
        self._handles.discard(handle)
        os.close(handle)

    def wait(self, duration_s: float) -> None:
        """Let time pass."""
        select.select((), (), (), duration_s)

    def leave(self) -> None:
        """Let go of everything."""
        for handle in tuple(self._handles):
            self.close(handle)

    def _path(self, path: str) -> Path:
        return self._root / path.lstrip("/")


class TwinIo:
    """The kernel of a twin."""

    def __init__(self, path: str, reply_s: float = REPLY_S) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise BoardError(
                f"no twin answers ({error.strerror})",
                where=path,
                remedy="Start one: pilothat hat-twin --kernel SOCKET",
            ) from error
        self._socket.settimeout(reply_s)
        self._reply_s = reply_s
        self._number = 0
        self._why_lost = ""

    def names(self, folder: str) -> Sequence[str]:
        """Return what is in a folder."""
        return self._ask(Call.NAMES, data=folder.encode())[1].decode().split("\n")

    def target(self, link: str) -> str:
        """Return what a symbolic link says."""
        return self._ask(Call.TARGET, data=link.encode())[1].decode()

    def read(self, path: str) -> str:
        """Return a small file's text without its last newline."""
        return self._ask(Call.READ, data=path.encode())[1].decode().rstrip("\n")

    def write(self, path: str, text: str) -> None:
        """Write a small file in one piece."""
        self._ask(Call.WRITE, data=f"{path}\0{text}".encode())

    def open(self, path: str) -> int:
        """Open a device."""
        return self._ask(Call.OPEN, data=path.encode())[0]

    def ioctl(self, handle: int, request: int, data: bytes) -> bytes:
        """Make a request; return the data as the kernel left it."""
        return self._ask(Call.IOCTL, handle, request, data)[1]

    def lines(self, chip: int, request: bytes) -> int:
        """Take lines of a chip; return the handle that holds them."""
        return descriptor_of(self.ioctl(chip, GPIO_GET_LINES, request))

    def transfer(self, handle: int, message: SpiMessage) -> bytes:
        """Exchange a message on an SPI device; return what came in."""
        data = SPI_HEAD.pack(message.speed_hz, message.frame_bytes) + message.sent
        return self._ask(Call.TRANSFER, handle, message.request, data)[1]

    def close(self, handle: int) -> None:
        """Let go of a device, or of lines."""
        self._ask(Call.CLOSE, handle)

    def wait(self, duration_s: float) -> None:
        """Let time pass."""
        select.select((), (), (), duration_s)

    def leave(self) -> None:
        """Let go of everything: the twin does it for a connection that ends."""
        self._why_lost = self._why_lost or "closed"
        self._socket.close()

    def _ask(
        self, call: Call, handle: int = 0, request: int = 0, data: bytes = b""
    ) -> tuple[int, bytes]:
        """Return result and data; whatever is odd ends the connection for good."""
        if self._why_lost:
            raise self._lost(self._why_lost)
        self._number += 1
        try:
            self._socket.send(REQUEST.pack(self._number, call, handle, request) + data)
            answer = self._socket.recv(PACKET_BYTES)
        except TimeoutError as error:
            late = f"no answer within {self._reply_s * 1e3:.0f} ms"
            raise self._lost(late) from error
        except OSError as error:
            raise self._lost(f"the twin has gone ({error.strerror})") from error
        if len(answer) < REPLY.size:
            raise self._lost("the twin has gone")
        number, result = REPLY.unpack_from(answer)
        if number != self._number:
            raise self._lost(f"{call.name} got the answer of another")
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result, answer[REPLY.size :]

    def _lost(self, why: str) -> OSError:
        """End the connection; return the error to raise."""
        self._why_lost = why
        self._socket.close()
        return ConnectionAbortedError(errno.ECONNABORTED, why)
