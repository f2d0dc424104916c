"""A serial port that never waits: what has come is read, what fits is sent.

The port is found by its name, which should be one that stays (/dev/serial/by-id/...),
or is the only known adapter there is.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios

from serial import Serial
from serial.tools.list_ports import comports

from pilothat.board.wallboxwire import AUTO
from pilothat.errors import BoardError

BY_ID = "set board.wallbox_port to one of /dev/serial/by-id"
_CC = 6  # where the special characters are in what tcgetattr returns
_CHUNK = 4096
_CHUNKS = 16  # of one reading: more than the kernel keeps
# makers of USB adapters and boards, by the vendor ID of USB
ADAPTERS = {
    0x2341: "Arduino",
    0x2A03: "Arduino",
    0x1A86: "CH340",
    0x0403: "FTDI",
    0x10C4: "CP210x",
}


class SerialPort:
    """An open port."""

    def __init__(self, name: str, serial: Serial) -> None:
        self.name = name
        self._serial = serial
        self._descriptor = serial.fileno()
        self._is_lost = False
        modes = termios.tcgetattr(self._descriptor)
        modes[_CC][termios.VMIN] = 1  # so that nothing and hung up read differently
        termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)

    def read(self) -> bytes:
        """Return all that has come. Raises BoardError when the port is gone."""
        chunks = []
        for _ in range(_CHUNKS):
            try:
                chunk = os.read(self._descriptor, _CHUNK)
            except BlockingIOError:
                break
            except OSError as error:
                raise self._lost(f"the port is gone ({error.strerror})") from error
            if not chunk:  # a terminal that was hung up reads as ended
                raise self._lost("the port is gone")
            chunks.append(chunk)
        return b"".join(chunks)

    def write(self, data: bytes) -> None:
        """Send. Raises BoardError when the port is gone, or takes nothing any more."""
        try:
            sent = os.write(self._descriptor, data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise self._lost(f"the port is gone ({error.strerror})") from error
        if sent < len(data):
            raise self._lost("the port takes nothing any more")

    def wait(self, limit_s: float) -> None:
        """Wait until something has come, or the limit is over."""
        select.select((self._descriptor,), (), (), limit_s)

    def close(self) -> None:
        """Let go; what could not be sent is not waited for once the port is lost."""
        if self._is_lost:
            with contextlib.suppress(termios.error, OSError):
                termios.tcflush(self._descriptor, termios.TCIOFLUSH)
        self._serial.close()

    def _lost(self, what: str) -> BoardError:
        self._is_lost = True
        return BoardError(what, where=self.name, remedy="Look at plug and cable")


def open_port(name: str, baud: int) -> SerialPort:
    """Open a port for us alone. Raises BoardError."""
    found = find() if name == AUTO else name
    try:
        return SerialPort(found, Serial(found, baud, timeout=0, exclusive=True))
    except (OSError, ValueError, termios.error) as error:
        raise BoardError(
            f"cannot open the port ({error})",
            where=found,
            remedy="Is it plugged in, may this user open it (group dialout), "
            "does another program use it?",
        ) from error


def find() -> str:
    """Return the only known adapter. Raises BoardError when there is none, or more."""
    ports = [port for port in comports() if port.vid in ADAPTERS]
    if len(ports) == 1:
        return str(ports[0].device)
    named = ", ".join(f"{port.device} ({ADAPTERS[port.vid]})" for port in ports)
    raise BoardError(
        f"{len(ports)} adapters are plugged in{f': {named}' if named else ''}",
        where="serial ports",
        remedy=f"Plug in one, or {BY_ID}",
    )
