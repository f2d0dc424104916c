"""Scripts inside pigpio's daemon: a small machine with 150 variables, 10 parameters.

A script runs until it waits or ends; parameters can be changed while it runs, which is
how a dead-man script is fed. Commands of the daemon are called through a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pilothat.board.pigpiowire import Cmd, Err, ScriptStatus
from pilothat.frozen import dataclass

VARIABLES, PARAMETERS = 150, 10
BURST = 1_000  # instructions without a wait; then the daemon does something else
Execute = Callable[[Cmd, Sequence[int]], int]

_DAEMON: Mapping[str, tuple[Cmd, int]] = {  # what scripts may call, with its operands
    "W": (Cmd.WRITE, 2),
    "WRITE": (Cmd.WRITE, 2),
    "R": (Cmd.READ, 1),
    "READ": (Cmd.READ, 1),
    "M": (Cmd.MODES, 2),
    "MODES": (Cmd.MODES, 2),
    "MG": (Cmd.MODEG, 1),
    "MODEG": (Cmd.MODEG, 1),
    "PUD": (Cmd.PUD, 2),
    "P": (Cmd.PWM, 2),
    "PWM": (Cmd.PWM, 2),
    "HP": (Cmd.HP, 3),
    "BR1": (Cmd.BR1, 0),
    "BC1": (Cmd.BC1, 1),
    "BS1": (Cmd.BS1, 1),
    "T": (Cmd.TICK, 0),
    "TICK": (Cmd.TICK, 0),
}
_OWN: Mapping[str, int] = {
    "LD": 2, "LDA": 1, "STA": 1, "CMP": 1, "ADD": 1, "SUB": 1, "INR": 1, "DCR": 1,
    "INRA": 0, "DCRA": 0, "JMP": 1, "JZ": 1, "JNZ": 1, "JP": 1, "JM": 1, "TAG": 1,
    "MILS": 1, "MICS": 1, "HALT": 0,
}  # fmt: skip
_JUMPS: Mapping[str, Callable[[int], bool]] = {
    "JMP": lambda _: True,
    "JZ": lambda flag: flag == 0,
    "JNZ": lambda flag: flag != 0,
    "JP": lambda flag: flag >= 0,
    "JM": lambda flag: flag < 0,
}
_WAITS_S: Mapping[str, float] = {"MILS": 1e-3, "MICS": 1e-6}


@dataclass(frozen=True, slots=True)
class Operand:
    """A number, a variable (v) or a parameter (p)."""

    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step."""

    name: str
    operands: tuple[Operand, ...]


class ScriptError(Exception):
    """The text is no script; ``number`` is what the daemon answers."""

    def __init__(self, number: Err) -> None:
        super().__init__(number.name)
        self.number = number


def parse(text: str) -> Sequence[Instruction]:
    """Return the steps of a script. Raises ScriptError."""
    words = iter(text.upper().split())
    steps = []
    for word in words:
        count = _OWN.get(word)
        if count is None:
            if word not in _DAEMON:
                raise ScriptError(Err.BAD_SCRIPT_CMD)
            count = _DAEMON[word][1]
        try:
            operands = tuple(_operand(next(words)) for _ in range(count))
        except (RuntimeError, ValueError) as error:
            raise ScriptError(Err.BAD_SCRIPT) from error
        steps.append(Instruction(word, operands))
    _check_tags(steps)
    return steps


def _operand(word: str) -> Operand:
    kind = word[0] if word[0] in "VP" else ""
    value = int(word[1:] if kind else word, 10 if kind else 0)
    limit = {"V": VARIABLES, "P": PARAMETERS}.get(kind)
    if limit is not None and not 0 <= value < limit:
        raise ValueError(word)
    return Operand(kind, value)


def _check_tags(steps: Sequence[Instruction]) -> None:
    tags = [step.operands[0].value for step in steps if step.name == "TAG"]
    if len(tags) != len(set(tags)):
        raise ScriptError(Err.DUP_TAG)
    used = {step.operands[0].value for step in steps if step.name in _JUMPS}
    if used - set(tags):
        raise ScriptError(Err.BAD_TAG)


class Script:
    """A stored script and where it is."""

    def __init__(self, steps: Sequence[Instruction]) -> None:
        self._steps = steps
        self._tags = {
            step.operands[0].value: place
            for place, step in enumerate(steps)
            if step.name == "TAG"
        }
        self._variables = [0] * VARIABLES
        self.parameters = [0] * PARAMETERS
        self.status = ScriptStatus.HALTED
        self.resumes_at: float | None = None
        self._place = self._value = self._flag = 0

    def start(self, parameters: Sequence[int], now: float) -> None:
        """Run from the first step, at once."""
        self.update(parameters)
        self._place = self._value = self._flag = 0
        self.status, self.resumes_at = ScriptStatus.RUNNING, now

    def update(self, parameters: Sequence[int]) -> None:
        """Change the first parameters."""
        self.parameters[: len(parameters)] = parameters

    def stop(self) -> None:
        """Halt."""
        self.status, self.resumes_at = ScriptStatus.HALTED, None

    def run(self, execute: Execute, now: float) -> None:
        """Go on, when it is time, until the script waits or ends."""
        for _ in range(BURST):
            if self.resumes_at is None or now < self.resumes_at:
                return
            if self._place >= len(self._steps):
                self.stop()
                return
            step = self._steps[self._place]
            self._place += 1
            self._perform(step, execute)

    def _perform(self, step: Instruction, execute: Execute) -> None:
        name = step.name
        if name in _DAEMON:
            command = _DAEMON[name][0]
            self._set(execute(command, [self._of(one) for one in step.operands]))
        elif name in _JUMPS:
            if _JUMPS[name](self._flag):
                self._place = self._tags[step.operands[0].value]
        elif name in _WAITS_S:
            wait_s = self._of(step.operands[0]) * _WAITS_S[name]
            self.resumes_at = (self.resumes_at or 0.0) + wait_s
        elif name == "HALT":
            self.stop()
        else:
            self._compute(name, step.operands)

    def _compute(self, name: str, operands: Sequence[Operand]) -> None:
        match name:
            case "LD":
                self._store(operands[0], self._of(operands[1]))
            case "LDA":
                self._value = self._of(operands[0])
            case "STA":
                self._store(operands[0], self._value)
            case "CMP":
                self._flag = self._value - self._of(operands[0])
            case "ADD" | "SUB":
                sign = 1 if name == "ADD" else -1
                self._set(self._value + sign * self._of(operands[0]))
            case "INRA" | "DCRA":
                self._set(self._value + (1 if name == "INRA" else -1))
            case "INR" | "DCR":
                self._flag = self._of(operands[0]) + (1 if name == "INR" else -1)
                self._store(operands[0], self._flag)

    def _set(self, value: int) -> None:
        self._value = self._flag = value

    def _of(self, operand: Operand) -> int:
        if operand.kind == "V":
            return self._variables[operand.value]
        return self.parameters[operand.value] if operand.kind else operand.value

    def _store(self, operand: Operand, value: int) -> None:
        place = self._variables if operand.kind == "V" else self.parameters
        place[operand.value] = value
