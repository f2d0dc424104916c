"""The settings file: every mistake is found, at once, with its line and its remedy."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pilothat.errors import ConfigError
from pilothat.service.config import check, example, load
from pilothat.service.keys import KEYS, Key

GOOD = '[station]\ninterface = "eth1"\n'


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        check(text, "station.toml")
    assert caught.value.where == "station.toml"
    return str(caught.value)


def with_key(path: str, value: str) -> str:
    """A good file with one more key."""
    section, name = path.split(".")
    text = f"[{section}]\n{name} = {value}\n"
    return text if section == "station" else GOOD + text


def test_smallest_file_gives_every_key_its_default() -> None:
    settings = check(GOOD, "f")
    given = {key.path: key.default for key in KEYS} | {"station.interface": "eth1"}
    assert settings.values == given
    assert settings.text("station.interface") == "eth1"
    assert settings.number("limits.max_v") == 500.0
    assert settings.flag("slac.strict_ids") is True


def test_example_is_a_good_file_with_every_key_at_its_default() -> None:
    assert check(example(), "f").values == check(GOOD, "f").values
    assert all(f"\n{key.name} = " in example() for key in KEYS)
    assert all(key.why in example() for key in KEYS)


@pytest.mark.parametrize("text", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n")])
def test_byte_order_mark_and_dos_lines_are_harmless(text: str, tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_bytes(text.encode())
    assert load(path).text("station.interface") == "eth1"


# --- RB-CONFIG-01


def test_misspelt_key_is_told_with_its_line_and_the_nearest_one() -> None:
    told = complaint(GOOD + "[limits]\n\nmax_curent_a = 5\nmax_A = 5\n")
    assert "2 mistakes" in told
    assert "station.toml:5: limits.max_curent_a: unknown key; did you mean " in told
    assert "station.toml:6: limits.max_A: unknown key; did you mean limits.max_a?" in (
        told
    )


def test_key_like_no_other_is_told_with_all_known_ones() -> None:
    told = complaint(GOOD + "[limits]\nqqqqqqqq = 1\n")
    assert "limits.max_v" in told


def test_unknown_section_is_told_with_the_nearest_one() -> None:
    told = complaint(GOOD + "[limit]\nmax_v = 1\n")
    assert "station.toml:3: [limit]: unknown section; did you mean limits?" in told


def test_missing_key_is_told_with_what_it_is() -> None:
    told = complaint("[station]\n")
    assert "station.toml:1: station.interface: is missing; allowed: text like" in told


def test_empty_file_misses_the_interface_only() -> None:
    told = complaint("")
    assert "1 mistake\n" in told
    assert "station.interface: is missing" in told


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("limits.max_a", '"16A"', "text instead of a number"),
        ("limits.max_a", "true", "a switch instead of a number"),
        ("limits.max_a", "[16]", "a table or list instead of a number"),
        ("limits.max_a", "{a = 1}", "a table or list instead of a number"),
        ("limits.max_a", "-1", "-1 is out of range"),
        ("limits.max_a", "1e9", "1000000000.0 is out of range"),
        ("limits.max_a", "nan", "nan is out of range"),
        ("limits.max_a", "inf", "inf is out of range"),
        ("limits.max_a", "0.999", "0.999 is out of range"),
        ("limits.max_a", "500.001", "500.001 is out of range"),
        ("slac.retries", "1.0", "a number instead of a whole number"),
        ("slac.retries", "11", "11 is out of range"),
        ("slac.retries", "true", "a switch instead of a whole number"),
        ("pilot.ventilation", "1", "a number instead of true or false"),
        ("pilot.ventilation", '"yes"', "text instead of true or false"),
        ("v2g.profile", '"Field"', '"Field" is not allowed'),
        ("v2g.profile", "1979-05-27", "a table or list instead of"),
        ("station.interface", '"eth 1"', '"eth 1" is not allowed'),
        ("station.interface", '""', '"" is not allowed'),
        ("station.interface", '"a123456789012345"', '"a123456789012345" is not'),
    ],
)
def test_bad_value_is_told_with_what_is_allowed(
    path: str, value: str, told: str
) -> None:
    text = complaint(with_key(path, value))
    key = next(key for key in KEYS if key.path == path)
    assert f"{path}: {told}" in text
    assert f"allowed: {key.allowed}" in text


@pytest.mark.parametrize(
    "evse_id", ["", "4", "4g", "49A80737A4567", "ab" * 33, "49 A8"]
)
def test_evse_id_is_1_to_32_bytes_in_hex(evse_id: str) -> None:
    assert "station.evse_id" in complaint(GOOD + f'evse_id = "{evse_id}"\n')
    assert check(GOOD + 'evse_id = "ab"\n', "f").text("station.evse_id") == "ab"


NUMBERS = [key for key in KEYS if key.kind in (int, float)]


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.path)
def test_both_ends_of_a_range_are_allowed_and_no_more(key: Key) -> None:
    step = 1 if key.kind is int else 0.001
    ends = (key.low, key.high, key.low - step, key.high + step)
    told = [_told(with_key(key.path, f"{key.kind(end)}")) for end in ends]
    assert ["is out of range" in one for one in told] == [False, False, True, True]


def _told(text: str) -> str:
    try:
        check(text, "f")
    except ConfigError as error:
        return str(error)
    return ""


def test_key_in_the_wrong_section_is_found_in_its_own() -> None:
    assert "did you mean limits.max_v?" in complaint(GOOD + "max_v = 400\n")


def test_lower_limit_above_the_upper_one_is_told() -> None:
    told = complaint(GOOD + "[limits]\nmin_v = 400\nmax_v = 300\n")
    assert "station.toml:4: limits.min_v: 400 is above limits.max_v = 300" in told


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    told = complaint(
        "[staton]\n[limits]\nmax_v = 2000\nmax_w = true\n[slac]\nretry = 1\n"
    )
    lines = [line for line in told.splitlines() if line.startswith("station.toml:")]
    numbers = [int(line.split(":")[1]) for line in lines if line[13].isdigit()]
    assert "5 mistakes" in told
    assert numbers == sorted(numbers) == [1, 1, 3, 4, 6]
    assert "Nothing was switched on" in told


@pytest.mark.parametrize(
    "text",
    [
        GOOD + GOOD,
        GOOD + 'interface = "eth2"\n',
        "[station\n",
        "x",
        "= 1",
        "[limits]\nmax_v = 1_\n",
        "a = 1" + "0" * 5000,  # beyond what Python reads as a number
        "a = " + "[" * 5000 + "]" * 5000,
        "\0",
    ],
    ids=range(9),
)
def test_what_is_no_toml_is_told_as_such(text: str) -> None:
    assert complaint(text).startswith("station.toml: ")


def test_number_of_400_digits_is_out_of_range() -> None:
    told = complaint(GOOD + "[limits]\nmax_v = 1" + "0" * 400 + "\n")
    assert "limits.max_v" in told
    assert len(told) < 500


@pytest.mark.parametrize(
    "text", ["[[station]]\ninterface = 1\n", "station = 1\n", "station = [1]\n"]
)
def test_section_that_is_none_is_told(text: str) -> None:
    assert "station: must be a [station] section" in complaint(text)


def test_missing_file_is_told_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read.*--example"):
        load(tmp_path / "none.toml")


def test_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_other_text_than_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_bytes(b'[station]\ninterface = "\xe4"\n')
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        load(path)


# --- RB-CONFIG-02


def test_ten_megabytes_of_comments_are_read_in_a_second(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text("# a comment that says nothing\n" * 350_000 + GOOD)
    began = time.process_time()
    assert load(path).text("station.interface") == "eth1"
    assert time.process_time() - began < 2.0


def test_endless_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(ConfigError, match="larger than"):
        load(path)


def test_deep_tables_are_an_error_and_not_a_crash() -> None:
    assert complaint(GOOD + "[" + ".".join("a" * 1000) + "]\nb = 1\n")
