"""Which session follows the handshake: by the namespace the station has chosen."""

from __future__ import annotations

from pilothat.frozen import dataclass
from pilothat.v2g.evcc.contract import Contract
from pilothat.v2g.evcc.din import DinEvcc
from pilothat.v2g.evcc.handshake import DIN, ISO_2
from pilothat.v2g.evcc.iso2 import Iso2AcEvcc, Iso2DcEvcc, Iso2Session, Paused
from pilothat.v2g.evcc.session import Session
from pilothat.v2g.evcc.settings import Energy, SessionSettings


@dataclass(frozen=True, slots=True)
class Speech:
    """A session and the codec of its messages, a key of ``v2g.messages.SCHEMAS``."""

    codec: str
    session: Session


def speech(
    namespace: str,
    settings: SessionSettings,
    paused: Paused | None = None,
    contract: Contract | None = None,
) -> Speech | None:
    """Return a new session; None for a protocol that is not built.

    paused, contract: the session to join again, and how it is paid; ISO 15118-2 only
    """
    if namespace == DIN:
        return Speech("din", DinEvcc(settings))
    if namespace == ISO_2:
        is_dc = settings.iso2.energy is Energy.DC
        evcc: type[Iso2Session] = Iso2DcEvcc if is_dc else Iso2AcEvcc
        return Speech("iso2", evcc(settings, paused, contract))
    return None
