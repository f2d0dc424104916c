"""What can be set on a station."""

from __future__ import annotations

from dataclasses import field

from pilothat.frozen import dataclass
from pilothat.plant import AcRatings, Ratings
from pilothat.plc.modem import ModemSettings
from pilothat.slac.settings import SlacSettings
from pilothat.slac.timing import C_SEQU_RETRY, EIM_PATIENCE_S
from pilothat.v2g.secc.din import DinSettings
from pilothat.v2g.secc.iso2_power import Iso2Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who gives test contracts, with its keys: never written to a journal.

    cps_chain, mo_chain: certificates, leaf first, DER; cps_key, mo_key: PKCS8, DER
    emaid: of the first contract of a car
    """

    cps_chain: tuple[bytes, ...]
    cps_key: bytes
    mo_chain: tuple[bytes, ...]
    mo_key: bytes
    emaid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSettings:
    """Whose contracts are accepted: all certificates DER.

    v2g, mo, oem: roots; known: CAs below them that cars need not send
    revoked: SHA-256 fingerprints
    is_strict: tolerate nothing
    issuer: gives cars new contracts; None: nobody does
    """

    v2g: tuple[bytes, ...] = ()
    mo: tuple[bytes, ...] = ()
    oem: tuple[bytes, ...] = ()
    known: tuple[bytes, ...] = ()
    revoked: tuple[bytes, ...] = ()
    is_strict: bool = False
    issuer: Issuer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSettings:
    """One charging point.

    host_mac: MAC of the powerline interface, 6 bytes
    ac: the outlet is an AC one with these ratings; None: a DC outlet
    has_ventilation: cars that ask for it (state D) may charge
    protocols: what is served; a car chooses among them
    contracts: Plug & Charge on connections under TLS; None: not offered
    is_free: every car is authorised at once
    retries: matches tried before a car must be plugged in again
    patience_s: AC: time for the matching of a car that is authorised meanwhile; then
        the duty offers the current
    simulates_precharge: a bench without a supply, where nothing is ever switched on
    interrupts_on_link_loss: AC: a lost link ends charging by the duty too
    reads_soc: AC: a car is asked by DIN how full it is, then charges by the duty alone
    """

    host_mac: bytes
    ratings: Ratings = field(default_factory=Ratings)
    ac: AcRatings | None = None
    din: DinSettings = field(default_factory=DinSettings)
    iso2: Iso2Settings = field(default_factory=Iso2Settings)
    protocols: tuple[str, ...] = ("iso2", "din")
    slac: SlacSettings = field(default_factory=SlacSettings)
    modem: ModemSettings = field(default_factory=ModemSettings)
    has_ventilation: bool = False
    contracts: ContractSettings | None = None
    is_free: bool = True
    retries: int = C_SEQU_RETRY
    patience_s: float = EIM_PATIENCE_S
    interrupts_on_link_loss: bool = False
    reads_soc: bool = False
    simulates_precharge: bool = False
