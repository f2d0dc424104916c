"""ChargeParameterDiscovery of ISO 15118-2: limits, schedule and tariff."""

from __future__ import annotations

from dataclasses import replace

from pilothat.plant import LimitsSaid
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    AcEvChargeParameter,
    DcEvChargeParameter,
    ResponseCode,
    SalesTariff,
)
from pilothat.v2g.messages.xmldsig import Signature
from pilothat.v2g.plant import Learned
from pilothat.v2g.secc import dc, tariff
from pilothat.v2g.secc.base import Context
from pilothat.v2g.secc.contract import Clock, Contracts
from pilothat.v2g.secc.iso2_answers import Told, lasting_s, parameters
from pilothat.v2g.secc.iso2_power import (
    AC_PHASES,
    Iso2Answer,
    Iso2Ask,
    Iso2Settings,
    Power,
    as_kind,
    max_w,
)
from pilothat.v2g.secc.told import parameters_told

Discovery = iso2.ChargeParameterDiscoveryReq


class Parameters:
    """The handler.

    contracts: who signs the tariff of a car that pays by contract; None: nobody
    """

    def __init__(
        self,
        power: Power,
        settings: Iso2Settings,
        clock: Clock,
        contracts: Contracts | None,
    ) -> None:
        self._power = power
        self._settings = settings
        self._clock = clock
        self._contracts = contracts

    def handle(self, ask: Iso2Ask) -> Iso2Answer:
        """Judge what the car can do, and tell it what it can have here."""
        request = as_kind(Discovery, ask)
        if request.requested_energy_transfer_mode not in self._settings.offer.modes:
            return self._power.failed(ask, ResponseCode.FAILED_WrongEnergyTransferMode)
        is_ac = request.requested_energy_transfer_mode in AC_PHASES
        return self._ac(ask, request) if is_ac else self._dc(ask, request)

    def _dc(self, ask: Iso2Ask, request: Discovery) -> Iso2Answer:
        parameter = request.ev_charge_parameter
        if not isinstance(parameter, DcEvChargeParameter):
            return self._power.failed(ask, ResponseCode.FAILED_WrongChargeParameter)
        ev = dc.first_limits(parameter)
        if not dc.is_plausible(ev, ask.plant.ratings):
            return self._power.failed(ask, ResponseCode.FAILED_WrongChargeParameter)
        if ask.plant.fault:
            return self._power.failed(ask, ResponseCode.FAILED)
        context = replace(
            ask.context,
            ev=ev,
            soc_pct=parameter.dc_ev_status.ev_ress_soc,
            target_v=0.0,
            max_w=ask.plant.ratings.max_w,
        )
        answer = self._answer(ask, request, context, parameters_told(parameter))
        return replace(answer, wishes=(LimitsSaid(ev),))

    def _ac(self, ask: Iso2Ask, request: Discovery) -> Iso2Answer:
        parameter = request.ev_charge_parameter
        if not isinstance(parameter, AcEvChargeParameter):
            return self._power.failed(ask, ResponseCode.FAILED_WrongChargeParameter)
        lowest_a, highest_a = parameter.ev_min_current.si, parameter.ev_max_current.si
        if not 0 <= lowest_a <= highest_a or parameter.ev_max_voltage.si <= 0:
            return self._power.failed(ask, ResponseCode.FAILED_WrongChargeParameter)
        if ask.plant.fault:
            return self._power.failed(ask, ResponseCode.FAILED)
        phases = AC_PHASES[request.requested_energy_transfer_mode]
        learned = Learned(
            (
                ("request_wh", f"{parameter.e_amount.si:g}"),
                ("ev_max_a", f"{highest_a:g}"),
            )
        )
        context = replace(ask.context, max_w=max_w(ask, phases))
        return self._answer(ask, request, context, learned)

    def _answer(
        self, ask: Iso2Ask, request: Discovery, context: Context, learned: Learned
    ) -> Iso2Answer:
        lasts_s = lasting_s(request.ev_charge_parameter.departure_time)
        prices = tariff.told(
            self._settings.tariff,
            self._clock.moment(ask.now),
            lasts_s,
            request.max_entries_sa_schedule_tuple,
        )
        prices, signature = self._signed(prices, context)
        phases = AC_PHASES.get(request.requested_energy_transfer_mode, 0)
        told = Told(lasts_s, phases, prices)
        return Iso2Answer(
            parameters(ask.plant, ResponseCode.OK, told),
            context,
            learned=learned,
            signature=signature,
        )

    def _signed(
        self, prices: SalesTariff | None, context: Context
    ) -> tuple[SalesTariff | None, Signature | None]:
        """Return what is told of prices: with a contract, only what is signed."""
        if prices is None or context.contract is None:
            return prices, None
        signature = self._contracts.sign(prices) if self._contracts else None
        return (None, None) if signature is None else (prices, signature)
