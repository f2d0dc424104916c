"""Another people's car charges at our station: the EVCC of the package iso15118.

It has no SLAC and no pilot: the Open Powerline Toolkit's ``pev`` matches for it, and
this test holds the cable as the car says. Its certificates are those of ``pilothat
pki``, laid out as it wants them.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.net.foreign_pki import laid_out
from tests.net.lab import Lab, Process, until
from tests.net.test_charge import NEARLY_FULL, assert_well, is_open
from tests.net.test_tls import opened, pki

from pilothat.runtime.twinbench import CableEnd
from pilothat.twin.bench import CarElectrics
from pilothat.twin.circuit import CarPilot

pytestmark = pytest.mark.net

ROOT = Path(__file__).parents[2]
FOREIGN = ROOT / ".foreign" / "bin" / "python"
CAR = Path(__file__).parent / "foreign_ev.py"
BATTERY_V = 490.0
LIMIT_S = 45.0
LOOPS = 10
SUITE = "TLS TLSv1.2 ECDHE-ECDSA-AES128-SHA256"
DC = {"energyTransferMode": "DC_extended", "supportedEnergyServices": ["DC"]}
AC = {"energyTransferMode": "AC_three_phase_core", "supportedEnergyServices": ["AC"]}


@dataclass(frozen=True)
class Meeting:
    """A car and a station.

    protocol, wants: of the car; is_secure: it asks for TLS
    sections: what stands in the station's settings beside the lab's; pki is known there
    messages: some that the car must have sent
    """

    protocol: str = "ISO_15118_2"
    wants: Mapping[str, object] = field(default_factory=lambda: DC)
    is_secure: bool = False
    sections: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ("CurrentDemandReq",)

    @property
    def pays(self) -> bool:
        return "PaymentDetailsReq" in self.messages


V2G_TLS = 'tls = "required"\npki = "{pki}"\n'
AC_POST = {"station": 'outlet = "ac"\nmeter_id = "M1"\n', "ac": "max_a = 16.0\n"}
PAYS = ("PaymentDetailsReq", "AuthorizationReq")
MEETINGS = {
    "din": Meeting("DIN_SPEC_70121"),
    "iso2-dc": Meeting(),
    "iso2-ac": Meeting(wants=AC, sections=AC_POST, messages=("ChargingStatusReq",)),
    "iso2-dc-tls": Meeting(
        is_secure=True, sections={"v2g": V2G_TLS + "contracts = false\n"}
    ),
    "iso2-dc-contract": Meeting(
        is_secure=True,
        sections={"v2g": V2G_TLS},
        messages=(*PAYS, "CurrentDemandReq"),
    ),
    "iso2-ac-contract": Meeting(
        wants=AC,
        is_secure=True,
        sections={**AC_POST, "v2g": V2G_TLS + "receipts = true\n"},
        messages=(*PAYS, "ChargingStatusReq", "MeteringReceiptReq"),
    ),
}
CONTRACT = MEETINGS["iso2-dc-contract"]


def needs() -> str:
    """Say what is missing here; empty where all is there."""
    if not FOREIGN.exists():
        return "the package iso15118 is not installed in .foreign (.ci/run does it)"
    missing = [name for name in ("java", "pev") if shutil.which(name) is None]
    return f"{', '.join(missing)} not installed" if missing else ""


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Let one car come at a time: each has a Java machine, which starves stations."""
    if missing := needs():
        pytest.skip(missing)
    with (Path(tempfile.gettempdir()) / "pilothat-foreign.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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


def settle(lab: Lab, meeting: Meeting) -> None:
    """Write the settings of the station."""
    path = lab.folder / "station.toml"
    text = path.read_text()
    for name, lines in meeting.sections.items():
        section, told = f"[{name}]\n", lines.format(pki=lab.folder / "pki")
        if section in text:
            text = text.replace(section, section + told)
        else:
            text += section + told
    path.write_text(text)


def meet(
    lab: Lab, meeting: Meeting, certificates: Path, until_it_says: str
) -> tuple[Process, Process]:
    """Let the car come, and hold the cable until the station says something."""
    config = lab.folder / "evcc.json"
    asks = {"supportedProtocols": [meeting.protocol], "useTls": meeting.is_secure}
    config.write_text(
        json.dumps({**meeting.wants, **asks, "chargeLoopCycle": LOOPS}),
    )
    lab.segment()
    station = lab.station()
    with closing(CableEnd(lab.bench)) as cable:
        car = lab.start(
            "b", "evcc", "env", f"PKI_PATH={certificates}",
            str(FOREIGN), str(CAR), lab.ev, str(config),
        )  # fmt: skip
        car.wait_for("ready", LIMIT_S)
        hold(cable, None, station, "phase matching")
        matcher = match(lab)
        hold(cable, None, station, "phase setup")
        matcher.popen.kill()
        car.send("go")
        hold(cable, car, station, until_it_says)
    car.popen.kill()
    return station, car


def assert_the_next_charges(lab: Lab, station: Process) -> None:
    until(lambda: is_open(lab), 5, "contactor open")
    until(lambda: station.phase == "idle", LIMIT_S, "idle")
    pays = ("--tls", "--contract", "--pki", f"{lab.folder}/pki", "--protocols", "iso2")
    car = lab.car(*pays, *NEARLY_FULL, name="next")
    assert car.popen.wait(60) == 0, car.text
    assert_well(station)


@pytest.mark.parametrize("name", MEETINGS)
def test_the_car_of_another_project_charges(lab: Lab, name: str) -> None:
    meeting = MEETINGS[name]
    settle(lab, meeting)
    certificates = laid_out(pki(lab), lab.folder / "theirs")
    station, car = meet(lab, meeting, certificates, "phase finished")
    assert "fault=" not in station.text, station.text + car.text
    assert "the car ended the session" in station.text, station.text + car.text
    assert set(opened(lab)) == {meeting.is_secure}
    assert (SUITE in car.text) is meeting.is_secure, car.text
    assert ("session emaid=DE1ABC.." in station.text) is meeting.pays
    missing = [one for one in meeting.messages if f"message {one}" not in station.text]
    assert missing == []
    assert is_open(lab)


def test_a_contract_below_a_root_that_is_not_trusted_is_refused(lab: Lab) -> None:
    settle(lab, CONTRACT)
    foreign = pki(lab, "foreign")
    certificates = laid_out(pki(lab), lab.folder / "theirs", contract=foreign)
    refused = "FAILED_CertChainError, no trusted contract root has issued MO Sub 1"
    station, _ = meet(lab, CONTRACT, certificates, refused)
    assert "message AuthorizationReq" not in station.text
    assert_the_next_charges(lab, station)


def test_a_car_that_does_not_trust_our_root_ends_the_handshake(lab: Lab) -> None:
    settle(lab, CONTRACT)
    pki(lab)
    certificates = laid_out(pki(lab, "foreign"), lab.folder / "theirs")
    station, _ = meet(lab, CONTRACT, certificates, "TLS: the peer hung up")
    assert opened(lab) == []
    assert_the_next_charges(lab, station)
