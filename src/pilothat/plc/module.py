"""Read and write the parameter block of one modem, block by block.

The file with its headers is what travels. Nothing lasts before the commit: a writing
that is broken off leaves the modem as it was, the next session replaces it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

from pilothat.homeplug.cm import CmSetKeyCnf, CmSetKeyReq
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import Frame, mac_text
from pilothat.homeplug.nid import nid_of
from pilothat.homeplug.qualcomm import (
    BLOCK_BYTES,
    COMMIT_FACTORY,
    COMMIT_FORCE,
    COMMIT_NO_RESET,
    MSTATUS_OK,
    ModuleCommitCnf,
    ModuleCommitReq,
    ModuleReadCnf,
    ModuleReadReq,
    ModuleStartCnf,
    ModuleStartReq,
    ModuleWriteCnf,
    ModuleWriteReq,
    VsFacDefaultsCnf,
    VsFacDefaultsReq,
    VsRsDevCnf,
    VsRsDevReq,
    VsSwVerCnf,
    VsSwVerReq,
)
from pilothat.plc.dialogue import (
    Ask,
    ModemError,
    Script,
    SilentError,
    Tell,
    Wait,
    silent,
)
from pilothat.plc.pib import Pib, checksum

READ_S = 5.0  # patience, as the maker's tool has it
SESSION_S = 60.0
WRITE_S = 90.0  # the flash is erased meanwhile
RESET_S = 2.0  # before the first question to a modem that restarts
KEY_S = 1.0
SETTLE_S = 0.3
KEY_TAKEN = 1  # every Qualcomm chip says 1 where the HomePlug text says 0
BOOT_TRIES = 120  # of half a second
IMAGE_MAX_BYTES = 1 << 17
COMMIT = COMMIT_FORCE | COMMIT_NO_RESET | COMMIT_FACTORY

_ECHOED = ("session", "offset")  # a late answer to an earlier block is none

Cnf = TypeVar("Cnf", bound=Mme)


def asked(
    mac: bytes, req: Mme, kind: type[Cnf], answer_s: float, tries: int = 3
) -> Script[Cnf]:
    """Ask one modem. Raises ModemError when it is silent or says no."""
    what = type(req).__name__

    def is_answer(frame: Frame) -> bool:
        is_kind = frame.source == mac and isinstance(frame.mme, kind)
        return is_kind and all(
            getattr(frame.mme, name, None) == getattr(req, name, None)
            for name in _ECHOED
        )

    answers = yield Ask(
        destination=mac, mme=req, is_answer=is_answer, answer_s=answer_s, tries=tries
    )
    for frame in answers:
        if isinstance(frame.mme, kind):
            status = getattr(frame.mme, "mstatus", MSTATUS_OK)
            if status != MSTATUS_OK:
                raise ModemError(
                    f"{what} refused with status 0x{status:02X}",
                    where=f"modem {mac_text(mac)}",
                    remedy="Reset it with `pilothat modem reset` and try again",
                )
            return frame.mme
    raise silent(mac, what)


def read(
    mac: bytes, offset: int, length: int, answer_s: float = READ_S
) -> Script[bytes]:
    """Read some bytes of the parameter file."""
    req = ModuleReadReq(length=length, offset=offset)
    cnf = yield from asked(mac, req, ModuleReadCnf, answer_s)
    return cnf.data


def read_pib(mac: bytes, *, may_stop: bool = True) -> Script[Pib]:
    """Read the whole file. Raises PibError when it is damaged, ModemError."""
    image = b""
    while len(image) < IMAGE_MAX_BYTES:
        block = yield from read(mac, len(image), BLOCK_BYTES)
        image += block
        yield Tell(what="read", done=len(image), may_stop=may_stop)
        if len(block) < BLOCK_BYTES:
            break
    return Pib(image, where=f"PIB of {mac_text(mac)}")


def write_pib(mac: bytes, pib: Pib, session: int) -> Script[Pib]:
    """Write a file, make it last, restart, read it back. Return what was read.

    Raises ModemError when what is read back has another role, MAC or text than what
    was written.
    """
    image = pib.image
    start = ModuleStartReq(session=session, length=len(image), checksum=checksum(image))
    yield from asked(mac, start, ModuleStartCnf, SESSION_S)
    for offset in range(0, len(image), BLOCK_BYTES):
        block = image[offset : offset + BLOCK_BYTES]
        req = ModuleWriteReq(
            session=session, length=len(block), offset=offset, data=block
        )
        yield from asked(mac, req, ModuleWriteCnf, WRITE_S)
        yield Tell(what="write", done=offset + len(block), total=len(image))
    yield Tell(what="store", may_stop=False)
    commit = ModuleCommitReq(session=session, commit=COMMIT)
    # not asked twice: it may be stored although the answer was lost; reading will tell
    with suppress(SilentError):
        yield from asked(mac, commit, ModuleCommitCnf, SESSION_S, tries=1)
    yield from reset(mac)
    stored = yield from read_pib(mac, may_stop=False)
    wrong = pib.changes(stored)
    if wrong:
        names = ", ".join(change.field.name for change in wrong)
        raise ModemError(
            f"{names} did not take",
            where=f"modem {mac_text(mac)}",
            remedy="Put the saved copy back with `pilothat modem restore`",
        )
    return stored


def reset(mac: bytes) -> Script[VsSwVerCnf]:
    """Restart a modem; return who answers afterwards."""
    yield Tell(what="restart", may_stop=False)
    yield from asked(mac, VsRsDevReq(), VsRsDevCnf, READ_S, tries=1)
    return (yield from _awaited(mac))


def factory_reset(mac: bytes) -> Script[VsSwVerCnf]:
    """Let a modem restore its factory parameters; return who answers afterwards."""
    yield Tell(what="restore factory parameters", may_stop=False)
    yield from asked(mac, VsFacDefaultsReq(), VsFacDefaultsCnf, READ_S, tries=1)
    return (yield from _awaited(mac))


def set_key(mac: bytes, nmk: bytes) -> Script[None]:
    """Give a modem a network key and wait until it answers again."""
    yield Tell(what="set a key", may_stop=False)
    req = CmSetKeyReq(nid=nid_of(nmk), nmk=nmk)
    cnf = yield from asked(mac, req, CmSetKeyCnf, KEY_S)
    if cnf.result != KEY_TAKEN:
        raise ModemError(
            f"the key is refused with result {cnf.result}",
            where=f"modem {mac_text(mac)}",
            remedy="Restart it with `pilothat modem reset`",
        )
    yield Wait(SETTLE_S)
    yield from asked(mac, VsSwVerReq(), VsSwVerCnf, 0.5, tries=BOOT_TRIES)


def _awaited(mac: bytes) -> Script[VsSwVerCnf]:
    yield Wait(RESET_S)
    return (yield from asked(mac, VsSwVerReq(), VsSwVerCnf, 0.5, tries=BOOT_TRIES))
