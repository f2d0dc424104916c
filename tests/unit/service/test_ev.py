"""The car that the ``ev`` command line asks for."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.service.console import ran

from pilothat.pnc.authority import make_pki
from pilothat.pnc.signature import verify
from pilothat.runtime.pkifiles import files_of, write_new
from pilothat.service import ev
from pilothat.service.paying import contract_of
from pilothat.twin import profile
from pilothat.twin.chance import Chance
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.contract import authorization
from pilothat.v2g.evcc.handshake import DIN, ISO_2
from pilothat.v2g.evcc.settings import Energy


def asked(*words: str) -> CarProfile:
    parser = argparse.ArgumentParser()
    ev.add_arguments(parser)
    return ev.profile_of(parser.parse_args(["--interface", "eth1", *words]))


def test_without_options_the_car_is_as_it_is() -> None:
    assert asked("--car", "ioniq28") == profile.builtin("ioniq28")


def test_protocols_are_offered_in_the_order_given() -> None:
    offers = asked("--protocols", "iso2,din").handshake.offers
    assert [(o.namespace, o.priority) for o in offers] == [(ISO_2, 1), (DIN, 2)]
    assert len({o.schema_id for o in offers}) == 2


@pytest.mark.parametrize("text", ["iso3", "", "din,", "din,din"])
def test_a_wrong_list_of_protocols_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        asked("--protocols", text)
    assert "give some of din, iso2, each once" in capsys.readouterr().err


def test_the_contract_is_read_and_its_key_signs(tmp_path: Path) -> None:
    made = make_pki(1_800_000_000.0, Chance(5, "ev"))
    write_new(tmp_path, files_of(made))
    contract = contract_of(tmp_path)
    element = authorization(bytes(16))
    key = made["contract"].key.public_key()
    assert contract.emaid == "DE1ABCD2EF357A"
    assert len(contract.chain) == 3
    assert verify(contract.sign(element), (element,), key).is_good


def test_energy_and_state_of_charge_are_changed() -> None:
    car = asked("--energy", "ac", "--soc", "33")
    generic = profile.builtin("generic")
    assert car.battery == replace(generic.battery, soc_pct=33.0)
    assert car.session.iso2.energy is Energy.AC


def test_car_without_tls_cannot_insist_on_ocsp() -> None:
    refused = ran("ev", "--interface", "lo", "--ocsp")
    assert refused.code == 2
    assert "--ocsp: needs --tls. Give both" in refused.err
