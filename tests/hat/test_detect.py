"""Which driver a machine gets: every Pi, with and without HAT and daemon."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.hat.machine import MODELS, PI_4, PI_5, MadeUp
from tests.hat.twin import running

from pilothat.board.detect import choose, machine
from pilothat.errors import ConfigError


@pytest.fixture
def here(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path / "root")


@pytest.fixture
def nobody() -> Mapping[str, str]:
    """Return the address of a daemon that does not run."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return {"pigpio_port": str(free.getsockname()[1])}


@pytest.mark.parametrize("model", MODELS)
def test_pi_gets_pigpio_where_its_daemon_runs_and_knows_it(
    tmp_path: Path, here: MadeUp, model: str
) -> None:
    here.pi(model)
    here.hat()
    with running(tmp_path) as daemon:
        given = {"pigpio_port": str(daemon.port), "revision": "other", "x": "y"}
        driver, options = choose(given, here.root)
    assert driver == ("kernel" if " 5" in model else "pigpio")
    assert options == {**given, "revision": "rev_a"}


@pytest.mark.parametrize("model", MODELS)
def test_pi_without_a_daemon_gets_the_kernel(
    here: MadeUp, nobody: Mapping[str, str], model: str
) -> None:
    here.pi(model)
    here.hat()
    assert choose(nobody, here.root)[0] == "kernel"


def test_serial_number_of_the_board_is_its_first_custom_atom(here: MadeUp) -> None:
    here.pi(PI_4)
    here.hat(custom_0="PH-0007")
    hat = machine(here.root).hat
    assert hat is not None
    assert hat.serial == "PH-0007"


def test_machine_that_is_no_pi_is_told_so(here: MadeUp) -> None:
    with pytest.raises(ConfigError, match=r"no Raspberry Pi\. Set it to \"twin\""):
        choose({}, here.root)


@pytest.mark.parametrize(("model", "fits"), [(PI_4, "pigpio"), (PI_5, "kernel")])
def test_pi_without_a_hat_is_told_with_what_to_set(
    here: MadeUp, model: str, fits: str
) -> None:
    here.pi(model)
    with pytest.raises(ConfigError) as refused:
        choose({}, here.root)
    told = str(refused.value)
    assert f"{model}, and no ID EEPROM" in told
    assert f'Set it to "{fits}"' in told
    assert "\n" not in told


@pytest.mark.parametrize("name", ["vendor", "product"])
def test_hat_of_somebody_else_is_refused_by_its_name(here: MadeUp, name: str) -> None:
    here.pi(PI_4)
    here.hat(**{name: "Sense Of Humour"})
    with pytest.raises(ConfigError, match=r"Sense Of Humour.* is not ours"):
        choose({}, here.root)
