"""What a car tells in passing and people want to know: charge, limits, errors."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from pilothat.v2g.plant import Learned
from pilothat.v2g.secc.base import Context
from pilothat.v2g.secc.dc import Quantity

NO_ERROR = "NO_ERROR"


class EvStatus(Protocol):
    """DC_EVStatus of DIN and of ISO 15118-2."""

    @property
    def ev_ress_soc(self) -> int: ...
    @property
    def ev_error_code(self) -> Enum: ...


class Parameter(Protocol):
    """DC_EVChargeParameter of DIN and of ISO 15118-2."""

    @property
    def dc_ev_status(self) -> EvStatus: ...
    @property
    def ev_maximum_voltage_limit(self) -> Quantity: ...
    @property
    def ev_maximum_current_limit(self) -> Quantity: ...
    @property
    def ev_maximum_power_limit(self) -> Quantity | None: ...
    @property
    def ev_energy_capacity(self) -> Quantity | None: ...
    @property
    def ev_energy_request(self) -> Quantity | None: ...


def parameters_told(parameter: Parameter) -> Learned:
    """Tell limits and battery."""
    optional = (
        ("ev_max_w", parameter.ev_maximum_power_limit),
        ("capacity_wh", parameter.ev_energy_capacity),
        ("request_wh", parameter.ev_energy_request),
    )
    return Learned(
        (
            ("soc_pct", str(parameter.dc_ev_status.ev_ress_soc)),
            ("ev_max_v", f"{parameter.ev_maximum_voltage_limit.si:g}"),
            ("ev_max_a", f"{parameter.ev_maximum_current_limit.si:g}"),
            *((name, f"{value.si:g}") for name, value in optional if value),
        )
    )


def loop_told(context: Context, status: EvStatus) -> Learned | None:
    """Tell what has changed; most requests tell nothing new."""
    news = []
    if status.ev_ress_soc != context.soc_pct:
        news.append(("soc_pct", str(status.ev_ress_soc)))
    if status.ev_error_code.name != NO_ERROR:
        news.append(("ev_error", status.ev_error_code.name))
    return Learned(tuple(news)) if news else None
