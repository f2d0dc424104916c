"""The settings of a station, made of those in a file."""

from __future__ import annotations

from dataclasses import asdict

from pilothat.board.calibration import board_of
from pilothat.board.revision import revision
from pilothat.errors import ConfigError
from pilothat.plant import AcRatings, Ratings
from pilothat.runtime.boards import chosen
from pilothat.runtime.panel import NO_BUTTON
from pilothat.service.config import Settings
from pilothat.slac.settings import SlacSettings, Validates
from pilothat.station.settings import StationSettings
from pilothat.v2g.messages.iso2_types import EnergyTransferMode
from pilothat.v2g.quirks import CONFORMANCE, Quirk
from pilothat.v2g.secc.din import DinSettings
from pilothat.v2g.secc.iso2_answers import Offer, modes_of
from pilothat.v2g.secc.iso2_power import Iso2Settings
from pilothat.v2g.secc.services import INTERNET
from pilothat.v2g.secc.tariff import Tariff, parse

PROTOCOLS = {"all": ("iso2", "din"), "din": ("din",), "iso2": ("iso2",)}


def check(settings: Settings) -> None:
    """Raise ConfigError for settings that are good alone, but not together."""
    _tariff(settings.text("v2g.tariff"))
    _panel(settings)
    if settings.text("station.outlet") != "ac":
        return
    if settings.text("v2g.protocols") == "din":
        raise ConfigError(
            'serves nothing on station.outlet = "ac": DIN is for DC',
            where="v2g.protocols",
            remedy='Set it to "all" or "iso2"',
        )
    if settings.flag("supply.simulate_precharge"):
        raise ConfigError(
            'is for DC, and station.outlet is "ac"',
            where="supply.simulate_precharge",
            remedy="Take it out",
        )


def _panel(settings: Settings) -> None:
    """Raise ConfigError for a lock or a button that nobody would look after."""
    button_gpio = settings.number("board.button_gpio")
    wanted = {
        "board.lock": settings.flag("board.lock"),
        "board.button_gpio": button_gpio != NO_BUTTON,
    }
    for where, is_wanted in wanted.items():
        if is_wanted and not settings.flag("board.panel"):
            raise ConfigError(
                "belongs to the panel, and board.panel is false",
                where=where,
                remedy="Set board.panel to true",
            )
    for name, gpio in asdict(revision(settings.text("board.revision")).pins).items():
        if gpio == button_gpio:
            raise ConfigError(
                f"GPIO {gpio} is the HAT's {name}",
                where="board.button_gpio",
                remedy="Take a pin that it leaves free (docs/hardware.md)",
            )


def with_board(settings: Settings) -> Settings:
    """Return the settings with the driver that "auto" means; a calibration is checked.

    Raises ConfigError.
    """
    section = settings.section("board")
    driver, options = chosen(settings.text("board.driver"), section)
    board_of(options)
    told = {"board.driver": driver, "board.revision": options["revision"]}
    return Settings({**settings.values, **told})


def quirks_of(settings: Settings) -> frozenset[Quirk]:
    """Return what is tolerated of cars: all or some in the field, else nothing."""
    if settings.text("v2g.profile") == "conformance":
        return CONFORMANCE
    return frozenset(one for one in Quirk if settings.flag(f"tolerate.{one.key}"))


def ac_ratings(settings: Settings) -> AcRatings | None:
    """Return what an AC outlet gives; None for a DC one."""
    if settings.text("station.outlet") != "ac":
        return None
    return AcRatings(
        nominal_v=settings.number("ac.nominal_v"),
        max_a=settings.number("ac.max_a"),
        phases=int(settings.number("ac.phases")),
    )


def station_settings(settings: Settings, host_mac: bytes) -> StationSettings:
    """Return the station's settings from the file's."""
    ac = ac_ratings(settings)
    return StationSettings(
        host_mac=host_mac,
        ratings=Ratings(
            max_v=settings.number("limits.max_v"),
            min_v=settings.number("limits.min_v"),
            max_a=settings.number("limits.max_a"),
            min_a=settings.number("limits.min_a"),
            max_w=settings.number("limits.max_w"),
        ),
        din=DinSettings(
            evse_id=bytes.fromhex(settings.text("station.evse_id")),
            quirks=quirks_of(settings),
        ),
        ac=ac,
        iso2=_iso2(settings, modes_of(ac)),
        protocols=PROTOCOLS[settings.text("v2g.protocols")],
        slac=SlacSettings(
            attn_rx_db=int(settings.number("slac.attn_rx_db")),
            strict_ids=settings.flag("slac.strict_ids"),
            validates=Validates[settings.text("slac.validation").upper()],
            weaker_by_db=int(settings.number("slac.weaker_by_db")),
        ),
        simulates_precharge=settings.flag("supply.simulate_precharge"),
        has_ventilation=settings.flag("pilot.ventilation"),
        is_free=settings.text("station.authorisation") == "free",
        retries=int(settings.number("slac.retries")),
        patience_s=settings.number("ac.patience_s"),
        reads_soc=settings.flag("ac.read_soc"),
        interrupts_on_link_loss=settings.flag("ac.interrupt_on_link_loss"),
    )


def _tariff(text: str) -> Tariff:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(
            f"these are no bands in their order: {error}",
            where="v2g.tariff",
            remedy="Write them as 00:00=1 06:00=3 20:00=2",
        ) from error


def _iso2(settings: Settings, modes: tuple[EnergyTransferMode, ...]) -> Iso2Settings:
    ways = settings.text("v2g.internet").split()
    offer = Offer(
        settings.text("station.evse_id_iso"),
        modes,
        settings.text("station.meter_id"),
        tuple(number for number, (name, _) in INTERNET.items() if name in ways),
    )
    return Iso2Settings(
        offer=offer,
        quirks=quirks_of(settings),
        is_contract_only=settings.flag("v2g.contract_only"),
        releases_contracts=settings.flag("v2g.release_contracts"),
        wants_receipts=settings.flag("v2g.receipts"),
        tariff=_tariff(settings.text("v2g.tariff")),
    )
