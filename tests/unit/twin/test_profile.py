"""Profiles: the files that come with the program, and every mistake a file can have.

The profiles claim to imitate recorded cars; where the recordings are at hand (the
folder shared beside the repository) their numbers are compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from tests.unit.twin.booth import Booth, quick
from tests.unit.v2g.evcc.honest import Station
from tests.unit.v2g.evcc.honest2 import AcStation, Iso2Station

from pilothat.errors import ConfigError
from pilothat.slac.settings import RunIdStyle
from pilothat.station.actions import SdpOut, SendMessage
from pilothat.twin import profile
from pilothat.twin.car import Phase
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.handshake import DIN, ISO_2
from pilothat.v2g.evcc.settings import DcMode, Energy, TimeUnit, Trust
from pilothat.v2g.messages import codec, din, iso2
from pilothat.v2g.messages.sap import SupportedAppProtocolReq

CAPTURES = Path(__file__).parents[4] / "shared" / "captures"
KNOWN = (
    "audi_iso2",
    "audi_q4",
    "generic",
    "ioniq28",
    "iso2",
    "iso2-ac",
    "polestar2",
    "taycan",
    "taycan_ac",
    "tesla_model3",
    "tesla_modely",
)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        profile.parse(text, where="x.toml")
    assert caught.value.where == "x.toml"
    first, *rest = caught.value.what.split("\n  ")
    assert first == "mistakes:"
    return rest


def test_the_known_cars_are_these() -> None:
    assert profile.names() == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_every_builtin_profile_is_valid_and_knows_its_name(name: str) -> None:
    car = profile.builtin(name)
    assert car.name == name
    assert car.about


def test_an_unknown_car_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="generic, ioniq28"):
        profile.builtin("trabant")


def test_an_empty_file_is_the_default_car() -> None:
    assert profile.parse("", where="x") == CarProfile()


def test_values_of_each_kind_are_read() -> None:
    car = profile.parse(
        """
        name = "test"
        [car]
        unplugs_after_s = "none"
        tries = 7
        [slac]
        run_id = "MAC"
        [vehicle]
        max_w = "none"
        whole_volts = true
        [habits]
        setup_session_id = "00"
        precharge_trust = "both"
        doubt_s = 59
        [pace]
        grid_s = 0.22
        """,
        where="x",
    )
    assert car.car.unplugs_after_s is None
    assert car.car.tries == 7
    assert car.slac.run_id is RunIdStyle.MAC
    assert car.session.vehicle.max_w is None
    assert car.session.vehicle.whole_volts is True
    assert car.session.habits.setup_session_id == b"\0"
    assert car.session.habits.precharge_trust is Trust.BOTH
    assert car.session.habits.doubt_s == 59
    assert car.session.pace.grid_s == 0.22


def test_fixed_octets_may_stand_for_a_style() -> None:
    car = profile.parse('[slac]\nrun_id = "0102030405060708"', where="x")
    assert car.slac.run_id == bytes(range(1, 9))


def test_offers_replace_those_of_the_default_car() -> None:
    car = profile.parse(
        """
        [[offers]]
        namespace = "urn:one"
        schema_id = 0
        priority = 2
        [[offers]]
        namespace = "urn:two"
        schema_id = 9
        priority = 1
        major = 0
        minor = 7
        """,
        where="x",
    )
    assert [(o.namespace, o.schema_id, o.major) for o in car.handshake.offers] == [
        ("urn:one", 0, 2),
        ("urn:two", 9, 0),
    ]


def test_protocols_are_offers_in_order_of_preference() -> None:
    car = profile.parse('protocols = ["iso2", "din"]', where="x")
    assert [(o.namespace, o.priority) for o in car.handshake.offers] == [
        (ISO_2, 1),
        (DIN, 2),
    ]


def test_what_belongs_to_iso_15118_2_has_sections_of_its_own() -> None:
    car = profile.parse(
        """
        [iso2]
        energy = "ac"
        dc_mode = "dc_core"
        departure_s = 86400
        [ac]
        max_a = 32
        has_three_phases = true
        [vehicle]
        time_unit = "h"
        [habits]
        first_precharge_v = -5
        """,
        where="x",
    )
    assert car.session.iso2.energy is Energy.AC
    assert car.session.iso2.dc_mode is DcMode.DC_core
    assert car.session.iso2.departure_s == 86_400
    assert car.session.ac.max_a == 32
    assert car.session.ac.phases == 3
    assert car.session.vehicle.time_unit is TimeUnit.H
    assert car.session.habits.first_precharge_v == -5


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("nam = 'x'", "nam is unknown; do you mean name?"),
        ("name = 3", "name = 3 is no text"),
        ("[batery]", "batery is unknown; do you mean battery?"),
        ("zzz = 1", "zzz is unknown"),
        ("battery = 3", "[battery] must be a table"),
        ("[pace]\nloops_s = 1", "[pace] loops_s is unknown; do you mean loop_s?"),
        ("[pace]\nloop_s = -0.1", "[pace] loop_s = -0.1 is outside 0..3600"),
        ("[pace]\nloop_s = nan", "[pace] loop_s = nan is outside 0..3600"),
        ("[pace]\nloop_s = 'x'", "[pace] loop_s = 'x' must be a number"),
        ("[pace]\nloop_s = true", "[pace] loop_s = True must be a number"),
        ("[pace]\nloop_s = 'none'", "[pace] loop_s = 'none' must be a number"),
        (
            "[pace]\ngrid_s = 'x'",
            "[pace] grid_s = 'x' must be a number, \"none\"",
        ),
        ("[battery]\nsoc_pct = 101", "[battery] soc_pct = 101 is outside 0..100"),
        ("[battery]\nempty_v = 500", "[battery] empty_v must be less than full_v"),
        ("[battery]\nr_ohm = 0", "[battery] r_ohm = 0 is outside 0.001..10"),
        ("[car]\ntries = 1.5", "[car] tries = 1.5 must be a whole number"),
        (
            "[habits]\nprecharge_trust = 'me'",
            "[habits] precharge_trust = 'me' must be inlet | report | both",
        ),
        (
            "[habits]\nsetup_session_id = '000'",
            "[habits] setup_session_id = '000' must be hex digits",
        ),
        (
            "[habits]\naborts_after_auth = 1",
            "[habits] aborts_after_auth = 1 must be true | false",
        ),
        ("offers = []", "[[offers]] must be 1..20 tables"),
        ("protocols = []", "protocols = [] must be a list of din, iso2"),
        (
            "protocols = ['iso3']",
            "protocols = ['iso3'] must be a list of din, iso2",
        ),
        ("protocols = [{}]", "protocols = [{}] must be a list of din, iso2"),
        (
            "protocols = ['din']\n[[offers]]\nschema_id = 3",
            "give protocols or [[offers]], not both",
        ),
        ("[iso2]\nenergy = 'gas'", "[iso2] energy = 'gas' must be dc | ac"),
        ("[[offers]]\npriority = 21", "[[offers]] priority = 21 is outside 1..20"),
        ("[[offers]]\nschema_id = 256", "[[offers]] schema_id = 256 is outside 0..255"),
    ],
)
def test_a_mistake_is_told_with_key_range_and_nearest_key(
    text: str, mistake: str
) -> None:
    assert mistakes(text) == [mistake]


def test_all_mistakes_are_told_at_once() -> None:
    assert len(mistakes("a = 1\nb = 2\n[pace]\nloop_s = -1\nc = 3")) == 4


def test_broken_toml_is_a_mistake_too() -> None:
    with pytest.raises(ConfigError, match=r"x\.toml"):
        profile.parse("[pace", where="x.toml")


# --- against the recordings

RECORDED: Mapping[str, tuple[str, type[Station | Iso2Station]]] = {
    "audi_iso2": ("audi_iso2_dc_complete", Iso2Station),
    "ioniq28": ("ioniq28_din_complete_300kw_a", Station),
    "polestar2": ("polestar2_din_complete", Station),
    "taycan_ac": ("taycan_iso2_ac_other_side", AcStation),
    "tesla_model3": ("tesla_model3_din_complete", Station),
}
LOOPS = (din.CurrentDemandReq, iso2.CurrentDemandReq, iso2.ChargingStatusReq)
CHECKS = (din.CableCheckReq, iso2.CableCheckReq, iso2.AuthorizationReq)
PAYMENTS = (din.ServicePaymentSelectionReq, iso2.PaymentServiceSelectionReq)
Said = Sequence[tuple[float, str, object]]


def recorded(name: str) -> Said:
    """Return (time, who, message) of a recording."""
    stem, station = RECORDED[name]
    file = CAPTURES / f"{stem}.jsonl"
    if not file.exists():
        pytest.skip("no recordings beside the repository")
    rows = [json.loads(line) for line in file.read_text().splitlines()[1:]]
    rows = [row for row in rows if row["layer"] == "v2gtp"]
    protocols = ["app", "app", *[station.protocol] * len(rows)]
    return [
        (row["t"], row["from"], codec(protocol).decode(bytes.fromhex(row["hex"])))
        for row, protocol in zip(rows, protocols, strict=False)
        if row["from"] == "ev" or row["payload_type"] == "8001"
    ]


def bodies(said: Said) -> list[object]:
    """Return what the car said, each kind once."""
    kinds: dict[str, object] = {}
    for _, who, message in said:
        body = getattr(message, "body", message)
        if who == "ev":
            kinds.setdefault(type(body).__name__, body)
    return list(kinds.values())


def imitated(name: str) -> Said:
    """Return the same of the twin at a scripted station."""
    car = profile.builtin(name)
    quick_car = quick(car, car.session.goal.target_soc_pct - 0.5)
    booth = Booth(quick_car, answers=RECORDED[name][1]())
    booth.plug()
    assert booth.run(300.0, lambda: booth.car.phase is Phase.AWAY)
    return [
        (at, "ev", action.message)
        for at, action in booth.log
        if isinstance(action, SendMessage)
    ]


def shape(body: object) -> object:
    """Return which elements a request has, with the words but without the numbers."""
    if isinstance(body, SupportedAppProtocolReq):
        return body
    fields = getattr(type(body), "__dataclass_fields__", None)
    if fields is None:
        return type(body).__name__
    return {
        key: shape(value) for key in fields if (value := getattr(body, key)) is not None
    }


def repeated(said: Said, kinds: tuple[type, ...]) -> Said:
    """Leave out the first request of these kinds: another one was before it."""
    first = next(
        i for i, row in enumerate(said) if isinstance(getattr(row[2], "body", 0), kinds)
    )
    return said[first + 1 :]


def think_s(said: Said, kinds: tuple[type, ...]) -> float:
    """Return the median time from a response to a request of these kinds."""
    times = []
    for before, after in pairwise(said):
        body = getattr(after[2], "body", None)
        if isinstance(body, kinds) and before[1] == "evse":
            times.append(after[0] - before[0])
    return median(times)


@pytest.mark.parametrize("name", RECORDED)
def test_a_profile_sends_the_same_kinds_of_requests_in_the_same_order(
    name: str,
) -> None:
    wanted = [type(body) for body in bodies(recorded(name))]
    assert [type(body) for body in bodies(imitated(name))] == wanted


@pytest.mark.parametrize("name", RECORDED)
def test_a_profile_sends_the_same_elements_as_the_car(name: str) -> None:
    wanted = [shape(body) for body in bodies(recorded(name))]
    assert [shape(body) for body in bodies(imitated(name))] == wanted


@pytest.mark.parametrize("name", RECORDED)
def test_a_profile_thinks_as_long_as_the_car(name: str) -> None:
    said, pace = recorded(name), profile.builtin(name).session.pace
    assert pace.loop_s == pytest.approx(think_s(said, LOOPS), abs=0.01)
    assert pace.repeat_s == pytest.approx(
        think_s(repeated(said, CHECKS), CHECKS), abs=0.01
    )
    assert pace.change_s == pytest.approx(think_s(said, PAYMENTS), abs=0.01)


def test_the_audi_asks_for_tls_fifty_times_before_plain_tcp() -> None:
    car = profile.builtin("audi_q4")
    booth = Booth(replace(car, car=replace(car.car, search_after_s=0.5)))
    booth.has_sdp = False
    booth.plug()
    booth.run(25.0, lambda: len(asked_tls(booth)) == 51)
    assert asked_tls(booth) == [True] * 50 + [False]


def asked_tls(booth: Booth) -> list[bool]:
    return [a.payload[8] == 0 for _, a in booth.log if isinstance(a, SdpOut)]
