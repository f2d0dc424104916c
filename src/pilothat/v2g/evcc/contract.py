"""The contract a car pays with (ISO 15118-2, Plug & Charge)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pilothat.frozen import dataclass
from pilothat.v2g.messages import iso2

Signed = iso2.AuthorizationReq | iso2.MeteringReceiptReq
SIGNED_ID = "id1"  # of the one element in a message that is signed


@dataclass(frozen=True, slots=True)
class Contract:
    """What proves it. The key stays with whoever signs.

    chain: certificates, DER, the contract's own first, without the root
    sign:  makes the signature over an element with an Id
    """

    emaid: str
    chain: Sequence[bytes]
    sign: Callable[[Signed], iso2.Signature]

    def details(self) -> iso2.PaymentDetailsReq:
        """Return the request that shows it."""
        leaf, *issuers = self.chain
        subs = iso2.SubCertificates(certificate=tuple(issuers)) if issuers else None
        chain = iso2.CertificateChain(certificate=leaf, sub_certificates=subs)
        return iso2.PaymentDetailsReq(
            emaid=self.emaid, contract_signature_cert_chain=chain
        )


def authorization(challenge: bytes) -> iso2.AuthorizationReq:
    """Return the first AuthorizationReq, to be signed."""
    return iso2.AuthorizationReq(id=SIGNED_ID, gen_challenge=challenge)
