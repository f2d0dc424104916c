"""XML signatures of ISO 15118-2: made and verified over EXI.

Each signed element is encoded by itself, as an EXI fragment of the message schema, and
digested; the SignedInfo with the digests is encoded in its turn, and signed. The
signature stands in the header, as 64 octets r and s, not DER.

Two encodings of SignedInfo are in use: as a fragment of the signature schema alone,
which most write and all read, and of the message schema. We write the first and read
both; ``in_message_grammar`` writes the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cache
from hashlib import sha256
from hmac import compare_digest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from pilothat.exi.codec import Codec
from pilothat.exi.schema import Grammar, Root
from pilothat.frozen import dataclass
from pilothat.v2g.messages import codec
from pilothat.v2g.messages.iso2 import (
    AuthorizationReq,
    CertificateChain,
    CertificateInstallationReq,
    CertificateUpdateReq,
    ContractSignatureEncryptedPrivateKey,
    DiffieHellmanPublicKey,
    Emaid,
    MeteringReceiptReq,
    SalesTariff,
)
from pilothat.v2g.messages.xmldsig import (
    CanonicalizationMethod,
    DigestMethod,
    Reference,
    Signature,
    SignatureMethod,
    SignatureValue,
    SignedInfo,
    Transform,
    Transforms,
)

EXI = "http://www.w3.org/TR/canonical-exi/"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
HALF = 32  # octets of r, and of s

Signed = (
    AuthorizationReq
    | CertificateChain
    | CertificateInstallationReq
    | CertificateUpdateReq
    | ContractSignatureEncryptedPrivateKey
    | DiffieHellmanPublicKey
    | Emaid
    | MeteringReceiptReq
    | SalesTariff
)


class SignatureFlaw(Enum):
    """Why a signature is refused."""

    MISSING = "the message is not signed"
    NO_ID = "the element has no Id"
    ALGORITHM = "signed or digested in another way than ISO 15118-2 says"
    NO_REFERENCE = "the element is not among those signed"
    FOREIGN_REFERENCE = "something else is signed too"
    DIGEST = "the element is not what was signed"
    LENGTH = "the signature value has not 64 octets"
    VALUE = "signed with another key, or changed afterwards"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a signature is worth: nothing if it has a flaw.

    about: the Id, algorithm or length the flaw is about
    """

    flaw: SignatureFlaw | None = None
    about: str = ""

    @property
    def is_good(self) -> bool:
        return self.flaw is None

    @property
    def why(self) -> str:
        """The flaw in words; empty without one."""
        if self.flaw is None:
            return ""
        return f"{self.flaw.value} ({self.about})" if self.about else self.flaw.value


def sign(
    elements: Sequence[Signed],
    key: ec.EllipticCurvePrivateKey,
    *,
    in_message_grammar: bool = False,
) -> Signature:
    """Sign elements, each of which must have an ``id``; ValueError if one has none."""
    info = SignedInfo(
        canonicalization_method=CanonicalizationMethod(algorithm=EXI),
        signature_method=SignatureMethod(algorithm=ECDSA_SHA256),
        reference=tuple([_reference(element) for element in elements]),
    )
    grammar = "iso2" if in_message_grammar else "xmldsig"
    octets = codec(grammar).encode_fragment(info)
    value = SignatureValue(text=sign_raw(key, octets))
    return Signature(signed_info=info, signature_value=value)


def verify(
    signature: Signature | None,
    elements: Sequence[Signed],
    public_key: ec.EllipticCurvePublicKey,
) -> Proof:
    """Tell whether exactly these elements were signed, by the owner of this key."""
    if signature is None:
        return Proof(SignatureFlaw.MISSING)
    info = signature.signed_info
    for proof in (*_algorithms(info), *_references(info, elements)):
        return proof
    value = signature.signature_value.text
    if len(value) != 2 * HALF:
        return Proof(SignatureFlaw.LENGTH, f"{len(value)}")
    for grammar in ("xmldsig", "iso2"):
        octets = codec(grammar).encode_fragment(info)
        if verify_raw(public_key, value, octets):
            return Proof()
    return Proof(SignatureFlaw.VALUE)


def sign_raw(key: ec.EllipticCurvePrivateKey, octets: bytes) -> bytes:
    """Return the signature of octets (ECDSA, SHA-256): r and s, 32 octets each."""
    r, s = utils.decode_dss_signature(key.sign(octets, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(HALF) + s.to_bytes(HALF)


def verify_raw(key: ec.EllipticCurvePublicKey, value: bytes, octets: bytes) -> bool:
    """Tell whether r and s are the key owner's signature of these octets."""
    r, s = int.from_bytes(value[:HALF]), int.from_bytes(value[HALF:])
    try:
        key.verify(utils.encode_dss_signature(r, s), octets, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _reference(element: Signed) -> Reference:
    if not element.id:
        raise ValueError(f"{type(element).__name__} has no id to refer to")
    digest = sha256(codec("iso2").encode_fragment(element)).digest()
    return Reference(
        uri=f"#{element.id}",
        transforms=Transforms(transform=(Transform(algorithm=EXI),)),
        digest_method=DigestMethod(algorithm=SHA256),
        digest_value=digest,
    )


def _algorithms(info: SignedInfo) -> Iterator[Proof]:
    """Check what decides over safety: how was digested, and how signed."""
    if info.signature_method.algorithm != ECDSA_SHA256:
        yield Proof(SignatureFlaw.ALGORITHM, info.signature_method.algorithm)
    for reference in info.reference:
        if reference.digest_method.algorithm != SHA256:
            yield Proof(SignatureFlaw.ALGORITHM, reference.digest_method.algorithm)


def _references(info: SignedInfo, elements: Sequence[Signed]) -> Iterator[Proof]:
    by_uri = {reference.uri: reference for reference in info.reference}
    expected = {f"#{element.id}": element for element in elements if element.id}
    if len(expected) < len(elements):
        yield Proof(SignatureFlaw.NO_ID)
    for uri, element in expected.items():
        if uri not in by_uri:
            yield Proof(SignatureFlaw.NO_REFERENCE, uri)
        elif not _is_digest(by_uri[uri].digest_value, element):
            yield Proof(SignatureFlaw.DIGEST, uri)
    if len(info.reference) > len(expected):
        foreign = [f"{one.uri}" for one in info.reference if one.uri not in expected]
        yield Proof(SignatureFlaw.FOREIGN_REFERENCE, ", ".join(foreign))


def _is_digest(digest: bytes, element: Signed) -> bool:
    codecs = [codec("iso2")]
    if isinstance(element, Emaid):
        codecs.append(_typed_emaid())
    fragments = [one.encode_fragment(element) for one in codecs]
    return any(compare_digest(sha256(octets).digest(), digest) for octets in fragments)


@cache
def _typed_emaid() -> Codec:
    """Return the codec that writes the eMAID fragment as some do: by its type alone."""
    ours = codec("iso2").grammar
    (root,) = [one for one in ours.fragments if one.cls is Emaid]
    typed = Root(root.code, root.name, Emaid)
    return Codec(
        Grammar(
            ours.name,
            global_elements=ours.global_elements,
            roots=(),
            element_names=ours.element_names,
            fragments=(typed,),
        )
    )
