"""Averages of one run."""

from __future__ import annotations

import pytest

from pilothat.slac.sounding import INVENTED_DB, Report, Sounding

MODEM = bytes.fromhex("00b052a0a001")


def heard(*profiles: tuple[int, ...], expected: int = 10) -> Sounding:
    sounding = Sounding(expected, MODEM)
    for profile in profiles:
        sounding.add_profile(MODEM, profile)
    return sounding


def test_each_group_is_averaged_by_itself() -> None:
    sounding = heard(*(tuple(range(n, n + 58)) for n in range(10)))
    report = sounding.report(0, invents=False)
    assert report == Report(10, tuple(range(5, 63)), is_measured=True)


@pytest.mark.parametrize(
    ("values", "mean"), [((1, 2), 2), ((1, 1, 2), 1), ((1, 2, 2), 2), ((255, 255), 255)]
)
def test_the_mean_is_rounded(values: tuple[int, ...], mean: int) -> None:
    report = heard(*((value,) * 58 for value in values)).report(0, invents=False)
    assert report is not None
    assert report.aag_db == (mean,) * 58


@pytest.mark.parametrize(
    ("attn_rx_db", "result"), [(0, 10), (4, 6), (10, 0), (11, 0), (-250, 255)]
)
def test_the_correction_stays_within_a_byte(attn_rx_db: int, result: int) -> None:
    report = heard((10,) * 58).report(attn_rx_db, invents=False)
    assert report is not None
    assert report.aag_db == (result,) * 58


def test_profiles_beyond_two_spare_ones_are_ignored() -> None:
    report = heard(*([(10,) * 58] * 12), *([(200,) * 58] * 50)).report(0, invents=False)
    assert report == Report(10, (10,) * 58, is_measured=True)


@pytest.mark.parametrize("groups", [1, 57, 59, 255])
def test_a_profile_of_odd_length_is_ignored(groups: int) -> None:
    assert heard((10,) * groups).report(0, invents=True) is None


def test_a_doubled_sound_counts_once() -> None:
    sounding = Sounding(10, MODEM)
    for cnt in (9, 9, 8, 8):
        sounding.add_sound(cnt)
    assert sounding.sounds == 2


def test_sounds_alone_do_not_complete_because_the_modem_may_be_late() -> None:
    sounding = Sounding(2, MODEM)
    sounding.add_sound(1)
    sounding.add_sound(0)
    assert not sounding.is_complete
    sounding.add_profile(MODEM, (10,) * 58)
    assert sounding.is_complete


def test_measured_values_win_over_invented_ones() -> None:
    sounding = heard((), (), (10,) * 58)
    assert sounding.report(0, invents=True) == Report(1, (10,) * 58, is_measured=True)


def test_empty_profiles_alone_count_as_sounds() -> None:
    report = heard(*([()] * 9)).report(0, invents=True)
    assert report == Report(9, INVENTED_DB, is_measured=False)


def test_nothing_heard_is_nothing_reported() -> None:
    assert heard().report(0, invents=True) is None


def test_the_invented_report_is_plausible() -> None:
    mean_db = Report(10, INVENTED_DB, is_measured=False).mean_db
    assert len(INVENTED_DB) == 58
    assert 9 < mean_db < 10
