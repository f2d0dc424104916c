"""config.txt: what holds for a model, and what is in the HAT's way."""

from __future__ import annotations

import pytest
from tests.hat.machine import MODELS

from pilothat.board import bootconfig
from pilothat.board.bootconfig import block, effective, holding, rivals, wanted
from pilothat.board.revision import revision

PI_3 = "Raspberry Pi 3 Model B Plus Rev 1.3"
PI_4, PI_5 = "Raspberry Pi 4 Model B Rev 1.4", "Raspberry Pi 5 Model B Rev 1.0"
ZERO_2 = "Raspberry Pi Zero 2 W Rev 1.0"
SECTIONS = """\
a=1 # for all
[pi3]
a=3
[pi3+]
a=4
[pi4]
a=5
[pi5]
a=6
[pi02]
a=7
[pi0]
b=8
[none]
a=9
[all]
c=10
"""


def values(text: str, model: str) -> dict[str, str]:
    return {key: line.text for key, line in effective(text, model).items()}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (PI_3, "a=4 c=10"),
        ("Raspberry Pi 3 Model B Rev 1.2", "a=3 c=10"),
        (PI_4, "a=5 c=10"),
        ("Raspberry Pi Compute Module 4 Rev 1.0", "a=5 c=10"),
        (PI_5, "a=6 c=10"),
        (ZERO_2, "a=7 b=8 c=10"),
        ("Raspberry Pi Zero W Rev 1.1", "a=1 b=8 c=10"),
    ],
)
def test_sections_hold_for_their_models_and_the_last_value_wins(
    model: str, told: str
) -> None:
    assert " ".join(sorted(values(SECTIONS, model).values())) == told


def test_parameters_of_the_tree_are_settings_of_their_own_and_overlays_add_up() -> None:
    text = "dtparam=audio=on\ndtparam=spi=on\ndtparam=audio=off\n"
    text += "dtoverlay=a\ndtoverlay=b\n"
    told = values(text, PI_4)
    assert sorted(told.values()) == [
        *("dtoverlay=a", "dtoverlay=b", "dtparam=audio=off", "dtparam=spi=on")
    ]


def test_filters_that_are_no_model_s_are_taken_as_holding() -> None:
    lines = [line.text for line in holding("[pi4]\n[EDID=X]\na=1\n[0x12]\nb=1\n", PI_4)]
    assert lines == ["a=1", "b=1"]
    assert [*holding("[pi4]\n[EDID=X]\na=1\n", PI_5)] == []


@pytest.mark.parametrize("driver", ["pigpio", "kernel"])
@pytest.mark.parametrize("model", MODELS)
def test_what_a_driver_needs_is_not_in_its_own_way(driver: str, model: str) -> None:
    knows = "bcm2712" not in MODELS[model]
    needed = wanted(driver, runs_pigpio=knows, board=revision())
    assert bool(needed) == (knows or driver == "kernel")
    text = "\n".join(("dtparam=audio=on", *block("dtparam=audio=on", model, needed)))
    told = [line.text for line, _ in rivals(text, model, driver, needed)]
    assert told == ([] if knows else ["dtparam=audio=on"])


def test_lines_that_hold_already_are_not_added() -> None:
    needed = wanted("pigpio", runs_pigpio=True, board=revision())
    by_hand = "dtparam=audio=off\n[all]\ndtoverlay=evse-hat # mine\n"
    assert block(by_hand, PI_4, needed) == []
    other = by_hand.replace("[all]", "[pi5]")
    assert block(other, PI_4, needed)[2:-1] == ["dtoverlay=evse-hat"]


@pytest.mark.parametrize(
    ("line", "driver", "is_rival"),
    [
        ("dtoverlay=spi1-1cs", "pigpio", True),
        ("dtoverlay=spi1-3cs", "kernel", True),
        ("dtoverlay=hifiberry-dac", "kernel", True),
        ("dtparam=i2s=on", "pigpio", True),
        ("dtparam=audio=on", "pigpio", True),
        ("dtoverlay=w1-gpio", "kernel", True),
        ("dtoverlay=w1-gpio,gpiopin=4", "kernel", True),
        ("dtoverlay=w1-gpio,gpiopin=17", "kernel", False),
        ("dtoverlay=evse-hat,kernel_pwm", "pigpio", True),
        ("dtoverlay=vc4-kms-v3d", "kernel", False),
        ("dtparam=i2c_arm=on", "kernel", False),
        ("#dtparam=audio=on", "pigpio", False),
    ],
)
def test_lines_in_the_way_are_seen(line: str, driver: str, *, is_rival: bool) -> None:
    ours = wanted(driver, runs_pigpio=True, board=revision())
    told = [one.number for one, _ in rivals(f"\n{line}\n", PI_4, driver, ours)]
    assert told == [2] * is_rival


def test_every_filter_of_a_model_we_know_is_a_pattern_that_fits_one() -> None:
    assert bootconfig.FILTERS["pi0"] != bootconfig.FILTERS["pi02"]
    assert [*holding("[pi02]\na=1\n", "Raspberry Pi Zero W Rev 1.1")] == []
