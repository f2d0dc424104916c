"""The contract's identifier and the challenge that proves who holds its key."""

from __future__ import annotations

import re
from hmac import compare_digest

from pilothat.machine import Entropy

CHALLENGE_OCTETS = 16  # GenChallenge; all of it random ([V2G2-697], [V2G2-698])
BARE = 14  # characters of an eMAID without check digit and hyphens
EMAID = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[A-Z0-9]{9}[A-Z0-9]?")


def normalised(emaid: str) -> str:
    """Return an eMAID in the form in which two may be compared."""
    return emaid.replace("-", "").upper()


def is_emaid(emaid: str) -> bool:
    """Tell whether a text has the form of an eMAID.

    Two letters of a country, three of a provider, nine of an account, and perhaps a
    check digit, which is not computed.
    """
    return EMAID.fullmatch(normalised(emaid)) is not None


def is_same_emaid(one: str, other: str) -> bool:
    """Compare two eMAIDs without regard to hyphens and case.

    A check digit counts only where both have one.
    """
    first, second = normalised(one), normalised(other)
    if {len(first), len(second)} == {BARE, BARE + 1}:
        return first[:BARE] == second[:BARE]
    return first == second


def new_challenge(entropy: Entropy) -> bytes:
    """Return a challenge for PaymentDetailsRes, 16 octets."""
    return entropy(CHALLENGE_OCTETS)


def is_challenge_met(sent: bytes, answered: bytes | None) -> bool:
    """Tell whether an AuthorizationReq carries the challenge that was sent."""
    is_open = len(sent) == CHALLENGE_OCTETS and answered is not None
    return is_open and compare_digest(sent, answered or b"")
