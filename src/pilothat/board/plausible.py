"""What a reading of the board must keep to be believed.

Two rails, each read now and then; and CP read twice by different ways: held behind its
gates, and raw at chance moments, of which the highest of many must be the level. A hold
whose gate never opens leaks from one state into the next; so the raw readings must see
the high half wave now and then, before a hold can leak from B to C (some 0.4 s).
"""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.board.revision import Revision
from pilothat.board.transfer import Scale
from pilothat.pilot.levels import LOW_MISSING_V, PilotSample

RAILS_BAD = 3  # readings in a row
RAW_COUNT = 1_000  # 0.3 s; at chance, all miss 30 us of a millisecond once in 1e13
RAW_BAD = 2  # such counts in a row


class RailCheck:
    """One rail; complains when it is out of tolerance for some readings."""

    def __init__(
        self, name: str, nominal_v: float, tolerance: float, scale: Scale
    ) -> None:
        self._name = name
        self._nominal_v = nominal_v
        self._margin_v = abs(nominal_v) * tolerance
        self._scale = scale
        self._bad = 0

    def take(self, code: int) -> str:
        """Take a reading; return a complaint, or nothing."""
        volts = self._scale.volts(code)
        is_bad = abs(volts - self._nominal_v) > self._margin_v
        self._bad = self._bad + 1 if is_bad else 0
        if self._bad < RAILS_BAD:
            return ""
        return f"the {self._name} rail is at {volts:.2f} V, not {self._nominal_v:.2f} V"


class RawCheck:
    """The raw input against the holds."""

    def __init__(self, revision: Revision) -> None:
        self._revision = revision
        self._sample = PilotSample(0.0, None)
        self._highest = self._lowest = self._count = self._bad = 0
        self._unseen = 0  # readings since the last of the high half wave
        self._raw = revision.channels.cp_raw
        self._low_code = revision.cp_code(LOW_MISSING_V, self._raw)

    def take(self, sample: PilotSample, codes: Sequence[int]) -> str:
        """Take a sample of the holds and raw codes; return a complaint, or nothing."""
        self._unseen += len(codes)
        if sample.low_v is None or max(codes) > self._low_code:
            self._unseen = 0
        if self._unseen >= RAW_COUNT:
            return f"PWM has no high half wave in {self._unseen} raw readings"
        if not self._stands(sample):
            self._bad = self._count = 0
        if self._count == 0:
            self._sample, self._highest, self._lowest = sample, codes[0], codes[0]
        self._highest = max(self._highest, *codes)
        self._lowest = min(self._lowest, *codes)
        self._count += len(codes)
        if self._count < RAW_COUNT:
            return ""
        self._count = 0
        wrong = self._compare(sample)
        self._bad = self._bad + 1 if wrong else 0
        return wrong if self._bad >= RAW_BAD else ""

    def _stands(self, sample: PilotSample) -> bool:
        was, noise_v = self._sample, self._revision.limits.noise_v
        if (sample.low_v is None) is not (was.low_v is None):
            return False
        moved_v = abs((sample.low_v or 0.0) - (was.low_v or 0.0))
        return max(moved_v, abs(sample.high_v - was.high_v)) <= noise_v

    def _compare(self, sample: PilotSample) -> str:
        margin_v = self._revision.limits.raw_margin_v
        highest_v = self._revision.cp_v(self._highest, self._raw)
        lowest_v = self._revision.cp_v(self._lowest, self._raw)
        low_v = sample.high_v if sample.low_v is None else sample.low_v
        for held_v, raw_v in ((sample.high_v, highest_v), (low_v, lowest_v)):
            if abs(held_v - raw_v) > margin_v:
                return f"CP is {held_v:.2f} V behind its gate and {raw_v:.2f} V raw"
        return ""
