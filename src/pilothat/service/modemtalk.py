"""Hold a conversation with modems on an interface: the shell of ``plc.dialogue``."""

from __future__ import annotations

import contextlib
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TypeVar

from pilothat.errors import PilotHatError
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.frame import build, parse
from pilothat.plc.dialogue import Dialogue, DialogueAction, Ended, Script, Tell
from pilothat.runtime import netwatch
from pilothat.runtime.plcport import PlcPort

Result = TypeVar("Result")
BAR = 30  # characters
NOTICE_S = 0.05  # how soon Ctrl-C is noticed


class Progress:
    """Show on standard error how far it went; remember whether it may stop."""

    def __init__(self) -> None:
        self.may_stop = True
        self._is_open = False

    def show(self, told: Tell) -> None:
        """Take a report; a line is drawn anew while it counts."""
        self.may_stop = told.may_stop
        if told.total:
            filled = BAR * told.done // told.total
            bar = "#" * filled + "." * (BAR - filled)
            text = f"{told.what} [{bar}] {told.done}/{told.total} bytes"
        elif told.done:
            text = f"{told.what} {told.done} bytes"
        else:
            self.close()
            text = f"{told.what} ..."
        sys.stderr.write(f"\r{text}" if told.done else f"{text}\n")
        sys.stderr.flush()
        self._is_open = bool(told.done)

    def close(self) -> None:
        """End a line that is drawn."""
        if self._is_open:
            sys.stderr.write("\n")
        self._is_open = False


def say(line: str) -> None:
    """Print a line at once, so that a pipe sees it too."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def converse(interface: str, script: Script[Result]) -> Result:
    """Run a script on an interface; return its result.

    Ctrl-C ends it where the modem is as it was; later it waits for the end. Raises
    PilotHatError.
    """
    progress = Progress()
    with contextlib.closing(PlcPort(interface)) as port, _deferred() as was_asked:
        shell = _Shell(port, netwatch.find(interface).mac, progress)
        dialogue = Dialogue(script, shell.host_mac, time.monotonic())
        try:
            while not shell.turn(dialogue):
                if was_asked() and progress.may_stop:
                    raise PilotHatError("stopped, nothing was changed", where=interface)
        finally:
            progress.close()
    return dialogue.results[0]


class _Shell:
    """Carry frames between a port and a dialogue."""

    def __init__(self, port: PlcPort, host_mac: bytes, progress: Progress) -> None:
        self.host_mac = host_mac
        self._port = port
        self._progress = progress

    def turn(self, dialogue: Dialogue[Result]) -> bool:
        """Do what is due, wait a little; tell whether it has ended."""
        if self._perform(dialogue.tick(time.monotonic())):
            return True
        for raw in self._port.take():
            frame = parse(raw)
            if frame is not None and self._perform(
                dialogue.handle(MmeIn(frame), time.monotonic())
            ):
                return True
        deadline = dialogue.deadline
        left_s = 0.0 if deadline is None else deadline - time.monotonic()
        select.select([self._port], (), (), max(0.0, min(left_s, NOTICE_S)))
        return False

    def _perform(self, actions: Sequence[DialogueAction]) -> bool:
        for action in actions:
            match action:
                case SendMme(destination, mme):
                    self._port.send(build(destination, self.host_mac, mme))
                case Tell():
                    self._progress.show(action)
                case Ended(error):
                    if error is not None:
                        raise error
                    return True
        return False


@contextlib.contextmanager
def _deferred() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C and SIGTERM instead of obeying them at once."""
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield lambda: bool(noted)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
