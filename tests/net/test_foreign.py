"""Another people's car charges at our station: the EVCC of the package iso15118.

It has no SLAC and no pilot: the Open Powerline Toolkit's ``pev`` matches for it, and
this test holds the cable as the car says.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.net.lab import Lab, Process

from pilothat.runtime.twinbench import CableEnd
from pilothat.twin.bench import CarElectrics
from pilothat.twin.circuit import CarPilot

pytestmark = pytest.mark.net

ROOT = Path(__file__).parents[2]
FOREIGN = ROOT / ".foreign" / "bin" / "python"
CAR = Path(__file__).parent / "foreign_ev.py"
BATTERY_V = 490.0
LIMIT_S = 45.0
DC = {"energyTransferMode": "DC_extended", "supportedEnergyServices": ["DC"]}
CARS: dict[str, dict[str, object]] = {
    "din": {"supportedProtocols": ["DIN_SPEC_70121"], **DC},
    "iso2-dc": {"supportedProtocols": ["ISO_15118_2"], **DC},
    "iso2-ac": {
        "supportedProtocols": ["ISO_15118_2"],
        "energyTransferMode": "AC_three_phase_core",
        "supportedEnergyServices": ["AC"],
    },
}
LOOPS = 10


def needs() -> str:
    """Say what is missing here; empty where all is there."""
    if not FOREIGN.exists():
        return "the package iso15118 is not installed in .foreign (.ci/run does it)"
    missing = [name for name in ("java", "pev") if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed" if missing else ""


def electrics(car: Process | None) -> CarElectrics:
    """Return what the car shows, by what it has told last."""
    told = car.text if car else ""
    is_c = told.rfind("CP C") > told.rfind("CP B")
    is_joined = told.rfind("contactor closed") > told.rfind("contactor open")
    return CarElectrics(
        CarPilot.C if is_c else CarPilot.B,
        contactor_closed=is_joined,
        ocv_v=BATTERY_V,
        r_ohm=1.0,
    )


def hold(cable: CableEnd, car: Process | None, station: Process, text: str) -> None:
    """Hold the cable until the station says something."""
    end = time.monotonic() + LIMIT_S
    while text not in station.text:
        told = f"{station.text}{car.text if car else ''}"
        assert time.monotonic() < end, f"no '{text}': {told}"
        cable.connect(electrics(car))  # a bench that hears nothing sees no car
        time.sleep(0.05)


def match(lab: Lab) -> Process:
    """Let the toolkit's car match for ours; it leaves the network after a while."""
    settings = lab.folder / "pev.ini"
    made = subprocess.run(["pev", "-c"], capture_output=True, text=True, check=True)
    settings.write_text(made.stdout)
    return lab.start("b", "pev", "pev", "-i", lab.ev, "-p", str(settings))


@pytest.mark.parametrize("name", CARS)
def test_the_car_of_another_project_charges(lab: Lab, name: str) -> None:
    if missing := needs():
        pytest.skip(missing)
    wants = {**CARS[name], "useTls": False, "chargeLoopCycle": LOOPS}
    config = lab.folder / "evcc.json"
    config.write_text(json.dumps(wants))
    if name.endswith("-ac"):
        path = lab.folder / "station.toml"
        path.write_text(path.read_text() + "\n[ac]\nmax_a = 16.0\n")
        text = path.read_text().replace("[station]\n", '[station]\noutlet = "ac"\n')
        path.write_text(text)
    lab.segment()
    station = lab.station()
    with closing(CableEnd(lab.bench)) as cable:
        car = lab.start("b", "evcc", str(FOREIGN), str(CAR), lab.ev, str(config))
        car.wait_for("ready", LIMIT_S)
        hold(cable, None, station, "phase matching")
        matcher = match(lab)
        hold(cable, None, station, "phase setup")
        matcher.popen.kill()
        car.send("go")
        hold(cable, car, station, "phase session")
        hold(cable, car, station, "phase finished")
    car.popen.kill()
    assert "fault=" not in station.text, station.text + car.text
    assert "the car ended the session" in station.text, station.text + car.text
    loop = "ChargingStatusReq" if name.endswith("-ac") else "CurrentDemandReq"
    assert loop in station.text
