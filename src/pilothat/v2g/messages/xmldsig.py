"""XML signatures (W3C xmldsig-core), as far as V2G uses them.

A signature stands in the header of a message. What is signed is its ``SignedInfo``, as
a fragment of the signature schema alone, not of the grammar of the message.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pilothat.exi.schema import (
    UNBOUNDED,
    AnyInteger,
    Attr,
    Binary,
    Content,
    El,
    Grammar,
    Markup,
    Root,
    Text,
)
from pilothat.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CanonicalizationMethod:
    """How the signed information was brought into octets."""

    wire: ClassVar[Markup] = Markup(mixed=True, wildcard=True)
    algorithm: Annotated[str, Text(), Attr("Algorithm")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureMethod:
    """How the signature was computed."""

    wire: ClassVar[Markup] = Markup(mixed=True, wildcard=True)
    algorithm: Annotated[str, Text(), Attr("Algorithm")]
    hmac_output_length: Annotated[AnyInteger | None, El("HMACOutputLength")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One step from the referenced element to the digest's input."""

    wire: ClassVar[Markup] = Markup(mixed=True, wildcard=True)
    algorithm: Annotated[str, Text(), Attr("Algorithm")]
    x_path: Annotated[
        tuple[Annotated[str, Text()], ...], El("XPath", min_=0, max_=UNBOUNDED)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transforms:
    """The steps, in the order they are done."""

    transform: Annotated[tuple[Transform, ...], El("Transform", max_=UNBOUNDED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestMethod:
    """The hash function."""

    wire: ClassVar[Markup] = Markup(mixed=True, wildcard=True)
    algorithm: Annotated[str, Text(), Attr("Algorithm")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is signed, and its digest."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    uri: Annotated[str | None, Text(), Attr("URI")] = None
    type: Annotated[str | None, Text(), Attr("Type")] = None
    transforms: Annotated[Transforms | None, El("Transforms")] = None
    digest_method: Annotated[DigestMethod, El("DigestMethod")]
    digest_value: Annotated[bytes, Binary(base64=True), El("DigestValue")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInfo:
    """The element the signature is computed over."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    canonicalization_method: Annotated[
        CanonicalizationMethod, El("CanonicalizationMethod")
    ]
    signature_method: Annotated[SignatureMethod, El("SignatureMethod")]
    reference: Annotated[tuple[Reference, ...], El("Reference", max_=UNBOUNDED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureValue:
    """The signature itself."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    text: Annotated[bytes, Binary(base64=True), Content()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The signature of a message. V2G sends neither KeyInfo nor Object."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    signed_info: Annotated[SignedInfo, El("SignedInfo")]
    signature_value: Annotated[SignatureValue, El("SignatureValue")]
    key_info: Annotated[None, El("KeyInfo")] = None
    object: Annotated[None, El("Object", max_=UNBOUNDED)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class X509IssuerSerial:
    """Which certificate is meant: who issued it, and under which number."""

    x509_issuer_name: Annotated[str, Text(), El("X509IssuerName")]
    x509_serial_number: Annotated[AnyInteger, El("X509SerialNumber")]


GRAMMAR = Grammar(
    "xmldsig",
    global_elements=24,
    roots=(),
    element_names=45,
    fragments=(Root(32, "SignedInfo", SignedInfo),),
)
