"""What a chain must be like, by what its leaf is for; and what a flaw is answered with.

Declarations only: `chain.check` walks them. The -2 codes are those of the ISO 15118-2
response code list.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso2_types import ResponseCode


class Anchor(Enum):
    """Whose root a chain may end at."""

    V2G = "v2g"
    MO = "mo"
    OEM = "oem"


@dataclass(frozen=True, slots=True)
class Role:
    """What a leaf is for.

    domain: its domain component
    anchors: the roots it may end at
    may_have_country: a country may stand in its subject
    has_emaid: its common name is an eMAID
    is_leaf: it issues nothing
    broken: the code for a chain that does not hold
    """

    name: str
    domain: str
    anchors: tuple[Anchor, ...]
    may_have_country: bool = True
    has_emaid: bool = False
    is_leaf: bool = True
    broken: ResponseCode = ResponseCode.FAILED_CertChainError


CONTRACT = Role(
    "contract", "MO", (Anchor.MO, Anchor.V2G), may_have_country=False, has_emaid=True
)
OEM = Role(
    "OEM provisioning",
    "OEM",
    (Anchor.OEM,),
    broken=ResponseCode.FAILED_NoCertificateAvailable,  # CertificateInstallation_008
)
SECC = Role("SECC", "CPO", (Anchor.V2G,))
CPS = Role("provisioning service", "CPS", (Anchor.V2G,))
TARIFF = Role("tariff", "MO", (Anchor.MO, Anchor.V2G), is_leaf=False)  # MO Sub-CA 2


class Flaw(Enum):
    """What is wrong with a chain, the gravest first."""

    MALFORMED = auto()  # no DER, too large, wrong kind of key
    BROKEN = auto()  # one is not issued by the next
    UNKNOWN_ROOT = auto()
    UNFIT_ISSUER = auto()  # no CA, or not of so long a chain
    UNFIT_USE = auto()  # key usage, unknown critical extension
    ROOT_EXPIRED = auto()  # our own anchor
    REVOKED = auto()
    WRONG_SUBJECT = auto()  # domain component, country, eMAID
    LEAF_EXPIRED = auto()
    SUB_EXPIRED = auto()
    NOT_YET_VALID = auto()


ISO2_CODES: Mapping[Flaw, ResponseCode] = {  # for all others: that of the role
    Flaw.REVOKED: ResponseCode.FAILED_CertificateRevoked,
    Flaw.WRONG_SUBJECT: ResponseCode.FAILED_NoCertificateAvailable,
    Flaw.LEAF_EXPIRED: ResponseCode.FAILED_CertificateExpired,
    Flaw.SUB_EXPIRED: ResponseCode.FAILED_CertificateExpired,
    Flaw.NOT_YET_VALID: ResponseCode.FAILED_CertificateExpired,
}
# PaymentDetails_010 of the conformance suite does not take the more exact code
STRICT_CODES: Mapping[Flaw, ResponseCode] = {
    **ISO2_CODES,
    Flaw.SUB_EXPIRED: ResponseCode.FAILED_NoCertificateAvailable,
}
DATES = (
    Flaw.LEAF_EXPIRED,
    Flaw.SUB_EXPIRED,
    Flaw.ROOT_EXPIRED,
    Flaw.NOT_YET_VALID,
)
