"""Random bytes from a seed: the same on every machine and in every version."""

from __future__ import annotations

from hashlib import sha256


class Chance:
    """Bytes, numbers and choices that follow from a seed and a name alone."""

    def __init__(self, seed: int, name: str) -> None:
        self._key = f"{seed}/{name}/".encode()
        self._block = 0
        self._left = b""

    def __call__(self, count: int) -> bytes:
        """Return that many bytes."""
        while len(self._left) < count:
            self._left += sha256(self._key + self._block.to_bytes(8, "big")).digest()
            self._block += 1
        given, self._left = self._left[:count], self._left[count:]
        return given

    def share(self) -> float:
        """Return a number from 0 up to but not including 1."""
        return int.from_bytes(self(6), "big") / (1 << 48)

    def between(self, low: float, high: float) -> float:
        """Return a number between two others."""
        return low + (high - low) * self.share()

    def below(self, count: int) -> int:
        """Return a whole number from 0 up to but not including ``count``."""
        return int(self.share() * count)
