"""Plug & Charge as a session sees it: who judges contracts, and what is kept of one.

Certificates and signatures are not looked at here. Whoever does so (``Contracts``) is
handed in, answers in the same step, and gets the time handed in too.
"""

from __future__ import annotations

from typing import Protocol

from pilothat.frozen import dataclass
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import MeterInfo, ResponseCode, SalesTariff
from pilothat.v2g.messages.xmldsig import Signature
from pilothat.v2g.plant import TimeOfDay


@dataclass(frozen=True, slots=True)
class Contract:
    """What a session keeps of a contract.

    leaf: its certificate, DER
    challenge: what the car has to sign
    is_proven: it has
    sent: the reading a receipt must repeat; receipt_at: when that was asked for
    """

    leaf: bytes
    challenge: bytes
    is_proven: bool = False
    sent: MeterInfo | None = None
    receipt_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer to a request.

    code: OK, OK_CertificateExpiresSoon or FAILED_...
    why: for the journal; empty when all is well
    leaf: the certificate that was shown, DER; empty when it is refused
    """

    code: ResponseCode
    why: str = ""
    leaf: bytes = b""

    @property
    def is_good(self) -> bool:
        return self.code.name.startswith("OK")


@dataclass(frozen=True, slots=True)
class Delivered:
    """A new contract: the response, and the signature for its header."""

    body: iso2.CertificateInstallationRes | iso2.CertificateUpdateRes
    signature: Signature


class Contracts(Protocol):
    """Judges contracts and gives new ones.

    Contract:
      1. Nothing raises: what is wrong with a request is a ruling.
      2. A good ruling on a chain has the leaf.
    """

    is_issuing: bool

    def payment_details(
        self, request: iso2.PaymentDetailsReq, time: TimeOfDay
    ) -> Ruling:
        """Rule on a contract."""

    def authorization(
        self,
        request: iso2.AuthorizationReq,
        signature: Signature | None,
        contract: Contract,
        time: TimeOfDay,
    ) -> Ruling:
        """Rule on the answer to the challenge."""

    def metering_receipt(
        self,
        request: iso2.MeteringReceiptReq,
        signature: Signature | None,
        session_id: bytes,
        contract: Contract,
    ) -> Ruling:
        """Rule on a receipt."""

    def sign(self, prices: SalesTariff) -> Signature | None:
        """Sign a tariff as its contract's operator does; None without the key."""

    def install(
        self,
        request: iso2.CertificateInstallationReq,
        signature: Signature | None,
        time: TimeOfDay,
    ) -> Delivered | Ruling:
        """Give a car its first contract."""

    def update(
        self,
        request: iso2.CertificateUpdateReq,
        signature: Signature | None,
        time: TimeOfDay,
    ) -> Delivered | Ruling:
        """Give a car another contract in the place of its own."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of day as it was told, and when that was."""

    told: TimeOfDay = TimeOfDay(0.0, is_trusted=False)
    at: float = 0.0

    def moment(self, now: float) -> TimeOfDay:
        """Return the time of day at a moment."""
        told = self.told
        now_s = told.unix_s + now - self.at
        return TimeOfDay(now_s, told.is_trusted, told.utc_offset_s)


TIMELESS = Clock()  # nobody told the time


@dataclass(frozen=True, slots=True)
class Secure:
    """What a session on a secure connection has for contracts."""

    contracts: Contracts
    clock: Clock
