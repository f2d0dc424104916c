"""What matters in a HomePlug message, and who sends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

from pilothat.homeplug import cm, lumissil, nwinfo, qualcomm
from pilothat.homeplug.field import Mme

FROM_EV: frozenset[type[Mme]] = frozenset(
    (
        cm.CmSlacParmReq,
        cm.CmStartAttenCharInd,
        cm.CmMnbcSoundInd,
        cm.CmAttenCharRsp,
        cm.CmValidateReq,
        cm.CmSlacMatchReq,
    )
)
FROM_EVSE: frozenset[type[Mme]] = frozenset(
    (cm.CmSlacParmCnf, cm.CmAttenCharInd, cm.CmValidateCnf, cm.CmSlacMatchCnf)
)
# between a host and its own modem
LOCAL: frozenset[type[Mme]] = frozenset(
    (
        cm.CmSetKeyReq,
        cm.CmSetKeyCnf,
        cm.CmGetKeyReq,
        cm.CmGetKeyCnf,
        cm.CmAttenProfileInd,
        *qualcomm.MESSAGES,
        *lumissil.MESSAGES,
    )
)

# message -> (words in front, attribute); no network key, it has no place in a log
FIELDS: Mapping[type[Mme], Sequence[tuple[str, str]]] = {
    cm.CmSlacParmReq: (("run", "run_id"),),
    cm.CmSlacParmCnf: (
        ("run", "run_id"),
        ("sounds", "num_sounds"),
        ("window", "time_out"),
    ),
    cm.CmStartAttenCharInd: (
        ("run", "run_id"),
        ("sounds", "num_sounds"),
        ("window", "time_out"),
    ),
    cm.CmMnbcSoundInd: (("to come", "cnt"),),
    cm.CmAttenProfileInd: (("EV", "pev_mac"), ("", "aag_db")),
    cm.CmAttenCharInd: (("sounds", "num_sounds"), ("", "aag_db")),
    cm.CmAttenCharRsp: (("result", "result"),),
    cm.CmValidateReq: (("timer", "timer"), ("result", "result")),
    cm.CmValidateCnf: (("toggles", "toggle_num"), ("result", "result")),
    cm.CmSlacMatchReq: (("run", "run_id"), ("EVSE", "evse_mac")),
    cm.CmSlacMatchCnf: (("run", "run_id"), ("NID", "nid")),
    cm.CmSetKeyReq: (("NID", "nid"),),
    cm.CmSetKeyCnf: (("result", "result"),),
    cm.CmAmpMapReq: (("carriers", "amlen"),),
    cm.CmAmpMapCnf: (("result", "result"),),
    cm.CmNwStatsCnf: (("", "stations"),),
    cm.CmNwInfoCnf: (("", "networks"),),
    cm.CcDiscoverListCnf: (("", "stations"),),
    cm.CmBrgInfoCnf: (("", "hosts"),),
    nwinfo.VsNwInfoCnf: (("NID", "nid"), ("", "stations")),
    nwinfo.VsNwInfoLongCnf: (("NID", "nid"), ("", "stations")),
    qualcomm.VsSwVerCnf: (("", "firmware"),),
    qualcomm.VsRsDevCnf: (("status", "mstatus"),),
    qualcomm.VsPlLnkStatusCnf: (("link", "link"),),
}


def facts(mme: Mme) -> list[str]:
    """Return what matters in a message, ready to be printed."""
    rows = FIELDS.get(type(mme), ())
    return [f"{label} {_shown(mme, name)}".strip() for label, name in rows]


def content(mme: Mme) -> dict[str, object]:
    """Return all fields of a message but its network key."""
    if not is_dataclass(mme):
        return {}
    return {f.name: getattr(mme, f.name) for f in fields(mme) if f.repr}


def _shown(mme: Mme, name: str) -> str:
    value = getattr(mme, name)
    match name, value:
        case "time_out", int():
            return f"{value * 100} ms"
        case "aag_db", tuple():
            if not value:
                return "no attenuation measured"
            return f"mean {sum(value) / len(value):.1f} dB in {len(value)} groups"
        case (("stations" | "networks" | "hosts"), tuple()):
            return f"{len(value)} {name}"
        case _, bytes():
            return value.hex(":") if name.endswith("_mac") else value.hex()
    return str(value)
