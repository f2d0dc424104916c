"""What one EV's sounds look like at our socket: the averages of one run."""

from __future__ import annotations

from pilothat.frozen import dataclass
from pilothat.homeplug.cm import GROUPS

SPARE_PROFILES = 2  # doubles are rare; what comes beyond is ignored
# What real cars took from chargers whose modem measures nothing; all zero is refused.
INVENTED_DB = (9,) * (GROUPS - 3) + (15, 19, 25)


@dataclass(frozen=True, slots=True)
class Report:
    """The contents of a CM_ATTEN_CHAR.IND.

    sounds: what it is made of. aag_db: 58 groups. is_measured: not invented.
    """

    sounds: int
    aag_db: tuple[int, ...]
    is_measured: bool

    @property
    def mean_db(self) -> float:
        """Return the mean of all groups."""
        return sum(self.aag_db) / len(self.aag_db)


class Sounding:
    """Collects sounds and the modem's profiles of one run.

    expected: sounds announced. modem_mac: whose profiles count; None takes the modem
    that is heard first, since the local one is faster than any other on the line.
    """

    def __init__(self, expected: int, modem_mac: bytes | None) -> None:
        self._expected = expected
        self._modem_mac = modem_mac
        self._seen_bits = 0  # one bit for each CNT: a sound may arrive doubled
        self._sums_db = [0] * GROUPS
        self._profiles = 0
        self._empties = 0

    @property
    def sounds(self) -> int:
        """Return how many different sounds left a trace."""
        seen = self._seen_bits.bit_count()
        return min(self._expected, max(seen, self._profiles, self._empties))

    @property
    def is_complete(self) -> bool:
        """Tell whether no more sound is due and the modem has said something.

        A modem that is silent so far may only be late: then the window decides.
        """
        is_modem_heard = self._profiles > 0 or self._empties > 0
        return is_modem_heard and self.sounds >= self._expected

    @property
    def is_full(self) -> bool:
        """Tell whether the modem has said something of every sound."""
        return max(self._profiles, self._empties) >= self._expected

    def add_sound(self, cnt: int) -> None:
        """Take one CM_MNBC_SOUND.IND the host heard itself."""
        self._seen_bits |= 1 << cnt

    def add_profile(self, modem_mac: bytes, aag_db: tuple[int, ...]) -> None:
        """Take one profile; other modems' and malformed ones are ignored."""
        if self._modem_mac is None:
            self._modem_mac = modem_mac
        if modem_mac != self._modem_mac:
            return
        if not aag_db:
            self._empties += 1
        elif len(aag_db) == GROUPS and self._profiles < self._expected + SPARE_PROFILES:
            self._profiles += 1
            self._sums_db = [s + a for s, a in zip(self._sums_db, aag_db, strict=True)]

    def report(self, attn_rx_db: int, *, invents: bool) -> Report | None:
        """Return the averages; None when there is nothing honest to say."""
        count = self._profiles
        if count:
            means = ((2 * total + count) // (2 * count) for total in self._sums_db)
            aag_db = tuple(min(max(mean - attn_rx_db, 0), 255) for mean in means)
            return Report(min(count, self._expected), aag_db, is_measured=True)
        if self.sounds and invents:
            return Report(self.sounds, INVENTED_DB, is_measured=False)
        return None
