"""The settings of a station: switches for tolerances, and what does not go together."""

from __future__ import annotations

import pytest

from pilothat.errors import ConfigError
from pilothat.service import config
from pilothat.service.making import check, quirks_of, station_settings
from pilothat.v2g.quirks import CONFORMANCE, FIELD, Quirk

GOOD = '[station]\ninterface = "eth1"\n'
MAC = bytes.fromhex("02e5e0000001")


@pytest.mark.parametrize(
    ("text", "quirks"),
    [
        ("", FIELD),
        ("[tolerate]\nstop_in_c = false\n", FIELD - {Quirk.STOP_IN_C}),
        ('[v2g]\nprofile = "conformance"\n', CONFORMANCE),
        ('[v2g]\nprofile = "conformance"\n[tolerate]\nstop_in_c = true\n', CONFORMANCE),
    ],
)
def test_each_tolerance_has_its_switch(text: str, quirks: frozenset[Quirk]) -> None:
    settings = config.check(GOOD + text, "f")
    made = station_settings(settings, MAC)
    assert quirks_of(settings) == made.din.quirks == made.iso2.quirks == quirks


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('outlet = "ac"\n[v2g]\nprotocols = "din"\n', "v2g.protocols"),
        ('[v2g]\ntariff = "06:00=2 00:00=1"\n', "v2g.tariff"),
        (
            'outlet = "ac"\n[supply]\nsimulate_precharge = true\n',
            "supply.simulate_precharge",
        ),
        ("[board]\nlock = true\n", "board.lock"),
        ("[board]\nbutton_gpio = 2\n", "board.button_gpio"),
        ("[board]\npanel = true\nbutton_gpio = 22\n", "board.button_gpio"),
    ],
)
def test_what_does_not_go_together_is_refused(text: str, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(config.check(GOOD + text, "f"))
    assert caught.value.where == where
    assert caught.value.remedy


def test_what_goes_together_is_taken() -> None:
    for text in (
        "",
        'outlet = "ac"\n',
        '[v2g]\nprotocols = "din"\n[supply]\nsimulate_precharge = true\n',
        "[board]\npanel = true\nlock = true\nbutton_gpio = 2\n",
    ):
        settings = config.check(GOOD + text, "f")
        check(settings)
        made = station_settings(settings, MAC)
        assert made.simulates_precharge is ("simulate" in text)
