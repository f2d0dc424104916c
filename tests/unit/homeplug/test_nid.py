"""NID from NMK."""

from __future__ import annotations

import hashlib

import pytest

from pilothat.homeplug.nid import nid_of

FACTORY_NMK = bytes.fromhex("50d3e4933f855b7040784df815aa8db7")  # "HomePlugAV"


def test_the_factory_key_has_the_nid_every_modem_shows() -> None:
    assert nid_of(FACTORY_NMK).hex() == "b0f2e695666b03"


def test_the_security_level_stands_in_bits_4_and_5() -> None:
    assert nid_of(FACTORY_NMK, security_level=1).hex() == "b0f2e695666b13"


def test_the_nid_is_the_fifth_hash_cut_to_52_bits() -> None:
    nmk = bytes(range(16))
    once = hashlib.sha256(nmk).digest()
    twice = hashlib.sha256(once).digest()
    thrice = hashlib.sha256(twice).digest()
    fourth = hashlib.sha256(thrice).digest()
    fifth = hashlib.sha256(fourth).digest()
    assert nid_of(nmk) == fifth[:6] + bytes((fifth[6] >> 4,))


@pytest.mark.parametrize("length", [0, 15, 17])
def test_an_nmk_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="16"):
        nid_of(bytes(length))
