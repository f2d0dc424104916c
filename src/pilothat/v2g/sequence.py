"""Which request is legal when. Data only: code, diagrams and tests read these tables.

A row says: in ``state`` the request ``request`` is legal; when its handler is done the
session is in ``then``, as long as it is not it stays. A row with a ``quirk`` is legal
only where that tolerance is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from pilothat.frozen import dataclass
from pilothat.v2g.quirks import Quirk


class State(Enum):
    """What a session waits for, or ENDED; each standard has its own, named so."""

    __hash__ = object.__hash__  # Enum's is slow, and every loop asks for it


class DinState(State):
    """DIN SPEC 70121, named by what is waited for (v2g_din.md, section 2)."""

    SETUP = "session setup"
    DISCOVERY = "service discovery"
    PAYMENT = "payment selection"
    AUTHORISATION = "authorisation"
    PARAMETERS = "charge parameters"
    CABLE_CHECK = "cable check"
    PRECHARGE = "precharge"
    PRECHARGING = "precharging"
    STARTED = "power delivery on"
    CHARGING = "charging"
    POWER_OFF = "power delivery off"
    WELDING = "welding detection"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Row:
    """One legal request.

    request: the message without its Req
    variant: tells forms of one request apart, such as power on and off
    receipt: where the session goes instead if the answer asks for a receipt
    """

    state: State
    request: str
    then: State
    variant: str = ""
    quirk: Quirk | None = None
    receipt: State | None = None


_S = DinState
_OFF = "off"
_BEFORE_POWER = (_S.AUTHORISATION, _S.PARAMETERS, _S.CABLE_CHECK, _S.PRECHARGE)
_STOPPABLE = (
    _S.DISCOVERY,
    _S.PAYMENT,
    _S.AUTHORISATION,
    _S.PARAMETERS,
    _S.CABLE_CHECK,
    _S.PRECHARGE,
    _S.PRECHARGING,
    _S.POWER_OFF,
    _S.WELDING,
)
_STOP_IS_ODD = (_S.STARTED, _S.CHARGING)

DIN_ROWS: Sequence[Row] = (
    Row(_S.SETUP, "SessionSetup", _S.DISCOVERY),
    Row(_S.DISCOVERY, "ServiceDiscovery", _S.PAYMENT),
    Row(_S.PAYMENT, "ServicePaymentSelection", _S.AUTHORISATION),
    Row(_S.AUTHORISATION, "ContractAuthentication", _S.PARAMETERS),
    Row(
        _S.PARAMETERS,
        "ContractAuthentication",
        _S.PARAMETERS,
        quirk=Quirk.DOUBLE_AUTHORISATION,
    ),
    Row(_S.PARAMETERS, "ChargeParameterDiscovery", _S.CABLE_CHECK),
    Row(_S.CABLE_CHECK, "CableCheck", _S.PRECHARGE),
    Row(_S.PRECHARGE, "PreCharge", _S.PRECHARGING),
    Row(_S.PRECHARGING, "PreCharge", _S.PRECHARGING),
    Row(_S.PRECHARGING, "PowerDelivery", _S.STARTED, variant="on"),
    Row(_S.PRECHARGING, "PowerDelivery", _S.POWER_OFF, variant=_OFF),
    Row(_S.STARTED, "CurrentDemand", _S.CHARGING),
    Row(_S.STARTED, "PowerDelivery", _S.POWER_OFF, variant=_OFF),
    Row(_S.CHARGING, "CurrentDemand", _S.CHARGING),
    Row(_S.CHARGING, "PowerDelivery", _S.POWER_OFF, variant=_OFF),
    Row(_S.POWER_OFF, "WeldingDetection", _S.WELDING),
    Row(_S.WELDING, "WeldingDetection", _S.WELDING),
    *(
        Row(s, "PowerDelivery", _S.POWER_OFF, _OFF, Quirk.EARLY_POWER_OFF)
        for s in _BEFORE_POWER
    ),
    *(Row(s, "SessionStop", _S.ENDED) for s in _STOPPABLE),
    *(Row(s, "SessionStop", _S.ENDED, quirk=Quirk.STOP_ANYWHERE) for s in _STOP_IS_ODD),
)


class Iso2State(State):
    """ISO 15118-2:2013, named by what is waited for (v2g_iso2.md, section 1.1)."""

    SETUP = "session setup"
    DISCOVERY = "service discovery"
    SELECTION = "payment and service selection"
    CONTRACT = "contract details"
    INSTALLATION = "contract details or installation"
    UPDATE = "contract details or update"
    CERTIFICATES = "contract details, installation or update"
    AUTHORISATION = "authorisation"
    PARAMETERS = "charge parameters"
    CABLE_CHECK = "cable check"
    PRECHARGE = "precharge"
    PRECHARGING = "precharging"
    STARTED = "power delivery started"
    CHARGING = "charging"
    POWER_OFF = "power delivery stopped"
    WELDING = "welding detection"
    RECEIPT = "metering receipt"
    AC_RECEIPT = "AC metering receipt"
    AC_READY = "AC power delivery"
    AC_STARTED = "AC power delivery started"
    AC_CHARGING = "AC charging"
    AC_OFF = "AC power delivery stopped"
    ENDED = "ended"


_I = Iso2State
AC, DC = "ac", "dc"
START, STOP, RENEGOTIATE = "start", "stop", "renegotiate"
TERMINATE, PAUSE = "terminate", "pause"
# how a car pays, and what it wants of the certificate service
EXTERNAL, CONTRACT, INSTALL = "", "contract", "contract, install"
UPDATE, INSTALL_UPDATE = "contract, update", "contract, install or update"
_SELECTED: Mapping[str, Iso2State] = {
    EXTERNAL: _I.AUTHORISATION,
    CONTRACT: _I.CONTRACT,
    INSTALL: _I.INSTALLATION,
    UPDATE: _I.UPDATE,
    INSTALL_UPDATE: _I.CERTIFICATES,
}
_WITH_CONTRACT = (_I.CONTRACT, _I.INSTALLATION, _I.UPDATE, _I.CERTIFICATES)
_BEFORE_LOOP = (
    _I.DISCOVERY,
    _I.SELECTION,
    *_WITH_CONTRACT,
    _I.AUTHORISATION,
    _I.PARAMETERS,
    _I.CABLE_CHECK,
    _I.PRECHARGE,
    _I.PRECHARGING,
    _I.AC_READY,
)
_LOOP = (_I.STARTED, _I.CHARGING)
_AC_LOOP = (_I.AC_STARTED, _I.AC_CHARGING)
_AFTER_LOOP = (_I.POWER_OFF, _I.WELDING)

ISO2_ROWS: Sequence[Row] = (
    Row(_I.SETUP, "SessionSetup", _I.DISCOVERY),
    Row(_I.DISCOVERY, "ServiceDiscovery", _I.SELECTION),
    Row(_I.SELECTION, "ServiceDetail", _I.SELECTION),
    *(
        Row(_I.SELECTION, "PaymentServiceSelection", then, how)
        for how, then in _SELECTED.items()
    ),
    *(
        Row(s, "CertificateInstallation", _I.CONTRACT)
        for s in (_I.INSTALLATION, _I.CERTIFICATES)
    ),
    *(Row(s, "CertificateUpdate", _I.CONTRACT) for s in (_I.UPDATE, _I.CERTIFICATES)),
    *(Row(s, "PaymentDetails", _I.AUTHORISATION) for s in _WITH_CONTRACT),
    Row(_I.AUTHORISATION, "Authorization", _I.PARAMETERS),
    Row(
        _I.PARAMETERS,
        "Authorization",
        _I.PARAMETERS,
        quirk=Quirk.DOUBLE_AUTHORISATION,
    ),
    Row(_I.PARAMETERS, "ChargeParameterDiscovery", _I.CABLE_CHECK, DC),
    Row(_I.PARAMETERS, "ChargeParameterDiscovery", _I.AC_READY, AC),
    Row(_I.AC_READY, "PowerDelivery", _I.AC_STARTED, START),
    Row(_I.AC_READY, "PowerDelivery", _I.AC_OFF, STOP),
    Row(_I.AC_READY, "PowerDelivery", _I.ENDED, RENEGOTIATE),  # V2G2-812
    *(
        Row(s, "ChargingStatus", _I.AC_CHARGING, receipt=_I.AC_RECEIPT)
        for s in _AC_LOOP
    ),
    Row(_I.AC_RECEIPT, "MeteringReceipt", _I.AC_CHARGING),
    *(Row(s, "PowerDelivery", _I.AC_OFF, STOP) for s in _AC_LOOP),
    *(Row(s, "PowerDelivery", _I.PARAMETERS, RENEGOTIATE) for s in _AC_LOOP),
    *(Row(s, "PowerDelivery", _I.ENDED, START) for s in _AC_LOOP),  # V2G2-812
    Row(_I.CABLE_CHECK, "CableCheck", _I.PRECHARGE),
    Row(_I.PRECHARGE, "PreCharge", _I.PRECHARGING),
    Row(_I.PRECHARGING, "PreCharge", _I.PRECHARGING),
    Row(_I.PRECHARGING, "PowerDelivery", _I.STARTED, START),
    Row(_I.PRECHARGING, "PowerDelivery", _I.POWER_OFF, STOP),
    Row(_I.PRECHARGING, "PowerDelivery", _I.ENDED, RENEGOTIATE),  # V2G2-812
    *(Row(s, "CurrentDemand", _I.CHARGING, receipt=_I.RECEIPT) for s in _LOOP),
    Row(_I.RECEIPT, "MeteringReceipt", _I.CHARGING),
    *(Row(s, "PowerDelivery", _I.POWER_OFF, STOP) for s in _LOOP),
    *(Row(s, "PowerDelivery", _I.PARAMETERS, RENEGOTIATE) for s in _LOOP),
    *(Row(s, "PowerDelivery", _I.ENDED, START) for s in _LOOP),  # V2G2-812
    *(Row(s, "WeldingDetection", _I.WELDING) for s in _AFTER_LOOP),
    *(
        Row(s, "PowerDelivery", _I.POWER_OFF, STOP, Quirk.EARLY_POWER_OFF)
        for s in (_I.AUTHORISATION, _I.PARAMETERS, _I.CABLE_CHECK, _I.PRECHARGE)
    ),
    *(
        Row(s, "SessionStop", _I.ENDED, TERMINATE)
        for s in (*_BEFORE_LOOP, *_AFTER_LOOP, _I.AC_OFF)
    ),
    *(Row(s, "SessionStop", _I.ENDED, PAUSE) for s in (*_AFTER_LOOP, _I.AC_OFF)),
    *(Row(s, "SessionStop", _I.ENDED, TERMINATE, Quirk.STOP_ANYWHERE) for s in _LOOP),
    *(
        Row(s, "SessionStop", _I.ENDED, TERMINATE, Quirk.STOP_ANYWHERE)
        for s in _AC_LOOP
    ),
)

Sequences = Mapping[tuple[State, str, str], Row]


def table(rows: Sequence[Row], quirks: frozenset[Quirk]) -> Sequences:
    """Return the rows that these tolerances allow, by (state, request, variant)."""
    return {
        (row.state, row.request, row.variant): row
        for row in rows
        if row.quirk is None or row.quirk in quirks
    }
