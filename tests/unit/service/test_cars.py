"""Which car a command takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothat.errors import ConfigError
from pilothat.service.cars import chosen_car


def test_car_is_found_by_its_name() -> None:
    assert chosen_car("ioniq28").name == "ioniq28"


def test_unknown_car_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="generic"):
        chosen_car("no_such_car")


def test_file_that_is_no_text_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "car.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        chosen_car(str(path))
