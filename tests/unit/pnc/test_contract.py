"""eMAIDs in all their spellings, and the challenge."""

from __future__ import annotations

import pytest

from pilothat.pnc.contract import (
    is_challenge_met,
    is_emaid,
    is_same_emaid,
    new_challenge,
)
from pilothat.twin.chance import Chance


@pytest.mark.parametrize(
    ("emaid", "is_one"),
    [
        ("DE1ABCD2EF357A", True),
        ("DE-1AB-CD2EF357A", True),
        ("de1abcd2ef357a", True),
        ("DE1ABCD2EF357A9", True),
        ("DE1ABCD2EF357A99", False),
        ("DE1ABCD2EF357", False),
        ("1E1ABCD2EF357A", False),
        ("DE1ABCD2EF357!", False),
        ("DE1ABCD2EF357Ä", False),
        ("DE1ABCD2EF357A\n", False),
        ("", False),
    ],
)
def test_form_of_an_emaid(emaid: str, is_one: bool) -> None:
    assert is_emaid(emaid) is is_one


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("DE1ABCD2EF357A", "DE1ABCD2EF357A", True),
        ("DE1ABCD2EF357A", "de-1ab-cd2ef357a", True),
        ("DE1ABCD2EF357A", "DE1ABCD2EF357A5", True),
        ("DE1ABCD2EF357A6", "DE1ABCD2EF357A5", False),
        ("DE1ABCD2EF357A", "DE1ABCD2EF357B", False),
        ("DE1ABCD2EF357A", "DE1ABCD2EF357B5", False),
        ("DE1ABCD2EF357A", "DE1ABCD2EF357", False),
        ("DE1ABCD2EF357A", "", False),
    ],
)
def test_same_emaid(one: str, other: str, is_same: bool) -> None:
    assert is_same_emaid(one, other) is is_same_emaid(other, one) is is_same


def test_challenge_is_met_by_the_same_octets_alone() -> None:
    sent = new_challenge(Chance(1, "challenge"))
    assert len(sent) == 16
    assert is_challenge_met(sent, bytes(sent))
    assert not is_challenge_met(sent, sent[:15] + bytes([sent[15] ^ 1]))
    assert not is_challenge_met(sent, sent[:15])
    assert not is_challenge_met(sent, None)


def test_challenge_that_was_never_sent_is_met_by_nothing() -> None:
    assert not is_challenge_met(b"", b"")
