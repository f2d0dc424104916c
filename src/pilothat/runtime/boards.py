"""Boards and supplies by name, imported when chosen."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from pilothat.errors import BoardError, ConfigError
from pilothat.ports import PilotBackend, PowerSupply

AUTO = "auto"
BOARDS: Mapping[str, str] = {
    "twin": "pilothat.runtime.twinbench:open_board",
    "pigpio": "pilothat.board.pigpiohat:open_board",
    "kernel": "pilothat.board.kernelhat:open_board",
    "wallbox": "pilothat.board.wallbox:open_board",
}
_CHOOSERS: Mapping[str, str] = {AUTO: "pilothat.board.detect:choose"}
SUPPLIES: Mapping[str, str] = {
    "twin": "pilothat.runtime.twinbench:open_supply",
}


def chosen(name: str, options: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Return driver and options; "auto" looks at this machine. Raises ConfigError."""
    if name != AUTO:
        return name, options
    found = _open(_CHOOSERS, name, options, "board.driver")
    return cast("tuple[str, Mapping[str, str]]", found)


def open_board(name: str, options: Mapping[str, str]) -> PilotBackend:
    """Return the board of this name. Raises ConfigError, BoardError."""
    name, options = chosen(name, options)
    return cast("PilotBackend", _open(BOARDS, name, options, "board.driver"))


def open_supply(name: str, options: Mapping[str, str]) -> PowerSupply:
    """Return the supply of this name. Raises ConfigError, BoardError."""
    return cast("PowerSupply", _open(SUPPLIES, name, options, "supply.driver"))


def _open(
    table: Mapping[str, str], name: str, options: Mapping[str, str], where: str
) -> object:
    if name not in table:
        known = ", ".join(table)
        raise ConfigError(f"no driver '{name}'", where=where, remedy=f"Known: {known}")
    module, _, function = table[name].partition(":")
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if str(error.name).startswith("pilothat"):
            raise  # our own mistake
        raise BoardError(
            f"the driver {name} needs {error.name}, which is not installed here",
            where=where,
            remedy="make setup installs it; then use .venv/bin/pilothat",
        ) from error
    return getattr(found, function)(options)
