"""What every machine that speaks MMEs hears and wants: one message in, one out."""

from __future__ import annotations

from pilothat.frozen import dataclass
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import Frame


@dataclass(frozen=True, slots=True)
class MmeIn:
    """A frame was received."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class SendMme:
    """Send a message to this MAC; the shell adds our own."""

    destination: bytes
    mme: Mme
