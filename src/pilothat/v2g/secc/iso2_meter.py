"""ISO 15118-2: meter readings in the charging loop, and receipts for them."""

from __future__ import annotations

from dataclasses import replace

from pilothat.frozen import dataclass
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import MeterInfo
from pilothat.v2g.secc.base import Ask, Context

RECEIPT_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Metered:
    """What an answer says of the energy.

    info: None where no meter is told
    asks_receipt: the car must confirm it, signed
    """

    context: Context
    info: MeterInfo | None = None
    asks_receipt: bool = False


def metered(ask: Ask[iso2.Request], meter_id: str, *, wants_receipts: bool) -> Metered:
    """Return the reading, and whether it is time for a receipt: contracts only."""
    context, contract = ask.context, ask.context.contract
    if not meter_id:
        return Metered(context)
    info = MeterInfo(meter_id=meter_id, meter_reading=max(0, int(ask.plant.energy_wh)))
    if contract is None or not wants_receipts:
        return Metered(context, info)
    if contract.sent is not None and ask.now < contract.receipt_at + RECEIPT_EVERY_S:
        return Metered(context, info)
    contract = replace(contract, sent=info, receipt_at=ask.now)
    return Metered(replace(context, contract=contract), info, asks_receipt=True)
